"""Every message that crosses the network, and every limit on it.

Pure: bytes in, typed messages out. `docs/PROTOCOL.md` is the normative text;
its test vectors are read by `tests/net/test_wire.py`. The counterpart that
carries these frames is `app/net/endpoint.py`.

A frame is a 4-byte big-endian length and that many bytes of MessagePack: a map
whose `t` names the message. Unknown messages, unknown values and bytes over a
limit are `BadInput`; unknown fields are ignored, so that fields can be added.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from app.errors import BadInput, BadSignature
from app.ids import MAX_UNITS, MODEL_ID_BYTES, PEER_ID_BYTES, SESSION_ID_BYTES, Span

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 2 << 20
"""One frame: 64 rows of 8,192 values in 32 bits, the widest published model."""
MAX_CONTROL_FRAME_BYTES = 16 << 10
"""A frame on a connection's control channel, before and after the proof."""
WINDOW_BYTES = 4 << 20
"""What one end may send on a channel before the other has taken it: two frames."""
MAX_CHANNELS_PER_CONNECTION = 64
MAX_ROWS_PER_STEP = 512
MAX_POSITION = 1 << 22
MAX_VOCABULARY = 1 << 20
MAX_CANDIDATES = 1024
MAX_HIDDEN_WIDTH = 1 << 16
MAX_REASON_CHARACTERS = 500
MAX_ADDRESSES = 8
MAX_RECORD_BYTES = 4096
MAX_RECORDS_PER_ANSWER = 256
MAX_LEASE_SECONDS = 600.0
HEARTBEAT_SECONDS = 1.0
LOST_AFTER_SECONDS = 3.0

PeerBytes = Annotated[bytes, msgspec.Meta(min_length=PEER_ID_BYTES, max_length=PEER_ID_BYTES)]
SessionBytes = Annotated[
    bytes, msgspec.Meta(min_length=SESSION_ID_BYTES, max_length=SESSION_ID_BYTES)
]
ModelBytes = Annotated[bytes, msgspec.Meta(min_length=MODEL_ID_BYTES, max_length=MODEL_ID_BYTES)]
Nonce = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Reason = Annotated[str, msgspec.Meta(max_length=MAX_REASON_CHARACTERS)]
Word = Annotated[str, msgspec.Meta(max_length=64)]
Address = Annotated[str, msgspec.Meta(min_length=3, max_length=262)]
"""`HOST:PORT`, or `[HOST]:PORT` for IPv6."""
Addresses = Annotated[list[Address], msgspec.Meta(max_length=MAX_ADDRESSES)]
Epoch = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]
Position = Annotated[int, msgspec.Meta(ge=0, le=MAX_POSITION)]
Rows = Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS_PER_STEP)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
Token = Annotated[int, msgspec.Meta(ge=0, lt=MAX_VOCABULARY)]
Payload = Annotated[bytes, msgspec.Meta(max_length=MAX_FRAME_BYTES)]
Rate = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]
UnixSeconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e11)]


class Message(msgspec.Struct, frozen=True, tag_field="t", kw_only=True, omit_defaults=True):
    """What every message has in common: a tag on the wire, no behaviour."""


# ── the control channel of a connection ──────────────────────────────────────


class Hello(Message, tag="hello"):
    """First word of the dialler: who it says it is."""

    version: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]
    agent: Word
    peer: PeerBytes


class Challenge(Message, tag="challenge"):
    """The listener's answer: a fresh nonce, and the address it sees the dialler at."""

    version: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]
    agent: Word
    nonce: Nonce
    observed: Address


class Proof(Message, tag="proof"):
    """The dialler's signature over `proof_bytes`."""

    signature: Signature


class Welcome(Message, tag="welcome"):
    """The proof holds; channels may be opened from either side."""


class Ping(Message, tag="ping"):
    """Are you there? Sent every `HEARTBEAT_SECONDS`."""

    serial: Count


class Pong(Message, tag="pong"):
    """I am; the serial is the one asked with."""

    serial: Count


class Goodbye(Message, tag="goodbye"):
    """The connection is about to close, and why."""

    reason: Reason


# ── every other channel ──────────────────────────────────────────────────────


class OpenChannel(Message, tag="open"):
    """First frame of a channel: what it is for."""

    protocol: Literal["session", "hop", "directory"]


class Credit(Message, tag="credit"):
    """The receiver has taken this many bytes of frames; as many may follow."""

    taken: Annotated[int, msgspec.Meta(ge=1, le=WINDOW_BYTES)]


# ── channel "session": a client and one host of its chain ────────────────────


