"""Frames and messages: the vectors of docs/PROTOCOL.md, the rules, and noise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadInput
from app.ids import ModelId, PeerId
from app.net.dht_messages import AnyMessage, DhtMessage, Store, decode_directory
from app.net.framing import FrameReader
from app.net.handshake import proof_bytes
from app.net.identity import Identity, verify
from app.net.kademlia_keys import Shelf, id_bytes
from app.net.records import open_record
from app.net.state_messages import StateMessage, decode_state
from app.net.wire import (
    MAX_CONTROL_FRAME_BYTES,
    MAX_FRAME_BYTES,
    MAX_HIDDEN_WIDTH,
    MAX_POSITION,
    ChannelMessage,
    ControlMessage,
    Message,
    Ping,
    SessionRefused,
    Step,
    StepResult,
    decode_channel,
    decode_control,
    encode,
)

PROTOCOL = Path(__file__).resolve().parents[2] / "docs" / "PROTOCOL.md"
SESSION = b"s" * 16


def vectors() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Name, frame and fields of each vector in the document."""
    block = PROTOCOL.read_text(encoding="utf-8").split("```vectors\n")[1].split("\n```")[0]
    lines = block.split("\n")
    assert len(lines) % 3 == 0
    for name, frame, fields in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        yield name, bytes.fromhex(frame), json.loads(fields, object_hook=with_bytes)


def with_bytes(found: dict[str, Any]) -> dict[str, Any]:
    return {
        key: [as_bytes(part) for part in value] if isinstance(value, list) else as_bytes(value)
        for key, value in found.items()
    }


def as_bytes(value: Any) -> Any:
    is_hex = isinstance(value, str) and value.startswith("hex:")
    return bytes.fromhex(value[4:]) if is_hex else value


def decode(channel: str, body: bytes) -> ControlMessage | AnyMessage:
    if channel == "directory":
        return decode_directory(body)
    if channel == "state":
        return decode_state(body)
    return decode_control(body) if channel == "control" else decode_channel(body)


def body_of(fields: dict[str, Any]) -> bytes:
    return msgspec.msgpack.encode(fields)


def step_fields(**changed: Any) -> dict[str, Any]:
    fields = {"t": "step", "session": SESSION, "epoch": 0, "position": 0, "rows": 2}
    return {key: value for key, value in {**fields, **changed}.items() if value is not None}


def result_fields(**changed: Any) -> dict[str, Any]:
    return step_fields(**{"t": "step_result", "outputs": 1, **changed})


# ── the document ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("frame", "fields"), [pytest.param(frame, fields, id=name) for name, frame, fields in vectors()]
)
def test_a_vector_reads_and_writes_as_documented(frame: bytes, fields: dict[str, Any]) -> None:
    channel = fields.pop("channel")
    (body,) = FrameReader(MAX_FRAME_BYTES).feed(frame)
    message = decode(channel, body)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message)) == fields
    assert encode(message) == frame


def test_the_vectors_cover_every_message() -> None:
    known = {
        kind.__struct_config__.tag
        for kind in (
            *get_args(ControlMessage),
            *get_args(ChannelMessage),
            *get_args(DhtMessage),
            *get_args(StateMessage),
        )
    }
    assert {fields["t"] for _, _, fields in vectors()} == known


def test_the_vectors_signatures_hold() -> None:
    peer = Identity(bytes(range(32))).peer_id
    found = {name: fields for name, _, fields in vectors()}
    proof = next(fields for name, fields in found.items() if name.startswith("proof"))
    nonce = found["challenge"]["nonce"]
    verify(peer, proof["signature"], proof_bytes(listener=peer, dialler=peer, nonce=nonce))
    store = msgspec.convert(found["store"], Store)
    announcement = open_record(store.record, now_wall=1_800_000_000.0)
    assert PeerId(announcement.peer) == peer


