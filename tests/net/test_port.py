"""The socket: noise harms nothing, and unfinished handshakes take no room from others."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clock import Clock, SystemClock
from app.net.addresses import parse_address
from app.net.connection import Connection
from app.net.crowding import MAX_HALF_OPEN
from app.net.endpoint import RETRY_FROM_HALF_OPEN, Endpoint
from app.net.identity import new_identity
from app.net.port import Port
from app.net.quic import APPLICATION_PROTOCOL, Address
from tests.helpers.virtual_clock import VirtualClock
from tests.net.contract import echo, on, step


def endpoint(clock: Clock | None = None) -> Endpoint:
    return Endpoint(
        new_identity(), listen=("127.0.0.1", 0), handlers=on(echo), clock=clock or SystemClock()
    )


def first_datagram() -> bytes:
    """The first datagram of an honest dialler that then says nothing more."""
    dialler = QuicConnection(configuration=QuicConfiguration(alpn_protocols=[APPLICATION_PROTOCOL]))
    dialler.connect(("127.0.0.1", 1), now=0.0)
    return dialler.datagrams_to_send(now=0.0)[0][0]


async def talk(host: Endpoint, client: Endpoint) -> None:
    channel = await client.open_channel(host.peer_id, [host.address], "hop")
    await channel.send(step(1))
    assert await channel.receive() == step(1)
    await channel.close()


class Noise:
    """A socket that sends whatever it is told, and sees what comes back."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.target = parse_address(address)

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, self.target)

    def answers(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(65536))
            except BlockingIOError:
                return found


@pytest.fixture
def noise() -> object:
    opened: list[Noise] = []

    def open_noise(address: str) -> Noise:
        opened.append(Noise(address))
        return opened[-1]

    yield open_noise
    for one in opened:
        one.socket.close()


OpenNoise = Callable[[str], Noise]


async def test_random_datagrams_harm_nobody(noise: OpenNoise) -> None:
    async with endpoint() as host, endpoint() as client:
        await talk(host, client)
        stranger = noise(host.address)
        for size in (0, 1, 7, 21, 100, 1199, 1200, 1500, 9000):
            for first_byte in (0x00, 0x40, 0x7F, 0x80, 0xC0, 0xC3, 0xD0, 0xF0, 0xFF):
                stranger.send((bytes([first_byte]) + os.urandom(size))[:size])
        await talk(host, client)
        assert len(host.connections()) == 1
        assert len(host._half_open()) == 0


async def test_a_first_datagram_that_cannot_be_read_leaves_nothing_behind(
    noise: OpenNoise,
) -> None:
    async with endpoint() as host, endpoint() as client:
        stranger = noise(host.address)
        for _ in range(2 * MAX_HALF_OPEN):
            head = bytes([0xC0]) + (1).to_bytes(4, "big") + b"\x08" + os.urandom(8) + b"\x00\x00"
            stranger.send((head + b"\x44\x00" + os.urandom(1300))[:1250])
        await talk(host, client)
        assert len(host._half_open()) == 0
        assert len(host._port._connections) < 20


async def test_an_unknown_version_is_told_which_ones_there_are(noise: OpenNoise) -> None:
    async with endpoint() as host, endpoint() as client:
        stranger = noise(host.address)
        head = bytes([0xC0]) + b"\x1a\x2a\x3a\x4a" + b"\x08" + os.urandom(8) + b"\x08" + bytes(8)
        stranger.send(head + bytes(100))  # too small: an answer could be aimed at a victim
        await talk(host, client)
        assert stranger.answers() == []
        stranger.send(head + bytes(1200))
        await talk(host, client)
        (answer,) = stranger.answers()
        assert answer[1:5] == bytes(4)
        assert len(answer) < 100


async def test_many_unfinished_handshakes_make_a_dialler_show_its_address(
    noise: OpenNoise,
) -> None:
    # By a clock that stands still: no handshake is given up for taking long.
    async with endpoint(VirtualClock()) as host, endpoint() as client:
        stranger = noise(host.address)
        for _ in range(MAX_HALF_OPEN + 20):
            stranger.send(first_datagram())
        await talk(host, client)  # it answers the retry, so it gets in
        assert len(host._half_open()) == RETRY_FROM_HALF_OPEN
        retries = [answer for answer in stranger.answers() if answer[0] & 0xF0 == 0xF0]
        assert len(retries) >= MAX_HALF_OPEN - RETRY_FROM_HALF_OPEN


async def test_a_retry_token_made_up_is_ignored(noise: OpenNoise) -> None:
    async with endpoint() as host, endpoint() as client:
        dialler = QuicConnection(
            configuration=QuicConfiguration(
                alpn_protocols=[APPLICATION_PROTOCOL], token=os.urandom(80)
            )
        )
        dialler.connect(("127.0.0.1", 1), now=0.0)
        noise(host.address).send(dialler.datagrams_to_send(now=0.0)[0][0])
        await talk(host, client)
        assert len(host._half_open()) == 0


