"""Under which keys an offer is written and sought, and who keeps one of them.

Pure. Three kinds of shelves, so that few look-ups tell a whole model's coverage:
"model" holds every offer for one model; once that is crowded, writers also write under
the "group" of units that they serve; "models" holds a few offers of each model, so that
a newcomer learns which models there are. `docs/decisions/011-discovery.md` says why.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

from app.errors import BadInput
from app.ids import ModelId, PeerId, Span
from app.net.dht_messages import MAX_RECORDS, Contact, ShelfName
from app.net.records import Announcement

NodeId = NewType("NodeId", int)
"""A point on the circle of 256 bits: a computer's, a key's, or any other."""

ID_BITS = 256
GROUP_UNITS = 16
"""Units a group: a model of 126 blocks, the deepest published, has eight groups."""
MAX_GROUPS_ASKED = 16
CROWDED = 3 * MAX_RECORDS // 4
"""From so many offers under a model's key on, writers use the groups too: a little before
one answer cannot hold them all, because a writer learns it only when it writes again."""
REPLICAS = 8
"""How many computers keep a record. At 30 % an hour leaving, all eight are gone within
five minutes in one of 10^12 cases; hostile ones among them are what it is for."""
HOLDERS_FRESH_SECONDS = 600.0
"""After this time the nearest computers to a key are sought again."""
FEW_FRESH_SECONDS = 60.0
"""... and after this one while there are fewer than `REPLICAS`: a swarm that begins."""

_KEY_DOMAIN = b"potluck key v1\0"


@lru_cache(maxsize=1 << 16)
def node_id(peer: bytes) -> NodeId:
    """Where a computer is: nobody chooses that but by making keys until one fits."""
    return NodeId(int.from_bytes(hashlib.sha256(peer).digest(), "big"))


def id_bytes(point: NodeId) -> bytes:
    """The point as it crosses the network."""
    return point.to_bytes(ID_BITS // 8, "big")


def point_of(raw: bytes) -> NodeId:
    """The point that `id_bytes` wrote."""
    return NodeId(int.from_bytes(raw, "big"))


@dataclass(frozen=True, slots=True)
class Shelf:
    """One key: what it is about."""

    name: ShelfName
    model: ModelId | None = None
    group: int = 0

    @property
    def key(self) -> NodeId:
        """Where on the circle it is."""
        return _key(self.name, self.model, self.group)


@lru_cache(maxsize=1 << 14)
def _key(name: ShelfName, model: ModelId | None, group: int) -> NodeId:
    words = (name.encode(), model or b"", group.to_bytes(2, "big") if name == "group" else b"")
    digest = hashlib.sha256(_KEY_DOMAIN + b"\0".join(words)).digest()
    return NodeId(int.from_bytes(digest, "big"))


MODELS = Shelf("models")


def shelf_of(announcement: Announcement, name: ShelfName, group: int) -> Shelf:
    """The key under which a writer wants its own offer.

    Raises:
        BadInput: the offer does not belong there.
    """
    if name == "models":
        return MODELS
    model = ModelId(announcement.model)
    if name == "model":
        return Shelf("model", model)
    if announcement.span is not None and group not in groups_of(announcement.span):
        raise BadInput(f"an offer of units {announcement.span} in the group {group}")
    return Shelf("group", model, group)


def groups_of(span: Span) -> range:
    """The groups that a span touches."""
    return range(span.start // GROUP_UNITS, (span.stop - 1) // GROUP_UNITS + 1)


def shelves_to_write(announcement: Announcement, *, crowded: bool) -> list[Shelf]:
    """Where an offer goes; its groups too when the model's own key is crowded."""
    model = ModelId(announcement.model)
    shelves = [Shelf("model", model), MODELS]
    if crowded and announcement.span is not None:
        touched = groups_of(announcement.span)[:MAX_GROUPS_ASKED]
        shelves += [Shelf("group", model, group) for group in touched]
    return shelves


def groups_to_ask(model: ModelId, spans: Iterable[Span], units: int | None) -> list[Shelf]:
    """The groups of a crowded model; without `units` as many as the spans seen suggest."""
    last = units if units is not None else max((span.stop for span in spans), default=0)
    count = min(-(-last // GROUP_UNITS), MAX_GROUPS_ASKED)
    return [Shelf("group", model, group) for group in range(count)]


def models_to_ask(told: Iterable[Announcement], known: Collection[ModelId]) -> list[ModelId]:
    """The models that somebody offers: those that are known here first, then those that most
    offer, because anybody can offer models that nobody ever heard of."""
    offers = Counter(ModelId(offer.model) for offer in told)
    return sorted(offers, key=lambda model: (model not in known, -offers[model]))


class Holders:
    """The computers that keep a key, as last found; for whoever writes there again."""

    def __init__(self) -> None:
        self._contacts: list[Contact] = []
        self._found_count = 0
        self._found_at = float("-inf")

    @property
    def contacts(self) -> Sequence[Contact]:
        """At most `REPLICAS`, the nearest first."""
        return tuple(self._contacts)

    def wanted(self, now: float) -> bool:
        """Whether they should be sought again: it is long ago, or too many went."""
        if 2 * len(self._contacts) <= self._found_count:
            return True
        few = self._found_count < REPLICAS
        return now - self._found_at >= (FEW_FRESH_SECONDS if few else HOLDERS_FRESH_SECONDS)

    def found(self, contacts: Sequence[Contact], now: float) -> None:
        """A look-up found these."""
        self._contacts = list(contacts[:REPLICAS])
        self._found_count = len(self._contacts)
        self._found_at = now

    def failed(self, peer: PeerId) -> None:
        """One of them does not keep it any more."""
        self._contacts = [contact for contact in self._contacts if contact.peer != peer]
