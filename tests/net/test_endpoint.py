"""Endpoints on 127.0.0.1: the contract, dialling, heartbeats, and who is kept out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack
from functools import partial

import pytest

from app.clock import Clock, SystemClock
from app.errors import PeerLost, UsageError
from app.ids import PeerId, short_peer_text
from app.net import dialling
from app.net.channel import Channel
from app.net.endpoint import MAX_CONNECTIONS_PER_PEER, ChannelHandler, Endpoint
from app.net.heartbeat import CHECK_SECONDS
from app.net.identity import Identity, new_identity
from app.net.offences import MAX_BAD_INPUTS, REFUSED_SECONDS
from app.net.wire import (
    BUSY_LOST_AFTER_SECONDS,
    BUSY_SECONDS,
    LOST_AFTER_SECONDS,
    MAX_CHANNELS_PER_CONNECTION,
    ProtocolName,
)
from app.tasks import TaskOwner
from tests.helpers.virtual_clock import VirtualClock
from tests.net.contract import ChannelContract, Start, echo, on, silent_address, step, until


def make(
    handlers: Mapping[ProtocolName, ChannelHandler] | None = None,
    *,
    identity: Identity | None = None,
    clock: Clock | None = None,
) -> Endpoint:
    return Endpoint(
        identity or new_identity(),
        listen=("127.0.0.1", 0),
        handlers=handlers or {},
        clock=clock or SystemClock(),
    )


def has_received(endpoint: Endpoint, due_bytes: int) -> bool:
    """Whether the endpoint's only connection got this far."""
    return endpoint.connections()[0].bytes_received >= due_bytes


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def enter(handlers: Mapping[ProtocolName, ChannelHandler]) -> Endpoint:
            return await stack.enter_async_context(make(handlers))

        yield enter


class TestEndpoint(ChannelContract):
    """Everything in the contract."""


# ── dialling ─────────────────────────────────────────────────────────────────


async def test_calls_at_the_same_time_dial_once() -> None:
    async with make(on(echo)) as host, make() as client:
        channels = await asyncio.gather(
            *(client.open_channel(host.peer_id, [host.address], "hop") for _ in range(5))
        )
        for position, channel in enumerate(channels):
            await channel.send(step(position))
            assert await channel.receive() == step(position)
        assert len(client.connections()) == len(host.connections()) == 1


async def test_the_connection_serves_both_directions_whoever_dialled() -> None:
    async with make(on(echo)) as host, make(on(echo)) as client:
        first = await client.open_channel(host.peer_id, [host.address], "hop")
        await first.send(step(1))
        await first.receive()
        back = await host.open_channel(client.peer_id, [], "hop")
        await back.send(step(2))
        assert await back.receive() == step(2)
        assert len(host.connections()) == 1


async def test_two_that_dial_each_other_at_once_both_get_through() -> None:
    async with make(on(echo)) as one, make(on(echo)) as other:
        there, back = await asyncio.gather(
            one.open_channel(other.peer_id, [other.address], "hop"),
            other.open_channel(one.peer_id, [one.address], "hop"),
        )
        await there.send(step(1))
        await back.send(step(2))
        assert await there.receive() == step(1)
        assert await back.receive() == step(2)


async def test_a_second_connection_that_nobody_uses_is_ended() -> None:
    clock = VirtualClock()
    async with make(on(echo), clock=clock) as one, make(on(echo), clock=clock) as other:
        channels = await asyncio.gather(
            one.open_channel(other.peer_id, [other.address], "hop"),
            other.open_channel(one.peer_id, [one.address], "hop"),
        )
        for channel in channels:
            await channel.send(step(1))
            await channel.receive()
        assert len(one.connections()) == 2
        for channel in channels:
            await channel.close()
        await until(lambda: not any(seen.channels for seen in one.connections()))
        await until(lambda: not any(seen.channels for seen in other.connections()))
        clock.advance(11.0)
        one.check()
        other.check()
        fresh = await one.open_channel(other.peer_id, [other.address], "hop")
        await fresh.send(step(2))
        assert await fresh.receive() == step(2)
        assert len(one.connections()) == len(other.connections()) == 1


async def test_a_living_address_is_dialled_while_the_one_before_it_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dialling, "DIAL_SECONDS", 600.0)  # nor does the client's clock give it up
    async with make(on(echo)) as host, make(clock=VirtualClock()) as client:
        with silent_address() as silent:
            async with asyncio.timeout(20.0):
                channel = await client.open_channel(host.peer_id, [silent, host.address], "hop")
        await channel.send(step(1))
        assert await channel.receive() == step(1)


