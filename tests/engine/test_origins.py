"""What one origin can do wrong, and what it is called; see app/engine/origins.py."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from app.clock import SystemClock
from app.engine.origins import CHUNK_BYTES, OriginFault, OriginReader, Severity, origin_name
from tests.helpers.clocks import FakeClock
from tests.helpers.origin import (
    Behaviour,
    Origin,
    answering,
    breaking_off_after,
    source_file,
    stalling_after,
    too_little,
    too_much,
    whole_file,
    with_headers,
    wrong_bytes,
)

SOURCE = source_file()


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with Origin(SOURCE) as running:
        yield running


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[OriginReader]:
    async with OriginReader(tmp_path, clock=SystemClock(), stall_seconds=60.0) as running:
        yield running


class Taken:
    """Collects what a reader hands over."""

    def __init__(self) -> None:
        self.data = b""

    async def __call__(self, chunk: bytes) -> None:
        assert 0 < len(chunk) <= CHUNK_BYTES
        self.data += chunk


async def test_exactly_the_range_arrives(origin: Origin, reader: OriginReader) -> None:
    taken = Taken()
    assert await reader.read(origin.url, 100, 555, taken, file_bytes=len(SOURCE)) == len(SOURCE)
    assert taken.data == SOURCE[100:655]
    assert origin.requests == ["bytes=100-654"]


async def test_the_size_is_learnt_when_nobody_knows_it(
    origin: Origin, reader: OriginReader
) -> None:
    taken = Taken()
    assert await reader.read(origin.url, 0, 1 << 20, taken) == len(SOURCE)
    assert taken.data == SOURCE


@pytest.mark.parametrize(
    ("behaviour", "severity", "words"),
    [
        (whole_file, "ever", "ignores range requests"),
        (too_much, "ever", "more bytes than it was asked for"),
        (too_little, "again", "too early"),
        (breaking_off_after(50), "again", "too early"),
        (answering(404), "now", "status 404"),
        (answering(416), "now", "status 416"),
        (answering(500), "again", "error 500"),
        (answering(206), "ever", "does not say which range"),
        (with_headers(Content_Range="bytes 0-1/2-3"), "ever", "does not say which range"),
        (with_headers(Content_Range="bytes 101-655/12064"), "ever", "another range"),
        (with_headers(Content_Range="bytes 100-655/12064"), "ever", "another range"),
        (with_headers(Content_Range="bytes 100-654/99"), "ever", "has a file of 99 bytes"),
        (with_headers(Content_Encoding="gzip"), "ever", "encodes the bytes"),
        (answering(302, Location="/again"), "now", "redirects without end"),
        (answering(302, Location="ftp://127.0.0.1/x"), "now", "redirects to no web address"),
    ],
)
async def test_each_fault_has_a_name_and_a_severity(
    origin: Origin, reader: OriginReader, behaviour: Behaviour, severity: Severity, words: str
) -> None:
    origin.always = behaviour
    with pytest.raises(OriginFault, match=words) as fault:
        await reader.read(origin.url, 100, 555, Taken(), file_bytes=len(SOURCE))
    assert fault.value.severity == severity


async def test_silence_is_a_fault_that_may_pass(origin: Origin, tmp_path: Path) -> None:
    origin.always = stalling_after(50)
    # The clock stands still, so silence is never taken for slowness.
    async with OriginReader(tmp_path, clock=FakeClock(), stall_seconds=0.15) as reader:
        with pytest.raises(OriginFault, match=r"sent nothing for 0\.15 seconds") as fault:
            await reader.read(origin.url, 100, 555, Taken(), file_bytes=len(SOURCE))
    assert fault.value.severity == "again"


async def test_a_redirect_is_followed(origin: Origin, reader: OriginReader) -> None:
    origin.behaviours.append(answering(302, Location="/elsewhere"))
    taken = Taken()
    await reader.read(origin.url, 0, 10, taken, file_bytes=len(SOURCE))
    assert taken.data == SOURCE[:10]


async def test_what_arrived_before_a_fault_was_handed_over(
    origin: Origin, reader: OriginReader
) -> None:
    origin.always = breaking_off_after(50)
    taken = Taken()
    with pytest.raises(OriginFault):
        await reader.read(origin.url, 100, 555, taken, file_bytes=len(SOURCE))
    assert taken.data == SOURCE[100:150]


async def test_an_origin_may_ask_for_patience(origin: Origin, reader: OriginReader) -> None:
    origin.behaviours += [answering(429, Retry_After="7"), answering(503, Retry_After="999999")]
    for seconds in (7.0, 300.0):
        with pytest.raises(OriginFault) as fault:
            await reader.read(origin.url, 0, 10, Taken(), file_bytes=len(SOURCE))
        assert fault.value.retry_after_seconds == seconds


async def test_single_bytes_that_keep_the_line_open_are_a_stall(
    origin: Origin, tmp_path: Path
) -> None:
    clock = FakeClock()

    async def drip(origin: Origin, request: web.Request) -> web.StreamResponse:
        first, last = origin.asked_range(request)
        response = web.StreamResponse(status=206, headers=origin.head(first, last))
        response.content_length = last + 1 - first
        await response.prepare(request)
        for position in range(first, last + 1):
            clock.now += 1.0
            await response.write(origin.source[position : position + 1])
            await received.wait_for(position - first + 1)
        return response

    received = _Received()
    origin.always = drip
    async with OriginReader(tmp_path, clock=clock, stall_seconds=60.0) as reader:
        with pytest.raises(OriginFault, match="too slow"):
            await reader.read(origin.url, 0, 100, received, file_bytes=len(SOURCE))
    assert 60 <= len(received.data) <= 62


class _Received(Taken):
    """Lets the other side wait until something has arrived."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    async def __call__(self, chunk: bytes) -> None:
        await super().__call__(chunk)
        self._changed.set()

    async def wait_for(self, count: int) -> None:
        while len(self.data) < count:
            self._changed.clear()
            await self._changed.wait()


