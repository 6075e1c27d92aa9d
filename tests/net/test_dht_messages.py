"""The directory's messages: what is read, what is refused, and noise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadInput
from app.net.dht_messages import (
    MAX_CONTACTS,
    MAX_DHT_FRAME_BYTES,
    MAX_RECORDS,
    Contact,
    DhtMessage,
    FindNodes,
    FindRecords,
    Nodes,
    Records,
    Store,
    Stored,
    decode_dht,
    decode_directory,
)
from app.net.wire import MAX_FRAME_BYTES, MAX_RECORD_BYTES, HopAttach, SignedRecord, encode

CONTACT = Contact(peer=b"p" * 32, addresses=["8.8.8.8:4600", "[2a00::1]:4600"])
RECORD = SignedRecord(body=b"b" * MAX_RECORD_BYTES, signature=b"s" * 64)
MESSAGES: list[DhtMessage] = [
    FindNodes(target=b"t" * 32),
    FindNodes(target=b"t" * 32, reachable=["8.8.8.8:1"]),
    Nodes(contacts=[CONTACT] * MAX_CONTACTS),
    FindRecords(key=b"k" * 32, seed=7, limit=3, known=[b"d" * 8]),
    Records(contacts=[CONTACT] * MAX_CONTACTS, records=[RECORD] * MAX_RECORDS, count=900),
    Records(contacts=[], count=3, same=True),
    Store(record=RECORD, shelf="group", group=255, reachable=["8.8.8.8:1"]),
    Stored(count=12),
]


def body(message: DhtMessage) -> bytes:
    return encode(message)[4:]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_read_as_it_was_written(message: DhtMessage) -> None:
    assert decode_dht(body(message)) == message
    assert decode_directory(body(message)) == message


def test_a_directory_channel_carries_the_other_messages_too() -> None:
    assert decode_directory(encode(HopAttach(session=bytes(16), epoch=0))[4:]) == HopAttach(
        session=bytes(16), epoch=0
    )


def test_the_largest_sound_answer_is_within_the_limit() -> None:
    longest = Contact(peer=b"p" * 32, addresses=["a" * 262, "b" * 262])
    answer = Records(contacts=[longest] * MAX_CONTACTS, records=[RECORD] * MAX_RECORDS, count=64)
    assert len(body(answer)) < MAX_DHT_FRAME_BYTES < MAX_FRAME_BYTES


def raw(**fields: Any) -> bytes:
    return msgspec.msgpack.encode(fields)


MANY = [{"peer": b"p" * 32, "addresses": ["8.8.8.8:1"]}] * (MAX_CONTACTS + 1)


@pytest.mark.parametrize(
    "bad",
    [
        raw(t="find_nodes", target=b"t" * 31),
        raw(t="find_nodes", target=b"t" * 32, reachable=["8.8.8.8:1"] * 3),
        raw(t="nodes", contacts=MANY),
        raw(t="nodes", contacts=[{"peer": b"p" * 32, "addresses": []}]),
        raw(t="nodes", contacts=[{"peer": b"p" * 32, "addresses": ["1:2"] * 3}]),
        raw(t="find_records", key=b"k" * 32, seed=1 << 32),
        raw(t="find_records", key=b"k" * 32, limit=0),
        raw(t="find_records", key=b"k" * 32, limit=MAX_RECORDS + 1),
        raw(t="find_records", key=b"k" * 32, known=[b"d" * 8] * 5),
        raw(t="records", contacts=[], records=[], count=-1),
        raw(t="records", contacts=[], records=[{"body": b"", "signature": b""}]),
        raw(t="store", record={"body": b"", "signature": b"s" * 64}, shelf="attic"),
        raw(t="store", record={"body": b"", "signature": b"s" * 64}, shelf="group", group=256),
        raw(t="stored", count=1 << 40),
        raw(t="nonsense"),
        raw(),
        b"",
        b"\x91" * 2000,
        bytes(MAX_FRAME_BYTES + 1),
    ],
    ids=lambda bad: bad[:40].hex(),
)
def test_what_breaks_a_limit_is_refused(bad: bytes) -> None:
    with pytest.raises(BadInput):
        decode_dht(bad)
    with pytest.raises(BadInput):
        decode_directory(bad)


def test_a_frame_too_long_for_the_directory_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadInput, match="are allowed here"):
        decode_directory(raw(t="nodes", contacts=[], padding=bytes(MAX_DHT_FRAME_BYTES)))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(BadInput):
        decode_dht(noise)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_mutated_messages_are_a_message_or_bad_input(data: st.DataObject) -> None:
    whole = bytearray(body(data.draw(st.sampled_from(MESSAGES))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for mutated in (bytes(whole), bytes(whole[:cut])):
        try:
            message = decode_directory(mutated)
        except BadInput:
            continue
        assert msgspec.to_builtins(message) is not None
