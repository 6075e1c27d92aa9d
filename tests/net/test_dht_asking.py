"""Questions on their way: who answered, who did not, and who broke a rule is noted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.ids import PeerId
from app.net.address_groups import AddressRules
from app.net.channel import Channel
from app.net.dht_asking import MAX_REASONS, Asking
from app.net.dht_messages import Contact, FindNodes, Nodes, Stored
from app.net.kademlia import Kademlia
from app.net.kademlia_keys import node_id
from app.net.wire import Refused
from app.tasks import TaskOwner
from tests.helpers.memory_network import MemoryEndpoint, MemoryNetwork
from tests.helpers.virtual_clock import VirtualClock

OWN_ADDRESS = "10.0.0.1:9"
QUESTION = FindNodes(target=bytes(32))


class Asker:
    """An asker, and one computer that answers what the test says."""

    def __init__(self, network: MemoryNetwork, here: MemoryEndpoint, tasks: TaskOwner) -> None:
        self.network = network
        self.here = here
        self.machine = Kademlia(here.peer_id, AddressRules(local=True))
        self.answer: Any = Nodes(contacts=[])
        self.asked: list[Any] = []
        self.seen_at: str | None = None
        self.asking = Asking(
            here,
            lambda: self.machine,
            clock=VirtualClock(),
            tasks=tasks,
            reachable=lambda: [OWN_ADDRESS],
            seen_at=lambda peer: self.seen_at,
        )

    async def serve(self, channel: Channel) -> None:
        self.asked.append(await channel.receive())
        if self.answer is None:
            await asyncio.Event().wait()
        await channel.send(self.answer)

    def known(self) -> list[Contact]:
        return self.machine.table.closest(node_id(self.here.peer_id), 8)


@pytest.fixture
async def asker() -> AsyncIterator[tuple[Asker, Contact]]:
    network = MemoryNetwork()
    async with network.endpoint() as here, TaskOwner("asking") as tasks:
        asker = Asker(network, here, tasks)
        async with network.endpoint(handlers={"directory": asker.serve}) as there:
            yield asker, Contact(peer=there.peer_id, addresses=[there.address])


Pair = tuple[Asker, Contact]


async def test_who_answers_is_known_from_then_on(asker: Pair) -> None:
    one, contact = asker
    assert await one.asking.ask(contact, QUESTION, Nodes) == Nodes(contacts=[])
    assert one.known() == [contact]


async def test_who_speaks_from_elsewhere_than_was_told_is_no_contact(asker: Pair) -> None:
    one, contact = asker
    one.seen_at = "10.0.0.1:666"
    assert await one.asking.ask(contact, QUESTION, Nodes) == Nodes(contacts=[])
    assert one.known() == []
    one.seen_at = contact.addresses[0]
    await one.asking.ask(contact, QUESTION, Nodes)
    assert one.known() == [contact]


async def test_every_question_says_where_this_computer_can_be_reached(asker: Pair) -> None:
    one, contact = asker
    await one.asking.ask(contact, QUESTION, Nodes)
    assert one.asked == [FindNodes(target=bytes(32), reachable=[OWN_ADDRESS])]


async def test_a_refusal_is_an_answer(asker: Pair) -> None:
    one, contact = asker
    one.answer = Refused(code="full", reason="no room")
    assert await one.asking.ask(contact, QUESTION, Nodes) == one.answer
    assert not one.here.bad_inputs


async def test_another_answer_than_was_asked_for_is_counted(asker: Pair) -> None:
    one, contact = asker
    one.answer = Stored(count=1)
    assert await one.asking.ask(contact, QUESTION, Nodes) is None
    assert one.here.bad_inputs[PeerId(contact.peer)] == 1
    assert one.known() == []


async def test_who_is_gone_is_noted_with_the_reason(asker: Pair) -> None:
    one, contact = asker
    await one.asking.ask(contact, QUESTION, Nodes)
    one.network.cut(PeerId(contact.peer))
    assert await one.asking.ask(contact, QUESTION, Nodes) is None
    assert one.known() == []
    (reason,) = one.asking.reasons([contact])
    assert "no answer" in reason


async def test_who_does_not_answer_in_time_is_given_up(
    asker: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dht_asking.REQUEST_SECONDS", 0.01)
    one, contact = asker
    one.answer = None
    assert await one.asking.ask(contact, QUESTION, Nodes) is None
    assert "does not answer" in one.asking.reasons([contact])[0]


async def test_contacts_without_an_address_are_counted_against_who_told_them(asker: Pair) -> None:
    one, contact = asker
    nonsense = Nodes(contacts=[Contact(peer=b"p" * 32, addresses=["nowhere"])])
    assert one.asking.readable(contact, nonsense) is None
    assert one.here.bad_inputs[PeerId(contact.peer)] == 1


async def test_reasons_are_remembered_of_the_last_few_only(asker: Pair) -> None:
    one, _ = asker
    strangers = [
        Contact(peer=bytes([number]) * 32, addresses=["10.9.9.9:1"])
        for number in range(MAX_REASONS + 3)
    ]
    for stranger in strangers:
        await one.asking.ask(stranger, QUESTION, Nodes)
    assert len(one.asking.reasons(strangers)) == MAX_REASONS
    assert one.asking.reasons(strangers[:3]) == []


async def test_a_look_up_that_takes_too_long_ends_with_what_it_has(asker: Pair) -> None:
    one, contact = asker
    slow = Contact(peer=b"s" * 32, addresses=["10.0.0.1:1"])
    lookup = one.machine.lookup(node_id(b"target"), [contact, slow])

    async def question(asked: Contact) -> list[Contact] | None:
        if asked == slow:
            await asyncio.Event().wait()
        return []

    await one.asking.run(lookup, question, 0.02)
    assert lookup.closest() == [contact]
