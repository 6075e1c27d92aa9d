"""Clients that would have hosts work against each other, or for nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from app.ids import PeerId
from app.net import wire
from app.net.channel import Channel
from app.swarm import host as host_module
from tests.helpers.fake_engine import ToyModel
from tests.helpers.memory_network import MemoryEndpoint
from tests.helpers.session_words import (
    call,
    fault,
    hidden_step,
    lost,
    opened,
    opening,
    receive,
    tokens_step,
)
from tests.helpers.small_swarm import SESSION, HostComputer, SmallSwarm, settled

TOKENS = [5, 17, 3, 44]


async def take_nothing(hop: Channel) -> None:
    """An accomplice: it attaches, and then reads no step."""
    await hop.receive()
    await asyncio.Event().wait()


def hold_dials(monkeypatch: pytest.MonkeyPatch, host: HostComputer) -> asyncio.Event:
    """Nobody is reached from this host before the event is set."""
    reachable, dial = asyncio.Event(), host.endpoint.open_channel

    async def dial_slowly(*words: Any, on_word_of: PeerId) -> Channel:
        await reachable.wait()
        return await dial(*words, on_word_of=on_word_of)

    monkeypatch.setattr(host.endpoint, "open_channel", dial_slowly)
    return reachable


async def stuck(swarm: SmallSwarm, client: MemoryEndpoint) -> tuple[HostComputer, Channel]:
    """A session whose step waits for room on the way to the next host."""
    host, deaf = await swarm.host("0:1"), await swarm.computer({"hop": take_nothing})
    hop = wire.NextHop(peer=deaf.peer_id, addresses=[deaf.address])
    words = opening("0:1", tokens=256, lease_seconds=60.0, following=hop)
    channel = await opened(client, host, words)
    steps = wire.WINDOW_BYTES // (128 * 1024 * 4) + 4
    for _ in range(steps):
        await channel.send(tokens_step(0, [1] * 128, outputs=0))
    await settled()
    assert len(host.engine.computed) < steps
    return host, channel


@pytest.fixture
def sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "SWEEP_SECONDS", 0)


@pytest.mark.usefixtures("sweeping")
async def test_a_lease_ends_though_a_step_waits_for_a_deaf_next_host(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with SmallSwarm(monkeypatch, model=ToyModel(width=1024)) as swarm:
        host, channel = await stuck(swarm, await swarm.computer())
        swarm.clock.advance(61)
        swarm.tasks.start(host.host.sweep(), name="sweep")
        assert (await fault(channel)).code == "lease_over"
        await settled()
        assert host.host.status.sessions == 0
        assert host.host.tokens_free == 512
    assert [r.message.endswith("ran out") for r in caplog.records].count(True) == 1


@pytest.mark.usefixtures("sweeping")
async def test_a_client_that_left_holds_no_room_by_a_deaf_next_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with SmallSwarm(monkeypatch, model=ToyModel(width=1024)) as swarm:
        client = await swarm.computer()
        host, _ = await stuck(swarm, client)
        swarm.tasks.start(host.host.sweep(), name="sweep")
        swarm.network.cut(client.peer_id)
        await settled()
        assert host.host.tokens_free == 512


async def test_a_chain_from_a_computer_to_itself_is_refused_and_counted(
    swarm: SmallSwarm,
) -> None:
    host, client = await swarm.host("3:5"), await swarm.computer()
    for words in (opening("3:5", following=host.next_hop), opening("3:5", previous=host.peer)):
        channel = await call(client, host)
        await channel.send(words)
        await lost(channel)
    assert host.endpoint.bad_inputs == {client.peer_id: 2}
    assert host.host.tokens_free == 512


async def test_nobody_can_be_put_before_the_first_units_later(swarm: SmallSwarm) -> None:
    """What an honest host hands on would be counted against it."""
    first, second = await swarm.hosts("0:3", "3:6")
    client = await swarm.computer()
    await opened(client, first, opening("0:3", following=second.next_hop))
    channel = await call(client, first)
    await channel.send(
        wire.SessionRelink(session=SESSION, epoch=1, previous=second.peer, next=second.next_hop)
    )
    await lost(channel)
    assert first.endpoint.bad_inputs == {client.peer_id: 1}
    assert first.host.status.sessions == 1


async def test_a_circle_of_hosts_comes_to_an_end(swarm: SmallSwarm) -> None:
    one, other = await swarm.hosts("3:5", "3:5")
    client = await swarm.computer()
    channels = [
        await opened(client, here, opening("3:5", previous=there.peer, following=there.next_hop))
        for here, there in ((one, other), (other, one))
    ]
    rows = swarm.model.embed(TOKENS).tobytes()
    await channels[0].send(hidden_step(0, rows, rows=4, outputs=0))
    assert (await fault(channels[1])).code == "circle"
    await settled()
    assert len(one.engine.computed) + len(other.engine.computed) == wire.MAX_HOSTS
    assert one.endpoint.bad_inputs == other.endpoint.bad_inputs == {}


async def test_a_client_cannot_set_two_sound_hosts_against_each_other(swarm: SmallSwarm) -> None:
    """A host of another model hands on rows of another width, because its client said so."""
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    channel = await opened(client, host, opening("3:6", previous=before.peer_id))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    wider = np.zeros((1, 2 * swarm.model.width), np.float32).tobytes()
    for _ in range(3):
        await hop.send(hidden_step(0, wider))
    assert (await fault(channel)).code == "input"
    await lost(hop)
    assert host.endpoint.bad_inputs == {client.peer_id: 1}


async def test_a_session_that_ends_while_its_next_host_is_dialled_leaves_no_channel(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many of them, and nobody else's session would get through to that host."""
    host, client = await swarm.host("0:3"), await swarm.computer()
    after, newcomer = await swarm.computer({"hop": take_nothing}), await swarm.host("3:6")
    hop = wire.NextHop(peer=after.peer_id, addresses=[after.address])
    channel = await opened(client, host, opening("0:3", following=hop))
    words = wire.SessionRelink(session=SESSION, epoch=1, next=newcomer.next_hop)
    reachable = hold_dials(monkeypatch, host)
    relinking = await call(client, host)
    await relinking.send(words)
    await settled()
    channel.abort()
    await settled()
    reachable.set()
    assert (await fault(relinking)).code == "next_lost"
    await settled()
    assert host.host.tokens_free == 512
    assert all(status.channels == 0 for status in newcomer.endpoint.connections())


