"""What every network must do, real or in memory: the tests of `Endpoint` and its channels.

`tests/net/test_endpoint.py` runs them on sockets of 127.0.0.1, and
`tests/net/test_memory_network.py` on the fake that other tests use.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import pytest

from app.errors import BadInput, PeerLost
from app.ids import PeerId
from app.net.channel import Channel, ChannelEnded
from app.net.endpoint import ChannelHandler
from app.net.identity import new_identity
from app.net.windows import frame_charge
from app.net.wire import (
    MAX_FRAME_BYTES,
    WINDOW_BYTES,
    HopAttach,
    ProtocolName,
    Refused,
    SessionClose,
    SessionRenew,
    Step,
    encode,
)
from tests.helpers.raw_dialler import SOON_SECONDS

ASKED = SessionClose(session=bytes(16))
DONE = SessionRenew(session=bytes(16))

Start = Callable[[Mapping[ProtocolName, ChannelHandler]], Awaitable[Any]]
"""Starts a computer with these handlers; the fixture stops it."""

SESSION = b"s" * 16


def step(position: int, size: int = 1024) -> Step:
    rows = max(1, size // 65536)
    hidden = bytes(size - size % (4 * rows))
    return Step(session=SESSION, epoch=0, position=position, rows=rows, hidden=hidden)


LARGEST = step(0, MAX_FRAME_BYTES - 4096)


@contextlib.contextmanager
def silent_address() -> Iterator[str]:
    """Where nobody answers, and nobody else can begin to listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


async def until(condition: Callable[[], bool]) -> None:
    """Let the sockets work until something holds, however busy this computer is."""
    async with asyncio.timeout(SOON_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0)


async def echo(channel: Channel) -> None:
    while True:
        await channel.send(await channel.receive())


def on(handler: ChannelHandler) -> dict[ProtocolName, ChannelHandler]:
    return {"hop": handler}


