"""How what this computer announces gets to those that should keep it, and who they are.

Drives `app/net/dht_keepers.py`, which remembers them; `app/net/dht.py` asks for it and looks
the nearest ones up. Nobody passes a record on: each is written by its own computer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from app.clock import Clock
from app.errors import PeerLost, Refusal
from app.ids import ModelId, PeerId
from app.net.dht_asking import Asking
from app.net.dht_keepers import Keepers
from app.net.dht_messages import Contact, Store, Stored
from app.net.kademlia import Kademlia, credible
from app.net.kademlia_keys import CROWDED, REPLICAS, NodeId, Shelf, node_id, shelves_to_write
from app.net.kademlia_lookup import Lookup
from app.net.records import Announcement
from app.net.wire import Refused, SignedRecord

logger = logging.getLogger(__name__)


class Writing:
    """Hands this computer's records out.

    Args:
        machine: what this computer itself knows and keeps, as of now.
        find: looks up who is nearest to a key; raises PeerLost when nobody answers.
        keeps: whether strangers can reach this computer, so that it keeps records itself.

    Attributes:
        keepers: who keeps what was written.
    """

    def __init__(
        self,
        own: PeerId,
        asking: Asking,
        *,
        machine: Callable[[], Kademlia],
        find: Callable[[NodeId], Awaitable[Lookup]],
        keeps: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self.keepers = Keepers()
        self._own = own
        self._asking = asking
        self._machine = machine
        self._find = find
        self._keeps = keeps
        self._clock = clock
        self._crowded: set[ModelId] = set()

    async def write(self, record: SignedRecord, announcement: Announcement) -> int:
        """Hand a sound record of this computer to those who should keep it; how many do.

        Raises:
            PeerLost: nobody answers, or nobody is known.
            Refusal: those that answer decline it.
        """
        model = ModelId(announcement.model)
        shelves = shelves_to_write(announcement, crowded=model in self._crowded)
        if announcement.span is None:
            # Withdrawn from wherever it was written.
            shelves += self.keepers.groups_of(model)
        first, *others = await asyncio.gather(
            *(self._write_to(shelf, record, announcement) for shelf in shelves)
        )
        if isinstance(first, Refusal | PeerLost):
            raise first
        kept, counts = first
        if credible(counts) >= CROWDED:
            self._crowded.add(model)
        elif counts:
            self._crowded.discard(model)
        for other in (other for other in others if isinstance(other, Refusal | PeerLost)):
            logger.debug("not written everywhere: %s", other)
        return kept

    async def _write_to(
        self, shelf: Shelf, record: SignedRecord, announcement: Announcement
    ) -> tuple[int, list[int]] | Refusal | PeerLost:
        """How many keep it and what they say is there, or why nobody does."""
        holders = self.keepers.of(shelf)
        try:
            # Taking an offer back has little time: where it was written is known.
            hurried = announcement.span is None and bool(holders.contacts)
            if holders.wanted(self._clock.monotonic()) and not hurried:
                lookup = await self._find(shelf.key)
                holders.found(lookup.closest(), self._clock.monotonic())
        except PeerLost as error:
            holders.found([], self._clock.monotonic())
            return error
        counts: list[int] = []
        refusals: list[Refusal] = []
        if self._keeps_itself(shelf, holders.contacts):
            try:
                counts.append(self._machine().keep(shelf, record, announcement))
            except Refusal as error:
                refusals.append(error)
        store = Store(record=record, shelf=shelf.name, group=shelf.group)
        answers = await asyncio.gather(
            *(self._asking.ask(contact, store, Stored) for contact in holders.contacts)
        )
        for contact, answer in zip(holders.contacts, answers, strict=False):
            match answer:
                case Stored():
                    counts.append(answer.count)
                case Refused():
                    refusals.append(Refusal(answer.reason, code=answer.code))
                    if answer.code in ("not_near", "not_public"):
                        holders.failed(PeerId(contact.peer))
                case None:
                    holders.failed(PeerId(contact.peer))
        if counts:
            return len(counts), counts
        if refusals:
            return refusals[0]
        return PeerLost("none of the computers that should keep this offer answers")

    def _keeps_itself(self, shelf: Shelf, holders: Sequence[Contact]) -> bool:
        if not self._keeps():
            return False
        distance = node_id(self._own) ^ shelf.key
        return len(holders) < REPLICAS or distance < node_id(holders[-1].peer) ^ shelf.key
