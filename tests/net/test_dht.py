"""The distributed directory at work, in memory and on sockets of 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from app.errors import PeerLost, Refusal
from app.ids import PeerId, Span
from app.net.address_groups import rules_for
from app.net.channel import Channel
from app.net.dht import Dht
from app.net.dht_messages import FindRecords, Records, Store
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.kademlia_keys import REPLICAS, Shelf, id_bytes
from app.net.kademlia_table import QUIET_SECONDS
from app.net.wire import HopAttach, Refused, SessionClose, SignedRecord
from tests.helpers.directory_swarm import (
    LOCAL,
    MODEL,
    OTHER_MODEL,
    Node,
    Swarm,
    channel_to,
    who,
)
from tests.helpers.virtual_clock import VirtualClock


@pytest.fixture
async def swarm() -> AsyncIterator[Swarm]:
    async with AsyncExitStack() as stack:
        yield Swarm(stack)


# ── announcing and looking up ────────────────────────────────────────────────


async def test_what_one_announces_another_finds_through_a_bootstrap(swarm: Swarm) -> None:
    first = await swarm.start()
    host = await swarm.start([first], public=False)
    asker = await swarm.start([first], public=False)
    assert await host.dht.announce(host.offer()) == 1
    (found,) = await asker.dht.lookup(MODEL)
    assert (found.peer, found.span) == (host.endpoint.peer_id, Span(0, 6))
    assert await asker.dht.lookup(OTHER_MODEL) == []


async def test_in_a_larger_swarm_few_keep_a_record_and_all_find_it(swarm: Swarm) -> None:
    await swarm.grow(24)
    host = swarm.nodes[5]
    assert await host.dht.announce(host.offer()) >= REPLICAS
    keeping = [
        node
        for node in swarm.nodes
        if node.dht.machine.store.find(
            Shelf("model", MODEL).key, swarm.clock.wall(), limit=1, seed=0
        )[1]
    ]
    assert REPLICAS <= len(keeping) <= REPLICAS + 1
    for node in swarm.nodes:
        assert who(await node.dht.lookup(MODEL)) == {host.endpoint.peer_id}


async def test_newcomers_come_to_know_others_than_the_bootstrap(swarm: Swarm) -> None:
    await swarm.grow(12)
    assert all(len(node.dht.machine.table) >= 6 for node in swarm.nodes)


async def test_the_bootstrap_may_go_when_others_are_known(swarm: Swarm) -> None:
    first = await swarm.grow(12)
    host, asker = swarm.nodes[3], swarm.nodes[8]
    swarm.network.cut(first.endpoint.peer_id)
    await host.dht.announce(host.offer())
    assert who(await asker.dht.lookup(MODEL)) == {host.endpoint.peer_id}


async def test_a_third_of_those_that_keep_it_may_go_at_once(swarm: Swarm) -> None:
    await swarm.grow(16)
    host = swarm.nodes[3]
    await host.dht.announce(host.offer())
    for node in swarm.nodes[6:11]:
        swarm.network.cut(node.endpoint.peer_id)
    assert who(await swarm.nodes[15].dht.lookup(MODEL)) == {host.endpoint.peer_id}


async def test_every_model_that_somebody_serves_is_found(swarm: Swarm) -> None:
    await swarm.grow(10)
    one, two, asker = swarm.nodes[1], swarm.nodes[2], swarm.nodes[9]
    await one.dht.announce(one.offer())
    await two.dht.announce(two.offer(model=OTHER_MODEL))
    found = await asker.dht.lookup(None)
    assert {(offer.peer, offer.model) for offer in found} == {
        (one.endpoint.peer_id, MODEL),
        (two.endpoint.peer_id, OTHER_MODEL),
    }


async def test_models_made_up_by_strangers_hide_none_that_is_known(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dht.MAX_MODELS_LOOKED_UP", 1)
    monkeypatch.setattr("app.net.kademlia_store.MAX_PER_MODEL_AMONG_MODELS", 1)
    await swarm.grow(6)
    liar, one, two, asker = swarm.nodes[:4]
    await liar.dht.announce(liar.offer())
    for host in (one, two):
        with contextlib.suppress(Refusal):
            await host.dht.announce(host.offer(model=OTHER_MODEL))
    monkeypatch.setattr(asker.dht, "_known_models", lambda: {OTHER_MODEL})
    found = [offer for offer in await asker.dht.lookup(None) if offer.model == OTHER_MODEL]
    assert who(found) == {one.endpoint.peer_id, two.endpoint.peer_id}


async def test_a_crowded_model_is_sought_in_its_groups(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dht_writing.CROWDED", 2)
    monkeypatch.setattr("app.net.kademlia.MAX_RECORDS_FOUND", 1)
    await swarm.grow(6)
    hosts = swarm.nodes[1:4]
    for sequence in (1, 2):
        for number, host in enumerate(hosts):
            span = Span(16 * number, 16 * number + 16)
            await host.dht.announce(host.offer(span=span, sequence=sequence))
    found = await swarm.nodes[5].dht.lookup(MODEL, units=48)
    assert who(found) == {host.endpoint.peer_id for host in hosts}


async def test_the_first_computer_of_a_swarm_needs_nobody(swarm: Swarm) -> None:
    first = await swarm.start()
    assert await first.dht.announce(first.offer()) == 1
    assert who(await first.dht.lookup(MODEL)) == {first.endpoint.peer_id}


# ── when nobody answers, or falsely ──────────────────────────────────────────


async def test_when_none_answers_the_reasons_are_told(swarm: Swarm) -> None:
    first = await swarm.start()
    host = await swarm.start([first], public=False, join=False)
    swarm.network.cut(first.endpoint.peer_id)
    for attempt in (host.dht.join(), host.dht.lookup(MODEL), host.dht.announce(host.offer())):
        with pytest.raises(PeerLost, match=r"no bootstrap answers: .*10\.0\.0\.1"):
            await attempt


async def test_without_a_bootstrap_the_reason_says_so(swarm: Swarm) -> None:
    alone = await swarm.start(public=False)
    with pytest.raises(PeerLost, match="none is given"):
        await alone.dht.lookup(MODEL)


async def test_a_wrong_clock_is_told_and_not_held_against_anybody(swarm: Swarm) -> None:
    first = await swarm.start()
    host = await swarm.start([first], public=False)
    old = host.offer(expires_at=swarm.clock.wall() + 5.0)
    host.dht._clock = VirtualClock(wall=swarm.clock.wall() - 60)
    swarm.clock.advance(10.0)
    with pytest.raises(Refusal, match="clock"):
        await host.dht.announce(old)
    assert not first.endpoint.bad_inputs


async def test_one_that_makes_records_up_is_counted_and_not_believed(swarm: Swarm) -> None:
    await swarm.grow(6)
    host, liar, asker = swarm.nodes[1], swarm.nodes[2], swarm.nodes[5]
    await host.dht.announce(host.offer())
    forged = SignedRecord(body=host.offer().body, signature=bytes(64))

    def lie(*args: Any, **rest: Any) -> Records:
        return Records(contacts=[], records=[forged], count=1)

    liar.dht.machine.answer = lie  # type: ignore[method-assign]
    assert who(await asker.dht.lookup(MODEL)) == {host.endpoint.peer_id}
    assert asker.endpoint.bad_inputs[liar.endpoint.peer_id] == 1


async def test_one_that_never_answers_is_not_waited_for(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dht.LOOKUP_SECONDS", 0.5)
    await swarm.grow(6)
    host, stuck, asker = swarm.nodes[1], swarm.nodes[2], swarm.nodes[5]
    await host.dht.announce(host.offer())

    async def stall(channel: Channel) -> None:
        await asyncio.Event().wait()

    stuck.serve = stall  # type: ignore[method-assign]
    stuck.endpoint._handlers["directory"] = stall
    assert who(await asker.dht.lookup(MODEL)) == {host.endpoint.peer_id}


# ── serving ──────────────────────────────────────────────────────────────────


async def test_one_request_after_another_is_answered(swarm: Swarm) -> None:
    node = await swarm.start()
    _, channel = await channel_to(swarm, node)
    for _ in range(2):
        await channel.send(FindRecords(key=id_bytes(Shelf("model", MODEL).key)))
        assert isinstance(await channel.receive(), Records)


@pytest.mark.parametrize(
    "strange", [HopAttach(session=bytes(16), epoch=0), SessionClose(session=bytes(16))]
)
async def test_other_messages_on_a_directory_channel_are_bad_input(
    swarm: Swarm, strange: Any
) -> None:
    node = await swarm.start()
    endpoint, channel = await channel_to(swarm, node)
    await channel.send(strange)
    with pytest.raises(PeerLost):
        await channel.receive()
    assert node.endpoint.bad_inputs[endpoint.peer_id] == 1


async def test_who_cannot_be_reached_keeps_nothing_for_others(swarm: Swarm) -> None:
    node = await swarm.start(public=False)
    _, channel = await channel_to(swarm, node)
    await channel.send(Store(record=node.offer(), shelf="model"))
    answer = await channel.receive()
    assert isinstance(answer, Refused)
    assert answer.code == "not_public"
    assert len(node.dht.machine.store) == 0


async def test_who_cannot_be_reached_is_told_to_nobody(swarm: Swarm) -> None:
    first = await swarm.start()
    await swarm.start([first], public=False)
    await first.dht.maintain()
    assert len(first.dht.machine.table) == 0


async def test_changes_are_told_and_one_that_is_gone_is_forgotten(swarm: Swarm) -> None:
    first = await swarm.start()
    host = await swarm.start([first], public=False)
    await host.dht.announce(host.offer())
    assert first.changes == 2
    first.dht.forget(host.endpoint.peer_id)
    assert first.changes == 3
    assert await host.dht.lookup(MODEL) == []
    first.dht.forget(host.endpoint.peer_id)
    assert first.changes == 3


# ── upkeep ───────────────────────────────────────────────────────────────────


async def test_upkeep_joins_when_nobody_is_known(swarm: Swarm) -> None:
    first = await swarm.start()
    late = await swarm.start([first], join=False)
    await late.dht.maintain()
    assert len(late.dht.machine.table) == 1
    swarm.network.cut(first.endpoint.peer_id)
    lonely = await swarm.start([first], join=False)
    await lonely.dht.maintain()
    assert len(lonely.dht.machine.table) == 0


async def test_upkeep_notices_who_is_gone(swarm: Swarm) -> None:
    await swarm.grow(6)
    node, gone = swarm.nodes[1], swarm.nodes[4]
    assert gone.endpoint.peer_id in node.dht.machine.table
    swarm.network.cut(gone.endpoint.peer_id)
    for _ in range(3):
        swarm.clock.advance(QUIET_SECONDS + 1)
        await node.dht.maintain()
    assert gone.endpoint.peer_id not in node.dht.machine.table


async def test_upkeep_runs_by_itself_and_ends_with_the_directory(swarm: Swarm) -> None:
    first = await swarm.start()
    answered = asyncio.Event()
    first.endpoint._handlers["directory"] = _after(first.serve, answered)
    endpoint = await swarm.stack.enter_async_context(swarm.network.endpoint(swarm.identity()))
    bootstrap = [(first.endpoint.peer_id, first.endpoint.address)]
    async with Dht(endpoint, bootstrap, clock=swarm.clock, rules=LOCAL) as dht:
        await asyncio.wait_for(answered.wait(), 30.0)
        assert await dht.lookup(MODEL) == []
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not [name for name in names if name.startswith("directory:")]


def _after(serve: Callable[[Channel], Any], answered: asyncio.Event) -> Callable[[Channel], Any]:
    async def wrapped(channel: Channel) -> None:
        answered.set()
        await serve(channel)

    return wrapped


async def test_who_asks_while_it_ends_is_answered_and_nothing_is_begun(swarm: Swarm) -> None:
    node = await swarm.start()
    _, channel = await channel_to(swarm, node)
    await node.dht.__aexit__(None, None, None)
    for _ in range(2):
        await channel.send(FindRecords(key=id_bytes(Shelf("model", MODEL).key)))
        async with asyncio.timeout(30):
            assert isinstance(await channel.receive(), Records)


def test_private_addresses_are_for_swarms_that_begin_at_one() -> None:
    assert rules_for(["192.168.1.4:4600"]).local
    assert not rules_for(["8.8.8.8:4600", "start.example:4600"]).local
    assert not rules_for([]).local


# ── on real sockets ──────────────────────────────────────────────────────────


def address_of(endpoint: Endpoint, peer: PeerId) -> str | None:
    return next((c.address for c in endpoint.connections() if c.peer == peer), None)


async def test_it_works_over_real_connections() -> None:
    clock = VirtualClock()  # whoever is there is waited for, however busy this computer is
    async with AsyncExitStack() as stack:
        nodes: list[Node] = []
        for _ in range(5):
            node = Node(new_identity(), clock)
            node.endpoint = await stack.enter_async_context(
                Endpoint(
                    node.identity,
                    listen=("127.0.0.1", 0),
                    handlers={"directory": node.serve},
                    clock=clock,
                )
            )
            bootstraps = [(n.endpoint.peer_id, n.endpoint.address) for n in nodes[:1]]
            address = node.endpoint.address
            node.dht = await stack.enter_async_context(
                Dht(
                    node.endpoint,
                    bootstraps,
                    clock=clock,
                    rules=LOCAL,
                    reachable=lambda address=address: [address],  # type: ignore[misc]
                    seen_at=partial(address_of, node.endpoint),
                    background=False,
                )
            )
            nodes.append(node)
            await node.dht.maintain()
        host, asker = nodes[2], nodes[4]
        assert len(asker.dht.machine.table) > 0
        assert await host.dht.announce(host.offer()) >= 3
        assert who(await asker.dht.lookup(MODEL)) == {host.endpoint.peer_id}
        assert who(await asker.dht.lookup(None)) == {host.endpoint.peer_id}