class ChannelContract:
    """Inherit, and give a fixture `start`."""

    async def test_a_message_goes_there_and_back(self, start: Start) -> None:
        host, client = await start(on(echo)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        assert channel.peer == host.peer_id
        assert channel.protocol == "hop"
        await channel.send(step(7))
        assert await channel.receive() == step(7)

    async def test_messages_arrive_in_the_order_they_were_sent(self, start: Start) -> None:
        host, client = await start(on(echo)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        for position in range(50):
            await channel.send(step(position, 4096))
        received = [await channel.receive() for _ in range(50)]
        assert [message.position for message in received if isinstance(message, Step)] == list(
            range(50)
        )

    async def test_the_handler_learns_who_called_and_what_for(self, start: Start) -> None:
        seen: list[tuple[PeerId, str]] = []

        async def note(channel: Channel) -> None:
            seen.append((channel.peer, channel.protocol))
            await channel.send(DONE)

        host, client = await start(on(note)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        assert await channel.receive() == DONE
        assert seen == [(client.peer_id, "hop")]

    async def test_the_largest_message_arrives_whole(self, start: Start) -> None:
        host, client = await start(on(echo)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(LARGEST)
        assert await channel.receive() == LARGEST

    async def test_what_was_sent_before_a_close_still_arrives(self, start: Start) -> None:
        async def say_three(channel: Channel) -> None:
            for position in range(3):
                await channel.send(step(position))

        host, client = await start(on(say_three)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        for position in range(3):
            assert await channel.receive() == step(position)
        with pytest.raises(ChannelEnded):
            await channel.receive()
        with pytest.raises(ChannelEnded):
            await channel.send(step(0))
        assert channel.closed

    async def test_the_handler_learns_that_the_caller_closed(self, start: Start) -> None:
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def wait(channel: Channel) -> None:
            try:
                await channel.receive()
            except ChannelEnded:
                outcome.set_result("ended")

        host, client = await start(on(wait)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.close()
        assert await outcome == "ended"

    async def test_an_aborted_channel_is_lost_at_the_other_end(self, start: Start) -> None:
        outcome: asyncio.Future[PeerLost] = asyncio.get_running_loop().create_future()

        async def wait(channel: Channel) -> None:
            await channel.send(DONE)
            try:
                await channel.receive()
            except PeerLost as error:
                outcome.set_result(error)

        host, client = await start(on(wait)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.receive()
        channel.abort()
        assert not isinstance(await outcome, ChannelEnded)
        with pytest.raises(PeerLost):
            await channel.receive()

    async def test_a_slow_receiver_holds_the_sender_back(self, start: Start) -> None:
        begin = asyncio.Event()
        received: list[int] = []

        async def read_late(channel: Channel) -> None:
            await begin.wait()
            while len(received) < 12:
                message = await channel.receive()
                assert isinstance(message, Step)
                received.append(message.position)
            await channel.send(DONE)

        host, client = await start(on(read_late)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        sent = 0

        async def send_all() -> None:
            nonlocal sent
            for position in range(12):
                await channel.send(step(position, 1 << 20))
                sent += 1

        fits = WINDOW_BYTES // frame_charge(len(encode(step(0, 1 << 20))))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send_all())
            for _ in range(200):
                await asyncio.sleep(0)
            assert sent == fits
            begin.set()
        assert await channel.receive() == DONE
        assert received == list(range(12))

    async def test_a_cancelled_receive_loses_no_message(self, start: Start) -> None:
        host, client = await start(on(echo)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await channel.receive()
        await channel.send(step(1))
        assert await channel.receive() == step(1)

    async def test_both_sides_may_open_channels(self, start: Start) -> None:
        host, client = await start(on(echo)), await start(on(echo))
        one = await client.open_channel(host.peer_id, [host.address], "hop")
        other = await host.open_channel(client.peer_id, [client.address], "hop")
        await one.send(step(1))
        await other.send(step(2))
        assert await one.receive() == step(1)
        assert await other.receive() == step(2)

    async def test_a_protocol_that_is_not_served_is_refused_politely(self, start: Start) -> None:
        host, client = await start(on(echo)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "directory")
        await channel.send(ASKED)
        answer = await channel.receive()
        assert isinstance(answer, Refused)
        assert answer.code == "unknown_protocol"
        assert host.bad_inputs.get(client.peer_id, 0) == 0

    async def test_bad_input_that_a_handler_finds_is_counted(self, start: Start) -> None:
        async def picky(channel: Channel) -> None:
            message = await channel.receive()
            if not isinstance(message, SessionClose):
                raise BadInput("only look-ups here")

        host, client = await start(on(picky)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(HopAttach(session=SESSION, epoch=0))
        with pytest.raises(PeerLost):
            await channel.receive()
        assert host.bad_inputs[client.peer_id] == 1

    async def test_a_failing_handler_harms_only_its_channel(
        self, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def fail_on_demand(channel: Channel) -> None:
            if await channel.receive() == DONE:
                raise PeerLost("its own next hop is gone")
            await echo(channel)

        host, client = await start(on(fail_on_demand)), await start({})
        sound = await client.open_channel(host.peer_id, [host.address], "hop")
        await sound.send(ASKED)
        failing = await client.open_channel(host.peer_id, [host.address], "hop")
        await failing.send(DONE)
        with pytest.raises(PeerLost):
            await failing.receive()
        await sound.send(step(3))
        assert await sound.receive() == step(3)

    async def test_a_wrong_peer_at_an_address_is_refused(self, start: Start) -> None:
        host, client = await start(on(echo)), await start({})
        wanted = new_identity().peer_id
        with pytest.raises(PeerLost, match="answered by"):
            await client.open_channel(wanted, [host.address], "hop")

    async def test_without_an_address_nobody_is_reached(self, start: Start) -> None:
        client = await start({})
        with pytest.raises(PeerLost):
            await client.open_channel(new_identity().peer_id, [], "hop")

    async def test_when_a_computer_leaves_its_channels_are_lost(self, start: Start) -> None:
        host, client = await start(on(echo)), await start({})
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(step(1))
        await channel.receive()
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(_error_of(channel.receive()))
            await asyncio.sleep(0)
            await host.__aexit__(None, None, None)
        assert isinstance(waiting.result(), PeerLost)
        assert not isinstance(waiting.result(), ChannelEnded)
        with pytest.raises(PeerLost):
            await channel.send(step(2))


async def _error_of(work: Awaitable[object]) -> Exception | None:
    try:
        await work
    except PeerLost as error:
        return error
    return None