def test_the_vectors_key_is_the_models() -> None:
    key = next(f["key"] for name, _, f in vectors() if name.startswith("find_records under"))
    assert key == id_bytes(Shelf("model", ModelId(b"\x11" * 32)).key)


def test_what_is_signed_is_bound_to_both_sides_and_the_nonce() -> None:
    one, other = PeerId(b"1" * 32), PeerId(b"2" * 32)
    signed = {
        proof_bytes(listener=one, dialler=other, nonce=b"n" * 32),
        proof_bytes(listener=other, dialler=one, nonce=b"n" * 32),
        proof_bytes(listener=one, dialler=other, nonce=b"m" * 32),
    }
    assert len(signed) == 3
    assert all(text.startswith(b"potluck dial v1") for text in signed)


# ── rules of single messages ─────────────────────────────────────────────────


def test_unknown_fields_are_ignored_so_that_fields_can_be_added() -> None:
    body = body_of({"t": "ping", "serial": 3, "mood": ["new", {"and": "nested"}]})
    assert decode_control(body) == Ping(serial=3)


@pytest.mark.parametrize(
    "fields",
    [
        {"t": "no_such_message"},
        {"serial": 3},
        {"t": "ping"},
        {"t": "ping", "serial": -1},
        {"t": "ping", "serial": 1.5},
        {"t": "ping", "serial": "3"},
        {"t": "hello", "version": 1, "agent": "x", "peer": bytes(31)},
        {"t": "hello", "version": 1, "agent": "x" * 65, "peer": bytes(32)},
        {"t": "goodbye", "reason": "x" * 501},
        {"t": "open", "protocol": "session"},
        [],
        None,
        "ping",
    ],
)
def test_a_broken_control_message_is_bad_input(fields: Any) -> None:
    with pytest.raises(BadInput):
        decode_control(msgspec.msgpack.encode(fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"t": "open", "protocol": "files"},
        {"t": "credit", "taken": 0},
        {"t": "credit", "taken": (4 << 20) + 1},
        {"t": "ping", "serial": 1},
        {"t": "session_renew", "session": b"short"},
        {"t": "session_renew", "session": bytes(15)},
        {"t": "found", "records": [{"body": b"", "signature": bytes(64)}] * 257},
    ],
)
def test_a_broken_channel_message_is_bad_input(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        decode_channel(body_of(fields))


@pytest.mark.parametrize("span", [[3, 3], [5, 2], [-1, 2], [0, 5000], [0], "0:3", None])
def test_a_session_needs_a_real_span(span: Any) -> None:
    fields = {
        **{"t": "session_open", "session": SESSION, "epoch": 0, "model": bytes(32)},
        **{"span": span, "tokens": 5, "lease_seconds": 30.0},
    }
    with pytest.raises(BadInput):
        decode_channel(body_of(fields))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, 601.0])
def test_a_lease_is_a_finite_number_of_seconds(number: float) -> None:
    fields = {
        **{"t": "session_open", "session": SESSION, "epoch": 0, "model": bytes(32)},
        **{"span": [0, 3], "tokens": 5, "lease_seconds": number},
    }
    with pytest.raises(BadInput):
        decode_channel(body_of(fields))


def test_a_retry_time_that_is_no_number_is_not_sent() -> None:
    message = SessionRefused(
        session=SESSION, code="no_room", reason="", retry_after_seconds=float("nan")
    )
    with pytest.raises(ValueError, match="not finite"):
        encode(message)


# ── rules that tie fields together ───────────────────────────────────────────


