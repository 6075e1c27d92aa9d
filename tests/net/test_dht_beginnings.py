"""Whom a computer asks in the directory, and what it does when others go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from app.net.channel import Channel
from app.net.dht_messages import FindRecords, Records
from app.net.identity import new_identity
from app.net.kademlia_keys import Shelf, id_bytes
from app.net.kademlia_table import RETRY_SECONDS
from app.net.wire import Refused
from tests.helpers.directory_swarm import (
    MODEL,
    Swarm,
    asking,
    at,
    channel_to,
    contact_of,
    who,
)


@pytest.fixture
async def swarm() -> AsyncIterator[Swarm]:
    async with AsyncExitStack() as stack:
        yield Swarm(stack)


# ── whom it asks ─────────────────────────────────────────────────────────────


async def test_computers_known_from_before_do_for_a_bootstrap(swarm: Swarm) -> None:
    first = await swarm.grow(3)
    host = swarm.nodes[1]
    await host.dht.announce(host.offer())
    swarm.network.cut(first.endpoint.peer_id)
    known = [contact_of(node) for node in swarm.nodes]
    for bootstraps in ([], [first]):
        asker = await asking(swarm, *bootstraps, known=known)
        assert asker.knows_somebody
        assert who(await asker.lookup(MODEL)) == {host.endpoint.peer_id}
        assert asker.answered == frozenset(node.endpoint.peer_id for node in swarm.nodes[1:])


async def test_those_that_answered_are_whom_others_may_begin_with(swarm: Swarm) -> None:
    first = await swarm.grow(3)
    asker = await asking(swarm, first)
    assert asker.seeds() == [contact_of(first)]
    assert asker.contacts() == []
    await asker.lookup(MODEL)
    everybody = {node.endpoint.peer_id for node in swarm.nodes}
    assert {contact.peer for contact in asker.contacts()} == everybody
    assert {contact.peer for contact in asker.seeds()} == everybody


async def test_a_bootstrap_that_is_gone_is_not_asked_every_time(swarm: Swarm) -> None:
    first = await swarm.grow(3)
    asker = await asking(swarm, first)
    await asker.lookup(MODEL)
    swarm.network.cut(first.endpoint.peer_id)
    await asker.lookup(MODEL)
    asked = asker._asking.reasons([contact_of(first)])
    assert asked
    assert asker._first() == []
    swarm.clock.advance(RETRY_SECONDS + 1)
    assert asker._first() == [contact_of(first)]


async def test_who_answers_last_is_waited_for_while_nobody_else_has(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dht_asking.STALL_SECONDS", 0.02)
    monkeypatch.setattr("app.net.kademlia_lookup.STALL_SECONDS", 0.0)
    first = await swarm.start()
    await first.dht.announce(first.offer())

    async def slowly(channel: Channel) -> None:
        await asyncio.sleep(0.05)
        await first.dht.serve(channel)

    first.endpoint._handlers["directory"] = slowly
    asker = await asking(swarm, first)
    assert who(await asker.lookup(MODEL)) == {first.endpoint.peer_id}


async def test_other_bootstraps_hold_at_once(swarm: Swarm) -> None:
    one, other = await swarm.start(), await swarm.start()
    await other.dht.announce(other.offer())
    asker = await asking(swarm, one)
    assert await asker.lookup(MODEL) == []
    assert asker.answered == frozenset([one.endpoint.peer_id])
    asker.use_bootstraps([at(other)])
    assert asker.bootstraps == (at(other),)
    assert asker.answered is None
    assert who(await asker.lookup(MODEL)) == {other.endpoint.peer_id}


async def test_from_a_house_to_the_internet_nobody_of_the_house_is_taken_along(
    swarm: Swarm,
) -> None:
    one = await swarm.start()
    asker = await asking(swarm, one)
    await asker.lookup(MODEL)
    assert asker.rules.local
    assert asker.contacts()
    asker.use_bootstraps([(one.endpoint.peer_id, "8.8.8.8:4600")])
    assert not asker.rules.local
    assert asker.contacts() == []


async def test_without_anybody_there_is_nobody_to_tell(swarm: Swarm) -> None:
    alone = await asking(swarm)
    assert (alone.has_anybody, alone.knows_somebody) == (False, False)
    public = await asking(swarm, reachable=lambda: ["10.0.0.1:1"])
    assert (public.has_anybody, public.knows_somebody) == (True, False)


# ── losses ───────────────────────────────────────────────────────────────────


async def test_a_writer_that_lost_a_keeper_is_told(swarm: Swarm) -> None:
    first = await swarm.start()
    lost: list[str] = []
    host = await swarm.start([first], public=False)
    host.dht._keeper_lost = lambda: lost.append("one")
    await host.dht.announce(host.offer())
    host.dht.forget(new_identity().peer_id)
    assert lost == []
    host.dht.forget(first.endpoint.peer_id)
    assert lost == ["one"]


async def test_many_names_from_one_part_of_the_network_share_what_they_may_ask(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dht.QUESTIONS_OF_ONE_HAND", 2.0)
    node = await swarm.start()
    answers = []
    for place in ("6.6.6.1:1", "6.6.6.2:1", "6.6.6.3:1", "8.8.8.8:1"):
        monkeypatch.setattr(node.dht, "_seen_at", lambda peer, place=place: place)
        _, channel = await channel_to(swarm, node)
        await channel.send(FindRecords(key=id_bytes(Shelf("model", MODEL).key)))
        answers.append(type(await channel.receive()))
    assert answers == [Records, Records, Refused, Records]


async def test_who_asks_too_much_is_declined_and_not_counted(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.allowances.QUESTIONS_AT_ONCE", 1.0)
    node = await swarm.start()
    _, channel = await channel_to(swarm, node)
    question = FindRecords(key=id_bytes(Shelf("model", MODEL).key))
    await channel.send(question)
    assert isinstance(await channel.receive(), Records)
    await channel.send(question)
    answer = await channel.receive()
    assert isinstance(answer, Refused)
    assert answer.code == "busy"
    assert not node.endpoint.bad_inputs
    swarm.clock.advance(1.0)
    await channel.send(question)
    assert isinstance(await channel.receive(), Records)
