"""What a peer may make this computer hold for it, and where it counts as speaking from."""

from __future__ import annotations

import asyncio

import pytest

from app.clock import Clock, SystemClock
from app.net.channel import Channel
from app.net.endpoint import Endpoint
from app.net.heartbeat import MAX_PINGS_PER_CHECK
from app.net.identity import new_identity
from app.net.quic import CONTROL_STREAM
from app.net.wire import Ping, encode
from tests.helpers.raw_dialler import RawDialler
from tests.helpers.virtual_clock import VirtualClock
from tests.net.contract import step, until

IDENTITY = new_identity()


async def hold(channel: Channel) -> None:
    """A handler that never takes anything."""
    await asyncio.Event().wait()


def host(clock: Clock | None = None) -> Endpoint:
    return Endpoint(
        new_identity(),
        listen=("127.0.0.1", 0),
        handlers={"hop": hold},
        clock=clock or SystemClock(),
    )


async def test_who_takes_nothing_of_what_it_is_told_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its heart beats, and every answer would wait here for ever."""
    clock = VirtualClock()
    async with (
        host(clock) as endpoint,
        RawDialler.to(endpoint.address, window_bytes=512) as raw,
    ):
        await raw.proven(IDENTITY, endpoint.peer_id)
        monkeypatch.setattr(raw._quic, "_write_stream_limits", lambda *limits, **space: None)
        (connection,) = endpoint._connections
        untaken = raw._quic._streams[CONTROL_STREAM].sender
        for _ in range(60):
            raw.send(CONTROL_STREAM, encode(Ping(serial=1)) * MAX_PINGS_PER_CHECK)
            # Heard, or let go already by the endpoint's own look.
            await until(lambda: connection.has_ended or not untaken._buffer)
            clock.advance(0.25)
            endpoint.check()
            if connection.has_ended:
                break
        assert endpoint.connections() == []
        assert endpoint.bad_inputs == {}


async def test_of_two_the_one_that_has_too_much_waiting_here_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = VirtualClock()
    async with (
        host(clock) as endpoint,
        RawDialler.to(endpoint.address) as greedy,
        RawDialler.to(endpoint.address) as modest,
    ):
        other = new_identity()
        await greedy.proven(IDENTITY, endpoint.peer_id)
        await modest.proven(other, endpoint.peer_id)
        for raw, count in ((greedy, 20), (modest, 1)):
            raw.open(4)
            for position in range(count):
                raw.send(4, encode(step(position, 65536)))
        held = lambda: sum(one.held_bytes for one in endpoint._connections)  # noqa: E731
        await until(lambda: held() > 20 * 65536)
        everybody = list(endpoint._connections)
        monkeypatch.setattr("app.net.crowding.MOST_HELD_BYTES", 1 << 20)
        clock.advance(1.0)
        endpoint.check()
        (ended,) = (one for one in everybody if one.has_ended)
        assert ended.held_bytes == 0  # though its handler never lets its channel go
        assert [status.peer for status in endpoint.connections()] == [other.peer_id]


async def test_a_datagram_alone_moves_nobody_to_another_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What its records and its dials count for must not be anybody's address."""
    async with host() as endpoint, RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        (connection,) = endpoint._connections
        before = endpoint.address_of(IDENTITY.peer_id)
        connection.send_datagram(b"", ("127.0.0.9", 9))
        assert endpoint.address_of(IDENTITY.peer_id) == before
        monkeypatch.setattr(connection.line.quic, "has_shown", lambda address: True)
        connection.send_datagram(b"", ("127.0.0.9", 9))
        assert endpoint.address_of(IDENTITY.peer_id) == "127.0.0.9:9"
