"""What a computer stands by for, and when it serves that too; see app/swarm/standby.py."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import Span
from app.swarm.placement import Server
from app.swarm.standby import BEGIN_SECONDS, END_SECONDS, Need, Patience, need_of, spare
from tests.swarm.test_placement import TEN, me, near_strangers, server, strangers

PLENTY = 10_000


def chosen(units: int, *servers: Server, disk: int = PLENTY, draw: float = 0.0) -> str | None:
    """What a computer that serves 7:10, with room for so many units besides, stands by for."""
    found = spare(TEN, servers, me(units, "7:10"), most_bytes=disk, draw=draw)
    return None if found is None else str(found)


# ── for what ─────────────────────────────────────────────────────────────────


def test_units_that_one_computer_serves_come_before_those_that_two_do() -> None:
    servers = [server("a", "0:4"), server("b", "0:4"), server("c", "4:7"), server("d", "7:10")]
    assert chosen(4, *servers) == "4:7"
    assert chosen(4, *servers, server("e", "4:7"), server("f", "0:4")) == "4:7"


def test_a_gap_between_others_comes_first_of_all() -> None:
    servers = [server("a", "0:3"), server("b", "5:7"), server("c", "5:7")]
    assert chosen(3, *servers) == "3:5"
    assert chosen(1, *servers) is None, "none of them fits"


def test_of_units_that_as_few_serve_the_crowded_come_first() -> None:
    servers = [server("a", "0:4"), server("b", "4:7", load=0.9)]
    assert {chosen(4, *servers, draw=draw) for draw in (0.0, 0.5, 0.99)} == {"4:7"}


def test_crowded_units_count_however_many_serve_them() -> None:
    servers = [server(name, "0:4", load=0.9) for name in "abc"]
    servers += [server(name, "4:7") for name in "def"]
    assert chosen(4, *servers) == "0:4"
    assert chosen(4, *servers, server("g", "0:4", load=0.1)) is None, "one of them has room"


def test_chance_spreads_those_who_could_stand_by() -> None:
    servers = [server("a", "0:4"), server("b", "4:7")]
    assert {chosen(4, *servers, draw=draw) for draw in (0.0, 0.5, 0.99)} == {"0:4", "4:7"}


def test_what_is_here_already_is_taken_among_equals() -> None:
    servers = [server("a", "0:4"), server("b", "4:7")]
    own = me(4, "7:10", held={4, 5, 6})
    for draw in (0.0, 0.99):
        assert spare(TEN, servers, own, most_bytes=0, draw=draw) == Span(4, 7)


def test_memory_and_disk_bound_it() -> None:
    servers = [server("a", "0:4"), server("b", "4:7")]
    assert chosen(3, *servers) == "4:7"
    assert chosen(2, *servers) is None
    assert chosen(4, *servers, disk=30) == "4:7"
    assert chosen(4, *servers, disk=29) is None


def test_own_units_and_what_crosses_them_are_nothing_to_stand_by_for() -> None:
    assert chosen(10, server("a", "6:10"), server("b", "0:10")) != "6:10"
    assert chosen(10, server("a", "7:10"), server("b", "0:10")) is None


def test_who_serves_nothing_stands_by_for_nothing() -> None:
    assert spare(TEN, [server("a", "0:4")], me(8), most_bytes=PLENTY, draw=0.0) is None


# ── what is lacking ──────────────────────────────────────────────────────────


def lacking(*servers: Server, own_load: float | None = None) -> Need | None:
    return need_of(servers, Span(4, 7), own_load=own_load)


def test_a_unit_that_nobody_serves_is_worse_than_one_that_one_does() -> None:
    assert lacking(server("a", "0:4")) == "nobody"
    assert lacking(server("a", "4:6"), server("b", "4:6")) == "nobody"
    assert lacking(server("a", "4:7")) == "one"
    assert lacking(server("a", "4:7"), server("b", "0:5"), server("c", "5:9")) is None
    assert lacking(server("a", "4:7"), server("b", "4:7", besides=True)) is None


def test_who_is_still_fetching_serves_nobody() -> None:
    assert lacking(server("a", "4:7"), server("b", "4:7", ready=False)) == "one"


def test_units_are_crowded_when_all_who_serve_one_of_them_are() -> None:
    busy = [server("a", "4:7", load=0.9), server("b", "4:7", load=1.0)]
    assert lacking(*busy) == "crowded"
    assert lacking(*busy, server("c", "4:7", load=0.2)) is None
    assert lacking(*busy, server("c", "5:9", load=0.2)) == "crowded"


def test_who_helps_out_stays_while_the_others_alone_would_be_crowded() -> None:
    others = [server("a", "4:7", load=0.5), server("b", "4:7", load=0.5)]
    assert lacking(*others) is None
    assert lacking(*others, own_load=0.5) == "crowded"
    assert lacking(*others, own_load=0.1) is None


# ── when ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("need", list(BEGIN_SECONDS))
def test_a_need_is_met_when_it_has_lasted(need: Need) -> None:
    least, more = BEGIN_SECONDS[need]
    patience = Patience()
    assert not patience.look(need, now=0.0, draw=0.5)
    due_at = least + 0.5 * more
    assert patience.due_at == due_at
    assert not patience.look(need, now=due_at - 0.1, draw=0.9)
    assert patience.look(need, now=due_at, draw=0.9)
    assert patience.due_at is None


def test_a_need_that_passes_by_itself_is_forgotten() -> None:
    patience = Patience()
    assert not patience.look("one", now=0.0, draw=0.0)
    assert not patience.look(None, now=10.0, draw=0.0)
    assert not patience.look("one", now=25.0, draw=0.0)
    assert patience.look("one", now=45.0, draw=0.0)


def test_a_need_that_becomes_urgent_is_met_sooner() -> None:
    patience = Patience()
    assert not patience.look("crowded", now=0.0, draw=0.9)
    assert not patience.look("nobody", now=10.0, draw=0.5)
    assert patience.look("nobody", now=12.0, draw=0.9)


def test_it_ends_only_when_the_need_has_been_gone_for_long() -> None:
    patience = Patience(meets=True)
    least, _ = END_SECONDS
    assert patience.look(None, now=0.0, draw=0.0)
    assert patience.look(None, now=least - 1, draw=0.0)
    assert patience.look("one", now=least, draw=0.0), "and begins anew when it comes back"
    assert patience.look(None, now=least + 1, draw=0.0)
    assert not patience.look(None, now=2 * least + 1, draw=0.0)


def test_what_is_called_off_has_to_last_again() -> None:
    patience = Patience()
    patience.look("nobody", now=0.0, draw=0.0)
    assert patience.meets
    patience.call_off()
    assert (patience.meets, patience.due_at) == (False, None)


# ── whatever strangers announce ──────────────────────────────────────────────


@settings(deadline=None, max_examples=80)
@given(
    st.lists(strangers | near_strangers, max_size=30),
    st.integers(0, 12),
    st.floats(0, 1, exclude_max=True),
)
def test_whatever_is_announced_what_is_chosen_fits(
    servers: list[Server], units: int, draw: float
) -> None:
    own = me(units, "7:10")
    span = spare(TEN, servers, own, most_bytes=60, draw=draw)
    if span is not None:
        assert span.stop <= 7
        assert TEN.memory(span) <= min(own.room_bytes, 60)
    need_of(servers, Span(0, 10), own_load=0.3)
