"""What is said about a memory that moves: the limits, and noise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadInput
from app.net.state_messages import (
    MAX_STATE_FRAME_BYTES,
    MAX_STATE_PART_BYTES,
    StateMessage,
    StateOffer,
    StatePart,
    StateTaken,
    decode_state,
)
from app.net.wire import MAX_POSITION, HopAttach, Message, encode

OFFER = StateOffer(session=b"s" * 16, positions=300, row_bytes=4096, form=b"f" * 32)
MESSAGES: list[StateMessage] = [
    OFFER,
    StatePart(rows=b"rows of memory"),
    StatePart(last=True),
    StateTaken(positions=300),
    StateTaken(positions=0),
]


def body(message: Message) -> bytes:
    return encode(message)[4:]


def raw(**fields: Any) -> bytes:
    return msgspec.msgpack.encode(fields)


@pytest.mark.parametrize("message", MESSAGES)
def test_what_is_written_is_read(message: StateMessage) -> None:
    assert decode_state(body(message)) == message


def test_other_words_pass_too() -> None:
    attach = HopAttach(session=bytes(16), epoch=0)
    assert decode_state(body(attach)) == attach


def test_the_largest_part_fits() -> None:
    largest = StatePart(rows=bytes(MAX_STATE_PART_BYTES))
    assert decode_state(body(largest)) == largest


def offer(**changed: Any) -> bytes:
    return raw(
        **{"t": "state_offer", **msgspec.to_builtins(OFFER, builtin_types=[bytes]), **changed}
    )


@pytest.mark.parametrize(
    "bad",
    [
        offer(session=b"short"),
        offer(positions=0),
        offer(positions=MAX_POSITION + 1),
        offer(row_bytes=0),
        offer(row_bytes=MAX_STATE_PART_BYTES + 1),
        offer(form=b"f" * 31),
        raw(t="state_part"),
        raw(t="state_part", rows=b"some", last=True),
        raw(t="state_part", rows=bytes(MAX_STATE_PART_BYTES + 1)),
        raw(t="state_taken", positions=-1),
        raw(t="state_taken", positions=MAX_POSITION + 1),
        raw(t="state_taken"),
        raw(t="find_nodes", target=bytes(32)),
        b"",
        b"\x91" * 2000,
        bytes(MAX_STATE_FRAME_BYTES + 1),
    ],
    ids=lambda bad: bad[:40].hex(),
)
def test_what_breaks_a_limit_is_refused(bad: bytes) -> None:
    with pytest.raises(BadInput):
        decode_state(bad)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(BadInput):
        decode_state(noise)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_mutated_messages_are_a_message_or_bad_input(data: st.DataObject) -> None:
    whole = bytearray(body(data.draw(st.sampled_from(MESSAGES))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for mutated in (bytes(whole), bytes(whole[:cut])):
        try:
            message = decode_state(mutated)
        except BadInput:
            continue
        assert isinstance(message, Message)