async def test_unfinished_handshakes_are_forgotten(noise: OpenNoise) -> None:
    clock = VirtualClock()
    async with endpoint(clock) as host, endpoint() as client:
        stranger = noise(host.address)
        for _ in range(4):
            stranger.send(first_datagram())
        await talk(host, client)
        assert len(host._half_open()) == 4
        clock.advance(5.0)
        host.check()
        assert len(host._half_open()) == 0


async def test_a_computer_whose_leaving_is_broken_off_keeps_no_socket() -> None:
    leaves = endpoint()
    await leaves.__aenter__()
    bound = leaves._port._socket
    assert bound is not None
    leaving = asyncio.create_task(leaves.__aexit__(None, None, None))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await asyncio.sleep(0)
    assert bound.fileno() == -1


async def test_a_name_is_looked_up_and_a_wrong_one_is_an_error() -> None:
    async with endpoint() as host:
        assert (await host._port.resolve("localhost:4000"))[1] == 4000
        with pytest.raises(OSError, match=r"."):
            await host._port.resolve("[::1]:4000")  # an IPv4 socket cannot go there


async def test_ipv6_works_where_the_computer_has_it() -> None:
    if not socket.has_ipv6 or not _can_bind("::1"):
        return  # nothing to try on this computer; the parsing is tested elsewhere
    host = Endpoint(new_identity(), listen=("::1", 0), handlers=on(echo), clock=SystemClock())
    client = Endpoint(new_identity(), listen=("::1", 0), handlers={}, clock=SystemClock())
    async with host, client:
        assert host.address.startswith("[::1]:")
        await talk(host, client)


def _can_bind(address: str) -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=1600))
def test_no_datagram_raises(data: bytes) -> None:
    answered: list[Address] = []

    def refuse(address: Address, dialled_id: bytes, retry_id: bytes | None) -> Connection | None:
        answered.append(address)
        return None

    port = Port(new_connection=refuse, wants_retry=lambda: False)
    port._take(data, ("192.0.2.1", 7))
    port._take(bytes([0xC0, 0, 0, 0, 1]) + data, ("192.0.2.1", 7))


async def test_fuzzed_datagrams_in_a_living_connection_do_not_end_it(noise: OpenNoise) -> None:
    async with endpoint() as host, endpoint() as client:
        await talk(host, client)
        stranger = noise(host.address)
        for connection_id in list(host._port._connections):
            for size in (0, 1, 20, 21, 40, 1200):
                for first_byte in (0x40, 0x5F, 0xC0, 0xE0, 0xF0):
                    if first_byte & 0x80:
                        head = bytes([first_byte]) + b"\0\0\0\1\x08" + connection_id + b"\0"
                    else:
                        head = bytes([first_byte]) + connection_id
                    stranger.send(head + os.urandom(size))
        await asyncio.sleep(0)
        await talk(host, client)
        assert len(host.connections()) == 1


class Meter:
    """A shaper that writes down what it is shown, and lets nothing be sent."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.taken: list[int] = []

    def sending(self, size: int) -> float | None:
        self.sent.append(size)
        return None

    def received(self, size: int) -> float | None:
        self.taken.append(size)
        return 0.0


def nobody(address: Address, dialled_id: bytes, retry_id: bytes | None) -> Connection | None:
    return None


async def test_what_never_leaves_this_computer_is_not_shown_to_the_shaper() -> None:
    meter = Meter()
    port = Port(new_connection=nobody, wants_retry=lambda: False, shaper=meter)
    await port.open("127.0.0.1", 0)
    try:
        for host in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
            port._arrived(b"to myself", (host, 7))
        port.send(b"to myself", ("127.0.0.1", 7))
        assert (meter.sent, meter.taken) == ([], [])
        for host in ("192.0.2.1", "10.0.0.3", "2001:db8::1", "::ffff:192.0.2.1"):
            port._arrived(b"from afar", (host, 7))
            port.send(b"afar", (host, 7))
        assert (meter.sent, meter.taken) == ([4] * 4, [9] * 4)
    finally:
        port.close()


async def test_whoever_measures_on_one_computer_sees_loopback_too() -> None:
    meter = Meter()
    port = Port(new_connection=nobody, wants_retry=lambda: False, shaper=meter, shape_loopback=True)
    await port.open("127.0.0.1", 0)
    try:
        port._arrived(b"to myself", ("127.0.0.1", 7))
        port.send(b"self", ("127.0.0.1", 7))
        assert (meter.sent, meter.taken) == ([4], [9])
    finally:
        port.close()
