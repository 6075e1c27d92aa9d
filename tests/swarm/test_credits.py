"""What was given and taken; see app/swarm/credits.py."""

from __future__ import annotations

import pytest

from app.ids import PeerId, Span
from app.swarm.credits import Credits, blocks_in
from app.swarm.token_chain import ChainPart

ME, OTHER = PeerId(b"m" * 32), PeerId(b"o" * 32)
HEAD = 9


@pytest.mark.parametrize(
    ("span", "blocks"),
    [
        (Span(0, 10), 8),
        (Span(0, 1), 0),
        (Span(9, 10), 0),
        (Span(1, 9), 8),
        (Span(4, 6), 2),
        (Span(8, 10), 1),
    ],
)
def test_the_two_ends_of_a_model_are_no_blocks(span: Span, blocks: int) -> None:
    assert blocks_in(span, HEAD) == blocks


def test_only_what_is_computed_for_others_is_given() -> None:
    credits = Credits()
    credits.own_names.add(ME)
    credits.gave(OTHER, positions=5, blocks=8)
    credits.gave(ME, positions=100, blocks=8)
    assert (credits.given, credits.taken, credits.positions) == (40, 0, 5)


def test_only_what_others_compute_is_taken() -> None:
    credits = Credits()
    chain = [
        ChainPart(None, Span(0, 1)),
        ChainPart(ME, Span(1, 5)),
        ChainPart(OTHER, Span(5, 9)),
        ChainPart(None, Span(9, 10)),
    ]
    credits.took(chain, positions=3, head_unit=HEAD, own=ME)
    assert (credits.given, credits.taken) == (0, 12)
