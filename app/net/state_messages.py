"""What a host that leaves says to the one that takes its place, and every limit on it.

Pure: bytes in, typed messages out, by the rules of `app/net/wire.py`. They travel on "state"
channels, from `app/swarm/handover.py` to the same on the other computer: an offer, parts, each
of which is answered, and a last part without rows.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from app.errors import BadInput
from app.net.wire import (
    MAX_POSITION,
    ChannelMessage,
    Message,
    SessionBytes,
    decode_channel,
    tag_of,
)

MAX_STATE_PART_BYTES = 1 << 20
MAX_STATE_FRAME_BYTES = MAX_STATE_PART_BYTES + 256
FORM_BYTES = 32


class StateOffer(Message, frozen=True, tag="state_offer"):
    """Memory of this session follows: at most `positions` rows of `row_bytes`.

    Rows with the same `form` mean the same; who has another form cannot use them.
    """

    session: SessionBytes
    positions: Annotated[int, msgspec.Meta(ge=1, le=MAX_POSITION)]
    row_bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_STATE_PART_BYTES)]
    form: Annotated[bytes, msgspec.Meta(min_length=FORM_BYTES, max_length=FORM_BYTES)]


class StatePart(Message, frozen=True, tag="state_part"):
    """The next rows, whole ones; the `last` part has none, and ends it."""

    rows: Annotated[bytes, msgspec.Meta(max_length=MAX_STATE_PART_BYTES)] = b""
    last: bool = False


class StateTaken(Message, frozen=True, tag="state_taken"):
    """The answer to each part: so many positions have come, and after the last are known."""

    positions: Annotated[int, msgspec.Meta(ge=0, le=MAX_POSITION)]


StateMessage = StateOffer | StatePart | StateTaken

_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(StateMessage)


_TAGS = frozenset({"state_offer", "state_part", "state_taken"})


def decode_state(body: bytes) -> ChannelMessage | StateMessage:
    """Read any frame of a "state" channel: what `wire.decode_channel` reads, and these.

    Raises:
        BadInput: it breaks a rule, which is named.
    """
    if len(body) > MAX_STATE_FRAME_BYTES:
        raise BadInput(f"a frame of {len(body)} bytes; {MAX_STATE_FRAME_BYTES} are allowed here")
    try:
        if tag_of(body) not in _TAGS:
            return decode_channel(body)
        message: StateMessage = _decoder.decode(body)
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadInput(f"not a message about a memory: {str(error)[:200]}") from None
    if isinstance(message, StatePart) and bool(message.rows) == message.last:
        raise BadInput("a part of a memory has rows, or is the last")
    return message
