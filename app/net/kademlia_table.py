"""The routing table: which publicly reachable computers this one knows, near and far.

Pure: time is an argument, in seconds of `Clock.monotonic`. A bucket for each number of
leading bits that a contact's id shares with our own, so that much is known of the
neighbourhood and a little of everywhere. Only who answered us at its own address comes
in (`heard`); what others tell is at most a reason to go and look (`offer`).
Old contacts that still answer stay: who was long here will be here longer, and nobody
can push them out by coming in numbers.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from app.ids import PeerId
from app.net.address_groups import AddressRules
from app.net.dht_messages import Contact
from app.net.kademlia_keys import ID_BITS, NodeId, node_id

BUCKET_SIZE = 16
SPARES_PER_BUCKET = 8
MAX_PER_GROUP_IN_BUCKET = 2
MAX_PER_GROUP = 10
"""Of one address group in the whole table, spares not counted."""
MAX_FAILURES = 2
"""A contact that did not answer so often in a row is gone; one failure may be the way."""
QUIET_SECONDS = 1800.0
"""A contact not heard for so long is asked whether it is there."""
RETRY_SECONDS = 120.0
"""One that did not answer is asked again after so long."""
REFRESH_SECONDS = 3600.0
"""A bucket that no look-up went through for so long gets one."""
REFRESH_GAP_SECONDS = 300.0
"""Between two refreshes: a newcomer's buckets are not all filled at once, because each costs
a dozen connections, and those who ask it fill them as well."""
MAX_GONE = 128
"""Computers that did not answer lately and are not tried on others' word; oldest forgotten."""
MAX_OFFERED = 32
"""Computers that say they are reachable and wait to be dialled; the newest wait in vain."""


@dataclass(slots=True)
class _Entry:
    contact: Contact
    id: NodeId
    shareable: bool
    heard_at: float
    failures: int = 0
    asked_at: float = float("-inf")


class _Bucket:
    """Up to `BUCKET_SIZE` contacts in use, and newer ones that wait for a place."""

    __slots__ = ("entries", "good", "spares", "touched_at")

    def __init__(self) -> None:
        self.entries: dict[PeerId, _Entry] = {}
        # Those that answered the last time, ready for `Table.closest`; None when outdated.
        self.good: list[tuple[NodeId, Contact, bool]] | None = None
        self.spares: dict[PeerId, _Entry] = {}
        self.touched_at = float("-inf")


