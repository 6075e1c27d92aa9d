"""A model as placement sees it; see app/swarm/layout.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ids import Span
from app.swarm.layout import EMBEDDING_WORK, Layout

TEN = Layout([1] * 10)


def test_a_model_is_cut_in_halves_of_equal_bytes_and_these_again() -> None:
    assert TEN.cuts[5] == 1
    assert {unit for unit, depth in TEN.cuts.items() if depth == 2} == {3, 7}
    assert sorted(TEN.cuts) == list(range(1, 10))
    assert Layout([6, 1, 1, 1, 1, 1, 1]).cuts[1] == 1


def test_conversations_take_room_besides_the_units() -> None:
    layout = Layout([4, 2, 2, 2, 3], [0, 1, 1, 1, 5])
    assert layout.memory(Span(0, 5)) == 4 + 3 * 3 + 8
    assert layout.memory(Span(0, 1)) == 4
    assert layout.memory(Span(3, 5)) == 3 + 8


def test_who_hands_on_needs_room_for_what_was_handed_on_and_the_last_one_does_not() -> None:
    layout = Layout([4, 2, 2, 2, 3], handing_on_bytes=10, span_bytes=100)
    assert layout.memory(Span(1, 4)) == 100 + 6 + 10
    assert layout.memory(Span(1, 5)) == 100 + 9
    assert (layout.handing_on_bytes(4), layout.handing_on_bytes(5)) == (10, 0)
    assert (layout.memory_besides(4), layout.memory_besides(5)) == (110, 100)
    # The whole fits where everything but the head does not.
    assert layout.farthest(0, 113) == layout.longest(113) == 5
    assert layout.farthest(0, 112) == 0
    assert layout.longest(112) == 4


def test_everybody_cuts_alike_whatever_room_their_conversations_get() -> None:
    plain, roomy = Layout([9, 2, 2, 2, 3, 4]), Layout([9, 2, 2, 2, 3, 4], [0, 50, 1, 1, 9, 0])
    assert plain.cuts == roomy.cuts


def test_a_middling_block_is_one_piece_of_work_and_the_embedding_hardly_any() -> None:
    layout = Layout([900, 10, 30, 20, 900])
    assert layout.work(Span(1, 4)) == 3.0
    assert layout.work(Span(2, 3)) == pytest.approx(1.5)
    assert layout.work(Span(0, 1)) == EMBEDDING_WORK
    assert layout.work(Span(9, 20)) == EMBEDDING_WORK


def test_what_is_on_the_disk_does_not_come_again() -> None:
    layout = Layout([4, 2, 2, 3])
    assert layout.missing_bytes(Span(0, 3), held={1}) == 6


def test_a_small_computer_halves_the_model_further() -> None:
    layout = Layout([1] * 64)
    assert layout.depth_for(64, 2) == 2
    assert layout.depth_for(4, 2) == 4
    assert layout.depth_for(0, 2) == 6


rooms = st.integers(0, 9)
layouts = st.lists(st.tuples(rooms, rooms), min_size=3, max_size=20).flatmap(
    lambda pairs: st.builds(
        Layout,
        st.just([size for size, _ in pairs]),
        st.just([room for _, room in pairs]),
        handing_on_bytes=rooms,
        span_bytes=rooms,
    )
)


@given(layouts, st.integers(0, 90))
def test_what_fits_is_what_trying_all_spans_finds(layout: Layout, room: int) -> None:
    spans = [Span(a, b) for a in range(layout.units) for b in range(a + 1, layout.units + 1)]
    fitting = [len(span) for span in spans if layout.memory(span) <= room]
    assert layout.longest(room) == max(fitting, default=0)


@given(layouts, st.integers(0, 90))
def test_how_far_a_span_reaches_fits_and_one_more_does_not(layout: Layout, room: int) -> None:
    for point in range(layout.units + 1):
        far, near = layout.farthest(point, room), layout.nearest(point, room)
        if far > point:
            assert layout.memory(Span(point, far)) <= room
        if far < layout.units:
            assert layout.memory(Span(point, far + 1)) > room
        if near > 0:
            assert layout.memory(Span(near - 1, point)) > room
