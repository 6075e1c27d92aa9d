"""A chain that lost a computer goes on over another one, and only that one computes again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from app.engine.frames import Part
from app.ids import parse_span
from app.net import wire
from app.net.dht_messages import AnyMessage
from app.swarm import boundary_log
from app.swarm.chain import RingChain
from app.swarm.repair import patched
from app.swarm.route import Link
from app.swarm.token_chain import ChainBroken, MemoryLost, OwnEnds
from tests.helpers.answers import same, step
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.session_words import SOON_SECONDS
from tests.helpers.small_swarm import HostComputer, SmallSwarm, settled

PROMPT = [5, 17, 3, 44, 21, 8, 30, 2]


T = TypeVar("T")


async def soon(work: Awaitable[T]) -> T:
    async with asyncio.timeout(SOON_SECONDS):
        return await work


def plan(
    chain: RingChain, lost: Sequence[HostComputer], spare: Sequence[HostComputer]
) -> list[Link]:
    gone = [host.peer for host in lost]
    return patched(chain.links, gone, [host.offer for host in spare], tokens=128)


async def fails(chain: RingChain, position: int, token: int) -> ChainBroken:
    with pytest.raises(ChainBroken) as caught:
        await step(chain, position, [token])
    return caught.value


def rows(parts: Sequence[Part]) -> list[tuple[int, int]]:
    return [(part.position, part.rows) for part in parts]


SPANS = ("0:2", "2:4", "4:6")


@pytest.mark.parametrize("victim", [0, 1, 2])
async def test_only_the_newcomer_computes_again(swarm: SmallSwarm, victim: int) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    spare = await swarm.host(SPANS[victim])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1, 2])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        await step(chain, 8, [1])
        swarm.cut(hosts[victim])
        await settled()
        await fails(chain, 9, 2)
        before = [rows(host.engine.computed) for host in hosts]
        await soon(chain.mend(plan(chain, [hosts[victim]], [spare])))
        assert [part.peer for part in chain.parts] == [
            spare.peer if index == victim else host.peer for index, host in enumerate(hosts)
        ]
        assert same(await step(chain, 9, [2]), wanted)
    assert rows(spare.engine.computed) == [(0, 9), (9, 1)]
    for index, host in enumerate(hosts):
        if index != victim:
            again = rows(host.engine.computed)[len(before[index]) :]
            assert set(again) <= {(9, 1)}


async def test_two_neighbours_are_replaced_by_two_others(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:1", "1:3", "3:5", "5:6")
    spare = await swarm.hosts("1:2", "2:5")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[1])
        swarm.cut(hosts[2])
        await settled()
        await soon(chain.mend(plan(chain, hosts[1:3], spare)))
        assert same(await step(chain, 8, [1]), wanted)
    assert rows(spare[0].engine.computed) == rows(spare[1].engine.computed) == [(0, 8), (8, 1)]
    assert rows(hosts[3].engine.computed) == [(0, 8), (8, 1)]


async def test_two_that_are_no_neighbours_are_replaced_at_once(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:2", "2:3", "3:6")
    spare = await swarm.hosts("0:2", "3:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[0])
        swarm.cut(hosts[2])
        await settled()
        await soon(chain.mend(plan(chain, [hosts[0], hosts[2]], spare)))
        assert same(await step(chain, 8, [1]), wanted)
    assert rows(hosts[1].engine.computed) == [(0, 8), (8, 1)]


async def test_all_at_once(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    spare = await swarm.hosts("0:4", "4:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        for host in hosts:
            swarm.cut(host)
        await settled()
        await soon(chain.mend(plan(chain, hosts, spare)))
        assert same(await step(chain, 8, [1]), wanted)


async def test_a_neighbour_gives_way_where_spans_do_not_meet(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:2", "2:4", "4:6")
    spare = await swarm.host("2:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[1])
        await settled()
        await soon(chain.mend(plan(chain, [hosts[1]], [spare])))
        assert same(await step(chain, 8, [1]), wanted)
        await settled()
        assert hosts[2].host.tokens_free == 512  # it was told goodbye
    assert rows(hosts[0].engine.computed) == [(0, 8), (8, 1)]


@pytest.mark.parametrize("victim", [0, 1, 2])
async def test_a_worker_that_died_is_told_again_what_it_knew(
    swarm: SmallSwarm, victim: int
) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        hosts[victim].engine.die()
        assert (await fails(chain, 8, 1)).forgotten
        await soon(chain.mend(chain.links))
        assert same(await step(chain, 8, [1]), wanted)
    for index, host in enumerate(hosts):
        if index != victim:
            assert set(rows(host.engine.computed)) == {(0, 8), (8, 1)}
            assert rows(host.engine.computed).count((0, 8)) == 1


async def test_the_clients_own_ends_stay(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("1:3", "3:5")
    spare = await swarm.host("1:3")
    ends = OwnEnds(
        FakeEngine(swarm.model, parse_span("0:1")).engine(),
        FakeEngine(swarm.model, parse_span("5:6")).engine(),
    )
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts, ends=ends) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[0])
        await settled()
        await soon(chain.mend(plan(chain, [hosts[0]], [spare])))
        assert same(await step(chain, 8, [1]), wanted)
    assert rows(hosts[1].engine.computed) == [(0, 8), (8, 1)]


async def test_long_memories_travel_in_pieces(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundary_log, "STEP_BYTES", 3 * 4 * swarm.model.width)
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    spare = await swarm.host("2:4")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[1])
        await settled()
        await soon(chain.mend(plan(chain, [hosts[1]], [spare])))
        assert same(await step(chain, 8, [1]), wanted)
    assert rows(spare.engine.computed) == [(0, 3), (3, 3), (6, 2), (8, 1)]


async def test_what_was_rolled_back_is_not_replayed(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    spare = await swarm.host("2:4")
    wanted = await step(swarm.alone(), 0, [*PROMPT[:4], 9, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        await step(chain, 4, [9])
        swarm.cut(hosts[1])
        await settled()
        await soon(chain.mend(plan(chain, [hosts[1]], [spare])))
        assert same(await step(chain, 5, [1]), wanted)
    assert rows(spare.engine.computed) == [(0, 5), (5, 1)]


async def test_one_repair_after_the_other(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    wanted = await step(swarm.alone(), 0, [*PROMPT, *range(9)])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        for position in range(8, 16):
            victim = position % 3
            spare = await swarm.host(SPANS[victim])
            swarm.cut(hosts[victim])
            await settled()
            await soon(chain.mend(plan(chain, [hosts[victim]], [spare])))
            hosts[victim] = spare
            await step(chain, position, [position - 8])
        assert same(await step(chain, 16, [8]), wanted)


async def test_a_failure_before_newcomers_have_caught_up_forgets_nothing(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundary_log, "STEP_BYTES", 2 * 4 * swarm.model.width)  # two rows each
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    second, third = await swarm.host("2:4"), await swarm.host("4:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[1])
        await settled()
        second.engine.hold()
        await soon(chain.mend(plan(chain, [hosts[1]], [second])))
        swarm.cut(hosts[2])
        await settled()
        mending = asyncio.ensure_future(chain.mend(plan(chain, [hosts[2]], [third])))
        await settled()
        second.engine.go_on()
        await soon(mending)
        assert same(await soon(step(chain, 8, [1])), wanted)


async def test_a_newcomer_that_fails_too_is_named_and_replaced(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    spare = await swarm.hosts("2:4", "2:4")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[1])
        first = plan(chain, [hosts[1]], [spare[0]])
        swarm.cut(spare[0])
        await settled()
        with pytest.raises(ChainBroken) as caught:
            await soon(chain.mend(first))
        assert caught.value.peer == spare[0].peer
        assert (await fails(chain, 8, 1)).peer is None  # it is not whole
        await soon(chain.mend(plan(chain, [spare[0]], [spare[1]])))
        assert same(await step(chain, 8, [1]), wanted)


async def test_a_host_that_stands_still_is_told_of_and_replaced(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    spare = await swarm.host("2:4")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        hosts[1].engine.hold()
        hosts[1].engine.overdue = True
        swarm.tasks.start(hosts[1].host.sweep(), name="sweep")
        error = await fails(chain, 8, 1)
        assert error.peer == hosts[1].peer
        assert "stands still" in str(error)
        await soon(chain.mend(plan(chain, [hosts[1]], [spare])))
        assert same(await step(chain, 8, [1]), wanted)
        hosts[1].engine.go_on()
        await settled()
        assert hosts[1].host.tokens_free == 512


async def test_a_log_that_is_gone_is_said(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    spare = await swarm.host("2:4")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        for session in hosts[0].host._sessions.values():
            session.log.__init__()  # type: ignore[misc]
        swarm.cut(hosts[1])
        await settled()
        with pytest.raises(MemoryLost, match="8 positions are wanted and 0 are known"):
            await soon(chain.mend(plan(chain, [hosts[1]], [spare])))


async def test_a_mending_that_is_cancelled_can_be_done_again(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts(*SPANS)
    spare = await swarm.host("2:4")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[1])
        await settled()
        links = plan(chain, [hosts[1]], [spare])
        for moments in (0, 1, 2, 3, 5, 8, 13, 21):
            task = swarm.tasks.start(chain.mend(links), name="mend")
            for _ in range(moments):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await soon(chain.mend(links))
        assert same(await step(chain, 8, [1]), wanted)


# ── whose session it is ──────────────────────────────────────────────────────────────────


async def ask(
    swarm: SmallSwarm, host: HostComputer, words: Callable[[bytes], wire.SessionRelink]
) -> AnyMessage:
    stranger = await swarm.computer()
    (session,) = host.host._sessions
    channel = await stranger.open_channel(host.peer, [host.endpoint.address], "session")
    await channel.send(words(session))
    return await soon(channel.receive())


async def test_a_stranger_cannot_give_a_session_other_neighbours(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        thief = await swarm.computer()
        hop = wire.NextHop(peer=thief.peer_id, addresses=[thief.address])
        answer = await ask(
            swarm, hosts[0], lambda s: wire.SessionRelink(session=s, epoch=5, next=hop, replay=8)
        )
        assert isinstance(answer, wire.SessionFault)
        assert answer.code == "no_session"
        assert same(await step(chain, 8, [1]), wanted)
        assert not swarm.to(thief.peer_id)


async def test_a_fault_that_comes_in_the_middle_of_a_repair_ends_it_at_once(
    swarm: SmallSwarm,
) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:2", "2:4", "4:6")
    spare = await swarm.host("4:6")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        hosts[0].engine.hold()  # its turn never comes to take other neighbours
        swarm.tasks.start(fails(chain, 8, 1), name="step")
        await settled()
        swarm.cut(hosts[1])
        await settled()
        links = plan(chain, [hosts[1]], [await swarm.host("2:4"), spare])
        mending = asyncio.ensure_future(chain.mend(links))
        await settled()
        assert not mending.done()
        swarm.cut(hosts[2])
        with pytest.raises(ChainBroken, match="left") as caught:
            await soon(mending)
        assert caught.value.peer == hosts[2].peer


async def test_whose_engine_stood_still_is_asked_first_whether_it_goes_on(
    swarm: SmallSwarm,
) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        hosts[1].engine.hold()
        stalled = swarm.tasks.start(fails(chain, 8, 1), name="step")
        await settled()
        hosts[1].engine.overdue = True
        await hosts[1].host._tell_who_waits()  # as its sweep does
        assert "stands still" in str(await stalled)
        with pytest.raises(ChainBroken, match="stands still"):
            await soon(chain.mend(chain.links))
        hosts[1].engine.overdue = False
        hosts[1].engine.go_on()
        await soon(chain.mend(chain.links))
        assert same(await step(chain, 8, [1]), wanted)


async def test_a_repair_that_failed_leaves_open_who_has_no_session(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:2", "2:4", "4:6")
    gone, spare = await swarm.hosts("4:6", "4:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        assert chain.unconnected == []
        swarm.cut(hosts[2])
        links = plan(chain, [hosts[2]], [gone])
        swarm.cut(gone)
        await settled()
        with pytest.raises(ChainBroken):
            await soon(chain.mend(links))
        assert chain.unconnected == [gone.peer]
        await soon(chain.mend(plan(chain, [gone], [spare])))
        assert same(await step(chain, 8, [1]), wanted)
