"""How much of a model fits; see app/chat/offers.py."""

from __future__ import annotations

from app.chat.offers import MEMORY_MARGIN_BYTES, block_bytes, room_bytes

GB = 1 << 30


def test_memory_leaves_the_owner_a_margin() -> None:
    assert room_bytes(8 * GB, []) == int(0.8 * 8 * GB)
    assert room_bytes(2 * GB, []) == 2 * GB - MEMORY_MARGIN_BYTES
    assert room_bytes(GB // 2, []) == 0
    assert room_bytes(8 * GB, [None, 24 * GB]) == int(0.8 * 24 * GB)


def test_a_model_s_two_ends_are_none_of_its_blocks() -> None:
    assert block_bytes([700, 5, 6, 7, 900]) == 18
