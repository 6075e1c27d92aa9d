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
    assert {unit for unit, depth in TEN.cuts.items() if depth == 2} == {2, 7}
    assert sorted(TEN.cuts) == list(range(1, 10))
    assert Layout([6, 1, 1, 1, 1, 1, 1]).cuts[1] == 1


def test_conversations_take_room_on_blocks_only() -> None:
    layout = Layout([4, 2, 2, 2, 3], room_bytes_per_block=1)
    assert layout.memory(Span(0, 5)) == 4 + 3 * 3 + 3
    assert layout.memory(Span(0, 1)) == 4
    assert layout.memory(Span(3, 5)) == 3 + 3


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


@given(st.lists(st.integers(0, 9), min_size=3, max_size=20), st.integers(0, 60))
def test_how_far_a_span_reaches_fits_and_one_more_does_not(sizes: list[int], room: int) -> None:
    layout = Layout(sizes, room_bytes_per_block=1)
    for point in range(len(sizes) + 1):
        far, near = layout.farthest(point, room), layout.nearest(point, room)
        if far > point:
            assert layout.memory(Span(point, far)) <= room
        if far < len(sizes):
            assert layout.memory(Span(point, far + 1)) > room
        if near > 0:
            assert layout.memory(Span(near - 1, point)) > room
