"""Every message that crosses the network, and every limit on it.

Pure: bytes in, typed messages out. `docs/PROTOCOL.md` is the normative text;
its test vectors are read by `tests/net/test_wire.py`. The counterpart that
carries these frames is `app/net/endpoint.py`.

A frame is a 4-byte big-endian length and that many bytes of MessagePack: a map
whose `t` names the message. Unknown messages, unknown values and bytes over a
limit are `BadInput`; unknown fields are ignored, so that fields can be added.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

import msgspec

from app.errors import BadInput
from app.ids import MODEL_ID_BYTES, PEER_ID_BYTES, SESSION_ID_BYTES, Span
from app.net.framing import PREFIX_BYTES

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 2 << 20
"""One frame: 64 rows of 8,192 values in 32 bits, the widest published model."""
MAX_CONTROL_FRAME_BYTES = 16 << 10
"""A frame on a connection's control channel, before and after the proof."""
WINDOW_BYTES = 4 << 20
"""What one end may send on a channel before the other has taken it: two frames."""
MAX_CHANNELS_PER_CONNECTION = 64
MAX_ROWS_PER_STEP = 128
MAX_POSITION = 1 << 22
MAX_HOSTS = 128
"""Of one chain: a client that joins hosts to a circle keeps them busy for so many steps only."""
MAX_VOCABULARY = 1 << 20
MAX_CANDIDATES = 1024
MAX_HIDDEN_WIDTH = 1 << 16
MAX_REASON_CHARACTERS = 500
MAX_ADDRESSES = 8
MAX_RECORD_BYTES = 4096
MAX_LEASE_SECONDS = 600.0
MAX_COMPUTE_SECONDS = 86400.0
MAX_PLACE_MILLISECONDS = 10_000.0
HEARTBEAT_SECONDS = 1.0
LOST_AFTER_SECONDS = 3.0
BUSY_HEARTBEAT_SECONDS = 0.25
BUSY_LOST_AFTER_SECONDS = 1.25
"""While channels carry something, and `BUSY_SECONDS` longer: somebody waits for an answer."""
BUSY_SECONDS = 5.0

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
Milliseconds = Annotated[float, msgspec.Meta(ge=-MAX_PLACE_MILLISECONDS, le=MAX_PLACE_MILLISECONDS)]
RetryAfter = Annotated[float, msgspec.Meta(ge=0.0, le=86400.0)]
Deadline = Annotated[float, msgspec.Meta(ge=0.0, le=86400.0)]
UnixSeconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e11)]


class Message(msgspec.Struct, frozen=True, tag_field="t", kw_only=True, omit_defaults=True):
    """What every message has in common: a tag on the wire, no behaviour."""


# ── the control channel of a connection ──────────────────────────────────────


class Hello(Message, frozen=True, tag="hello"):
    """First word of the dialler: who it says it is."""

    version: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]
    agent: Word
    peer: PeerBytes


class Challenge(Message, frozen=True, tag="challenge"):
    """The listener's answer: a fresh nonce, and the address it sees the dialler at."""

    version: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]
    agent: Word
    nonce: Nonce
    observed: Address


class Proof(Message, frozen=True, tag="proof"):
    """The dialler's signature over `proof_bytes`."""

    signature: Signature


class Welcome(Message, frozen=True, tag="welcome"):
    """The proof holds; channels may be opened from either side."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a computer stands in the network, so that its distance to others can be told.

    A point and a height in milliseconds, and how far its guesses are off lately, as a
    part of the distance: 0 is sure, 1 knows nothing.
    """

    x: Milliseconds
    y: Milliseconds
    z: Milliseconds
    height: Annotated[float, msgspec.Meta(ge=0.0, le=MAX_PLACE_MILLISECONDS)]
    error: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Ping(Message, frozen=True, tag="ping"):
    """Are you there? Sent every `HEARTBEAT_SECONDS`."""

    serial: Count
    place: Place | None = None


class Pong(Message, frozen=True, tag="pong"):
    """I am; the serial is the one asked with."""

    serial: Count
    place: Place | None = None


class Goodbye(Message, frozen=True, tag="goodbye"):
    """The connection is about to close, and why.

    `idle`: only because nobody uses it; the computer that says so stays in the network.
    """

    reason: Reason
    idle: bool = False


# ── every other channel ──────────────────────────────────────────────────────


ProtocolName = Literal["session", "hop", "state", "directory"]


class OpenChannel(Message, frozen=True, tag="open"):
    """First frame of a channel: what it is for."""

    protocol: ProtocolName


class Credit(Message, frozen=True, tag="credit"):
    """The receiver has taken this many bytes of frames; as many may follow."""

    taken: Annotated[int, msgspec.Meta(ge=1, le=WINDOW_BYTES)]


# ── channel "session": a client and one host of its chain ────────────────────


