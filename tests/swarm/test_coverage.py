"""Who serves which units, and what one computer is needed for; see app/swarm/coverage.py."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import NotServed
from app.ids import PeerId, Span
from app.swarm.coverage import meets, place_of, replicas, runs
from app.swarm.route import Offer, find_route

UNITS = 10
SPANS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(1, 6)).map(lambda one: Span(one[0], sum(one))),
    max_size=12,
)


@settings(deadline=None, max_examples=100)
@given(SPANS)
def test_every_unit_is_counted_as_often_as_it_is_served(spans: list[Span]) -> None:
    expected = [sum(unit in span for span in spans) for unit in range(UNITS)]
    assert replicas(spans, UNITS) == expected


def test_a_computer_is_the_only_one_the_second_one_or_spare() -> None:
    others = [Span(0, 5), Span(0, 5), Span(5, 8)]
    for own, place in (
        (None, "none"),
        (Span(0, 4), "spare"),
        (Span(3, 6), "second"),
        (Span(6, 9), "only"),
    ):
        spans = others if own is None else [*others, own]
        assert place_of(own, replicas(spans, UNITS)) == place


def test_a_part_outside_the_model_is_no_place_in_it() -> None:
    assert place_of(Span(20, 22), replicas([Span(20, 22)], UNITS)) == "none"


@settings(deadline=None, max_examples=150)
@given(SPANS)
def test_parts_meet_exactly_when_a_route_is_found(spans: list[Span]) -> None:
    offers = [
        Offer(PeerId(bytes([number]) * 32), (), span, 1.0, 100)
        for number, span in enumerate(spans)
        if span.stop <= UNITS
    ]
    try:
        find_route(offers, UNITS - 1, tokens=1)
        found = True
    except NotServed:
        found = False
    assert meets(spans, UNITS) is found


@pytest.mark.parametrize(
    ("spans", "fits"),
    [
        ([Span(0, 5), Span(5, 10)], True),
        ([Span(1, 5), Span(5, 9)], True),
        ([Span(0, 6), Span(5, 10)], False),
        ([Span(0, 5)], False),
        ([], False),
    ],
)
def test_parts_that_overlap_without_meeting_make_no_chain(spans: list[Span], fits: bool) -> None:
    assert meets(spans, UNITS) is fits


def test_neighbours_that_are_served_equally_often_are_told_together() -> None:
    assert runs([2, 2, 0, 1]) == [(Span(0, 2), 2), (Span(2, 3), 0), (Span(3, 4), 1)]
    assert runs([]) == []