async def answers(client: MemoryEndpoint, host: HostComputer, words: wire.SessionRelink) -> str:
    """What a host says to new neighbours: "" is that it is so."""
    channel = await call(client, host)
    await channel.send(words)
    answer = await receive(channel)
    return answer.code if isinstance(answer, wire.SessionFault) else ""


async def test_a_few_words_do_not_have_everything_sent_again_and_again(swarm: SmallSwarm) -> None:
    first, second = await swarm.hosts("0:3", "3:6")
    client = await swarm.computer()
    channel = await opened(client, first, opening("0:3", tokens=4, following=second.next_hop))
    await channel.send(tokens_step(0, TOKENS, outputs=0))
    await settled()
    words = wire.SessionRelink(session=SESSION, epoch=1, next=second.next_hop, replay=4)
    told = [await answers(client, first, words) for _ in range(12)]
    assert told == [""] * 7 + ["busy"] * 5
    replayed = [s.message for s in swarm.sent if isinstance(s.message, wire.Step)]
    assert sum(step.replay for step in replayed) == 7
    swarm.clock.advance(9.0)
    assert await answers(client, first, words) == ""
    assert first.endpoint.bad_inputs == {}


async def test_of_two_next_hosts_named_at_once_one_is_kept_and_the_other_let_go(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, before, one, other = await swarm.hosts("0:3", "3:6", "3:6", "3:6")
    client = await swarm.computer()
    await opened(client, first, opening("0:3", following=before.next_hop))
    reachable = hold_dials(monkeypatch, first)
    for epoch, following in ((1, one), (2, other)):
        channel = await call(client, first)
        words = wire.SessionRelink(session=SESSION, epoch=epoch, next=following.next_hop)
        await channel.send(words)
        await settled()
    reachable.set()
    await settled()
    channels = [
        sum(status.channels for status in host.endpoint.connections())
        for host in (before, one, other)
    ]
    assert channels == [0, 0, 1]
