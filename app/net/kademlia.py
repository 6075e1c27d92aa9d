"""One computer's part of the distributed directory: what it knows, keeps, answers and seeks.

Pure: no clock, socket, task or chance; the time and random bytes are arguments. The
counterpart is the same machine in every other computer; `app/net/dht.py` carries the
questions between them. Made of `kademlia_table` (whom it knows), `kademlia_store` (what
it keeps for others), `kademlia_lookup` (how it seeks) and `kademlia_keys` (the keys).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from app.errors import BadInput, Refusal
from app.ids import ModelId, PeerId
from app.net.address_groups import AddressRules
from app.net.addresses import is_loopback, parse_address
from app.net.dht_messages import (
    KEY_BYTES,
    MAX_CONTACT_ADDRESSES,
    MAX_CONTACTS,
    MAX_KNOWN_DIGESTS,
    MAX_RECORDS,
    Contact,
    DhtAnswer,
    DhtRequest,
    FindNodes,
    FindRecords,
    Nodes,
    Records,
    Store,
    Stored,
)
from app.net.hearsay import ALL_VOUCHED, believed, picked, vouched
from app.net.kademlia_keys import NodeId, Shelf, groups_of, id_bytes, node_id, point_of, shelf_of
from app.net.kademlia_lookup import ALPHA, PATHS, Lookup
from app.net.kademlia_store import Kept, digest
from app.net.kademlia_store import Store as RecordStore
from app.net.kademlia_table import BUCKET_SIZE, Table
from app.net.records import Announcement, StaleRecord, open_record, supersedes
from app.net.wire import Refused, SignedRecord

MAX_RECORDS_FOUND = 4096
"""What a look-up remembers of a crowded key: 64 full answers."""

OpenRecord = Callable[[SignedRecord, float], Announcement]
"""Checks and reads a record at a wall time, as `records.open_record` does."""


def open_signed(record: SignedRecord, now_wall: float) -> Announcement:
    """`records.open_record`, as the machine calls it."""
    return open_record(record, now_wall=now_wall)


class Kademlia:
    """The state of one computer in the distributed directory.

    Args:
        open_signed: how records are checked; only a simulation replaces it.

    Attributes:
        table, store: whom this computer knows, and what it keeps for others.
    """

    def __init__(
        self, own: PeerId, rules: AddressRules, *, open_signed: OpenRecord = open_signed
    ) -> None:
        self.table = Table(own, rules)
        self.store = RecordStore()
        self._own = own
        self._own_id = node_id(own)
        self._rules = rules
        self._open = open_signed

    # ── answering ────────────────────────────────────────────────────────────

    def answer(
        self,
        request: DhtRequest,
        asker: PeerId,
        *,
        now: float,
        now_wall: float,
        seen_at: Iterable[str] = (),
    ) -> DhtAnswer | Refused:
        """What to tell a proven peer.

        Args:
            seen_at: the addresses it speaks from, if known; it counts for these, and is
                not looked for elsewhere.

        Raises:
            BadInput: the request breaks a rule.
        """
        seen_at = list(seen_at)
        self._take_offer(asker, request.reachable, seen_at)
        self.table.spoke(asker, now)
        self.store.expire(now_wall)
        match request:
            case FindNodes():
                return Nodes(contacts=self._near(point_of(request.target), asker))
            case FindRecords():
                return self._answer_records(request, asker, now_wall)
            case Store():
                return self._answer_store(request, asker, now_wall, seen_at)

    def _answer_records(self, request: FindRecords, asker: PeerId, now_wall: float) -> Records:
        key = point_of(request.key)
        kept, count = self.store.find(key, now_wall, limit=request.limit, seed=request.seed)
        contacts = self._near(key, asker)
        if kept and count == len(kept) and request.known:
            name = digest(one.announcement for one in kept)
            if name in request.known:
                return Records(contacts=contacts, count=count, same=True)
        return Records(
            contacts=contacts,
            records=[one.record for one in kept],
            count=count,
            vouched=bytes(one.vouched for one in kept),
        )

    def _answer_store(
        self, request: Store, asker: PeerId, now_wall: float, seen_at: Sequence[str]
    ) -> Stored | Refused:
        try:
            announcement = self._open(request.record, now_wall)
            if announcement.peer != asker:
                raise BadInput("a record of another computer than the one that brings it")
            shelf = shelf_of(announcement, request.shelf, request.group)
            if not self.is_near(shelf.key):
                raise Refusal("others are nearer to this key", code="not_near")
            count = self.keep(shelf, request.record, announcement, seen_at)
        except StaleRecord as error:
            return Refused(code="stale", reason=str(error))
        except Refusal as error:
            return Refused(code=error.code, reason=error.reason)
        return Stored(count=count)

    def keep(
        self,
        shelf: Shelf,
        record: SignedRecord,
        announcement: Announcement,
        seen_at: Sequence[str] = (),
    ) -> int:
        """Keep a record that was checked; how many are there now.

        Args:
            seen_at: where its writer speaks from. This computer's own word needs no proof.

        Raises:
            Refusal: there is no room for it.
        """
        named = announcement.addresses
        groups = self._rules.groups(seen_at or named[:MAX_CONTACT_ADDRESSES])
        speaker = next(iter(seen_at), None)
        may = ALL_VOUCHED if announcement.peer == self._own else vouched(named, speaker)
        return self.store.keep(shelf, record, announcement, groups, vouched=may)

    def is_near(self, key: NodeId) -> bool:
        """Whether this computer should keep what is written here: it knows few nearer ones."""
        nearest = self.table.closest(key, BUCKET_SIZE)
        if len(nearest) < BUCKET_SIZE:
            return True
        return self._own_id ^ key < node_id(nearest[-1].peer) ^ key

    def _near(self, point: NodeId, asker: PeerId) -> list[Contact]:
        nearest = self.table.closest(point, MAX_CONTACTS + 1, shareable_only=True)
        return [contact for contact in nearest if contact.peer != asker][:MAX_CONTACTS]

    def _take_offer(self, asker: PeerId, reachable: Sequence[str], seen_at: Sequence[str]) -> None:
        if reachable:
            offered = Contact(peer=asker, addresses=list(reachable))
            for contact in self.readable([offered], next(iter(seen_at), None)):
                if self.speaks_from(contact, seen_at):
                    self.table.offer(contact)

    def speaks_from(self, contact: Contact, seen_at: Sequence[str]) -> bool:
        """Whether a computer speaks from where its contact says, as far as that is known.

        A connection that the other side opened proves nothing of the addresses it names;
        naming others' would get it around every limit on address groups. A bootstrap that
        a person gave by name is taken as it is, and so is a neighbour on this very computer:
        it speaks from loopback and names where others find it.
        """
        if not seen_at or not all(map(self._rules.allows, contact.addresses)):
            return True
        if any(is_loopback(parse_address(address)[0]) for address in seen_at):
            return True
        return bool(self._rules.groups(contact.addresses) & self._rules.groups(seen_at))

    # ── seeking ──────────────────────────────────────────────────────────────

    def lookup(
        self, target: NodeId, extra_seeds: Sequence[Contact] = (), *, paths: int = PATHS
    ) -> Lookup:
        """A look-up that begins at the nearest known contacts and, after them, at others."""
        seeds = self.table.closest(target, ALPHA * PATHS)
        known = {contact.peer for contact in seeds}
        seeds += [contact for contact in extra_seeds if contact.peer not in known]
        return Lookup(target, seeds, own=self._own, rules=self._rules, paths=paths)

    def readable(self, contacts: Iterable[Contact], speaker: str | None = None) -> list[Contact]:
        """A stranger's contacts without those that must not be dialled.

        Args:
            speaker: where that stranger speaks from; None is the internet.

        Raises:
            BadInput: one is no contact at all.
        """
        found = []
        for contact in contacts:
            try:
                allowed = believed(filter(self._rules.allows, contact.addresses), speaker)
            except ValueError as error:
                raise BadInput(f"a contact with a bad address: {str(error)[:200]}") from None
            if len(allowed) == len(contact.addresses):
                found.append(contact)
            elif allowed:
                found.append(Contact(peer=contact.peer, addresses=allowed))
        return found


class RecordSearch:
    """What a look-up of one key has found so far."""

    def __init__(
        self, shelf: Shelf, machine: Kademlia, *, open_signed: OpenRecord = open_signed
    ) -> None:
        self.shelf = shelf
        self._counts: list[int] = []
        self._machine = machine
        self._open = open_signed
        # A record that eight holders tell is checked once.
        self._opened: dict[SignedRecord, Announcement | None] = {}
        self._newest: dict[tuple[bytes, bytes], Announcement] = {}
        # Which addresses of these may be dialled: what one of those that told it may name.
        self._believed: dict[tuple[bytes, bytes], set[str]] = {}
        self._known: list[bytes] = []

    @property
    def found(self) -> list[Announcement]:
        """The newest offer of each writer and model, with the addresses that may be dialled."""
        return [_with(offer, self._believed[key]) for key, offer in self._newest.items()]

    @property
    def count(self) -> int:
        """How many are kept there: the second highest that was told, as one may exaggerate."""
        return credible(self._counts)

    def question(self, seed: int, reachable: Sequence[str] = ()) -> FindRecords:
        """What to ask the next one; each `seed` shows another sample of a crowded key."""
        return FindRecords(
            key=id_bytes(self.shelf.key),
            seed=seed,
            known=self._known[-MAX_KNOWN_DIGESTS:],
            reachable=list(reachable),
        )

    def take(
        self,
        asked: FindRecords,
        answer: Records,
        now_wall: float,
        speaker: str | None = None,
    ) -> list[Contact]:
        """Take what one told; its contacts.

        Args:
            speaker: where it speaks from; None is the internet.

        Raises:
            BadInput: the answer breaks a rule; nothing of it is kept.
        """
        if answer.count < len(answer.records) or (answer.same and not asked.known):
            raise BadInput("an answer that contradicts itself")
        if answer.vouched and len(answer.vouched) != len(answer.records):
            raise BadInput("an answer that vouches for other records than it tells")
        contacts = self._machine.readable(answer.contacts, speaker)
        read = [self._read(record, now_wall) for record in answer.records]
        offers = [offer for offer in read if offer is not None]
        for offer, bits in zip(read, answer.vouched or [ALL_VOUCHED] * len(read), strict=True):
            if offer is not None:
                self._keep(offer, believed(picked(offer.addresses, bits), speaker))
        if offers and len(offers) == answer.count:
            # Computed here: a liar who knows the digest cannot make others leave records out.
            name = digest(offers)
            if name not in self._known:
                self._known.append(name)
        self._counts.append(answer.count)
        return contacts

    def keep_own(self, found: Iterable[Kept]) -> None:
        """Add what this computer itself keeps."""
        for kept in found:
            offer = kept.announcement
            self._keep(offer, picked(offer.addresses, kept.vouched))

    def _keep(self, offer: Announcement, may_be_dialled: Iterable[str]) -> None:
        key = (offer.peer, offer.model)
        old = self._newest.get(key)
        if (old is None and len(self._newest) < MAX_RECORDS_FOUND) or (
            old is not None and supersedes(offer, old)
        ):
            self._newest[key] = offer
            self._believed[key] = set(may_be_dialled)
        elif old is not None and old.sequence == offer.sequence:
            self._believed[key].update(may_be_dialled)

    def _read(self, record: SignedRecord, now_wall: float) -> Announcement | None:
        if record not in self._opened:
            try:
                self._opened[record] = self._open(record, now_wall)
            except StaleRecord:
                self._opened[record] = None  # it may have expired on its way here
        offer = self._opened[record]
        if offer is not None and not _belongs(offer, self.shelf):
            raise BadInput("a record of another key than was asked for")
        return None if offer is None or offer.span is None else offer


def credible(counts: Iterable[int]) -> int:
    """What at least two agree that it is at least; what the only one says."""
    highest = sorted(counts, reverse=True)[:2]
    return highest[-1] if highest else 0


def _with(offer: Announcement, believed: Collection[str]) -> Announcement:
    """The offer without the other addresses."""
    addresses = [address for address in offer.addresses if address in believed]
    if len(addresses) == len(offer.addresses):
        return offer
    return msgspec.structs.replace(offer, addresses=addresses)


def _belongs(offer: Announcement, shelf: Shelf) -> bool:
    if shelf.model not in (None, ModelId(offer.model)):
        return False
    in_group = offer.span is None or shelf.group in groups_of(offer.span)
    return shelf.name != "group" or in_group


__all__ = [
    "KEY_BYTES",
    "MAX_RECORDS",
    "Kademlia",
    "OpenRecord",
    "RecordSearch",
    "credible",
    "open_signed",
]
