"""What fits and what is needed most; see app/offers.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.ids import Span
from app.offers import MEMORY_MARGIN_BYTES, Fit, block_bytes, coverage, fit, room_bytes

GB = 1 << 30
TEN = [1] * 10


def test_a_model_that_fits_is_served_whole() -> None:
    assert fit(TEN, 10, [Span(0, 5)]) == Fit(10, Span(0, 10))


def test_the_first_to_come_begins_at_the_beginning() -> None:
    assert fit(TEN, 4, []) == Fit(4, Span(0, 4))


def test_the_next_goes_on_where_the_first_ends() -> None:
    assert fit(TEN, 4, [Span(0, 4)]) == Fit(4, Span(4, 8))
    assert fit(TEN, 4, [Span(0, 4), Span(4, 8)]) == Fit(4, Span(8, 10))


def test_a_gap_is_closed_exactly() -> None:
    assert fit(TEN, 6, [Span(0, 3), Span(5, 10)]).suggested == Span(3, 5)


def test_when_all_is_served_the_least_served_get_help() -> None:
    holders = [Span(0, 5), Span(5, 10), Span(0, 5)]
    assert fit(TEN, 5, holders).suggested == Span(5, 10)


def test_where_not_even_one_unit_fits_nothing_is_suggested() -> None:
    assert fit([5, 5, 5], 4, []) == Fit(0, None)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=3, max_size=12),
    room=st.integers(0, 60),
    spans=st.lists(st.tuples(st.integers(0, 11), st.integers(1, 12)), max_size=5),
)
def test_what_is_suggested_always_fits(
    sizes: list[int], room: int, spans: list[tuple[int, int]]
) -> None:
    holders = [Span(a, b) for a, b in spans if a < b <= len(sizes)]
    found = fit(sizes, room, holders)
    assert (found.suggested is None) == (found.units == 0)
    if found.suggested is not None:
        span = found.suggested
        assert span.stop <= len(sizes)
        assert sum(sizes[span.start : span.stop]) <= room
        assert len(span) <= found.units


def test_memory_leaves_the_owner_a_margin() -> None:
    assert room_bytes(8 * GB, []) == int(0.8 * 8 * GB)
    assert room_bytes(2 * GB, []) == 2 * GB - MEMORY_MARGIN_BYTES
    assert room_bytes(GB // 2, []) == 0
    assert room_bytes(8 * GB, [None, 24 * GB]) == int(0.8 * 24 * GB)


def test_coverage_counts_holders() -> None:
    assert coverage(4, [Span(0, 2), Span(1, 4)]) == [1, 2, 1, 1]


def test_a_model_s_two_ends_are_none_of_its_blocks() -> None:
    assert block_bytes([700, 5, 6, 7, 900]) == 18
