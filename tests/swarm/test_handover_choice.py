"""Moving a memory or computing it again: whichever is over first."""

from __future__ import annotations

import pytest

from app.ids import PeerId, Span, parse_span
from app.swarm.handover_choice import (
    Move,
    Replay,
    is_cheaper,
    is_worth_asking,
    moves,
    replay_of,
    rows_in_time,
)
from app.swarm.route import PROMPT_GAIN, Link, Offer
from app.swarm.token_chain import ModelShape
from tests.helpers.small_swarm import MODEL

HOME, LAN = 2.5e6, 100e6
HIDDEN = 4 * 4096
KEYS_AND_VALUES = 4096
"""One block of a model of 8 billion weights, for one position: fewer than a hidden state."""


def link(name: str, span: str, *, layers_per_second: float = 100.0) -> Link:
    units = parse_span(span)
    return Link(Offer(PeerId(name.encode() * 32), (), units, layers_per_second, 512), units)


def test_replaying_takes_the_layers_and_the_rows() -> None:
    replay = replay_of(link("a", "1:5"), 330, row_bytes=HIDDEN, head_unit=9)
    assert replay.compute_seconds == pytest.approx(330 * 4 / 100 / PROMPT_GAIN)
    assert replay.sent_bytes == 330 * HIDDEN
    assert replay.seconds(HOME) == pytest.approx(4.0 + 330 * HIDDEN / HOME)


@pytest.mark.parametrize(
    ("blocks", "layers_per_second", "line", "moved"),
    [
        (2, 400.0, HOME, True),  # less has to travel than for a replay
        (16, 2000.0, HOME, False),  # a graphics card is quicker than a home's line
        (16, 60.0, HOME, True),  # a slow processor is not
        (16, 2000.0, LAN, True),  # in one house moving is nearly free
    ],
)
def test_what_is_over_first_is_done(
    blocks: int, layers_per_second: float, line: float, *, moved: bool
) -> None:
    heir = link("a", f"1:{1 + blocks}", layers_per_second=layers_per_second)
    replay = replay_of(heir, 1000, row_bytes=HIDDEN, head_unit=33)
    assert is_cheaper(blocks * KEYS_AND_VALUES, replay, bytes_per_second=line) is moved


def test_the_length_of_a_conversation_does_not_change_the_choice() -> None:
    for positions in (10, 1000):
        replay = replay_of(link("a", "1:17"), positions, row_bytes=HIDDEN, head_unit=33)
        assert is_cheaper(16 * KEYS_AND_VALUES, replay, bytes_per_second=HOME)


def test_what_is_replayed_at_once_is_not_asked_for() -> None:
    assert not is_worth_asking(Replay(positions=10, compute_seconds=0.05, sent_bytes=1000))
    assert is_worth_asking(Replay(positions=10, compute_seconds=0.15, sent_bytes=1000))
    assert is_worth_asking(Replay(positions=10, compute_seconds=0.0, sent_bytes=1 << 20))


def test_no_more_is_sent_than_leaves_in_time() -> None:
    assert rows_in_time(1000, 1.25, bytes_per_second=50_000) == 50
    assert rows_in_time(1000, 0.2, bytes_per_second=50_000) == 0
    assert rows_in_time(1000, -1.0, bytes_per_second=50_000) == 0


A, B, C = link("a", "0:3"), link("b", "3:6"), link("c", "6:9")
ALL = [each.offer.peer for each in (A, B, C)]


def found(fresh: list[Link], leaving: list[Link], *, sends_tokens: bool = True) -> list[Move]:
    return moves(
        leaving,
        fresh,
        ALL,
        positions=500,
        shape=ModelShape(MODEL, HIDDEN // 4, 1000, 8),
        sends_tokens=sends_tokens,
    )


def test_who_takes_the_units_of_one_that_leaves_is_its_heir() -> None:
    heir = link("d", "3:6")
    (move,) = found([A, heir, C], [B])
    assert (move.giver, move.heir) == (B.offer, heir.offer)
    assert move.replay == replay_of(heir, 500, row_bytes=HIDDEN, head_unit=8)


def test_tokens_are_sent_to_the_first_of_a_chain() -> None:
    heir = link("d", "0:3")
    (move,) = found([heir, B, C], [A])
    assert move.replay.sent_bytes == 0
    (move,) = found([heir, B, C], [A], sends_tokens=False)
    assert move.replay.sent_bytes == 500 * HIDDEN


def test_nothing_moves_where_nobody_leaves_or_the_units_differ() -> None:
    heir = link("d", "3:6")
    assert not found([A, heir, C], [])
    assert not found([A, heir, C], [A])
    assert not found([A, link("d", "3:5"), link("e", "5:6"), C], [B])
    assert not found([A, link("d", "3:9")], [B])
    assert not found([A, B, C], [B])


def test_two_that_leave_have_an_heir_each() -> None:
    fresh = [link("d", "0:3"), link("e", "3:6"), C]
    both = found(fresh, [B, A])
    assert [(move.giver.span, move.heir.span) for move in both] == [
        (Span(0, 3), Span(0, 3)),
        (Span(3, 6), Span(3, 6)),
    ]
