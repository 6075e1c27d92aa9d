"""Announcements: who serves which span of which model, signed by the one who serves.

Pure: the time is an argument. Anybody may carry a record and nobody can change
it; a writer's newer record replaces its older one, and each dies by itself when
it expires. `app/net/kademlia_store.py` keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from app.errors import BadInput, BadSignature
from app.ids import PeerId, Span
from app.net.addresses import parse_address
from app.net.identity import Identity, verify
from app.net.wire import (
    MAX_RECORD_BYTES,
    Addresses,
    Count,
    ModelBytes,
    PeerBytes,
    Place,
    Rate,
    SignedRecord,
    UnixSeconds,
    Word,
)

RECORD_DOMAIN = b"potluck record v1\0"
MAX_LIFETIME_SECONDS = 3600.0
CLOCK_SKEW_SECONDS = 120.0
"""How far the clocks of two computers may differ before they misjudge each other."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One computer's offer for one model; without a span, the offer is withdrawn.

    Attributes:
        peer: the writer, whose signature the record carries.
        sequence: grows with each record of the writer; the newest wins.
        issued_at, expires_at: seconds since 1970.
        addresses: where to dial the writer, best first.
        model, model_name: the model's id, and what people call it.
        span: the units served.
        layers_per_second: measured blocks of this model computed in a second, as far as the
            owner's caps leave it.
        kv_tokens_free: positions that new sessions may still use.
        sessions, capacity: how many sessions it serves now, and how many it would at most.
        ready: False while the units are still on their way; nobody can be served yet.
        moves_to: the units on their way here, which it will serve instead of `span`.
        besides: whether these units are served for a while only, while others lack them, by a
            computer that serves others under another name.
        place: where it stands in the network.
        public: whether strangers may use it.
        version: the software's version, for people.
    """

    peer: PeerBytes
    sequence: Count
    issued_at: UnixSeconds
    expires_at: UnixSeconds
    model: ModelBytes
    model_name: Word = ""
    addresses: Addresses = []
    span: Span | None = None
    layers_per_second: Rate = 0.0
    kv_tokens_free: Count = 0
    sessions: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    capacity: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    ready: bool = True
    moves_to: Span | None = None
    besides: bool = False
    place: Place | None = None
    public: bool = False
    version: Word = ""


class StaleRecord(BadInput):
    """A sound record whose time is over, or has not come: mostly a clock that is wrong."""


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Announcement)


def sign_announcement(identity: Identity, announcement: Announcement) -> SignedRecord:
    """The record to hand out.

    Raises:
        ValueError: it is somebody else's, too large, or one that readers refuse.
    """
    if announcement.peer != identity.peer_id:
        raise ValueError("an announcement is signed by the computer it speaks of")
    body = _encoder.encode(announcement)
    if len(body) > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {len(body)} bytes is over the {MAX_RECORD_BYTES} allowed")
    record = SignedRecord(body=body, signature=identity.sign(RECORD_DOMAIN + body))
    try:
        open_record(record, now_wall=announcement.issued_at)
    except BadInput as error:
        raise ValueError(f"readers would refuse this announcement: {error}") from None
    return record


def open_record(record: SignedRecord, *, now_wall: float) -> Announcement:
    """Check a stranger's record and read it.

    Args:
        now_wall: this computer's `Clock.wall`, seconds since 1970.

    Raises:
        StaleRecord: it has expired, or comes from the future.
        BadSignature: the peer it names did not sign it.
        BadInput: it breaks another rule.
    """
    if len(record.body) > MAX_RECORD_BYTES:
        raise BadInput(f"a record of {len(record.body)} bytes; {MAX_RECORD_BYTES} are allowed")
    try:
        announcement: Announcement = _decoder.decode(record.body)
        _check(announcement)
    except (ValueError, RecursionError, OverflowError) as error:
        raise BadInput(f"not an announcement: {str(error)[:200]}") from None
    try:
        verify(PeerId(announcement.peer), record.signature, RECORD_DOMAIN + record.body)
    except BadSignature:
        raise BadSignature("a record that the computer it names did not sign") from None
    if announcement.expires_at <= now_wall:
        raise StaleRecord("a record that has expired, or one of these two clocks is wrong")
    if announcement.issued_at > now_wall + CLOCK_SKEW_SECONDS:
        raise StaleRecord("a record from the future: one of these two clocks is wrong")
    return announcement


def supersedes(new: Announcement, old: Announcement) -> bool:
    """Whether `new` takes the place of `old`: same writer and model, higher sequence."""
    return new.peer == old.peer and new.model == old.model and new.sequence > old.sequence


def newest_of(found: Iterable[Iterable[Announcement]]) -> list[Announcement]:
    """Each offer of what several told once, as its writer wrote it last."""
    newest: dict[tuple[bytes, bytes], Announcement] = {}
    for offer in (offer for offers in found for offer in offers):
        old = newest.get((offer.peer, offer.model))
        if old is None or supersedes(offer, old):
            newest[(offer.peer, offer.model)] = offer
    return list(newest.values())


def _check(announcement: Announcement) -> None:
    numbers = (announcement.issued_at, announcement.expires_at, announcement.layers_per_second)
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("a number that is not finite")
    lifetime_seconds = announcement.expires_at - announcement.issued_at
    if not 0 < lifetime_seconds <= MAX_LIFETIME_SECONDS:
        raise ValueError(f"a lifetime of {lifetime_seconds:g} seconds")
    for address in announcement.addresses:
        parse_address(address)