async def test_an_address_that_is_none_is_named_in_the_reason() -> None:
    async with make() as client:
        with pytest.raises(PeerLost, match="nonsense"):
            await client.open_channel(new_identity().peer_id, ["nonsense"], "hop")


async def test_the_reason_names_who_answered_instead() -> None:
    async with make() as host, make() as client:
        wanted = new_identity().peer_id
        with pytest.raises(PeerLost) as caught:
            await client.open_channel(wanted, [host.address], "hop")
        assert short_peer_text(wanted) in str(caught.value)
        assert short_peer_text(host.peer_id) in str(caught.value)
        assert host.connections() == []


async def test_a_caller_that_gives_up_leaves_the_dial_to_the_others() -> None:
    async with make(on(echo)) as host, make() as client:
        async with asyncio.TaskGroup() as tasks:
            hasty = tasks.create_task(client.open_channel(host.peer_id, [host.address], "hop"))
            patient = tasks.create_task(client.open_channel(host.peer_id, [host.address], "hop"))
            await asyncio.sleep(0)
            hasty.cancel()
        await patient.result().send(step(1))
        assert await patient.result().receive() == step(1)


async def test_both_sides_see_each_other() -> None:
    async with make(on(echo)) as host, make() as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(step(1))
        await channel.receive()
        (seen,) = host.connections()
        assert seen.peer == client.peer_id
        assert seen.address == client.address
        assert not seen.dialled
        assert seen.channels == 1
        assert seen.bytes_received > 1000
        assert seen.bytes_sent > 1000


async def test_an_address_in_use_is_a_clear_error() -> None:
    async with make() as first:
        host, _, port = first.address.rpartition(":")
        second = Endpoint(
            new_identity(), listen=(host, int(port)), handlers={}, clock=SystemClock()
        )
        with pytest.raises(UsageError, match="cannot listen on"):
            await second.__aenter__()


async def test_two_programs_under_one_identity_can_both_use_a_host() -> None:
    identity = new_identity()
    async with make(on(echo)) as host, make(identity=identity) as a, make(identity=identity) as b:
        one = await a.open_channel(host.peer_id, [host.address], "hop")
        two = await b.open_channel(host.peer_id, [host.address], "hop")
        for position in range(3):
            await one.send(step(position))
            await two.send(step(position + 10))
            assert await one.receive() == step(position)
            assert await two.receive() == step(position + 10)


async def test_nothing_runs_on_after_leaving() -> None:
    before = asyncio.all_tasks()
    async with make(on(echo)) as host, make() as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(step(1))
        await channel.receive()
    assert asyncio.all_tasks() == before
    with pytest.raises(PeerLost, match="leaving"):
        await client.open_channel(host.peer_id, [host.address], "hop")


async def test_leaving_in_the_middle_of_a_dial_ends_it_with_a_reason() -> None:
    async with make() as client:
        with silent_address() as silent:
            async with asyncio.TaskGroup() as tasks:
                outcome = tasks.create_task(reason_of(client, new_identity().peer_id, silent))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await client.__aexit__(None, None, None)
        assert "leaving" in outcome.result()


async def reason_of(client: Endpoint, peer: PeerId, address: str) -> str:
    """Why a channel cannot be opened."""
    with pytest.raises(PeerLost) as caught:
        await client.open_channel(peer, [address], "hop")
    return str(caught.value)


async def test_a_peer_that_is_away_is_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with make() as host, make() as client:
        await reason_of(client, new_identity().peer_id, host.address)
        await reason_of(client, new_identity().peer_id, "nonsense")
    ours = [record for record in caplog.records if record.name.startswith("app")]
    assert [record for record in ours if record.levelname == "ERROR"] == []


async def test_a_failed_dial_is_tried_again_with_an_address_that_was_not_tried() -> None:
    async with make(on(echo)) as host, make() as other, make() as client:
        wrong, right = await asyncio.gather(
            reason_of(client, host.peer_id, other.address),
            client.open_channel(host.peer_id, [host.address], "hop"),
        )
        assert "answered by" in wrong
        await right.send(step(1))
        assert await right.receive() == step(1)


# ── bounds ───────────────────────────────────────────────────────────────────


