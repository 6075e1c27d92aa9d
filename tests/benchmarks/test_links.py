"""A link that takes its time, loses datagrams, and can be cut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from benchmarks.links import Link

SOON_SECONDS = 30.0


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

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


@asynccontextmanager
async def dialling(link: Link) -> AsyncIterator[tuple[asyncio.DatagramTransport, Dialler]]:
    host, port = link.address.split(":")
    loop = asyncio.get_running_loop()
    transport, dialler = await loop.create_datagram_endpoint(Dialler, remote_addr=(host, int(port)))
    yield transport, dialler
    transport.close()


async def heard(dialler: Dialler) -> bytes:
    async with asyncio.timeout(SOON_SECONDS):
        return await dialler.heard.get()


async def test_there_and_back_takes_both_delays_and_each_dialler_hears_its_own(link: Link) -> None:
    async with dialling(link) as (one, here), dialling(link) as (other, there):
        began = time.monotonic()
        one.sendto(b"one")
        other.sendto(b"other")
        assert (await heard(here), await heard(there)) == (b"one", b"other")
        assert time.monotonic() - began >= 0.06
        assert link.passed == 4


async def test_a_cut_link_says_nothing_until_it_is_whole_again(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, came = link.later, asyncio.Event()

    def watched(*given: Any) -> None:
        later(*given)
        came.set()

    monkeypatch.setattr(link, "later", watched)
    link.is_cut = True
    async with dialling(link) as (transport, dialler):
        transport.sendto(b"lost")
        await came.wait()
        link.is_cut = False
        transport.sendto(b"found")
        assert await heard(dialler) == b"found"


async def test_a_link_that_leads_elsewhere_does_so_for_those_who_dialled_before(link: Link) -> None:
    loop = asyncio.get_running_loop()
    there, elsewhere = await loop.create_datagram_endpoint(Dialler, local_addr=("127.0.0.1", 0))
    async with dialling(link) as (transport, dialler):
        transport.sendto(b"before")
        assert await heard(dialler) == b"before"
        link.lead_to(there.get_extra_info("sockname"))
        transport.sendto(b"after")
        assert await heard(elsewhere) == b"after"
    there.close()


async def test_some_get_lost(link: Link) -> None:
    link.loss = 0.5
    async with dialling(link) as (transport, dialler):
        for number in range(60):
            transport.sendto(bytes([number]))
        await heard(dialler)
        await asyncio.sleep(0.2)
        assert dialler.heard.qsize() < 40
