"""What `app/net/dht.py` does with tasks and channels, done with calls in virtual time.

Only the order of things is here; whom to ask, what to believe and what to keep is decided
by the same machines as in the program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.errors import BadInput
from app.ids import ModelId
from app.net.dht_messages import (
    Contact,
    DhtAnswer,
    DhtRequest,
    FindNodes,
    Nodes,
    Records,
    Store,
    Stored,
)
from app.net.kademlia import RecordSearch, credible
from app.net.kademlia_keys import (
    CROWDED,
    Holders,
    NodeId,
    Shelf,
    groups_to_ask,
    id_bytes,
    node_id,
    shelves_to_write,
)
from app.net.kademlia_lookup import PATHS, STALL_SECONDS, Lookup
from app.net.records import Announcement
from app.net.wire import Refused
from benchmarks.sim.network import Computer, Conduct, Network

LOOKUP_SECONDS: Final = 12.0
MAINTAIN_SECONDS: Final = 60.0
CHECKS_AT_ONCE: Final = 8
LIFETIME_SECONDS: Final = 600.0
REPUBLISH_SECONDS: Final = 240.0

Ask = Callable[[Contact], DhtRequest]
Take = Callable[[DhtRequest, DhtAnswer], list[Contact]]
"""The contacts of an answer; BadInput when it breaks a rule."""


class Driver:
    """Acts for all computers of a network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.clockwork = network.clockwork
        self.chance = network.chance
        network.served = self._look_at_offered

    # ── look-ups ─────────────────────────────────────────────────────────────

    def find(
        self,
        computer: Computer,
        target: NodeId,
        purpose: str,
        then: Callable[[Lookup], None],
        *,
        paths: int = PATHS,
    ) -> None:
        """Seek the computers nearest to a point."""
        computer.machine.table.touched(target, self.clockwork.now)
        lookup = computer.machine.lookup(target, computer.bootstraps, paths=paths)
        question = FindNodes(target=id_bytes(target), reachable=computer.contact.addresses)

        def take(asked: DhtRequest, answer: DhtAnswer) -> list[Contact]:
            if not isinstance(answer, Nodes):
                raise BadInput("another answer than was asked for")
            return computer.machine.readable(answer.contacts)

        self._run(computer, lookup, lambda contact: question, take, purpose, then)

    def search(
        self,
        computer: Computer,
        shelf: Shelf,
        purpose: str,
        then: Callable[[Lookup, RecordSearch], None],
    ) -> None:
        """Seek what is kept under a key."""
        search = RecordSearch(shelf, computer.machine, open_signed=self.network.records.open_signed)
        lookup = computer.machine.lookup(shelf.key, computer.bootstraps)

        def ask(contact: Contact) -> DhtRequest:
            return search.question(self.chance.getrandbits(32), computer.contact.addresses)

        def take(asked: DhtRequest, answer: DhtAnswer) -> list[Contact]:
            if not isinstance(answer, Records):
                raise BadInput("another answer than was asked for")
            return search.take(asked, answer, self.clockwork.wall)  # type: ignore[arg-type]

        self._run(computer, lookup, ask, take, purpose, lambda lookup: then(lookup, search))

    def coverage(
        self,
        computer: Computer,
        model: ModelId,
        units: int,
        then: Callable[[list[Announcement], list[Lookup]], None],
    ) -> None:
        """All that can be learned of a model: its key, and its groups when it is crowded."""
        found: dict[bytes, Announcement] = {}
        lookups: list[Lookup] = []
        waiting = [1]

        def take(lookup: Lookup, search: RecordSearch) -> None:
            lookups.append(lookup)
            for offer in search.found:
                old = found.get(offer.peer)
                if old is None or offer.sequence > old.sequence:
                    found[offer.peer] = offer
            waiting[0] -= 1
            if search.shelf.name == "model" and search.count > len(found):
                spans = [offer.span for offer in found.values() if offer.span is not None]
                shelves = groups_to_ask(model, spans, units)
                waiting[0] += len(shelves)
                for shelf in shelves:
                    self.search(computer, shelf, "look-up", take)
            if not waiting[0]:
                then(list(found.values()), lookups)

        self.search(computer, Shelf("model", model), "look-up", take)

    def _run(
        self,
        computer: Computer,
        lookup: Lookup,
        ask: Ask,
        take: Take,
        purpose: str,
        then: Callable[[Lookup], None],
    ) -> None:
        ended = [False]
        ends_at = self.clockwork.now + LOOKUP_SECONDS

        def step() -> None:
            if ended[0] or not computer.alive:
                return
            contacts = lookup.next_questions(self.clockwork.now)
            for contact in contacts:
                self._question(computer, contact, ask(contact), purpose, answered(contact))
            if contacts:
                self.clockwork.after(STALL_SECONDS + 0.001, step)
            if lookup.done(self.clockwork.now) or self.clockwork.now >= ends_at:
                ended[0] = True
                then(lookup)

        def answered(contact: Contact) -> Callable[[DhtRequest, DhtAnswer | None], None]:
            def reply(asked: DhtRequest, answer: DhtAnswer | None) -> None:
                try:
                    if answer is None:
                        raise BadInput("no answer")
                    lookup.answered(contact, take(asked, answer))
                except BadInput:
                    lookup.failed(contact)
                    if answer is not None:
                        computer.machine.table.failed(contact.peer)  # type: ignore[arg-type]
                step()

            return reply

        step()
        self.clockwork.after(LOOKUP_SECONDS, step)

    def _question(
        self,
        computer: Computer,
        contact: Contact,
        request: DhtRequest,
        purpose: str,
        then: Callable[[DhtRequest, DhtAnswer | None], None],
    ) -> None:
        def reply(answer: DhtAnswer | Refused | None) -> None:
            table = computer.machine.table
            if answer is None:
                table.failed(contact.peer)  # type: ignore[arg-type]
            elif not isinstance(answer, Refused):
                table.heard(contact, self.clockwork.now)
            then(request, None if isinstance(answer, Refused) else answer)

        self.network.ask(computer, contact, request, purpose, reply)

    # ── upkeep ───────────────────────────────────────────────────────────────

    def join(self, computer: Computer) -> None:
        """Learn the neighbourhood, and look after it from then on."""
        self.find(computer, node_id(computer.peer), "joining", lambda lookup: None)
        first = self.chance.uniform(5.0, 5.0 + MAINTAIN_SECONDS)
        self.clockwork.after(first, lambda: self._maintain(computer))

    def _maintain(self, computer: Computer) -> None:
        if not computer.alive:
            return
        now, table = self.clockwork.now, computer.machine.table
        computer.machine.store.expire(self.clockwork.wall)
        for contact in table.to_check(now, CHECKS_AT_ONCE):
            self._check(computer, contact, lambda: None)
        self._look_at_offered(computer)
        target = table.to_refresh(now, self.chance.randbytes(32))
        if target is not None:
            self.find(computer, target, "refreshing", lambda lookup: None, paths=1)
        self.clockwork.after(MAINTAIN_SECONDS, lambda: self._maintain(computer))

    def _check(self, computer: Computer, contact: Contact, then: Callable[[], None]) -> None:
        question = FindNodes(
            target=id_bytes(node_id(computer.peer)), reachable=computer.contact.addresses
        )

        self._question(computer, contact, question, "checks", lambda asked, answer: then())

    def _look_at_offered(self, computer: Computer) -> None:
        if computer.looking or computer.conduct in (Conduct.LIES, Conduct.EMPTY):
            return
        contact = computer.machine.table.next_offered()
        if contact is not None:
            computer.looking = True
            self._check(computer, contact, lambda: self._looked(computer))

    def _looked(self, computer: Computer) -> None:
        computer.looking = False
        self._look_at_offered(computer)

    # ── writing ──────────────────────────────────────────────────────────────

    def announce(self, computer: Computer) -> None:
        """Write this computer's offer where it belongs, now and again."""
        if not computer.alive or computer.model is None:
            return
        computer.sequence += 1
        offer = Announcement(
            peer=computer.peer,
            sequence=computer.sequence,
            issued_at=self.clockwork.wall,
            expires_at=self.clockwork.wall + LIFETIME_SECONDS,
            addresses=computer.contact.addresses,
            model=computer.model,
            span=computer.span,
        )
        record = self.network.records.issue(offer, self.chance)
        for shelf in shelves_to_write(offer, crowded=computer.crowded):
            store = Store(
                record=record,
                shelf=shelf.name,
                group=shelf.group,
                reachable=computer.contact.addresses,
            )
            self._write(computer, shelf, store)
        again = REPUBLISH_SECONDS * self.chance.uniform(0.9, 1.1)
        self.clockwork.after(again, lambda: self.announce(computer))

    def _write(self, computer: Computer, shelf: Shelf, store: Store) -> None:
        holders = computer.holders.setdefault(shelf, Holders())

        def found(lookup: Lookup) -> None:
            holders.found(lookup.closest(), self.clockwork.now)
            self._hand_out(computer, shelf, holders, store)

        if holders.wanted(self.clockwork.now):
            self.find(computer, shelf.key, "writing", found)
        else:
            self._hand_out(computer, shelf, holders, store)

    def _hand_out(self, computer: Computer, shelf: Shelf, holders: Holders, store: Store) -> None:
        counts: list[int] = []
        computer.announced_at = computer.announced_at or self.clockwork.now

        def answered(contact: Contact) -> Callable[[DhtRequest, DhtAnswer | None], None]:
            def reply(asked: DhtRequest, answer: DhtAnswer | None) -> None:
                if isinstance(answer, Stored):
                    counts.append(answer.count)
                    if shelf.name == "model":
                        computer.crowded = credible(counts) >= CROWDED
                elif answer is None and shelf.name != "models":
                    holders.failed(contact.peer)  # type: ignore[arg-type]

            return reply

        for contact in holders.contacts:
            self._question(computer, contact, store, "writing", answered(contact))
