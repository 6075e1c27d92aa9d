"""Records kept for others: many writers under one key, each only its own, all bounded.

Pure: time is an argument, in seconds since 1970, because that is what records expire by.
Whether a record is sound and whether its writer brings it is checked before
(`app/net/kademlia.py`). A withdrawal is kept until it expires, so that an older offer
cannot come back, but it is not told.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from app.errors import Refusal
from app.ids import ModelId, PeerId
from app.net.dht_messages import DIGEST_BYTES
from app.net.kademlia_keys import MODELS, NodeId, Shelf
from app.net.records import Announcement, supersedes
from app.net.wire import SignedRecord

MAX_RECORDS_KEPT = 8192
"""At the 4.2 KiB a record may have at most, 34 MiB; at the usual 350 bytes, 3 MiB."""
MAX_PER_KEY = 512
MAX_PER_MODEL_AMONG_MODELS = 8
"""Under the key of all models a few offers of each are enough, so that none drowns."""
MAX_PER_WRITER = 48
"""Four models with the keys that each is written to."""
MAX_PER_GROUP_AND_KEY = 64
"""Of one address group under one key: 1/8 of the room there."""
MAX_PER_GROUP = 1024
"""Of one address group in all: 1/8 of the room."""

_Name = TypeVar("_Name")
_Writer = tuple[PeerId, ModelId]


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that is kept, read, the address groups it counts for, when it is dropped, and
    which of its addresses the writer could name (`hearsay.vouched`)."""

    record: SignedRecord
    announcement: Announcement
    groups: frozenset[str]
    ends_at: float
    vouched: int