class Table:
    """The contacts of one computer.

    Args:
        own: this computer, which never is its own contact.
    """

    def __init__(self, own: PeerId, rules: AddressRules) -> None:
        self._own = own
        self._own_id = node_id(own)
        self._rules = rules
        self._buckets: dict[int, _Bucket] = {}
        self._entries: dict[PeerId, _Entry] = {}
        self._groups: Counter[str] = Counter()
        self._offered: dict[PeerId, Contact] = {}
        self._gone: dict[PeerId, None] = {}
        self._refreshed_at = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, peer: object) -> bool:
        return peer in self._entries

    def contacts(self) -> list[Contact]:
        """Everybody in use, in no order."""
        return [entry.contact for entry in self._entries.values()]

    def closest(self, target: NodeId, count: int, *, shareable_only: bool = False) -> list[Contact]:
        """The contacts nearest to a point, the nearest first; doubtful ones are left out.

        Args:
            shareable_only: without those that others must not be sent to, such as a
                bootstrap that a person gave by name.
        """
        # By how much they share with us, buckets are nearer or farther from the point as a
        # whole: its own, then all deeper ones together, then the shallower ones in turn.
        index = self._index(target)
        deeper = [i for i in self._buckets if i > index]
        shallower = sorted((i for i in self._buckets if i < index), reverse=True)
        found: list[Contact] = []
        for group in ([index], deeper, *([i] for i in shallower)):
            distances = [
                (point ^ target, contact)
                for i in group
                for point, contact, shareable in self._good(i)
                if shareable or not shareable_only
            ]
            distances.sort(key=_distance)
            found += [contact for _, contact in distances]
            if len(found) >= count:
                break
        return found[:count]

    # ── what happened ────────────────────────────────────────────────────────

    def heard(self, contact: Contact, now: float) -> None:
        """It answered us at its address: it is reachable, and is who it says."""
        peer = PeerId(contact.peer)
        self._offered.pop(peer, None)
        self._gone.pop(peer, None)
        if peer == self._own:
            return
        entry = self._entries.get(peer)
        if entry is not None:
            entry.heard_at = now
            if entry.failures:
                entry.failures = 0
                self._bucket_of(peer).good = None
            self._move(entry, contact)
            return
        bucket = self._bucket_of(peer)
        bucket.spares.pop(peer, None)
        shareable = all(map(self._rules.allows, contact.addresses))
        entry = _Entry(contact, node_id(peer), shareable, now)
        if not self._admit(bucket, entry):
            bucket.spares[peer] = entry  # the newest is last
            while len(bucket.spares) > SPARES_PER_BUCKET:
                del bucket.spares[next(iter(bucket.spares))]

    def spoke(self, peer: PeerId, now: float) -> None:
        """It asked us something: alive, though that does not show that it can be reached."""
        entry = self._entries.get(peer)
        if entry is not None and not entry.failures:
            entry.heard_at = now

    def offer(self, contact: Contact) -> None:
        """Somebody says that it is reachable; it waits to be checked if there is use for it."""
        peer = PeerId(contact.peer)
        if peer == self._own or peer in self._entries or peer in self._offered:
            return
        bucket = self._bucket_of(peer)
        useful = len(bucket.entries) < BUCKET_SIZE and peer not in bucket.spares
        if useful and peer not in self._gone and len(self._offered) < MAX_OFFERED:
            self._offered[peer] = contact

    def failed(self, peer: PeerId) -> None:
        """It did not answer; after `MAX_FAILURES` a spare takes its place, if there is one."""
        self._offered.pop(peer, None)
        self._gone[peer] = None
        if len(self._gone) > MAX_GONE:
            del self._gone[next(iter(self._gone))]
        bucket = self._bucket_of(peer)
        bucket.good = None
        bucket.spares.pop(peer, None)
        entry = self._entries.get(peer)
        if entry is None:
            return
        entry.failures += 1
        if entry.failures >= MAX_FAILURES:
            self._drop(bucket, entry)
            self._promote(bucket)

    def touched(self, target: NodeId, now: float) -> None:
        """A look-up for this point was made."""
        if target != self._own_id:
            self._bucket_at(self._index(target)).touched_at = now

    # ── what is due ──────────────────────────────────────────────────────────

    def next_offered(self) -> Contact | None:
        """One that says it is reachable, to be dialled; answer with `heard` or `failed`."""
        for peer in list(self._offered):
            contact = self._offered.pop(peer)
            if len(self._bucket_of(peer).entries) < BUCKET_SIZE:
                return contact
        return None

    def to_check(self, now: float, count: int) -> list[Contact]:
        """Whom to ask now whether it is there: the silent and the quiet, at most `count`.

        Each is named once for each `RETRY_SECONDS`; answer with `heard` or `failed`.
        """
        due = []
        for bucket in self._buckets.values():
            due += [
                entry
                for entry in bucket.entries.values()
                if (entry.failures or now - entry.heard_at >= QUIET_SECONDS)
                and now - entry.asked_at >= RETRY_SECONDS
            ]
        oldest = heapq.nsmallest(count, due, lambda entry: entry.heard_at)
        for entry in oldest:
            entry.asked_at = now
        return [entry.contact for entry in oldest]

    def to_refresh(self, now: float, noise: bytes) -> NodeId | None:
        """A point in the bucket that was not looked through for longest; None when none is due.

        Args:
            noise: 32 random bytes, which choose the point.
        """
        if not self._buckets or now - self._refreshed_at < REFRESH_GAP_SECONDS:
            return None
        # Beyond the deepest bucket in use there is nobody, so nothing to look for.
        deepest = max((i for i, b in self._buckets.items() if b.entries), default=0)
        due = [
            (self._bucket_at(index).touched_at, index)
            for index in range(deepest + 1)
            if now - self._bucket_at(index).touched_at >= REFRESH_SECONDS
        ]
        if not due:
            return None
        self._refreshed_at = now
        _, index = min(due)
        keep_bits = ID_BITS - index
        flipped = 1 << (keep_bits - 1)
        low = int.from_bytes(noise, "big") & (flipped - 1)
        high = (self._own_id >> keep_bits) << keep_bits
        return NodeId(high | ((self._own_id & flipped) ^ flipped) | low)

    # ── inside ───────────────────────────────────────────────────────────────

    def _good(self, index: int) -> list[tuple[NodeId, Contact, bool]]:
        bucket = self._buckets.get(index)
        if bucket is None:
            return []
        if bucket.good is None:
            bucket.good = [
                (entry.id, entry.contact, entry.shareable)
                for entry in bucket.entries.values()
                if not entry.failures
            ]
        return bucket.good

    def _index(self, point: NodeId) -> int:
        return ID_BITS - (self._own_id ^ point).bit_length()

    def _bucket_of(self, peer: PeerId) -> _Bucket:
        return self._bucket_at(self._index(node_id(peer)))

    def _bucket_at(self, index: int) -> _Bucket:
        bucket = self._buckets.get(index)
        if bucket is None:
            bucket = self._buckets[index] = _Bucket()
        return bucket

    def _admit(self, bucket: _Bucket, entry: _Entry) -> bool:
        if len(bucket.entries) >= BUCKET_SIZE:
            return False
        groups = self._rules.groups(entry.contact.addresses)
        if any(self._groups[group] >= MAX_PER_GROUP for group in groups):
            return False
        here = self._group_counts(bucket.entries.values())
        if any(here[group] >= MAX_PER_GROUP_IN_BUCKET for group in groups):
            return False
        peer = PeerId(entry.contact.peer)
        bucket.entries[peer] = self._entries[peer] = entry
        bucket.good = None
        self._groups.update(groups)
        return True

    def _drop(self, bucket: _Bucket, entry: _Entry) -> None:
        peer = PeerId(entry.contact.peer)
        bucket.good = None
        del bucket.entries[peer], self._entries[peer]
        groups = self._rules.groups(entry.contact.addresses)
        self._groups.subtract(groups)
        for group in groups:
            if not self._groups[group]:
                del self._groups[group]

    def _promote(self, bucket: _Bucket) -> None:
        for peer, spare in reversed(list(bucket.spares.items())):
            if self._admit(bucket, spare):
                del bucket.spares[peer]
                return

    def _move(self, entry: _Entry, contact: Contact) -> None:
        """It has another address now; that must not carry it past its group's limit."""
        if contact == entry.contact:
            return
        bucket = self._bucket_of(PeerId(contact.peer))
        self._drop(bucket, entry)
        entry.contact = contact
        entry.shareable = all(map(self._rules.allows, contact.addresses))
        if not self._admit(bucket, entry):
            self._promote(bucket)

    def _group_counts(self, entries: Iterable[_Entry]) -> Counter[str]:
        return Counter(
            group for entry in entries for group in self._rules.groups(entry.contact.addresses)
        )


def _distance(pair: tuple[int, Contact]) -> int:
    return pair[0]
