"""The simulated computers and the wire between them, some of them hostile.

Each holds a real `app.net.kademlia.Kademlia`; messages are handed over as they are, after
a delay, and counted. A computer that is gone, or that drops everything, costs the asker
what a dial in vain costs.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Final

from app.errors import BadInput
from app.ids import ModelId, PeerId, Span
from app.net.address_groups import AddressRules
from app.net.dht_messages import (
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
from app.net.kademlia import Kademlia
from app.net.kademlia_keys import Holders, Shelf, node_id, point_of
from app.net.records import Announcement, StaleRecord
from app.net.wire import Refused, SignedRecord
from benchmarks.sim.clockwork import Clockwork

DIAL_SECONDS: Final = 4.0
FAKES_FOR_EACH_NODE: Final = 2
"""Made-up ids that liars have in stock, to name some near any point."""

Reply = Callable[[DhtAnswer | Refused | None], None]


class Conduct(Enum):
    """How a computer treats the others."""

    HONEST = "honest"
    LIES = "lies about contacts"
    EMPTY = "returns nothing"
    GARBAGE = "returns garbage records"
    DROPS = "drops everything"


HOSTILE: Final = [Conduct.LIES, Conduct.EMPTY, Conduct.GARBAGE, Conduct.DROPS]


@dataclass(slots=True, eq=False)
class Computer:
    """One computer of the simulated swarm."""

    contact: Contact
    machine: Kademlia
    conduct: Conduct
    bootstraps: list[Contact]
    alive: bool = True
    model: ModelId | None = None
    span: Span | None = None
    sequence: int = 0
    announced_at: float | None = None
    crowded: bool = False
    looking: bool = False
    holders: dict[Shelf, Holders] = field(default_factory=dict)

    @property
    def peer(self) -> PeerId:
        """Its name."""
        return PeerId(self.contact.peer)


class Issued:
    """Signed records without the signing: a simulation of hours would do nothing else.

    A record that was not issued here is refused like one with a false signature.
    """

    def __init__(self) -> None:
        self._issued: dict[SignedRecord, Announcement] = {}

    def issue(self, announcement: Announcement, chance: Random) -> SignedRecord:
        """A record that `open_signed` will read."""
        record = SignedRecord(body=announcement.peer, signature=chance.randbytes(64))
        self._issued[record] = announcement
        return record

    def open_signed(self, record: SignedRecord, now_wall: float) -> Announcement:
        """As `records.open_record`: BadInput for a forgery, StaleRecord for an old one."""
        announcement = self._issued.get(record)
        if announcement is None:
            raise BadInput("a record that the computer it names did not sign")
        if announcement.expires_at <= now_wall:
            raise StaleRecord("a record that has expired")
        return announcement


class Network:
    """All computers, by where they are."""

    def __init__(self, clockwork: Clockwork, chance: Random) -> None:
        self.clockwork = clockwork
        self.chance = chance
        self.rules = AddressRules()
        self.records = Issued()
        self.by_address: dict[str, Computer] = {}
        self.living: list[Computer] = []
        self._positions: dict[PeerId, int] = {}
        self.sent: Counter[str] = Counter()
        self.served: Callable[[Computer], None] = lambda computer: None
        self._fakes: list[tuple[int, Contact]] = []

    def add(self, conduct: Conduct) -> Computer:
        """A new computer that knows three others, as a person might have been told."""
        peer = PeerId(self.chance.randbytes(32))
        address = self._new_address()
        machine = Kademlia(peer, self.rules, open_signed=self.records.open_signed)
        known = self.chance.sample(self.living, min(3, len(self.living)))
        computer = Computer(
            contact=Contact(peer=peer, addresses=[address]),
            machine=machine,
            conduct=conduct,
            bootstraps=[other.contact for other in known],
        )
        self.by_address[address] = computer
        self._positions[peer] = len(self.living)
        self.living.append(computer)
        return computer

    def remove(self, computer: Computer) -> None:
        """It is switched off, without a word."""
        computer.alive = False
        del self.by_address[computer.contact.addresses[0]]
        position = self._positions.pop(computer.peer)
        last = self.living.pop()
        if last is not computer:
            self.living[position] = last
            self._positions[last.peer] = position

    def make_fakes(self, count: int) -> None:
        """The stock of ids that liars name; nobody answers there."""
        for _ in range(count):
            contact = Contact(peer=self.chance.randbytes(32), addresses=[self._new_address()])
            self._fakes.append((node_id(contact.peer), contact))
        self._fakes.sort(key=lambda pair: pair[0])

    def ask(
        self, asker: Computer, contact: Contact, request: DhtRequest, purpose: str, reply: Reply
    ) -> None:
        """Send a question; `reply` is called once, with None when no answer comes."""
        self.sent[purpose] += 1
        there, back = (self.chance.uniform(0.01, 0.1) for _ in range(2))

        def arrive() -> None:
            other = self.by_address.get(contact.addresses[0])
            if other is None or other.peer != contact.peer or other.conduct is Conduct.DROPS:
                self.clockwork.after(DIAL_SECONDS - there, lambda: self._answer(asker, None, reply))
                return
            answer = self._answer_of(other, asker, request)
            self.served(other)
            self.clockwork.after(back, lambda: self._answer(asker, answer, reply))

        self.clockwork.after(there, arrive)

    def _answer(self, asker: Computer, answer: DhtAnswer | Refused | None, reply: Reply) -> None:
        if asker.alive:
            reply(answer)

    def _answer_of(
        self, other: Computer, asker: Computer, request: DhtRequest
    ) -> DhtAnswer | Refused:
        now, now_wall = self.clockwork.now, self.clockwork.wall
        match other.conduct:
            case Conduct.EMPTY:
                return _nothing(request)
            case Conduct.LIES:
                return self._lie(request)
        answer = other.machine.answer(request, asker.peer, now=now, now_wall=now_wall)
        if other.conduct is Conduct.GARBAGE and isinstance(answer, Records):
            forged = SignedRecord(body=b"garbage", signature=bytes(64))
            return Records(contacts=answer.contacts, records=[forged], count=1)
        return answer

    def _lie(self, request: DhtRequest) -> DhtAnswer:
        match request:
            case FindNodes():
                return Nodes(contacts=self._fakes_near(point_of(request.target)))
            case FindRecords():
                return Records(contacts=self._fakes_near(point_of(request.key)), count=1 << 20)
            case Store():
                return Stored(count=1 << 20)

    def _fakes_near(self, point: int) -> list[Contact]:
        place = bisect.bisect(self._fakes, point, key=lambda pair: pair[0])
        around = self._fakes[max(0, place - 8) : place + 8]
        return [contact for _, contact in around]

    def _new_address(self) -> str:
        while True:
            numbers = [self.chance.randrange(1, 224), *self.chance.choices(range(1, 255), k=3)]
            address = f"{'.'.join(map(str, numbers))}:{self.chance.randrange(1024, 65536)}"
            if self.rules.allows(address) and address not in self.by_address:
                return address


def _nothing(request: DhtRequest) -> DhtAnswer:
    match request:
        case FindNodes():
            return Nodes(contacts=[])
        case FindRecords():
            return Records(contacts=[])
        case Store():
            return Stored(count=1)