async def test_channels_come_and_go_without_end() -> None:
    async with make(on(echo)) as host, make() as client:
        for position in range(3 * MAX_CHANNELS_PER_CONNECTION):
            channel = await client.open_channel(host.peer_id, [host.address], "hop")
            await channel.send(step(position, 64))
            assert await channel.receive() == step(position, 64)
            await channel.close()
        await until(lambda: host.connections()[0].channels == 0)
        assert len(host.connections()) == 1


async def test_one_connection_has_only_so_many_channels() -> None:
    async with make(on(echo)) as host, make() as client:
        channels = [
            await client.open_channel(host.peer_id, [host.address], "hop")
            for _ in range(MAX_CHANNELS_PER_CONNECTION)
        ]
        with pytest.raises(PeerLost, match=f"{MAX_CHANNELS_PER_CONNECTION} channels"):
            await client.open_channel(host.peer_id, [host.address], "hop")
        await channels[-1].send(step(1))
        assert await channels[-1].receive() == step(1)


async def test_a_full_computer_says_so_to_newcomers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.net.endpoint.MAX_CONNECTIONS", 1)
    async with make(on(echo)) as host, make() as first, make() as second:
        channel = await first.open_channel(host.peer_id, [host.address], "hop")
        assert "1 connections already" in await reason_of(second, host.peer_id, host.address)
        assert "1 connections already" in await reason_of(first, second.peer_id, second.address)
        await channel.send(step(1))
        assert await channel.receive() == step(1)


async def test_one_identity_has_only_so_many_connections() -> None:
    identity = new_identity()
    async with make(on(echo)) as host, AsyncExitStack() as stack:
        for _ in range(MAX_CONNECTIONS_PER_PEER + 2):
            client = await stack.enter_async_context(make(identity=identity))
            channel = await client.open_channel(host.peer_id, [host.address], "hop")
            await channel.send(step(1))
            assert await channel.receive() == step(1)
        assert len(host.connections()) == MAX_CONNECTIONS_PER_PEER


# ── knocking ─────────────────────────────────────────────────────────────────


async def test_whoever_is_there_answers_a_knock() -> None:
    async with make() as host, make() as client:
        await client.knock(host.peer_id, [host.address])
        await client.knock(host.peer_id, [host.address])
        assert len(client.connections()) == 1


async def test_a_knock_in_vain_says_why() -> None:
    async with make() as host, make() as client:
        with pytest.raises(PeerLost, match="answered by"):
            await client.knock(new_identity().peer_id, [host.address])


async def test_who_was_started_again_answers_over_a_new_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dialling, "KNOCK_SECONDS", 0.01)
    identity = new_identity()
    clock = VirtualClock()  # no heartbeat tells that the old one is gone
    async with (
        make(on(echo), clock=clock) as client,
        make(on(echo), identity=identity) as before,
    ):
        channel = await client.open_channel(before.peer_id, [before.address], "hop")
        before._port.close()  # deaf and mute, without a word
        async with make(on(echo), identity=identity) as after:
            await client.knock(identity.peer_id, [after.address])
            with pytest.raises(PeerLost, match="over another connection"):
                await channel.receive()
            fresh = await client.open_channel(identity.peer_id, [after.address], "hop")
            await fresh.send(step(1))
            assert await fresh.receive() == step(1)


async def test_other_addresses_are_dialled_while_old_ones_are_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dialling, "DIAL_SECONDS", 600.0)  # nor does the client's clock give it up
    with silent_address() as old:
        async with (
            make(on(echo)) as host,
            make(clock=VirtualClock()) as client,
            TaskOwner("test") as tasks,
        ):
            tasks.start(_in_vain(client.knock(host.peer_id, [old])), name="old address")
            await asyncio.sleep(0)
            async with asyncio.timeout(20.0):
                await client.knock(host.peer_id, [host.address])


async def _in_vain(knock: Awaitable[None]) -> None:
    with contextlib.suppress(PeerLost):
        await knock


# ── heartbeats ───────────────────────────────────────────────────────────────


async def silence(client: Endpoint, channel: Channel, clock: VirtualClock) -> float:
    """How many seconds without a word it takes until the channel is given up."""
    silent_seconds = 0.0
    while not channel.closed:
        clock.advance(CHECK_SECONDS)
        silent_seconds += CHECK_SECONDS
        client.check()
    with pytest.raises(PeerLost, match="stopped answering"):
        await channel.receive()
    assert client.connections() == []
    return silent_seconds