class Store:
    """What one publicly reachable computer keeps."""

    def __init__(self) -> None:
        self._kept: dict[NodeId, dict[_Writer, Kept]] = {}
        self._writers: Counter[bytes] = Counter()
        self._groups: Counter[str] = Counter()
        self._count = 0
        self._ends_at = float("inf")

    def __len__(self) -> int:
        return self._count

    @property
    def writer_count(self) -> int:
        """Of how many computers something is kept."""
        return len(self._writers)

    def keep(
        self,
        shelf: Shelf,
        record: SignedRecord,
        announcement: Announcement,
        groups: Iterable[str],
        *,
        vouched: int,
    ) -> int:
        """Keep a checked record; how many are kept there now. An older one changes nothing.

        Args:
            groups: the address groups that the writer counts for.
            vouched: as in `Kept`.

        Raises:
            Refusal: there is no room for it: "crowded" for this key, "full" for all.
        """
        here = self._kept.get(shelf.key, {})
        writer = (PeerId(announcement.peer), ModelId(announcement.model))
        old = here.get(writer)
        new = Kept(record, announcement, frozenset(groups), announcement.expires_at, vouched)
        if old is not None and not supersedes(announcement, old.announcement):
            return len(here)
        if old is None:
            self._make_room(shelf, here, new)
        else:
            self._drop(shelf.key, writer)
        self._kept.setdefault(shelf.key, here)[writer] = new
        self._writers[announcement.peer] += 1
        self._groups.update(new.groups)
        self._count += 1
        self._ends_at = min(self._ends_at, announcement.expires_at)
        return len(here)

    def find(
        self, key: NodeId, now_wall: float, *, limit: int, seed: int
    ) -> tuple[list[Kept], int]:
        """Offers under a key and how many there are; a sample that `seed` chooses, if crowded."""
        offers = [
            kept
            for kept in self._kept.get(key, {}).values()
            if kept.ends_at > now_wall and kept.announcement.span is not None
        ]
        if len(offers) <= limit:
            return offers, len(offers)
        salt = seed.to_bytes(4, "big")
        ordered = sorted(offers, key=lambda kept: _shuffled(salt, kept.announcement.peer))
        return ordered[:limit], len(offers)

    def forget(self, writer: PeerId) -> None:
        """Drop everything of a computer that is gone."""
        if writer in self._writers:
            self._drop_all(lambda kept: kept.announcement.peer == writer)

    def hurry(self, writer: PeerId, ends_at: float) -> None:
        """Keep offers of a computer only so long, unless it writes them again. What it took back
        stays known for as long as it would."""
        if writer not in self._writers:
            return
        for here in self._kept.values():
            for name, kept in here.items():
                is_offer = kept.announcement.span is not None
                if name[0] == writer and is_offer and kept.ends_at > ends_at:
                    here[name] = replace(kept, ends_at=ends_at)
                    self._ends_at = min(self._ends_at, ends_at)

    def keeps_for(self, writer: PeerId) -> bool:
        """Whether anything of this computer is kept here."""
        return writer in self._writers

    def expire(self, now_wall: float) -> None:
        """Drop what has expired; cheap when nothing has."""
        if self._ends_at > now_wall:
            return
        self._drop_all(lambda kept: kept.ends_at <= now_wall)
        everything = (kept for here in self._kept.values() for kept in here.values())
        self._ends_at = min((k.ends_at for k in everything), default=float("inf"))

    # ── inside ───────────────────────────────────────────────────────────────

    def _make_room(self, shelf: Shelf, here: dict[_Writer, Kept], new: Kept) -> None:
        if self._count >= MAX_RECORDS_KEPT:
            raise Refusal("this computer keeps as many records as it can", code="full")
        if any(self._groups[group] >= MAX_PER_GROUP for group in new.groups):
            raise Refusal("too many records from this part of the network", code="full")
        if self._writers[new.announcement.peer] >= MAX_PER_WRITER:
            raise Refusal(f"{MAX_PER_WRITER} records of one writer are enough", code="full")
        if shelf == MODELS:
            model = new.announcement.model
            alike = sum(1 for _, other in here if other == model)
            if alike >= MAX_PER_MODEL_AMONG_MODELS:
                raise Refusal("enough offers of this model are known here", code="crowded")
        counts = Counter(group for kept in here.values() for group in kept.groups)
        own = max((counts[group] for group in new.groups), default=0)
        if own >= MAX_PER_GROUP_AND_KEY:
            raise Refusal("too many offers from this part of the network", code="crowded")
        if len(here) >= MAX_PER_KEY:
            self._make_way(shelf.key, here, counts, own)

    def _make_way(
        self, key: NodeId, here: dict[_Writer, Kept], counts: Counter[str], own: int
    ) -> None:
        """The largest group gives a place to a newcomer of a smaller one."""
        largest, size = counts.most_common(1)[0] if counts else ("", 0)
        if size <= own + 1:
            raise Refusal("this key is crowded; others nearby may have room", code="crowded")
        self._drop(key, next(writer for writer, kept in here.items() if largest in kept.groups))

    def _drop(self, key: NodeId, writer: _Writer) -> None:
        kept = self._kept[key].pop(writer)
        if not self._kept[key]:
            del self._kept[key]
        self._count -= 1
        _decrease(self._writers, [kept.announcement.peer])
        _decrease(self._groups, kept.groups)

    def _drop_all(self, unwanted: Callable[[Kept], bool]) -> None:
        found = [
            (key, writer)
            for key, here in self._kept.items()
            for writer, kept in here.items()
            if unwanted(kept)
        ]
        for key, writer in found:
            self._drop(key, writer)


def digest(announcements: Iterable[Announcement]) -> bytes:
    """A short name for a set of offers, so that the same set need not be sent twice."""
    names = sorted(a.peer + a.model + a.sequence.to_bytes(6, "big") for a in announcements)
    return hashlib.sha256(b"".join(names)).digest()[:DIGEST_BYTES]


def _shuffled(salt: bytes, peer: bytes) -> bytes:
    return hashlib.blake2b(peer, digest_size=8, salt=salt).digest()


def _decrease(counter: Counter[_Name], keys: Iterable[_Name]) -> None:
    for key in keys:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]
