"""Connections that nobody uses end, without anybody taking their peer for lost."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from app.errors import PeerLost
from app.ids import PeerId
from app.net.connection import Connection
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.idling import CROWDED, CROWDED_IDLE_SECONDS, IDLE_SECONDS, longest_idle, unneeded
from tests.helpers.virtual_clock import VirtualClock
from tests.net.contract import echo, on, until


class Swarm:
    """Two endpoints of one clock, and whom each has lost."""

    def __init__(self, *, keeps: bool = False) -> None:
        self.clock = VirtualClock()
        self.lost: list[PeerId] = []
        self.out_of_sight: list[PeerId] = []
        self.host = Endpoint(
            new_identity(),
            listen=("127.0.0.1", 0),
            handlers=on(echo),
            clock=self.clock,
            on_peer_gone=self.lost.append,
            on_peer_idle=self.out_of_sight.append,
        )
        self.client = Endpoint(
            new_identity(),
            listen=("127.0.0.1", 0),
            handlers={},
            clock=self.clock,
            on_peer_gone=self.lost.append,
            keeps=lambda peer: keeps,
        )

    async def ask(self) -> None:
        """One channel, opened and closed again."""
        channel = await self.client.open_channel(
            self.host.peer_id, [self.host.address], "directory"
        )
        await channel.close()
        await until(lambda: not any(c.channels for c in self.client.connections()))

    async def wait(self, seconds: float) -> None:
        """Let time go by, with heartbeats."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.advance(0.5)
            for endpoint in (self.host, self.client):
                for connection in endpoint._connections:
                    connection._heart._heard_at = self.clock.monotonic()
                endpoint.check()
            await asyncio.sleep(0)


async def test_a_connection_that_was_used_once_ends_and_nobody_is_lost() -> None:
    swarm = Swarm()
    async with swarm.host, swarm.client:
        await swarm.ask()
        await swarm.wait(IDLE_SECONDS - 2)
        assert len(swarm.client.connections()) == 1
        await swarm.wait(4)
        assert swarm.client.connections() == []
        await until(lambda: swarm.host.connections() == [])
        assert swarm.lost == []
        await swarm.ask()  # and it can be dialled again


async def test_a_connection_in_use_stays() -> None:
    swarm = Swarm()
    async with swarm.host, swarm.client:
        await swarm.client.open_channel(swarm.host.peer_id, [swarm.host.address], "hop")
        await swarm.wait(IDLE_SECONDS + 4)
        assert len(swarm.client.connections()) == 1


async def test_a_connection_that_somebody_wants_kept_stays_and_tells_of_a_loss() -> None:
    swarm = Swarm(keeps=True)
    async with swarm.host:
        async with swarm.client:
            await swarm.ask()
            await swarm.wait(IDLE_SECONDS + 4)
            assert len(swarm.host.connections()) == 1
        await until(lambda: swarm.lost == [swarm.client.peer_id])


async def test_a_full_computer_lets_go_who_was_quiet_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.net.endpoint.MAX_CONNECTIONS", 1)
    swarm = Swarm()
    async with swarm.host, swarm.client:
        await swarm.ask()
        late = Swarm()
        late.clock = swarm.clock
        async with late.client:
            with pytest.raises(PeerLost, match="1 connections already"):
                await late.client.open_channel(swarm.host.peer_id, [swarm.host.address], "hop")
            swarm.clock.advance(2.5)
            await late.client.open_channel(swarm.host.peer_id, [swarm.host.address], "hop")
            assert [one.peer for one in swarm.host.connections()] == [late.client.peer_id]
            assert swarm.lost == []
            assert swarm.out_of_sight == [swarm.client.peer_id]


class Idle:
    """A connection as the rules see it."""

    dialled = True

    def __init__(self, name: bytes = b"p", seconds: float = CROWDED_IDLE_SECONDS) -> None:
        self.peer = PeerId(name * 32)
        self._seconds = seconds

    def idle_seconds(self, now: float) -> float:
        return self._seconds


def test_who_wrote_here_is_let_go_last() -> None:
    writer, other, lately = Idle(b"w", 9.0), Idle(b"o", 5.0), Idle(b"l", 1.0)

    def let_go(*open_now: Idle) -> list[PeerId | None]:
        found = longest_idle(cast(list[Connection], open_now), 0.0, lambda p: p == writer.peer)
        return [] if found is None else [found.peer]

    assert let_go(writer, other, lately) == [other.peer]
    assert let_go(writer, lately) == [writer.peer]
    assert let_go(lately) == []


def test_where_many_are_open_less_patience_is_had() -> None:
    connections = [Idle() for _ in range(CROWDED + 1)]
    few = unneeded(connections[:-1], 0.0, lambda peer: False)  # type: ignore[arg-type]
    many = unneeded(connections, 0.0, lambda peer: False)  # type: ignore[arg-type]
    assert (len(few), len(many)) == (0, CROWDED + 1)
