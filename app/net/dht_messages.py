"""What the computers of the distributed directory say to each other, and every limit on it.

Pure: bytes in, typed messages out, by the rules of `app/net/wire.py`. They travel on
"directory" channels: one request, one answer, in order. Who asks and who answers is in
`app/net/dht.py`; what the answers mean is in `app/net/kademlia.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from app.errors import BadInput
from app.net.state_messages import StateMessage
from app.net.wire import (
    MAX_FRAME_BYTES,
    Address,
    ChannelMessage,
    Message,
    PeerBytes,
    SignedRecord,
    decode_channel,
    tag_of,
)

KEY_BYTES = 32
DIGEST_BYTES = 8
MAX_CONTACTS = 16
MAX_CONTACT_ADDRESSES = 2
"""One for IPv4 and one for IPv6. More would let one contact point at many victims."""
MAX_RECORDS = 64
"""At most 256 KiB in one answer; crowded keys are answered with samples."""
MAX_KNOWN_DIGESTS = 4
MAX_GROUP = 255
MAX_DHT_FRAME_BYTES = MAX_RECORDS * 4352 + (16 << 10)
"""The longest sound answer: so many records at their largest, and the contacts."""

KeyBytes = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
Digest = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
OwnAddresses = Annotated[list[Address], msgspec.Meta(max_length=MAX_CONTACT_ADDRESSES)]
ShelfName = Literal["models", "model", "group"]


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A publicly reachable computer, as one tells another of it."""

    peer: PeerBytes
    addresses: Annotated[
        list[Address], msgspec.Meta(min_length=1, max_length=MAX_CONTACT_ADDRESSES)
    ]

    def __hash__(self) -> int:
        return hash(self.peer)


Contacts = Annotated[list[Contact], msgspec.Meta(max_length=MAX_CONTACTS)]


class FindNodes(Message, frozen=True, tag="find_nodes"):
    """Whom do you know near this point?

    `reachable`: where the asker itself answers strangers; empty when it only asks.
    """

    target: KeyBytes
    reachable: OwnAddresses = msgspec.field(default_factory=list)


class Nodes(Message, frozen=True, tag="nodes"):
    """Those that the answerer has lately reached itself, the nearest first."""

    contacts: Contacts


class FindRecords(Message, frozen=True, tag="find_records"):
    """What is kept under this key, and whom do you know near it?

    `seed` chooses the sample when there is more than `limit`; another seed shows others.
    `known`: digests of complete sets that the asker has already and need not be sent.
    """

    key: KeyBytes
    seed: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_RECORDS)] = MAX_RECORDS
    known: Annotated[list[Digest], msgspec.Meta(max_length=MAX_KNOWN_DIGESTS)] = msgspec.field(
        default_factory=list
    )
    reachable: OwnAddresses = msgspec.field(default_factory=list)


class Records(Message, frozen=True, tag="records"):
    """What is kept under the key, and contacts near it.

    `count` is how many are kept, of which `records` may be a sample. `same` says that the
    asker knows them all already; then none is sent. `vouched` holds a byte for each record:
    bit i is set when its address i is one where its writer could be, by where it spoke from
    (`app/net/hearsay.py`); empty says nothing.
    """

    contacts: Contacts
    records: Annotated[list[SignedRecord], msgspec.Meta(max_length=MAX_RECORDS)] = msgspec.field(
        default_factory=list
    )
    count: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    same: bool = False
    vouched: Annotated[bytes, msgspec.Meta(max_length=MAX_RECORDS)] = b""


class Store(Message, frozen=True, tag="store"):
    """Keep this record of mine until it expires or a newer one comes.

    The key is not said but derived, from `shelf`, `group` and the record itself
    (`app/net/kademlia_keys.py`), so that nobody can write under a key that is not theirs.
    """

    record: SignedRecord
    shelf: ShelfName
    group: Annotated[int, msgspec.Meta(ge=0, le=MAX_GROUP)] = 0
    reachable: OwnAddresses = msgspec.field(default_factory=list)


class Stored(Message, frozen=True, tag="stored"):
    """It is kept, together with so many others under the same key."""

    count: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)]


DhtRequest = FindNodes | FindRecords | Store
DhtAnswer = Nodes | Records | Stored
DhtMessage = DhtRequest | DhtAnswer
AnyMessage = ChannelMessage | DhtMessage | StateMessage
"""Everything that a channel may carry; these messages on "directory" channels only, and those
about a memory on "state" channels only."""

_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(DhtMessage)


_TAGS = frozenset({"find_nodes", "nodes", "find_records", "records", "store", "stored"})


def decode_dht(body: bytes) -> DhtMessage:
    """Read the body of a frame that holds one of these messages; BadInput names the broken rule."""
    if len(body) > MAX_DHT_FRAME_BYTES:
        raise BadInput(f"a frame of {len(body)} bytes; {MAX_DHT_FRAME_BYTES} are allowed here")
    try:
        message: DhtMessage = _decoder.decode(body)
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadInput(f"not a message of the directory: {str(error)[:200]}") from None
    return message


def decode_directory(body: bytes) -> AnyMessage:
    """Read any frame of a "directory" channel: what `wire.decode_channel` reads, and these.

    Raises:
        BadInput: it breaks a rule, which is named.
    """
    if len(body) > MAX_FRAME_BYTES:
        raise BadInput(f"a frame of {len(body)} bytes; {MAX_FRAME_BYTES} are allowed here")
    try:
        tag = tag_of(body)
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadInput(f"not a message of the directory: {str(error)[:200]}") from None
    return decode_dht(body) if tag in _TAGS else decode_channel(body)