class NextHop(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host hands its result on to."""

    peer: PeerBytes
    addresses: Addresses


class SessionOpen(Message, frozen=True, tag="session_open"):
    """Client to host: run `span` of `model` for me.

    `previous` may feed steps besides the client itself; without `next` the host
    returns to the client. `tokens` is the most positions the session will use.
    With `absorb`, replayed steps end here: the next host knows them already. A step
    that was not begun `deadline_seconds` after it came need not be, unless it says more.
    Before any step comes, `inherits` may hand over what it knows of the session, once.
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
    absorb: bool = False
    inherits: PeerBytes | None = None
    deadline_seconds: Deadline | None = None


class SessionOpened(Message, frozen=True, tag="session_opened"):
    """Host to client: room is set aside; steps may come."""

    session: SessionBytes
    tokens_left: Count


class SessionRefused(Message, frozen=True, tag="session_refused"):
    """Host to client: not now, or not ever, and why."""

    session: SessionBytes
    code: Word
    reason: Reason
    retry_after_seconds: RetryAfter | None = None


class SessionFault(Message, frozen=True, tag="session_fault"):
    """Host to client: a step could not be done; the session still stands.

    With `retry_after_seconds` it can be done then, by this very host.
    """

    session: SessionBytes
    epoch: Epoch
    position: Position
    code: Word
    reason: Reason
    retry_after_seconds: RetryAfter | None = None


class SessionRenew(Message, frozen=True, tag="session_renew"):
    """Client to host: keep the lease running although no step came."""

    session: SessionBytes


class SessionRelink(Message, frozen=True, tag="session_relink"):
    """Client to host: your neighbours in this session are these from now on.

    Everything an older epoch sends is dropped. What was handed on at positions
    `replay_from` .. `replay`, if any, goes out again, to the next host, as replayed steps.
    """

    session: SessionBytes
    epoch: Epoch
    previous: PeerBytes | None = None
    next: NextHop | None = None
    absorb: bool = False
    replay: Position = 0
    replay_from: Position = 0


class SessionRelinked(Message, frozen=True, tag="session_relinked"):
    """Host to client: it is so; what is sent now comes after everything replayed."""

    session: SessionBytes
    epoch: Epoch


class SessionHandover(Message, frozen=True, tag="session_handover"):
    """Client to a host that is leaving: hand what you know of this session over to `heir`.

    It takes the host's place. If the first `positions` were sent to it again instead, it would
    compute for `compute_seconds`, and `replay_bytes` would travel.
    """

    session: SessionBytes
    heir: NextHop
    positions: Annotated[int, msgspec.Meta(ge=1, le=MAX_POSITION)]
    compute_seconds: Annotated[float, msgspec.Meta(ge=0.0, le=MAX_COMPUTE_SECONDS)]
    replay_bytes: Count


class SessionHandedOver(Message, frozen=True, tag="session_handed_over"):
    """Host to client: the heir knows so many positions; the rest has to be sent to it again."""

    session: SessionBytes
    positions: Position


class SessionClose(Message, frozen=True, tag="session_close"):
    """Client to host: done; forget everything about it."""

    session: SessionBytes


# ── channels "session" and "hop": the steps themselves ───────────────────────


class HopAttach(Message, frozen=True, tag="hop_attach"):
    """Host to next host, first on a hop channel: steps of this session follow."""

    session: SessionBytes
    epoch: Epoch


class Step(Message, frozen=True, tag="step"):
    """Positions `position .. position + rows` of one session.

    Carries `tokens` for a host that holds unit 0, else `hidden`: `rows` rows of
    32-bit little-endian floats. The last `outputs` rows are wanted from the head.
    The receiver first forgets everything at or after `position`. A `replay` has been
    through the chain before and restores the memory of a host that is new to it.
    Nobody waits for it any more `deadline_seconds` after it came. `hosts` counts those
    that it has been through.
    """

    session: SessionBytes
    epoch: Epoch
    position: Position
    rows: Rows
    replay: bool = False
    outputs: Annotated[int, msgspec.Meta(ge=0, le=MAX_ROWS_PER_STEP)] = 0
    tokens: Annotated[list[Token], msgspec.Meta(max_length=MAX_ROWS_PER_STEP)] | None = None
    hidden: Payload = b""
    deadline_seconds: Deadline | None = None
    hosts: Annotated[int, msgspec.Meta(ge=0, lt=MAX_HOSTS)] = 0


class StepResult(Message, frozen=True, tag="step_result"):
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


# ── channel "directory": what it carries else is in `dht_messages.py` ──────────────────────────


class SignedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record's bytes (see `app/net/records.py`) and its writer's signature."""

    body: Annotated[bytes, msgspec.Meta(max_length=MAX_RECORD_BYTES)]
    signature: Signature


class Refused(Message, frozen=True, tag="refused"):
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
    | SessionRelink
    | SessionRelinked
    | SessionHandover
    | SessionHandedOver
    | SessionClose
    | HopAttach
    | Step
    | StepResult
    | Refused
)


# ── bytes to messages and back ───────────────────────────────────────────────

_FLOAT_BYTES = 4

_encoder = msgspec.msgpack.Encoder()
_control_decoder: msgspec.msgpack.Decoder[ControlMessage] = msgspec.msgpack.Decoder(ControlMessage)
_channel_decoder: msgspec.msgpack.Decoder[ChannelMessage] = msgspec.msgpack.Decoder(ChannelMessage)
_CONTROL_TYPES: tuple[type[Message], ...] = get_args(ControlMessage)


def encode(message: Message) -> bytes:
    """One frame: the length prefix and the message.

    Raises:
        ValueError: the message breaks a rule its receiver would refuse it for:
            over the frame limit, or fields that contradict each other.
    """
    _check(message)
    frame = bytearray(PREFIX_BYTES)
    _encoder.encode_into(message, frame, PREFIX_BYTES)
    size = len(frame) - PREFIX_BYTES
    limit = MAX_CONTROL_FRAME_BYTES if isinstance(message, _CONTROL_TYPES) else MAX_FRAME_BYTES
    if size > limit:
        raise ValueError(f"a {type(message).__name__} of {size} bytes is over the {limit} allowed")
    frame[:PREFIX_BYTES] = size.to_bytes(PREFIX_BYTES, "big")
    return bytes(frame)


class _Tag(msgspec.Struct, frozen=True):
    t: str = ""


def tag_of(body: bytes) -> str:
    """Which message a frame's body says it is, for channels with messages of their own; "" without.

    Raises:
        ValueError, RecursionError, OverflowError: it is no message at all.
    """
    return msgspec.msgpack.decode(body, type=_Tag).t


def decode_control(body: bytes) -> ControlMessage:
    """Read the body of a frame from a control channel; BadInput names the broken rule."""
    message: ControlMessage = _decode(_control_decoder, body, MAX_CONTROL_FRAME_BYTES)
    return message


def decode_channel(body: bytes) -> ChannelMessage:
    """Read the body of a frame from any other channel; BadInput names the broken rule."""
    message: ChannelMessage = _decode(_channel_decoder, body, MAX_FRAME_BYTES)
    return message


def _decode(decoder: msgspec.msgpack.Decoder[Any], body: bytes, limit: int) -> Any:
    if len(body) > limit:
        raise BadInput(f"a frame of {len(body)} bytes; {limit} are allowed here")
    try:
        message = decoder.decode(body)
        _check(message)
    except (ValueError, RecursionError, OverflowError) as error:
        # msgspec's own errors are ValueErrors; deep nesting of a field nobody
        # knows ends in a RecursionError.
        raise BadInput(f"not a message of this channel: {str(error)[:200]}") from None
    return message


def _check(message: Message) -> None:
    """The rules that tie fields together; ValueError names the broken one."""
    match message:
        case Step():
            _check_step(message)
        case StepResult():
            _check_step_result(message)
        case SessionOpen():
            _check_finite(message.lease_seconds)
        case SessionRefused():
            _check_finite(message.retry_after_seconds or 0.0)
        case SessionHandover():
            _check_finite(message.compute_seconds)


def _check_finite(value: float) -> None:
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")


def _check_step(step: Step) -> None:
    if (step.tokens is None) == (not step.hidden):
        raise ValueError("a step carries either tokens or hidden states")
    if step.tokens is not None and len(step.tokens) != step.rows:
        raise ValueError(f"{len(step.tokens)} tokens in a step of {step.rows} rows")
    if step.outputs > step.rows:
        raise ValueError(f"{step.outputs} outputs wanted of {step.rows} rows")
    if step.replay and step.outputs:
        raise ValueError("outputs wanted of a replayed step")
    _check_positions(step.position, step.rows)
    _check_hidden(step.hidden, step.rows)


def _check_step_result(result: StepResult) -> None:
    if result.outputs > result.rows:
        raise ValueError(f"{result.outputs} outputs of {result.rows} rows")
    _check_positions(result.position, result.rows)
    if len(result.ids) != len(result.logits):
        raise ValueError("candidates and logits differ in number")
    if result.ids and result.hidden:
        raise ValueError("a result carries either candidates or hidden states")
    if result.ids:
        if result.outputs == 0:
            raise ValueError("candidates for no output")
        count, rest = divmod(len(result.ids), _FLOAT_BYTES * result.outputs)
        if rest or count > MAX_CANDIDATES:
            raise ValueError(f"{len(result.ids)} bytes of candidates for {result.outputs} outputs")
    _check_hidden(result.hidden, result.outputs or result.rows)


def _check_positions(position: int, rows: int) -> None:
    if position + rows > MAX_POSITION:
        raise ValueError(f"positions beyond {MAX_POSITION}")


def _check_hidden(hidden: bytes, rows: int) -> None:
    width, rest = divmod(len(hidden), _FLOAT_BYTES * rows)
    if rest or width > MAX_HIDDEN_WIDTH:
        raise ValueError(f"{len(hidden)} bytes of hidden states for {rows} rows")
