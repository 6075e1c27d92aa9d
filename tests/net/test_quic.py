"""The QUIC line: who is believed to listen, and how much a stranger can make us keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509

from app.clock import SystemClock
from app.errors import PeerLost
from app.net.certificates import self_signed_certificate
from app.net.channel import Channel
from app.net.endpoint import Endpoint
from app.net.identity import Identity, new_identity
from app.net.quic import (
    APPLICATION_PROTOCOL,
    CONNECTION_WINDOW_BYTES,
    LONE_ACKNOWLEDGEMENT_SECONDS,
    STREAM_WINDOW_BYTES,
    UNPROVEN_WINDOW_BYTES,
    BoundedConnection,
    ListenConfigurations,
    dial_configuration,
)
from tests.helpers.raw_dialler import RawDialler
from tests.net.contract import echo, on, step, until


def endpoint() -> Endpoint:
    return Endpoint(new_identity(), listen=("127.0.0.1", 0), handlers=on(echo), clock=SystemClock())


@asynccontextmanager
async def impostor(key: Identity, *certificates: x509.Certificate) -> AsyncIterator[str]:
    """A QUIC server that shows these certificates and signs with `key`."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=[APPLICATION_PROTOCOL])
    configuration.certificate, *configuration.certificate_chain = certificates
    configuration.private_key = key.private_key
    server = await serve("127.0.0.1", 0, configuration=configuration)
    assert server._transport is not None
    host, port = server._transport.get_extra_info("sockname")
    try:
        yield f"{host}:{port}"
    finally:
        server.close()


# ── who listens ──────────────────────────────────────────────────────────────


async def test_an_impostor_with_its_own_key_is_not_spoken_to() -> None:
    wanted, other = new_identity(), new_identity()
    own = self_signed_certificate(other.private_key)
    async with impostor(other, own) as address, endpoint() as client:
        with pytest.raises(PeerLost, match="answered by"):
            await client.open_channel(wanted.peer_id, [address], "hop")
        assert client.connections() == []


async def test_an_impostor_with_a_copy_of_the_certificate_is_not_spoken_to() -> None:
    wanted, other = new_identity(), new_identity()
    copied = self_signed_certificate(wanted.private_key)
    async with impostor(other, copied) as address, endpoint() as client:
        with pytest.raises(PeerLost, match="closed the connection"):
            await client.open_channel(wanted.peer_id, [address], "hop")
        assert client.connections() == []


async def test_an_impostor_with_both_certificates_is_not_spoken_to() -> None:
    # The wanted certificate rides along in the chain; only the first one counts.
    wanted, other = new_identity(), new_identity()
    own, copied = (self_signed_certificate(key.private_key) for key in (other, wanted))
    async with impostor(other, own, copied) as address, endpoint() as client:
        with pytest.raises(PeerLost, match="answered by"):
            await client.open_channel(wanted.peer_id, [address], "hop")


# ── what it can make us keep ─────────────────────────────────────────────────


def linked() -> tuple[BoundedConnection, BoundedConnection]:
    """A dialler and a listener, connected without a socket."""
    dialler = BoundedConnection(configuration=dial_configuration("127.0.0.1"))
    listener = BoundedConnection(
        configuration=ListenConfigurations(new_identity()).answer("127.0.0.1"),
        original_destination_connection_id=dialler.original_destination_connection_id,
    )
    dialler.connect(("127.0.0.1", 1), now=0.0)
    settle(dialler, listener)
    assert dialler._handshake_confirmed
    return dialler, listener


def settle(dialler: BoundedConnection, listener: BoundedConnection, *, now: float = 1.0) -> None:
    """Let datagrams flow until nothing moves, firing timers as they come due."""
    for turn in range(400):
        moment = now + turn * 0.002
        moved = False
        for sender, receiver, port in ((dialler, listener, 2), (listener, dialler, 1)):
            due_at = sender.get_timer()
            if due_at is not None and due_at <= moment:
                sender.handle_timer(now=moment)
            if not (sender is listener and not sender._network_paths):
                for data, _ in sender.datagrams_to_send(now=moment):
                    receiver.receive_datagram(data, ("127.0.0.1", port), now=moment)
                    moved = True
        if not moved and turn > 50:
            return


def drain(connection: BoundedConnection) -> None:
    while connection.next_event() is not None:
        pass


