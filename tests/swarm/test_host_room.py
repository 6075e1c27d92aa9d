"""A full host: nobody holds all the room under many names, and nobody is thrown out unfairly."""

from __future__ import annotations

import pytest

from app.net.channel import Channel
from app.swarm.host import OPENINGS_AT_ONCE
from tests.helpers.memory_network import MemoryEndpoint
from tests.helpers.session_words import (
    fault,
    lost,
    opened,
    opening,
    refused,
    result,
    tokens_step,
)
from tests.helpers.small_swarm import HostComputer, SmallSwarm, settled

TOKENS = [5, 17, 3, 44]


async def crowd(swarm: SmallSwarm, host: HostComputer, count: int, tokens: int) -> list[Channel]:
    """Sessions of so many names from one part of the internet."""
    return [
        await opened(
            await swarm.computer(address=f"6.6.6.{number}"),
            host,
            opening("0:6", session=bytes([number]) * 16, tokens=tokens),
        )
        for number in range(count)
    ]


async def newcomer(swarm: SmallSwarm, address: str = "8.8.8.8") -> MemoryEndpoint:
    return await swarm.computer(address=address)


async def test_a_crowd_that_rests_makes_way_without_blame(swarm: SmallSwarm) -> None:
    host = await swarm.host("0:6", kv_tokens=512)
    held = await crowd(swarm, host, 4, 128)
    swarm.clock.advance(5.0)
    await held[0].send(tokens_step(0, TOKENS, session=bytes(16)))
    await result(held[0])
    await opened(await newcomer(swarm), host, opening("0:6", tokens=128))
    assert (await fault(held[1])).code == "lease_over"
    await lost(held[1])
    await settled()
    assert host.host.status.sessions == 4


async def test_a_crowd_that_never_rests_makes_way_too(swarm: SmallSwarm) -> None:
    host = await swarm.host("0:6", kv_tokens=512)
    held = await crowd(swarm, host, 4, 128)
    await opened(await newcomer(swarm), host, opening("0:6", tokens=200))
    assert [(await fault(held[n])).code for n in (3, 2)] == ["leaving", "leaving"]
    assert host.host.status.sessions == 3


async def test_one_more_of_the_crowd_is_refused(swarm: SmallSwarm) -> None:
    host = await swarm.host("0:6", kv_tokens=512)
    await crowd(swarm, host, 4, 128)
    other = await newcomer(swarm, "6.6.6.99")
    answer = await refused(other, host, opening("0:6", session=b"o" * 16, tokens=128))
    assert answer.code == "no_room"
    assert host.host.status.sessions == 4


@pytest.mark.parametrize("address", ["8.8.8.8", "192.168.1.7"])
async def test_whoever_has_one_conversation_keeps_it(swarm: SmallSwarm, address: str) -> None:
    host = await swarm.host("0:6", kv_tokens=512)
    await opened(await newcomer(swarm, address), host, opening("0:6", tokens=512))
    swarm.clock.advance(5.0)
    other = await newcomer(swarm, "1.2.3.4")
    answer = await refused(other, host, opening("0:6", session=b"o" * 16, tokens=64))
    assert answer.code == "no_room"


async def test_who_wants_more_than_there_ever_is_moves_nobody(swarm: SmallSwarm) -> None:
    host = await swarm.host("0:6", kv_tokens=512)
    await crowd(swarm, host, 4, 128)
    answer = await refused(await newcomer(swarm), host, opening("0:6", tokens=600))
    assert answer.code == "no_room"
    assert host.host.status.sessions == 4
    answer = await refused(await newcomer(swarm, "9.9.9.9"), host, opening("0:6", tokens=512))
    assert host.host.status.sessions == 4


async def test_many_small_conversations_do_not_hold_all_places(swarm: SmallSwarm) -> None:
    host = await swarm.host("0:6", kv_tokens=512)
    places = host.engine.ledger._sequences
    held = await crowd(swarm, host, places, 1)
    swarm.clock.advance(5.0)
    await opened(await newcomer(swarm), host, opening("0:6", tokens=32))
    assert (await fault(held[0])).code == "lease_over"


async def test_who_begins_conversations_all_the_time_has_to_wait(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await newcomer(swarm)
    for _ in range(int(OPENINGS_AT_ONCE)):
        channel = await opened(client, host, opening("0:6"))
        channel.abort()
        await settled()
    answer = await refused(client, host, opening("0:6"))
    assert (answer.code, answer.retry_after_seconds is None) == ("no_room", False)
    await opened(await newcomer(swarm, "1.2.3.4"), host, opening("0:6"))
    swarm.clock.advance(1.0)
    other = await newcomer(swarm, "8.8.8.9")
    await opened(other, host, opening("0:6", session=b"o" * 16))