async def test_a_peer_that_stops_answering_is_soon_lost_while_somebody_waits() -> None:
    clock = VirtualClock()
    async with make(on(echo)) as host, make(clock=clock) as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(step(1))
        await channel.receive()
        host._port.close()  # deaf and mute, without a word
        assert 0.75 < await silence(client, channel, clock) <= BUSY_LOST_AFTER_SECONDS


async def test_a_peer_that_stops_answering_has_longer_while_nobody_waits() -> None:
    clock = VirtualClock()
    async with make(on(echo)) as host, make(clock=clock) as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(step(1))
        await channel.receive()
        connection = client._live(host.peer_id)
        assert connection is not None
        for _ in range(int(BUSY_SECONDS / CHECK_SECONDS) + 1):
            clock.advance(CHECK_SECONDS)
            client.check()
            connection._heart._heard_at = clock.monotonic()
        host._port.close()
        assert 2.0 < await silence(client, channel, clock) <= LOST_AFTER_SECONDS


async def test_a_word_after_a_long_silence_does_not_count_the_silence() -> None:
    clock = VirtualClock()
    async with make(on(echo)) as host, make(clock=clock) as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        clock.advance(BUSY_SECONDS + 1)
        connection = client._live(host.peer_id)
        assert connection is not None
        connection._heart._checked_at = clock.monotonic()
        connection._heart._heard_at = clock.monotonic() - 2.0
        await channel.send(step(1))
        client.check()
        assert not channel.closed


async def test_a_peer_that_is_gone_is_told_once_its_last_connection_has_ended() -> None:
    gone: list[PeerId] = []
    listening = Endpoint(
        new_identity(),
        listen=("127.0.0.1", 0),
        handlers={"hop": echo},
        clock=SystemClock(),
        on_peer_gone=gone.append,
    )
    async with listening as host:
        async with make() as client:
            await client.open_channel(host.peer_id, [host.address], "hop")
            await until(lambda: bool(host.connections()))
            assert gone == []
        await until(lambda: gone == [client.peer_id])
    assert gone == [client.peer_id]


async def test_heartbeats_keep_an_idle_connection() -> None:
    clock = VirtualClock()
    async with make(on(echo), clock=clock) as host, make(clock=clock) as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        for _ in range(10):
            due = {one: one.connections()[0].bytes_received + 1 for one in (client, host)}
            clock.advance(1.0)
            client.check()
            host.check()
            for one, due_bytes in due.items():
                await until(partial(has_received, one, due_bytes))
        assert not channel.closed
        (status,) = client.connections()
        assert status.round_trip_seconds is not None


async def test_who_acknowledges_is_there() -> None:
    """A host that only takes steps, and hands them on to another one, is heard by that."""
    clock = VirtualClock()

    async def takes(channel: Channel) -> None:
        while True:
            await channel.receive()

    async with make(on(takes)) as host, make(clock=clock) as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        connection = client._live(host.peer_id)
        assert connection is not None
        for number in range(4):
            clock.advance(0.2)
            await channel.send(step(number))
            await until(lambda: connection._heart._heard_at == clock.monotonic())


async def test_waking_from_sleep_gives_the_others_a_chance_to_be_heard() -> None:
    clock = VirtualClock()
    async with make(on(echo)) as host, make(clock=clock) as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        clock.advance(3600.0)
        client.check()
        await channel.send(step(1))
        assert await channel.receive() == step(1)


# ── who is kept out ──────────────────────────────────────────────────────────


async def test_after_too_much_bad_input_a_peer_is_cut_off_and_refused_for_a_minute() -> None:
    clock = VirtualClock()
    async with make(on(echo), clock=clock) as host, make() as bad, make() as good:
        spared = await good.open_channel(host.peer_id, [host.address], "hop")
        cut = await bad.open_channel(host.peer_id, [host.address], "hop")
        await cut.send(step(1))
        await cut.receive()
        for _ in range(MAX_BAD_INPUTS):
            host.report_bad_input(bad.peer_id, "a test says so")
        with pytest.raises(PeerLost, match="bad input"):
            await cut.receive()
        with pytest.raises(PeerLost, match="refused for another 60 seconds"):
            await bad.open_channel(host.peer_id, [host.address], "hop")
        with pytest.raises(PeerLost, match="is not dialled"):
            await host.open_channel(bad.peer_id, [bad.address], "hop")
        await spared.send(step(2))
        assert await spared.receive() == step(2)

        clock.advance(REFUSED_SECONDS + 1)
        again = await bad.open_channel(host.peer_id, [host.address], "hop")
        await again.send(step(3))
        assert await again.receive() == step(3)
