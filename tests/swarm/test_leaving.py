"""A host that leaves: who rests goes at once, a long conversation is told at once, a short one may
finish, and nobody stays beyond the time."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from app.net import wire
from app.net.channel import Channel
from app.swarm.host_room import RESTING_SECONDS
from app.swarm.leaving import LONG_POSITIONS, LONG_RESTING_SECONDS
from tests.helpers.session_words import SOON_SECONDS, fault, lost, opened, opening, refused, result
from tests.helpers.small_swarm import SESSION, HostComputer, SmallSwarm, settled

SECONDS = 2.0


async def talking(swarm: SmallSwarm, host: HostComputer, positions: int) -> Channel:
    """A session that has just had a step."""
    channel = await opened(await swarm.computer(), host, opening("2:4", tokens=256))
    for start in range(0, positions, 100):
        await compute(channel, start, min(100, positions - start))
    return channel


async def compute(channel: Channel, position: int, rows: int) -> None:
    hidden = np.ones((rows, 8), np.float32).tobytes()
    await channel.send(
        wire.Step(session=SESSION, epoch=0, position=position, rows=rows, outputs=1, hidden=hidden)
    )
    await result(channel)


def take_leave(swarm: SmallSwarm, host: HostComputer) -> asyncio.Task[None]:
    return swarm.tasks.start(host.host.drain(SECONDS), name="drain")


async def gone(leaving: asyncio.Task[None]) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        await leaving


@pytest.mark.parametrize(
    ("positions", "seconds"),
    [(LONG_POSITIONS, RESTING_SECONDS), (LONG_POSITIONS + 1, LONG_RESTING_SECONDS)],
)
async def test_who_rests_is_told_and_goes_at_once(
    swarm: SmallSwarm, positions: int, seconds: float
) -> None:
    host = await swarm.host("2:4")
    channel = await talking(swarm, host, positions)
    swarm.clock.advance(seconds)
    leaving = take_leave(swarm, host)
    assert (await fault(channel)).code == "leaving"
    await lost(channel)
    await gone(leaving)
    assert host.host.tokens_free == 512


async def test_a_long_conversation_is_told_at_once_and_stays_while_there_is_time(
    swarm: SmallSwarm,
) -> None:
    host = await swarm.host("2:4")
    channel = await talking(swarm, host, LONG_POSITIONS + 1)
    swarm.clock.advance(LONG_RESTING_SECONDS - 0.1)  # its chain is slow
    leaving = take_leave(swarm, host)
    assert (await fault(channel)).code == "leaving"
    swarm.clock.advance(SECONDS - 0.1)
    await asyncio.sleep(0.15)
    assert not leaving.done()
    assert not channel.closed
    swarm.clock.advance(0.1)
    assert (await fault(channel)).code == "leaving"
    await lost(channel)
    await gone(leaving)


async def test_a_short_one_may_finish(swarm: SmallSwarm) -> None:
    host = await swarm.host("2:4")
    channel = await talking(swarm, host, LONG_POSITIONS)
    leaving = take_leave(swarm, host)
    await settled()
    await compute(channel, LONG_POSITIONS - 1, 1)
    await channel.send(wire.SessionClose(session=SESSION))
    await gone(leaving)


async def test_nobody_else_comes_meanwhile(swarm: SmallSwarm) -> None:
    host = await swarm.host("2:4")
    await talking(swarm, host, LONG_POSITIONS)
    take_leave(swarm, host)
    await settled()
    other = opening("2:4", session=b"o" * 16)
    assert (await refused(await swarm.computer(), host, other)).code == "leaving"
