"""A host in trouble: workers that die, neighbours that vanish, clients that say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.ids import PeerId
from app.net import wire
from app.net.channel import Channel
from app.swarm import host as host_module
from app.swarm import host_session
from app.swarm.host_session import STALLED_SECONDS
from tests.helpers.fake_engine import ToyModel
from tests.helpers.session_words import (
    call,
    fault,
    hidden_step,
    lost,
    opened,
    opening,
    receive,
    refused,
    result,
    tokens_step,
)
from tests.helpers.small_swarm import SESSION, HostComputer, SmallSwarm, settled

TOKENS = [5, 17, 3, 44]


async def test_a_worker_that_dies_is_told_and_the_session_stands(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    await channel.send(tokens_step(0, TOKENS))
    before = await result(channel)
    host.engine.hold()
    await channel.send(tokens_step(4, [9]))
    await settled()
    host.engine.die()
    assert (await fault(channel)).code == "worker_died"
    host.engine.go_on()
    await channel.send(tokens_step(4, [9], epoch=1))
    assert (await fault(channel)).code == "gap"
    await channel.send(tokens_step(0, TOKENS, epoch=2))
    assert (await result(channel)).ids == before.ids


async def test_an_engine_that_fails_otherwise_is_told(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    host.engine.fail("the worker failed: a wrong answer")
    await channel.send(tokens_step(0, TOKENS))
    told = await fault(channel)
    assert (told.code, told.reason) == ("engine", "the worker failed: a wrong answer")
    await channel.send(tokens_step(0, TOKENS))
    assert (await result(channel)).rows == 4


async def test_a_client_that_vanishes_gives_its_room_back_at_once(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6", tokens=300))
    await channel.send(tokens_step(0, TOKENS))
    await result(channel)
    swarm.network.cut(client.peer_id)
    await settled()
    assert host.host.tokens_free == 512
    assert host.engine.positions(0) == 0


async def test_a_next_host_that_vanishes_is_told(swarm: SmallSwarm) -> None:
    first, second = await swarm.hosts("0:3", "3:6")
    client = await swarm.computer()
    channel = await opened(client, first, opening("0:3", following=second.next_hop))
    swarm.cut(second)
    await channel.send(tokens_step(0, TOKENS))
    assert (await fault(channel)).code == "next_lost"


async def test_a_session_that_ends_lets_its_next_host_go(swarm: SmallSwarm) -> None:
    first, second = await swarm.hosts("0:3", "3:6")
    client = await swarm.computer()
    channel = await opened(client, first, opening("0:3", following=second.next_hop))
    assert [status.channels for status in first.endpoint.connections()].count(1) == 2
    await channel.send(wire.SessionClose(session=SESSION))
    await settled()
    assert all(status.channels == 0 for status in first.endpoint.connections())


async def test_a_sequence_goes_to_nobody_else_while_a_step_is_under_way(
    swarm: SmallSwarm,
) -> None:
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    channel = await opened(client, host, opening("3:6", previous=before.peer_id))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    host.engine.hold()
    await hop.send(hidden_step(0, swarm.model.embed(TOKENS).tobytes(), rows=4))
    await settled()
    channel.abort()
    await settled()
    newcomer = await opened(client, host, opening("3:6", session=b"n" * 16))
    host.engine.go_on()
    await settled()
    await newcomer.send(
        wire.Step(session=b"n" * 16, epoch=0, position=4, rows=1, outputs=1, hidden=bytes(32))
    )
    assert (await fault(newcomer)).code == "gap"  # nothing of the stranger's is remembered


async def test_a_step_that_waited_is_not_computed_after_the_end(swarm: SmallSwarm) -> None:
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    channel = await opened(client, host, opening("3:6", previous=before.peer_id))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    rows = swarm.model.embed(TOKENS).tobytes()
    host.engine.hold()
    await channel.send(hidden_step(0, rows, rows=4))
    await settled()
    await hop.send(hidden_step(0, rows, rows=4))
    await settled()
    swarm.network.cut(client.peer_id)
    host.engine.go_on()
    await settled()
    assert host.engine.computed == []
    assert host.engine.positions(0) == 0
    assert host.host.tokens_free == 512


async def test_steps_wait_until_the_host_after_is_reached(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, after = await swarm.hosts("3:5", "5:6")
    client, before = await swarm.computer(), await swarm.computer()
    reachable, dial = asyncio.Event(), host.endpoint.open_channel

    async def dial_slowly(
        peer: PeerId,
        addresses: Sequence[str],
        protocol: wire.ProtocolName,
        *,
        on_word_of: PeerId | None = None,
    ) -> Channel:
        await reachable.wait()
        assert on_word_of == client.peer_id
        return await dial(peer, addresses, protocol)

    monkeypatch.setattr(host.endpoint, "open_channel", dial_slowly)
    end = await opened(client, after, opening("5:6", previous=host.peer))
    channel = await call(client, host)
    await channel.send(opening("3:5", previous=before.peer_id, following=after.next_hop))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    await hop.send(hidden_step(0, swarm.model.embed(TOKENS).tobytes(), rows=4))
    await settled()
    assert host.engine.computed == []
    reachable.set()
    assert isinstance(await receive(channel), wire.SessionOpened)
    assert (await result(end)).rows == 4


# ── the lease ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "SWEEP_SECONDS", 0)


@pytest.mark.usefixtures("sweeping")
async def test_a_session_nobody_uses_runs_out(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    swarm.tasks.start(host.host.sweep(), name="sweep")
    channel = await opened(client, host, opening("0:6", lease_seconds=60))
    swarm.clock.advance(59.9)
    await settled()
    assert host.host.status.sessions == 1
    swarm.clock.advance(0.2)
    assert (await fault(channel)).code == "lease_over"
    await lost(channel)
    await settled()
    assert host.host.tokens_free == 512


@pytest.mark.usefixtures("sweeping")
async def test_steps_and_renewals_keep_the_lease_running(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    swarm.tasks.start(host.host.sweep(), name="sweep")
    channel = await opened(client, host, opening("0:6", lease_seconds=60))
    swarm.clock.advance(50)
    await channel.send(tokens_step(0, TOKENS))
    await result(channel)
    swarm.clock.advance(50)
    await channel.send(wire.SessionRenew(session=SESSION))
    await settled()
    swarm.clock.advance(50)
    await settled()
    assert host.host.status.sessions == 1


@pytest.mark.usefixtures("sweeping")
async def test_a_client_that_takes_nothing_does_not_stop_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with SmallSwarm(monkeypatch, model=ToyModel(width=1024)) as swarm:
        host, deaf = await swarm.host("0:1"), await swarm.computer()
        channel = await opened(deaf, host, opening("0:1", tokens=256))
        step = tokens_step(0, [1] * 128, outputs=128)
        window_is_full = wire.WINDOW_BYTES // (128 * 1024 * 4) + 4
        for _ in range(window_is_full):
            await channel.send(step)
        await settled()
        assert len(host.engine.computed) < window_is_full
        swarm.clock.advance(100)
        swarm.tasks.start(host.host.sweep(), name="sweep")
        await settled()
        assert host.host.status.sessions == 0
        assert host.host.tokens_free == 512


@pytest.mark.usefixtures("sweeping")
async def test_a_broken_way_to_the_next_host_is_told_though_no_step_is_sent(
    swarm: SmallSwarm,
) -> None:
    """The last step may have got lost on that way: nobody would send another one."""

    async def take_all(hop: Channel) -> None:
        while True:
            await hop.receive()

    host, client = await swarm.host("0:3"), await swarm.computer()
    after = await swarm.computer({"hop": take_all})
    swarm.tasks.start(host.host.sweep(), name="sweep")
    hop = wire.NextHop(peer=after.peer_id, addresses=[after.address])
    channel = await opened(client, host, opening("0:3", following=hop))
    swarm.network.cut(after.peer_id)
    told = await fault(channel)
    assert (told.code, told.epoch) == ("next_lost", 0)
    await settled()
    assert not channel.closed
    await channel.send(tokens_step(0, TOKENS))
    assert (await fault(channel)).code == "next_lost"


async def test_no_session_is_let_in_while_the_engine_stands_still(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    host.engine.overdue = True
    answer = await refused(client, host, opening("0:6"))
    assert (answer.code, answer.retry_after_seconds) == ("stalled", STALLED_SECONDS)
    host.engine.overdue = False
    await opened(client, host, opening("0:6"))


async def asked_in_the_middle_of_a_step(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> tuple[HostComputer, Channel]:
    """A host that is held up in a step, and the channel on which it was asked to relink."""
    monkeypatch.setattr(host_session, "TURN_SECONDS", 0.01)
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    host.engine.hold()
    await channel.send(tokens_step(0, TOKENS))
    await settled()
    asking = await call(client, host)
    await asking.send(wire.SessionRelink(session=SESSION, epoch=1, replay=0))
    return host, asking


async def test_other_neighbours_are_not_taken_while_the_engine_stands_still(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, asking = await asked_in_the_middle_of_a_step(swarm, monkeypatch)
    await settled()
    host.engine.overdue = True
    assert (await fault(asking)).code == "stalled"


async def test_other_neighbours_are_taken_when_the_step_before_is_done(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, asking = await asked_in_the_middle_of_a_step(swarm, monkeypatch)
    await asyncio.sleep(0.03)  # it has looked a few times in vain
    host.engine.go_on()
    assert isinstance(await receive(asking), wire.SessionRelinked)


async def test_a_next_host_that_is_not_reached_soon_is_given_up(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_session, "NEXT_SECONDS", 0.01)
    first, second = await swarm.hosts("0:3", "3:6")
    client = await swarm.computer()
    swarm.network.delay = lambda one, other: 60.0 if client.peer_id not in (one, other) else 0.0
    answer = await refused(client, first, opening("0:3", following=second.next_hop))
    assert answer.code == "next_lost"
    assert "does not answer" in answer.reason
