"""What a stranger may not do on a connection, each with what it costs it, and whom it spares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec
import pytest

from app.clock import Clock, SystemClock
from app.errors import PeerLost
from app.net.channel import Channel
from app.net.connection import HANDSHAKE_SECONDS
from app.net.coordinates import ORIGIN
from app.net.endpoint import Endpoint
from app.net.heartbeat import MAX_PINGS_PER_CHECK
from app.net.identity import new_identity
from app.net.offences import MAX_BAD_INPUTS
from app.net.wire import (
    MAX_CONTROL_FRAME_BYTES,
    MAX_FRAME_BYTES,
    PROTOCOL_VERSION,
    WINDOW_BYTES,
    Credit,
    Goodbye,
    Hello,
    OpenChannel,
    Ping,
    Place,
    Pong,
    Proof,
    Welcome,
    decode_channel,
    encode,
)
from tests.helpers.raw_dialler import RawDialler
from tests.helpers.virtual_clock import VirtualClock
from tests.net.contract import echo, step, until

HostStart = Callable[..., Awaitable[Endpoint]]
IDENTITY = new_identity()
HELLO = Hello(version=PROTOCOL_VERSION, agent="raw", peer=bytes(IDENTITY.peer_id))


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


async def hold(channel: Channel) -> None:
    """A handler that never takes anything."""
    await asyncio.Event().wait()


@pytest.fixture
async def host() -> AsyncIterator[HostStart]:
    async with AsyncExitStack() as stack:

        async def enter(
            handler: Callable[[Channel], Awaitable[None]] = echo, *, clock: Clock | None = None
        ) -> Endpoint:
            return await stack.enter_async_context(
                Endpoint(
                    new_identity(),
                    listen=("127.0.0.1", 0),
                    handlers={"hop": handler},
                    clock=clock or SystemClock(),
                )
            )

        yield enter


async def still_serves(endpoint: Endpoint) -> None:
    """Somebody else is served as if nothing had happened."""
    async with Endpoint(
        new_identity(), listen=("127.0.0.1", 0), handlers={}, clock=SystemClock()
    ) as other:
        channel = await other.open_channel(endpoint.peer_id, [endpoint.address], "hop")
        await channel.send(step(1))
        assert await channel.receive() == step(1)


# ── before the proof ─────────────────────────────────────────────────────────


async def test_a_good_proof_is_welcome(host: HostStart) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        assert await raw.prove(IDENTITY, endpoint.peer_id) == Welcome()
        assert [status.peer for status in endpoint.connections()] == [IDENTITY.peer_id]


async def test_a_bad_proof_is_refused(host: HostStart) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        raw.send(0, encode(HELLO))
        await raw.control()
        raw.send(0, encode(Proof(signature=bytes(64))))
        assert "not who it says it is" in await raw.closed()
    assert endpoint.connections() == []
    await still_serves(endpoint)


async def test_a_proof_made_for_another_listener_is_refused(host: HostStart) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        answer = await raw.prove(IDENTITY, listener=new_identity().peer_id)
        assert isinstance(answer, Goodbye)
    assert endpoint.connections() == []


@pytest.mark.parametrize(
    "first",
    [
        encode(Ping(serial=1)),
        encode(Pong(serial=1)),
        encode(Welcome()),
        encode(Proof(signature=bytes(64))),
        encode(OpenChannel(protocol="hop")),
        encode(Hello(version=99, agent="", peer=bytes(32))),
        framed(b"\xff\xff"),
        framed(msgspec.msgpack.encode({"t": "hello"})),
        (MAX_CONTROL_FRAME_BYTES + 1).to_bytes(4, "big"),
        bytes(4),
    ],
)
async def test_nothing_but_a_hello_opens_the_talk(host: HostStart, first: bytes) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        raw.send(0, first)
        assert "bad input" in await raw.closed()
    assert endpoint.bad_inputs == {}  # nobody is proven, so nobody is to blame


async def test_a_channel_before_the_proof_ends_the_connection(host: HostStart) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        raw.send(0, encode(HELLO))
        await raw.control()
        raw.open(4)
        assert "before the proof" in await raw.closed()


async def test_a_dialler_that_never_proves_itself_is_dropped(host: HostStart) -> None:
    clock = VirtualClock()
    endpoint = await host(clock=clock)
    async with RawDialler.to(endpoint.address) as raw:
        raw.send(0, encode(HELLO))
        await raw.control()
        clock.advance(HANDSHAKE_SECONDS)
        endpoint.check()
        assert "no proof" in await raw.closed()


async def test_a_dialler_with_another_protocol_is_turned_away(host: HostStart) -> None:
    endpoint = await host()
    with pytest.raises(ConnectionError):
        async with RawDialler.to(endpoint.address, speaks="h3"):
            pass
    await still_serves(endpoint)


# ── after the proof ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(encode(step(0)), id="a message before open"),
        pytest.param(framed(msgspec.msgpack.encode({"t": "open", "protocol": "x"})), id="unknown"),
        pytest.param(encode(OpenChannel(protocol="hop")) * 2, id="opened twice"),
        pytest.param(encode(OpenChannel(protocol="hop")) + framed(b"\xc1"), id="malformed"),
        pytest.param(
            encode(OpenChannel(protocol="hop")) + (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
            id="oversized",
        ),
        pytest.param(
            encode(OpenChannel(protocol="hop")) + encode(Credit(taken=1)), id="credit for nothing"
        ),
        pytest.param(
            encode(OpenChannel(protocol="hop")) + encode(Ping(serial=1)), id="a control message"
        ),
    ],
)
async def test_a_broken_channel_is_reset_and_counted(host: HostStart, frames: bytes) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.open(4)
        raw.send(4, encode(step(1)))
        await raw.body(4)
        raw.send(8, frames)
        await raw.reset(8)
        assert endpoint.bad_inputs == {IDENTITY.peer_id: 1}
        raw.send(4, encode(step(2)))  # its other channels live on
        assert decode_channel(await raw.body(4)) == step(2)


@pytest.mark.parametrize("head", [b"", encode(OpenChannel(protocol="hop")) + b"\0\0"])
async def test_a_channel_that_ends_in_the_middle_is_counted(host: HostStart, head: bytes) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.send(4, head, end=True)
        await raw.reset(4)
        assert endpoint.bad_inputs == {IDENTITY.peer_id: 1}


async def test_a_channel_that_opens_and_ends_in_one_breath_harms_nothing(
    host: HostStart, caplog: pytest.LogCaptureFixture
) -> None:
    broken: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        for stream in range(4, 44, 4):
            raw.send(stream, encode(OpenChannel(protocol="session")), end=True)
        # The connection goes on: a channel after them is served as ever.
        raw.open(44)
        raw.send(44, encode(step(1)))
        assert await raw.body(44)
    assert broken == []
    assert [one for one in caplog.records if one.name.startswith("app") and one.exc_info] == []


async def test_a_sender_that_overruns_its_credit_is_counted(host: HostStart) -> None:
    endpoint = await host(hold)
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.open(4)
        message = encode(step(0, 1 << 20))
        for _ in range(WINDOW_BYTES // len(message) + 1):
            raw.send(4, message)
        await raw.reset(4)
        assert endpoint.bad_inputs == {IDENTITY.peer_id: 1}
        await still_serves_by_holding(endpoint)


async def still_serves_by_holding(endpoint: Endpoint) -> None:
    async with Endpoint(
        new_identity(), listen=("127.0.0.1", 0), handlers={}, clock=SystemClock()
    ) as other:
        await other.open_channel(endpoint.peer_id, [endpoint.address], "hop")
        assert len(other.connections()) == 1


async def test_many_tiny_messages_overrun_the_credit_too(host: HostStart) -> None:
    endpoint = await host(hold)
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.open(4)
        tiny = framed(msgspec.msgpack.encode({"t": "announced"}))
        raw.send(4, tiny * (WINDOW_BYTES // 512 + 1))
        await raw.reset(4)
        assert endpoint.bad_inputs == {IDENTITY.peer_id: 1}


async def test_a_flood_of_bad_frames_ends_the_connection_and_harms_nobody(
    host: HostStart,
) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        for number in range(MAX_BAD_INPUTS):
            raw.send(4 + 4 * number, framed(b"\xc1"))
        assert "too much bad input" in await raw.closed()
    async with RawDialler.to(endpoint.address) as raw:
        answer = await raw.prove(IDENTITY, endpoint.peer_id)
        assert isinstance(answer, Goodbye)
        assert "refused" in answer.reason
    await still_serves(endpoint)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(encode(HELLO), id="hello again"),
        pytest.param(encode(Welcome()), id="a welcome"),
        pytest.param(encode(Pong(serial=1 << 30)), id="a pong for no ping"),
        pytest.param(
            framed(msgspec.msgpack.encode({"t": "pong", "serial": 1, "place": [1e9, 0, 0, 0, 0]})),
            id="a place on the moon",
        ),
        pytest.param(framed(b"\xc1"), id="malformed"),
        pytest.param(encode(step(0)), id="a channel's message"),
        pytest.param(encode(Ping(serial=1)) * (MAX_PINGS_PER_CHECK * 4), id="flood of pings"),
    ],
)
async def test_a_broken_control_channel_ends_the_connection(host: HostStart, frames: bytes) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.send(0, frames)
        assert "bad input" in await raw.closed()
        assert endpoint.bad_inputs == {IDENTITY.peer_id: 1}


async def test_closing_the_control_channel_ends_the_connection(host: HostStart) -> None:
    endpoint = await host()
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.send(0, b"", end=True)
        await raw.closed()
    assert endpoint.connections() == []


async def test_a_ping_is_answered_with_its_serial(host: HostStart) -> None:
    endpoint = await host(clock=VirtualClock())  # its own heart beats once
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.send(0, encode(Ping(serial=77)))
        assert await raw.body(0) == encode(Ping(serial=1))[4:]
        assert await raw.body(0) == encode(Pong(serial=77, place=ORIGIN))[4:]


async def test_an_answered_heartbeat_tells_where_this_computer_is(host: HostStart) -> None:
    clock = VirtualClock()
    endpoint = await host(clock=clock)
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        assert await raw.body(0) == encode(Ping(serial=1))[4:]
        assert endpoint.place is None
        clock.advance(0.08)
        raw.send(0, encode(Pong(serial=1, place=Place(30.0, 0.0, 0.0, 5.0, 0.2))))
        await until(lambda: endpoint.place is not None)
        assert endpoint.place is not None
        assert endpoint.place.error < 1.0
        assert endpoint.place.x < 0.0  # further away than the guess was
        assert endpoint.round_trip_seconds(IDENTITY.peer_id) == pytest.approx(0.08)
    await until(lambda: endpoint.round_trip_seconds(IDENTITY.peer_id) is None)
    assert endpoint.place is not None


async def test_an_answer_that_takes_longer_than_a_heartbeat_is_measured_once(
    host: HostStart,
) -> None:
    clock = VirtualClock()
    endpoint = await host(clock=clock)
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        await raw.body(0)
        clock.advance(1.0)
        endpoint.check()
        assert await raw.body(0) == encode(Ping(serial=2))[4:]
        clock.advance(0.2)
        raw.send(0, encode(Pong(serial=1, place=ORIGIN)))
        await until(lambda: endpoint.connections()[0].round_trip_seconds == pytest.approx(1.2))
        clock.advance(0.2)
        raw.send(0, encode(Pong(serial=1, place=ORIGIN)) + encode(Ping(serial=9)))
        await raw.body(0)
        assert endpoint.connections()[0].round_trip_seconds == pytest.approx(1.2)


async def test_a_name_that_is_thrown_away_tells_no_place_and_still_learns_its_own() -> None:
    clock = VirtualClock()
    start = Place(10.0, 20.0, 30.0, 4.0, 0.1)
    async with Endpoint(
        new_identity(),
        listen=("127.0.0.1", 0),
        handlers={},
        clock=clock,
        start=start,
        tells_place=False,
    ) as endpoint:
        assert endpoint.place == start
        async with RawDialler.to(endpoint.address) as raw:
            await raw.proven(IDENTITY, endpoint.peer_id)
            assert await raw.body(0) == encode(Ping(serial=1))[4:]
            raw.send(0, encode(Ping(serial=7)))
            assert await raw.body(0) == encode(Pong(serial=7))[4:]
            clock.advance(0.3)
            raw.send(0, encode(Pong(serial=1, place=ORIGIN)))
            await until(lambda: endpoint.place != start)


async def test_a_channel_without_a_purpose_is_given_up(host: HostStart) -> None:
    clock = VirtualClock()
    endpoint = await host(clock=clock)
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.send(4, b"\0")
        await heard(raw, serial=1)
        for second in range(int(HANDSHAKE_SECONDS)):
            clock.advance(1.0)
            await heard(raw, serial=2 + second)
            endpoint.check()
        await raw.reset(4)
        assert endpoint.bad_inputs == {IDENTITY.peer_id: 1}


async def heard(raw: RawDialler, *, serial: int) -> None:
    """Send a ping, and wait until the listener has answered it."""
    raw.send(0, encode(Ping(serial=serial)))
    while await raw.body(0) != encode(Pong(serial=serial, place=ORIGIN))[4:]:
        pass


async def test_a_reset_channel_is_lost_to_its_handler_only(host: HostStart) -> None:
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait(channel: Channel) -> None:
        await channel.send(step(0))
        try:
            await channel.receive()
        except PeerLost as error:
            outcome.set_result(str(error))

    endpoint = await host(wait)
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.open(4)
        await raw.body(4)
        raw._quic.reset_stream(4, 9)
        raw.transmit()
        assert "gave the channel up" in await outcome
        assert len(endpoint.connections()) == 1


async def test_a_goodbye_tells_the_others_why(host: HostStart) -> None:
    outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait(channel: Channel) -> None:
        try:
            await channel.receive()
        except PeerLost as error:
            outcome.set_result(str(error))

    endpoint = await host(wait)
    async with RawDialler.to(endpoint.address) as raw:
        await raw.proven(IDENTITY, endpoint.peer_id)
        raw.open(4)
        raw.send(0, encode(Goodbye(reason="going home")))
        assert "going home" in await outcome
    assert endpoint.connections() == []
