"""Nobody shuts others out by coming in numbers: the largest group makes way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from app.ids import PeerId
from app.net.connection import Connection
from app.net.crowding import (
    A_CROWD,
    MAX_HALF_OPEN_OF_ONE,
    MOST_HELD_BYTES,
    may_begin,
    who_gives_up,
    who_holds_too_much,
    who_makes_way,
)

NOW = 100.0
SOMEBODY = PeerId(b"p" * 32)


@dataclass(eq=False)
class Stub:
    """What is looked at of a connection."""

    address: str
    idle: float = 0.0
    began_at: float = 0.0
    peer: PeerId | None = SOMEBODY

    def idle_seconds(self, now: float) -> float:
        return self.idle


def stubs(prefix: str, count: int, **what: Any) -> list[Stub]:
    """So many connections from one /24."""
    return [Stub(f"{prefix}.{n}:4600", began_at=float(n), **what) for n in range(count)]


def apart(count: int, **what: Any) -> list[Stub]:
    """So many, each from somewhere else."""
    return [Stub(f"9.{n // 256}.{n % 256}.1:4600", **what) for n in range(count)]


def chosen(*groups: list[Stub], newcomer: str | None, kept: bool = False) -> Stub | None:
    everybody = cast(list[Connection], [one for group in groups for one in group])
    found = who_makes_way(everybody, NOW, newcomer=newcomer, is_kept=lambda peer: kept)
    return cast(Stub | None, found)


def test_who_was_quiet_longest_goes_first() -> None:
    honest = apart(20, idle=5.0)
    honest[7].idle = 60.0
    assert chosen(honest, newcomer="8.8.8.8:1") is honest[7]


def test_with_everybody_busy_and_alone_the_newcomer_has_to_go() -> None:
    assert chosen(apart(20), newcomer="8.8.8.8:1") is None


def test_a_crowd_makes_way_before_others_that_are_quiet() -> None:
    honest, crowd = apart(200, idle=50.0), stubs("6.6.6", 56)
    crowd[3].idle = 3.0
    assert chosen(honest, crowd, newcomer="8.8.8.8:1") is crowd[3]


def test_a_crowd_that_keeps_everything_busy_loses_its_newest() -> None:
    honest, crowd = apart(100, idle=50.0), stubs("6.6.6", 156)
    assert chosen(honest, crowd, newcomer="8.8.8.8:1") is crowd[-1]
    assert chosen(honest, crowd, newcomer=None) is crowd[-1]


def test_one_more_of_a_crowd_pushes_nobody_else_out() -> None:
    honest, crowd = apart(100, idle=50.0), stubs("6.6.6", 156)
    assert chosen(honest, crowd, newcomer="6.6.6.200:9") is None
    crowd[0].idle = 3.0
    assert chosen(honest, crowd, newcomer="6.6.6.200:9") is crowd[0]


def test_a_household_keeps_what_it_uses_while_others_are_quiet() -> None:
    honest, household = apart(200, idle=50.0), stubs("6.6.6", A_CROWD + 1)
    assert chosen(honest, household, newcomer="8.8.8.8:1") in honest


def test_computers_of_one_house_count_each_for_itself() -> None:
    house = [Stub(f"192.168.1.{n}:4600") for n in range(100)]
    assert chosen(house, newcomer="192.168.1.200:1") is None


def test_half_open_ones_of_one_group_are_bounded_and_the_largest_makes_way() -> None:
    flood = cast(list[Connection], stubs("6.6.6", MAX_HALF_OPEN_OF_ONE))
    assert not may_begin(flood, "6.6.6.99:1")
    assert may_begin(flood, "8.8.8.8:1")
    assert who_gives_up(flood, "8.8.8.8:1") is flood[0]
    assert who_gives_up(cast(list[Connection], apart(64)), "8.8.8.8:1") is None


def test_who_holds_most_of_the_memory_goes_and_nobody_else() -> None:
    honest, crowd = apart(8), stubs("6.6.6", 8)
    share = MOST_HELD_BYTES // 10
    held = {**dict.fromkeys(honest, share // 4), **dict.fromkeys(crowd, share)}
    held[crowd[5]] = 2 * share
    held[honest[0]] = 2 * share
    found = who_holds_too_much(cast(dict[Connection, int], held))
    assert found[0] is cast(Connection, crowd[5])
    assert set(found) < set(cast(list[Connection], crowd))
    left = sum(size for one, size in held.items() if cast(Connection, one) not in found)
    assert left <= MOST_HELD_BYTES < left + 2 * share


@pytest.mark.parametrize("count", [0, 1, 7])
def test_within_the_room_nobody_goes(count: int) -> None:
    held = dict.fromkeys(apart(count), MOST_HELD_BYTES // 8)
    assert who_holds_too_much(cast(dict[Connection, int], held)) == []