@pytest.mark.parametrize(
    ("proven", "least_bytes", "most_bytes"),
    [
        (False, UNPROVEN_WINDOW_BYTES // 2, UNPROVEN_WINDOW_BYTES),
        (True, STREAM_WINDOW_BYTES, CONNECTION_WINDOW_BYTES),
    ],
)
def test_a_stranger_that_leaves_gaps_cannot_make_us_keep_more_than_a_window(
    proven: bool, least_bytes: int, most_bytes: int
) -> None:
    dialler, listener = linked()
    if proven:
        listener.widen()
    settle(dialler, listener, now=5.0)
    moment = 10.0
    for stream in range(4, 4 + 4 * 30, 4):
        dialler.send_stream_data(stream, b"")  # open it
        sender = dialler._streams[stream].sender
        # Claim that everything up to the last byte of the window was sent, and send that one.
        allowed = min(
            dialler._streams[stream].max_stream_data_remote,
            dialler._remote_max_data - dialler._remote_max_data_used,
        )
        if allowed <= 1:
            break
        sender._buffer_start = sender._buffer_stop = sender.highest_offset = allowed - 1
        dialler._remote_max_data_used += allowed - 1
        dialler.send_stream_data(stream, b"x")
        settle(dialler, listener, now=moment)
        moment += 5.0
    buffered = sum(len(stream.receiver._buffer) for stream in listener._streams.values())
    assert least_bytes <= buffered <= most_bytes
    assert listener.buffered_bytes() <= most_bytes
    assert dialler.end_reason is None


def test_what_is_delivered_opens_the_windows_again() -> None:
    dialler, listener = linked()
    listener.widen()
    settle(dialler, listener, now=5.0)
    total = 3 * STREAM_WINDOW_BYTES
    dialler.send_stream_data(4, bytes(total))
    for turn in range(200):
        settle(dialler, listener, now=10.0 + turn)
        drain(listener)
        if listener._streams[4].receiver.starting_offset() == total:
            break
    assert listener._streams[4].receiver.starting_offset() == total
    assert listener._local_max_data.value <= total + CONNECTION_WINDOW_BYTES


def test_streams_in_one_direction_are_not_accepted() -> None:
    dialler, listener = linked()
    dialler.send_stream_data(2, b"x")
    settle(dialler, listener, now=5.0)
    assert dialler._remote_max_streams_uni == 0
    assert 2 not in listener._streams


# ── speed ────────────────────────────────────────────────────────────────────


def said(dialler: BoundedConnection, listener: BoundedConnection, *moments: float) -> None:
    """One datagram of a stream from dialler to listener at each of these moments."""
    for moment in moments:
        dialler.send_stream_data(4, b"a step")
        for data, _ in dialler.datagrams_to_send(now=moment):
            listener.receive_datagram(data, ("127.0.0.1", 2), now=moment)


def answered_at(listener: BoundedConnection, moment: float) -> int:
    """How many datagrams the listener has to send at this moment."""
    return len(listener.datagrams_to_send(now=moment))


def test_a_datagram_that_comes_alone_is_acknowledged_late() -> None:
    dialler, listener = linked()
    settle(dialler, listener, now=5.0)
    said(dialler, listener, 10.0, 10.006)
    assert answered_at(listener, 10.009) == 0
    assert answered_at(listener, 10.0101) == 1
    assert answered_at(listener, 10.05) == 0  # the second was acknowledged along with the first


def test_a_burst_is_acknowledged_at_once() -> None:
    dialler, listener = linked()
    settle(dialler, listener, now=5.0)
    said(dialler, listener, 10.0, 10.0001, 10.0002)
    assert answered_at(listener, 10.0012) == 1


def test_an_acknowledgement_goes_along_with_an_answer() -> None:
    dialler, listener = linked()
    settle(dialler, listener, now=5.0)
    said(dialler, listener, 10.0)
    listener.send_stream_data(4, b"a result")
    listener.acknowledge_along(10.002)
    assert answered_at(listener, 10.0021) == 1
    assert answered_at(listener, 10.02) == 0


def test_an_acknowledgement_comes_before_the_sender_thinks_its_datagram_lost() -> None:
    dialler, listener = linked()
    settle(dialler, listener, now=5.0)
    assert dialler._loss.max_ack_delay >= 2 * LONE_ACKNOWLEDGEMENT_SECONDS


async def at_rest(client: Endpoint, host: Endpoint) -> None:
    """Until what came in has been answered, and nothing is held back: the round trip that a busy
    computer measured says little of the line."""
    connection = client._live(host.peer_id)
    assert connection is not None
    await until(lambda: connection.line._flush is None)
    connection.line.quic._loss._pacer.packet_time = None


async def test_what_is_written_in_one_turn_of_the_loop_goes_out_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with endpoint() as host, endpoint() as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(step(0))
        await channel.receive()
        datagrams: list[int] = []
        send = client._port.send

        def count(data: bytes, address: object) -> None:
            datagrams.append(len(data))
            send(data, address)  # type: ignore[arg-type]

        monkeypatch.setattr(client._port, "send", count)
        await at_rest(client, host)
        datagrams.clear()
        for position in range(8):
            await channel.send(step(position, 100))
        await asyncio.sleep(0)
        assert len(datagrams) == 2  # the first at once, the other seven together


async def test_a_message_leaves_before_send_returns() -> None:
    async with endpoint() as host, endpoint() as client:
        channel: Channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(step(0))
        await channel.receive()
        await at_rest(client, host)
        before = client.connections()[0].bytes_sent
        await channel.send(step(1))
        assert client.connections()[0].bytes_sent > before + 1000


async def test_a_raw_dialler_is_only_a_test_tool() -> None:
    # The hostile tests lean on it: it must be able to behave, too.
    async with endpoint() as host, RawDialler.to(host.address) as raw:
        await raw.proven(new_identity(), host.peer_id)
        raw.open(4)