async def test_nobody_there_is_a_fault_that_may_pass(reader: OriginReader) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/model.gguf"
        with pytest.raises(OriginFault, match="cannot be reached") as fault:
            await reader.read(url, 0, 10, Taken())
    assert fault.value.severity == "again"


async def test_an_answer_that_is_not_http_is_a_fault(reader: OriginReader) -> None:
    async def babble(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        await incoming.readuntil(b"\r\n\r\n")  # so that the answer is one
        outgoing.write(b"\0\xff GGUF? no.\r\n\r\n")
        await outgoing.drain()
        outgoing.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OriginFault, match="not HTTP"):
            await reader.read(f"http://127.0.0.1:{port}/", 0, 10, Taken())


async def test_an_address_that_is_none_is_never_asked(reader: OriginReader) -> None:
    with pytest.raises(OriginFault) as fault:
        await reader.read("file:///etc/passwd", 0, 10, Taken())
    assert fault.value.severity == "ever"


# ── Potluck's own resources ──────────────────────────────────────────────────


async def test_a_resource_is_read_from_its_folder(tmp_path: Path, reader: OriginReader) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "guide.gguf").write_bytes(SOURCE)
    taken = Taken()
    size = await reader.read("resource:models/guide.gguf", 100, 555, taken, file_bytes=len(SOURCE))
    assert (size, taken.data) == (len(SOURCE), SOURCE[100:655])


@pytest.mark.parametrize("name", ["absent.gguf", "models"])
async def test_a_resource_that_cannot_be_read_is_a_fault(
    tmp_path: Path, reader: OriginReader, name: str
) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(OriginFault, match=r"cannot be read|ends|another size") as fault:
        await reader.read(f"resource:{name}", 0, 10, Taken(), file_bytes=20)
    assert fault.value.severity == "now"


async def test_a_resource_of_another_size_is_a_fault(tmp_path: Path, reader: OriginReader) -> None:
    (tmp_path / "guide.gguf").write_bytes(b"short")
    with pytest.raises(OriginFault, match="another size"):
        await reader.read("resource:guide.gguf", 0, 5, Taken(), file_bytes=6)


async def test_a_link_out_of_the_resources_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "link").symlink_to(tmp_path / "secret")
    async with OriginReader(
        tmp_path / "resources", clock=SystemClock(), stall_seconds=60.0
    ) as reader:
        with pytest.raises(OriginFault, match="leads out"):
            await reader.read("resource:link", 0, 6, Taken())


async def test_wrong_bytes_look_right_to_a_reader(origin: Origin, reader: OriginReader) -> None:
    """Only a hash finds them out: that is the downloader's part."""
    origin.always = wrong_bytes
    taken = Taken()
    await reader.read(origin.url, 100, 555, taken, file_bytes=len(SOURCE))
    assert taken.data != SOURCE[100:655]


def test_origins_are_called_by_their_host() -> None:
    assert origin_name("https://example.org:8443/a/b.gguf?download=true") == "example.org:8443"
    assert origin_name("resource:models/guide.gguf") == "resource:models/guide.gguf"
