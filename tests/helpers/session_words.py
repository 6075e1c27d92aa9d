"""What a client says to a host, and what it hears, word by word."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import PeerLost
from app.ids import PeerId, Span, parse_span
from app.net import wire
from app.net.channel import Channel
from app.net.dht_messages import AnyMessage
from tests.helpers.memory_network import MemoryEndpoint
from tests.helpers.small_swarm import MODEL, SESSION, HostComputer

SOON_SECONDS = 5.0
"""Nothing in memory takes this long; a test that waits for nothing fails instead of hanging."""


def opening(
    span: Span | str,
    *,
    session: bytes = SESSION,
    epoch: int = 0,
    model: bytes = MODEL,
    tokens: int = 64,
    lease_seconds: float = 60.0,
    candidates: int = 1,
    previous: PeerId | None = None,
    following: wire.NextHop | None = None,
) -> wire.SessionOpen:
    return wire.SessionOpen(
        session=session,
        epoch=epoch,
        model=model,
        span=parse_span(span) if isinstance(span, str) else span,
        tokens=tokens,
        lease_seconds=lease_seconds,
        candidates=candidates,
        previous=previous,
        next=following,
    )


def tokens_step(
    position: int, tokens: list[int], *, outputs: int = 1, epoch: int = 0, session: bytes = SESSION
) -> wire.Step:
    return wire.Step(
        session=session,
        epoch=epoch,
        position=position,
        rows=len(tokens),
        outputs=outputs,
        tokens=tokens,
    )


def hidden_step(
    position: int, hidden: bytes, *, rows: int = 1, outputs: int = 1, epoch: int = 0
) -> wire.Step:
    return wire.Step(
        session=SESSION, epoch=epoch, position=position, rows=rows, outputs=outputs, hidden=hidden
    )


async def receive(channel: Channel) -> AnyMessage:
    """The next message, soon."""
    async with asyncio.timeout(SOON_SECONDS):
        return await channel.receive()


async def call(client: MemoryEndpoint, host: HostComputer) -> Channel:
    return await client.open_channel(host.peer, [host.endpoint.address], "session")


async def opened(client: MemoryEndpoint, host: HostComputer, words: wire.SessionOpen) -> Channel:
    """A session that was let in."""
    channel = await call(client, host)
    await channel.send(words)
    answer = await receive(channel)
    assert isinstance(answer, wire.SessionOpened), answer
    return channel


async def refused(
    client: MemoryEndpoint, host: HostComputer, words: wire.SessionOpen
) -> wire.SessionRefused:
    channel = await call(client, host)
    await channel.send(words)
    answer = await receive(channel)
    assert isinstance(answer, wire.SessionRefused), answer
    return answer


async def result(channel: Channel) -> wire.StepResult:
    answer = await receive(channel)
    assert isinstance(answer, wire.StepResult), answer
    return answer


async def fault(channel: Channel) -> wire.SessionFault:
    answer = await receive(channel)
    assert isinstance(answer, wire.SessionFault), answer
    return answer


async def lost(channel: Channel) -> PeerLost:
    with pytest.raises(PeerLost) as caught:
        await receive(channel)
    return caught.value