class NextHop(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host hands its result on to."""

    peer: PeerBytes
    addresses: Addresses


class SessionOpen(Message, tag="session_open"):
    """Client to host: run `span` of `model` for me.

    `previous` may feed steps besides the client itself; without `next` the host
    returns to the client. `tokens` is the most positions the session will use.
    """

    session: SessionBytes
    epoch: Epoch
    model: ModelBytes
    span: Span
    tokens: Annotated[int, msgspec.Meta(ge=1, le=MAX_POSITION)]
    lease_seconds: Annotated[float, msgspec.Meta(ge=1.0, le=MAX_LEASE_SECONDS)]
    candidates: Annotated[int, msgspec.Meta(ge=1, le=MAX_CANDIDATES)] = 1
    previous: PeerBytes | None = None
    next: NextHop | None = None


class SessionOpened(Message, tag="session_opened"):
    """Host to client: room is set aside; steps may come."""

    session: SessionBytes
    tokens_left: Count


class SessionRefused(Message, tag="session_refused"):
    """Host to client: not now, or not ever, and why."""

    session: SessionBytes
    code: Word
    reason: Reason
    retry_after_seconds: Annotated[float, msgspec.Meta(ge=0.0, le=86400.0)] | None = None


class SessionFault(Message, tag="session_fault"):
    """Host to client: a step could not be done; the session still stands."""

    session: SessionBytes
    epoch: Epoch
    position: Position
    code: Word
    reason: Reason


class SessionRenew(Message, tag="session_renew"):
    """Client to host: keep the lease running although no step came."""

    session: SessionBytes


class SessionClose(Message, tag="session_close"):
    """Client to host: done; forget everything about it."""

    session: SessionBytes


# ── channels "session" and "hop": the steps themselves ───────────────────────


class HopAttach(Message, tag="hop_attach"):
    """Host to next host, first on a hop channel: steps of this session follow."""

    session: SessionBytes
    epoch: Epoch


class Step(Message, tag="step"):
    """Positions `position .. position + rows` of one session.

    Carries `tokens` for a host that holds unit 0, else `hidden`: `rows` rows of
    32-bit little-endian floats. The last `outputs` rows are wanted from the head.
    The receiver first forgets everything at or after `position`.
    """

    session: SessionBytes
    epoch: Epoch
    position: Position
    rows: Rows
    outputs: Annotated[int, msgspec.Meta(ge=0, le=MAX_ROWS_PER_STEP)] = 0
    tokens: Annotated[list[Token], msgspec.Meta(max_length=MAX_ROWS_PER_STEP)] | None = None
    hidden: Payload = b""


class StepResult(Message, tag="step_result"):
    """Last host to client: what came out for the wanted rows.

    With the head: `ids` (32-bit little-endian) and `logits` (32-bit floats), for
    each wanted row the top candidates, best first. Without it: `hidden`.
    """

    session: SessionBytes
    epoch: Epoch
    position: Position
    rows: Rows
    outputs: Annotated[int, msgspec.Meta(ge=0, le=MAX_ROWS_PER_STEP)] = 0
    ids: Payload = b""
    logits: Payload = b""
    hidden: Payload = b""


# ── channel "directory": announcements and look-ups ──────────────────────────


class SignedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record's bytes (see `app/net/records.py`) and its writer's signature."""

    body: Annotated[bytes, msgspec.Meta(max_length=MAX_RECORD_BYTES)]
    signature: Signature


class Announce(Message, tag="announce"):
    """Keep this record until it expires or a newer one of the same writer comes."""

    record: SignedRecord


class Announced(Message, tag="announced"):
    """The record is kept."""


class Lookup(Message, tag="lookup"):
    """Who serves this model? Without a model: every model that somebody serves."""

    model: ModelBytes | None = None


class Found(Message, tag="found"):
    """The records known, a sample when there are more than fit."""

    records: Annotated[list[SignedRecord], msgspec.Meta(max_length=MAX_RECORDS_PER_ANSWER)]


class Refused(Message, tag="refused"):
    """The last request on this channel is declined."""

    code: Word
    reason: Reason


ControlMessage = Hello | Challenge | Proof | Welcome | Ping | Pong | Goodbye
ChannelMessage = (
    OpenChannel
    | Credit
    | SessionOpen
    | SessionOpened
    | SessionRefused
    | SessionFault
    | SessionRenew
    | SessionClose
    | HopAttach
    | Step
    | StepResult
    | Announce
    | Announced
    | Lookup
    | Found
    | Refused
)
