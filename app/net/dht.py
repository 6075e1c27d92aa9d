"""The distributed directory as a node uses it: announce, look up, serve, stay in touch.

Drives the machine of `app/net/kademlia.py` over channels to other computers, without a
centre: bootstraps are ordinary computers that a newcomer asks first. A computer that
strangers can reach (`reachable`) keeps records and answers on "directory" channels; every
other one only asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from random import SystemRandom
from types import TracebackType
from typing import Protocol

from app.clock import Clock
from app.errors import BadInput, PeerLost
from app.ids import ModelId, PeerId
from app.net.address_groups import AddressRules, hand_of, rules_for
from app.net.allowances import ANSWERS_FOR_ONE_HAND, QUESTIONS_OF_ONE_HAND, Allowances
from app.net.channel import Channel, ChannelOpener
from app.net.dht_asking import Asking
from app.net.dht_messages import (
    MAX_CONTACT_ADDRESSES,
    Contact,
    FindNodes,
    FindRecords,
    Nodes,
    Records,
    Store,
    Stored,
)
from app.net.dht_writing import Writing
from app.net.kademlia import Kademlia, RecordSearch
from app.net.kademlia_keys import (
    MODELS,
    NodeId,
    Shelf,
    groups_to_ask,
    id_bytes,
    models_to_ask,
    node_id,
)
from app.net.kademlia_lookup import PATHS, Lookup
from app.net.records import Announcement, newest_of, open_record
from app.net.wire import Refused, SignedRecord
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

LOOKUP_SECONDS = 12.0
"""A look-up ends then with what it has: two dials in vain, one after the other."""
UNWATCHED_SECONDS = 120.0
"""How long the offer is told of a computer whose connection was let go: it writes again every
100 s (`app/node/announcing.py`)."""
MAINTAIN_SECONDS = 60.0
CHECKS_AT_ONCE = 8
MAX_MODELS_LOOKED_UP = 32
LOOKUPS_AT_ONCE = 4
MAX_CONTACTS_TOLD = 64
MAX_KNOWN_ASKED = 6
"""Of the computers known from before, so many are asked by one look-up, all in its first
round: those that are gone hold it up once. The next look-up tries others."""


class Chance(Protocol):
    """Where random bits come from; tests give a seeded `random.Random`."""

    def getrandbits(self, count: int, /) -> int:
        """So many random bits."""
        ...


class Dht:
    """This computer in the distributed directory; used as `async with`.

    Args:
        bootstraps: computers to begin with, as a person gave them.
        known: computers known from before, asked while nobody else is known.
        rules: None judges by the bootstraps, or else by the known, or else by `reachable`.
        reachable: where strangers can dial this computer, asked each time; empty while
            they cannot, and then nothing is kept for others.
        seen_at: the address a peer speaks from, when known. Its records count for that, and
            it is a contact only where it speaks from: an endpoint uses the connection there
            is, whatever address it is given.
        changed: called when what is kept here for others changes.
        keeper_lost: called when a computer that keeps what this one announced is gone.
        known_models: models that a list of all asks for before others: strangers can make up any.
        background: False leaves joining and upkeep to whoever calls `join` and `maintain`.

    Attributes:
        answered: who answered the last look-up; None before the first one.
        rules: which addresses are dialled on others' word.
    """

    def __init__(
        self,
        endpoint: ChannelOpener,
        bootstraps: Sequence[tuple[PeerId, str]],
        *,
        clock: Clock,
        rules: AddressRules | None = None,
        known: Sequence[Contact] = (),
        reachable: Callable[[], Sequence[str]] = tuple,
        seen_at: Callable[[PeerId], str | None] = lambda peer: None,
        changed: Callable[[], None] = lambda: None,
        keeper_lost: Callable[[], None] = lambda: None,
        known_models: Callable[[], Collection[ModelId]] = tuple,
        chance: Chance | None = None,
        background: bool = True,
    ) -> None:
        self._endpoint = endpoint
        self._bootstraps = tuple(bootstraps)
        self._known = tuple(known)
        self._clock = clock
        self._given_rules = rules
        self._reachable = reachable
        self._seen_at = seen_at
        self._changed = changed
        self._keeper_lost = keeper_lost
        self._known_models = known_models
        self._chance = chance or SystemRandom()
        self._background = background
        self.rules = self._judge()
        self.machine = Kademlia(endpoint.peer_id, self.rules)
        self._tasks = TaskOwner("directory")
        self._asking = Asking(
            endpoint,
            lambda: self.machine,
            clock=clock,
            tasks=self._tasks,
            reachable=self.own_addresses,
            seen_at=seen_at,
        )
        self._writing = Writing(
            endpoint.peer_id,
            self._asking,
            machine=lambda: self.machine,
            find=self._find_near,
            keeps=lambda: bool(self.own_addresses()),
            clock=clock,
        )
        self._looking: asyncio.Task[None] | None = None
        self._over = False  # others may ask until the endpoint closes as well
        self._allowances: Allowances[PeerId] = Allowances()
        # Names are free: those who come from one part of the network share as well.
        self._hands: Allowances[str] = Allowances(QUESTIONS_OF_ONE_HAND, ANSWERS_FOR_ONE_HAND)
        self._bootstraps_changed = asyncio.Event()
        self.answered: frozenset[PeerId] | None = None

    async def __aenter__(self) -> Dht:
        if self._background:
            self._tasks.start(self._keep_maintaining(), name="upkeep")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        await self._tasks.close()

    # ── whom it asks ─────────────────────────────────────────────────────────

    @property
    def bootstraps(self) -> tuple[tuple[PeerId, str], ...]:
        """The computers that a person named to begin with."""
        return self._bootstraps

    @property
    def has_anybody(self) -> bool:
        """Whether there is anybody to ask or to tell, this computer as a keeper included."""
        return self.knows_somebody or bool(self.own_addresses())

    @property
    def knows_somebody(self) -> bool:
        """Whether there is another computer to ask."""
        return bool(self._bootstraps or self._known or len(self.machine.table))

    def use_bootstraps(self, bootstraps: Sequence[tuple[PeerId, str]]) -> None:
        """Begin with others from now on; what is under way ends as it began."""
        if tuple(bootstraps) == self._bootstraps:
            return
        self._bootstraps = tuple(bootstraps)
        self.answered = None
        self._writing.keepers.clear()
        rules = self._judge()
        if rules != self.rules:
            # From a house to the internet or back: who was known there is of no use here.
            self.rules = rules
            self.machine = Kademlia(self._endpoint.peer_id, rules)
        self._bootstraps_changed.set()

    def own_addresses(self) -> list[str]:
        """Where strangers can dial this computer; empty while they cannot."""
        return [a for a in self._reachable() if self.rules.allows(a)][:MAX_CONTACT_ADDRESSES]

    def contacts(self) -> list[Contact]:
        """Those that answered and of whom others may be told; the nearest, if there are many."""
        own = node_id(self._endpoint.peer_id)
        return self.machine.table.closest(own, MAX_CONTACTS_TOLD, shareable_only=True)

    def seeds(self) -> list[Contact]:
        """Whom another name of this computer may ask first."""
        found = self.machine.table.closest(node_id(self._endpoint.peer_id), MAX_CONTACTS_TOLD)
        return found or self._first()

    def needs(self, peer: PeerId) -> bool:
        """Whether a connection is worth keeping: one end keeps what the other announced, and
        should notice when it goes."""
        return peer in self._writing.keepers or self.machine.store.keeps_for(peer)

    # ── what callers of a directory need ─────────────────────────────────────

    async def announce(self, record: SignedRecord) -> int:
        """Hand a record of this computer to those who should keep it; how many do.

        A record without a span withdraws the offer in the same way.

        Raises:
            BadInput: the record is not sound, or not of this computer.
            PeerLost: nobody answers, or nobody is known.
            Refusal: those that answer decline it.
        """
        announcement = open_record(record, now_wall=self._clock.wall())
        if announcement.peer != self._endpoint.peer_id:
            raise BadInput("a record of another computer than this one")
        return await self._writing.write(record, announcement)

    async def lookup(
        self, model: ModelId | None, *, units: int | None = None
    ) -> list[Announcement]:
        """Who serves a model, or every model: each offer once and newest.

        Args:
            units: how many units the model has, if known; a crowded model is then asked
                for by all groups of them.

        Raises:
            PeerLost: nobody answers, or nobody is known.
        """
        asked = self._bootstraps
        answerers: set[PeerId] = set()
        try:
            found = await self._lookup(model, units, answerers)
        except PeerLost:
            self._note_answerers(asked, frozenset())
            raise
        self._note_answerers(asked, frozenset(answerers))
        return found

    def _note_answerers(
        self, asked: Sequence[tuple[PeerId, str]], answerers: frozenset[PeerId]
    ) -> None:
        if asked == self._bootstraps:  # else others are asked by now
            self.answered = answerers

    async def _lookup(
        self, model: ModelId | None, units: int | None, answerers: set[PeerId]
    ) -> list[Announcement]:
        if model is None:
            return await self._lookup_all(answerers)
        search = await self._search(Shelf("model", model), answerers)
        found = [search.found]
        if search.count > len(search.found):
            spans = [offer.span for offer in search.found if offer.span is not None]
            found += await self._search_many(groups_to_ask(model, spans, units), answerers)
        return newest_of(found)

    def forget(self, writer: PeerId) -> None:
        """Drop what a computer announced that is gone, and do not ask it again unseen.

        One that is only out of reach for a moment announces itself again soon; one that was
        switched off would otherwise be dialled in vain until its records expire.
        """
        before = len(self.machine.store)
        if self._writing.keepers.lost(writer):
            self._keeper_lost()
        self.machine.store.forget(writer)
        self.machine.table.failed(writer)
        if len(self.machine.store) != before:
            self._changed()

    def lost_sight(self, writer: PeerId) -> None:
        """The connection to a computer was let go, because nobody used it or others needed the
        room. Nobody would notice now if it went; if it is there, it soon writes again."""
        self.machine.store.hurry(writer, self._clock.wall() + UNWATCHED_SECONDS)

    async def serve(self, channel: Channel) -> None:
        """The handler of "directory" channels; BadInput for anything but requests."""
        while True:
            message: object = await channel.receive()
            if not isinstance(message, FindNodes | FindRecords | Store):
                raise BadInput(f"a {type(message).__name__} on a directory channel")
            if not self._may_ask(channel.peer):
                await channel.send(Refused(code="busy", reason="you ask this computer too much"))
                continue
            if not self.own_addresses() and isinstance(message, Store):
                refusal = "this computer keeps nothing: strangers cannot reach it"
                await channel.send(Refused(code="not_public", reason=refusal))
                continue
            before = len(self.machine.store)
            seen_at = self._seen_at(channel.peer)
            answer = self.machine.answer(
                message,
                channel.peer,
                now=self._clock.monotonic(),
                now_wall=self._clock.wall(),
                seen_at=[seen_at] if seen_at else (),
            )
            if len(self.machine.store) != before or isinstance(answer, Stored):
                self._changed()
            await channel.send(answer)
            self._look_soon()

    def _may_ask(self, peer: PeerId) -> bool:
        now, seen_at = self._clock.monotonic(), self._seen_at(peer)
        if not self._allowances.take(peer, now):
            return False
        return seen_at is None or self._hands.take(hand_of(seen_at), now)

    # ── staying in touch ─────────────────────────────────────────────────────

    async def join(self) -> int:
        """Make itself known and learn the neighbourhood; how many answered.

        Raises:
            PeerLost: nobody answers, or nobody is known.
        """
        return (await self._find_near(node_id(self._endpoint.peer_id))).answers

    async def maintain(self) -> None:
        """What is due now: joining, looking whether contacts are there, refreshing buckets."""
        table, now = self.machine.table, self._clock.monotonic()
        self.machine.store.expire(self._clock.wall())
        if not len(table) and self.knows_somebody:
            try:
                await self.join()
            except PeerLost as error:
                logger.debug("alone for now: %s", error)
            return
        await asyncio.gather(*map(self._check, table.to_check(now, CHECKS_AT_ONCE)))
        self._look_soon()
        target = table.to_refresh(now, self._noise())
        if target is not None:
            await self._find(target, paths=1)  # only to meet others: no answer is believed

    async def _keep_maintaining(self) -> None:
        while True:
            await self.maintain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAINTAIN_SECONDS):
                    await self._bootstraps_changed.wait()
                self._bootstraps_changed.clear()

    def _look_soon(self) -> None:
        """Dial those that say they are reachable: one after the other, so that nobody can
        have this computer dial around at a rate that harms anyone."""
        if not self._over and (self._looking is None or self._looking.done()):
            self._looking = self._tasks.start(self._look_at_offered(), name="newcomers")

    async def _look_at_offered(self) -> None:
        while (contact := self.machine.table.next_offered()) is not None:
            await self._check(contact)

    async def _check(self, contact: Contact) -> None:
        question = FindNodes(target=id_bytes(node_id(self._endpoint.peer_id)))
        await self._asking.ask(contact, question, Nodes)

    # ── look-ups ─────────────────────────────────────────────────────────────

    async def _find(self, target: NodeId, *, paths: int = PATHS) -> Lookup:
        self.machine.table.touched(target, self._clock.monotonic())
        lookup = self.machine.lookup(target, self._first(), paths=paths)

        async def question(contact: Contact) -> list[Contact] | None:
            answer = await self._asking.ask(contact, FindNodes(target=id_bytes(target)), Nodes)
            return self._asking.readable(contact, answer) if isinstance(answer, Nodes) else None

        await self._asking.run(lookup, question, LOOKUP_SECONDS)
        return lookup

    async def _find_near(self, target: NodeId) -> Lookup:
        """As `_find`; PeerLost when there is nobody at all."""
        lookup = await self._find(target)
        self._raise_if_alone(lookup)
        return lookup

    async def _search(self, shelf: Shelf, answerers: set[PeerId]) -> RecordSearch:
        self.machine.table.touched(shelf.key, self._clock.monotonic())
        search = RecordSearch(shelf, self.machine)
        own, _ = self.machine.store.find(shelf.key, self._clock.wall(), limit=4096, seed=0)
        search.keep_own(own)
        lookup = self.machine.lookup(shelf.key, self._first())

        async def question(contact: Contact) -> list[Contact] | None:
            asked = search.question(self._chance.getrandbits(32))
            answer = await self._asking.ask(contact, asked, Records)
            if not isinstance(answer, Records):
                return None
            try:
                speaker = self._asking.speaker(contact)
                return search.take(asked, answer, self._clock.wall(), speaker)
            except BadInput as error:
                self._asking.broke_a_rule(contact, error)
                return None

        await self._asking.run(lookup, question, LOOKUP_SECONDS)
        answerers |= lookup.answerers
        if not search.found:
            self._raise_if_alone(lookup)
        return search

    async def _search_many(
        self, shelves: Sequence[Shelf], answerers: set[PeerId]
    ) -> list[list[Announcement]]:
        turns = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def search(shelf: Shelf) -> list[Announcement]:
            async with turns:
                try:
                    return (await self._search(shelf, answerers)).found
                except PeerLost:
                    return []

        return await asyncio.gather(*map(search, shelves))

    async def _lookup_all(self, answerers: set[PeerId]) -> list[Announcement]:
        search = await self._search(MODELS, answerers)
        models = models_to_ask(search.found, self._known_models())
        shelves = [Shelf("model", model) for model in models[:MAX_MODELS_LOOKED_UP]]
        return newest_of([search.found, *await self._search_many(shelves, answerers)])

    def _raise_if_alone(self, lookup: Lookup) -> None:
        # A bootstrap that is the first computer of its swarm has nobody to ask, and knows all.
        if not lookup.answers and not self.own_addresses():
            reasons = "; ".join(dict.fromkeys(self._asking.reasons(self._first())))
            reasons = reasons or ("not in time" if self.knows_somebody else "none is given")
            raise PeerLost(f"no bootstrap answers: {reasons}")

    def _first(self) -> list[Contact]:
        """Whom a look-up asks besides those in the table."""
        named = [Contact(peer=peer, addresses=[text]) for peer, text in self._bootstraps]
        if len(self.machine.table):
            return [contact for contact in named if not self._asking.failed_lately(contact)]
        start = self._chance.getrandbits(16) % max(1, len(self._known))
        return named + [*self._known[start:], *self._known[:start]][:MAX_KNOWN_ASKED]

    def _judge(self) -> AddressRules:
        if self._given_rules is not None:
            return self._given_rules
        known = [address for contact in self._known for address in contact.addresses]
        return rules_for([address for _, address in self._bootstraps] or known or self._reachable())

    def _noise(self) -> bytes:
        return self._chance.getrandbits(256).to_bytes(32, "big")
