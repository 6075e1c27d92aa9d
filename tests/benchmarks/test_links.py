"""A link that takes its time, loses datagrams, and can be cut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from benchmarks.links import Link

SOON_SECONDS = 2.0


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


class Dialler(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue(maxsize=100)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.put_nowait(data)


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    async with Link(transport.get_extra_info("sockname"), delay_seconds=0.03) as link:
        yield link
        transport.close()


async def dial(link: Link) -> tuple[asyncio.DatagramTransport, Dialler]:
    host, port = link.address.split(":")
    return await asyncio.get_running_loop().create_datagram_endpoint(
        Dialler, remote_addr=(host, int(port))
    )


async def heard(dialler: Dialler) -> bytes:
    async with asyncio.timeout(SOON_SECONDS):
        return await dialler.heard.get()


async def test_there_and_back_takes_both_delays_and_each_dialler_hears_its_own(link: Link) -> None:
    one, here = await dial(link)
    other, there = await dial(link)
    began = time.monotonic()
    one.sendto(b"one")
    other.sendto(b"other")
    assert (await heard(here), await heard(there)) == (b"one", b"other")
    assert time.monotonic() - began >= 0.06
    assert link.passed == 4
    one.close()
    other.close()


async def test_a_cut_link_says_nothing_until_it_is_whole_again(link: Link) -> None:
    transport, dialler = await dial(link)
    link.is_cut = True
    transport.sendto(b"lost")
    await asyncio.sleep(0.1)
    link.is_cut = False
    transport.sendto(b"found")
    assert await heard(dialler) == b"found"
    transport.close()


async def test_some_get_lost(link: Link) -> None:
    link.loss = 0.5
    transport, dialler = await dial(link)
    for number in range(60):
        transport.sendto(bytes([number]))
    await asyncio.sleep(0.2)
    assert 0 < dialler.heard.qsize() < 40
    transport.close()
