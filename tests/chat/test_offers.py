"""How much of a model fits; see app/chat/offers.py."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.chat.offers import MEMORY_MARGIN_BYTES, block_bytes, longest_fit, room_bytes

GB = 1 << 30


def test_the_longest_row_counts_wherever_it_is() -> None:
    assert longest_fit([1] * 10, 10) == 10
    assert longest_fit([1] * 10, 4) == 4
    assert longest_fit([9, 1, 1, 1, 9], 4) == 3
    assert longest_fit([5, 5, 5], 4) == 0


@given(st.lists(st.integers(1, 9), min_size=3, max_size=12), st.integers(0, 60))
def test_what_fits_is_what_trying_all_rows_finds(sizes: list[int], room: int) -> None:
    count = len(sizes)
    rows = [(a, b) for a in range(count) for b in range(a, count + 1) if sum(sizes[a:b]) <= room]
    assert longest_fit(sizes, room) == max(stop - start for start, stop in rows)


def test_memory_leaves_the_owner_a_margin() -> None:
    assert room_bytes(8 * GB, []) == int(0.8 * 8 * GB)
    assert room_bytes(2 * GB, []) == 2 * GB - MEMORY_MARGIN_BYTES
    assert room_bytes(GB // 2, []) == 0
    assert room_bytes(8 * GB, [None, 24 * GB]) == int(0.8 * 24 * GB)


def test_a_model_s_two_ends_are_none_of_its_blocks() -> None:
    assert block_bytes([700, 5, 6, 7, 900]) == 18