@pytest.mark.parametrize(
    "fields",
    [
        step_fields(),
        step_fields(tokens=[1, 2], hidden=bytes(8)),
        step_fields(tokens=[1]),
        step_fields(tokens=[1, 2], outputs=3),
        step_fields(tokens=[1, 1 << 20]),
        step_fields(hidden=bytes(12)),
        step_fields(hidden=bytes(7)),
        step_fields(rows=1, hidden=bytes(4 * (MAX_HIDDEN_WIDTH + 1))),
        step_fields(tokens=[1, 2], position=MAX_POSITION - 1),
        step_fields(rows=0, tokens=[]),
        step_fields(rows=513, tokens=[1] * 513),
    ],
)
def test_a_step_that_contradicts_itself_is_bad_input(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        decode_channel(body_of(fields))


@pytest.mark.parametrize(
    "fields",
    [
        step_fields(tokens=[1, 2]),
        step_fields(tokens=[1, 2], outputs=2),
        step_fields(hidden=bytes(8 * 64)),
        result_fields(),
        result_fields(outputs=0),
        result_fields(outputs=2, ids=bytes(24), logits=bytes(24)),
        result_fields(outputs=0, hidden=bytes(8 * 64)),
        result_fields(outputs=1, hidden=bytes(4 * 64)),
    ],
)
def test_a_sound_step_or_result_passes(fields: dict[str, Any]) -> None:
    assert isinstance(decode_channel(body_of(fields)), Step | StepResult)


@pytest.mark.parametrize(
    "fields",
    [
        result_fields(outputs=3),
        result_fields(ids=bytes(8), logits=bytes(4)),
        result_fields(ids=bytes(6), logits=bytes(6)),
        result_fields(outputs=0, ids=bytes(8), logits=bytes(8)),
        result_fields(outputs=2, ids=bytes(12), logits=bytes(12)),
        result_fields(ids=bytes(4), logits=bytes(4), hidden=bytes(4)),
        result_fields(ids=bytes(4 * 1025), logits=bytes(4 * 1025)),
        result_fields(outputs=2, hidden=bytes(12)),
    ],
)
def test_a_result_that_contradicts_itself_is_bad_input(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        decode_channel(body_of(fields))


def test_our_own_contradiction_is_our_own_error() -> None:
    step = Step(session=SESSION, epoch=0, position=0, rows=2, tokens=[1])
    with pytest.raises(ValueError, match="1 tokens in a step of 2 rows"):
        encode(step)


# ── frames ───────────────────────────────────────────────────────────────────


def test_a_message_over_the_frame_limit_is_not_sent() -> None:
    reply = StepResult(session=SESSION, epoch=0, position=0, rows=16, hidden=bytes(MAX_FRAME_BYTES))
    with pytest.raises(ValueError, match="is over the"):
        encode(reply)


def test_a_body_over_the_limit_is_not_even_looked_at() -> None:
    with pytest.raises(BadInput, match="are allowed here"):
        decode_control(bytes(MAX_CONTROL_FRAME_BYTES + 1))


# ── noise ────────────────────────────────────────────────────────────────────


def test_a_deep_nest_in_a_field_nobody_knows_is_bad_input() -> None:
    body = b"\x82\xa1t\xa4ping\xa1x" + b"\x91" * 16000 + b"\x90"
    with pytest.raises(BadInput):
        decode_control(body)


def test_an_array_that_claims_four_billion_entries_costs_nothing() -> None:
    head = body_of(step_fields())
    claim = bytes([head[0] + 1]) + head[1:] + b"\xa6tokens\xdd\xff\xff\xff\xff"
    with pytest.raises(BadInput):
        decode_channel(claim)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300))
def test_random_bytes_are_a_message_or_bad_input(body: bytes) -> None:
    for channel in ("control", "channel"):
        try:
            message = decode(channel, body)
        except BadInput:
            continue
        assert isinstance(message, Message)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_mutated_vectors_are_a_message_or_bad_input(data: st.DataObject) -> None:
    _, frame, fields = data.draw(st.sampled_from(list(vectors())))
    body = bytearray(frame[4:])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                body[place] = data.draw(st.integers(0, 255))
            case "cut" if len(body) > 1:
                del body[place:]
            case _:
                body[place:place] = data.draw(st.binary(min_size=1, max_size=8))
        if not body:
            return
    try:
        message = decode(fields["channel"], bytes(body))
    except BadInput:
        return
    encode(message)
