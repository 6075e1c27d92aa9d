"""A source file with units, and a web server on loopback that misbehaves on request."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType

from aiohttp import web
from aiohttp.test_utils import TestServer

from app.engine.manifest import Manifest, UnitEntry, padding
from app.engine.slicing import ByteRange

ALIGNMENT = 32
HEADER_BYTES = 64

Behaviour = Callable[["Origin", web.Request], Awaitable[web.StreamResponse]]


def source_file(*, units: int = 4, seed: int = 1, unit_bytes: int = 3000) -> bytes:
    """Bytes of a made-up file: a header and room for so many units."""
    return random.Random(seed).randbytes(HEADER_BYTES + units * unit_bytes)


def unit_payload(source: bytes, ranges: list[ByteRange]) -> bytes:
    """What a unit of these ranges holds, written as the definition says it."""
    payload = b""
    for part in ranges:
        payload += source[part.offset : part.offset + part.length]
        payload += bytes(padding(part.length, ALIGNMENT))
    return payload


def unit_of(source: bytes, *ranges: tuple[int, int]) -> UnitEntry:
    """An entry with the right hash."""
    parts = [ByteRange(offset, length) for offset, length in ranges]
    payload = unit_payload(source, parts)
    return UnitEntry(hashlib.sha256(payload).digest(), len(payload), parts)


def manifest_of(source: bytes, urls: list[str], *, units: int = 4) -> Manifest:
    """A manifest over a made-up file: each unit is two ranges of odd lengths."""
    share = (len(source) - HEADER_BYTES) // units
    entries = []
    for unit in range(units):
        first = HEADER_BYTES + unit * share
        half = share // 2
        entries.append(unit_of(source, (first, half - 7), (first + half, half - 1)))
    return Manifest(
        name="made-up",
        title="Made up",
        architecture="llama",
        family="llama",
        licence="apache-2.0",
        block_count=units - 2,
        width=64,
        vocabulary_size=96,
        context_length=256,
        file_bytes=len(source),
        alignment=ALIGNMENT,
        header=source[:HEADER_BYTES],
        shared={},
        units=entries,
        urls=urls,
    )


class Origin:
    """Serves one file by range; `behaviours` are taken one a request, then it behaves."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.behaviours: deque[Behaviour] = deque()
        self.always: Behaviour | None = None
        self.requests: list[str] = []
        self.busy = 0
        self.most_busy = 0
        self._server: TestServer | None = None
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the file lies."""
        assert self._server is not None
        return str(self._server.make_url("/model.gguf"))

    @property
    def name(self) -> str:
        """What a person calls this origin."""
        assert self._server is not None
        return f"{self._server.host}:{self._server.port}"

    async def hang(self) -> None:
        """Send nothing for as long as the server lives."""
        await self._closing.wait()

    def asked_range(self, request: web.Request) -> tuple[int, int]:
        """First and last position asked for."""
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["Range"])
        assert match is not None
        return int(match[1]), min(int(match[2]), len(self.source) - 1)

    def head(self, first: int, last: int) -> dict[str, str]:
        """The header of an honest answer."""
        return {"Content-Range": f"bytes {first}-{last}/{len(self.source)}"}

    async def honest(self, request: web.Request) -> web.StreamResponse:
        """The answer as it should be."""
        first, last = self.asked_range(request)
        body = self.source[first : last + 1]
        return web.Response(status=206, body=body, headers=self.head(first, last))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.headers.get("Range", ""))
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            if self.behaviours:
                return await self.behaviours.popleft()(self, request)
            return await (self.always or Origin.honest)(self, request)
        finally:
            self.busy -= 1

    async def __aenter__(self) -> Origin:
        application = web.Application()
        application.router.add_get("/{anything:.*}", self._answer)
        self._server = TestServer(application, host="127.0.0.1")
        await self._server.start_server()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        assert self._server is not None
        await self._server.close()


def answering(status: int, **headers: str) -> Behaviour:
    """An answer with this status and no file."""

    async def behaviour(origin: Origin, request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status, headers={key.replace("_", "-"): text for key, text in headers.items()}
        )

    return behaviour


def with_headers(**headers: str) -> Behaviour:
    """The honest answer, but with these header lines instead."""

    async def behaviour(origin: Origin, request: web.Request) -> web.StreamResponse:
        first, last = origin.asked_range(request)
        lines = origin.head(first, last)
        lines.update({key.replace("_", "-"): text for key, text in headers.items()})
        return web.Response(status=206, body=origin.source[first : last + 1], headers=lines)

    return behaviour


async def whole_file(origin: Origin, request: web.Request) -> web.StreamResponse:
    """Ignores Range."""
    return web.Response(status=200, body=origin.source)


async def wrong_bytes(origin: Origin, request: web.Request) -> web.StreamResponse:
    """As long as it should be, but one bit is not the file's."""
    first, last = origin.asked_range(request)
    body = bytearray(origin.source[first : last + 1])
    body[len(body) // 2] ^= 1
    return web.Response(status=206, body=bytes(body), headers=origin.head(first, last))


async def too_much(origin: Origin, request: web.Request) -> web.StreamResponse:
    """Streams on after the range, without having announced a length."""
    first, last = origin.asked_range(request)
    response = web.StreamResponse(status=206, headers=origin.head(first, last))
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(origin.source[first : last + 1] + b"more")
    await response.write_eof()
    return response


async def too_little(origin: Origin, request: web.Request) -> web.StreamResponse:
    """Ends properly, but early."""
    first, last = origin.asked_range(request)
    response = web.StreamResponse(status=206, headers=origin.head(first, last))
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(origin.source[first : first + (last - first) // 2])
    await response.write_eof()
    return response


def breaking_off_after(count: int) -> Behaviour:
    """Closes the connection after so many bytes."""

    async def behaviour(origin: Origin, request: web.Request) -> web.StreamResponse:
        first, last = origin.asked_range(request)
        response = web.StreamResponse(status=206, headers=origin.head(first, last))
        response.content_length = last + 1 - first
        await response.prepare(request)
        await response.write(origin.source[first : min(first + count, last)])
        assert request.transport is not None
        request.transport.close()
        return response

    return behaviour


def stalling_after(count: int) -> Behaviour:
    """Sends so many bytes and then nothing more, with the connection open."""

    async def behaviour(origin: Origin, request: web.Request) -> web.StreamResponse:
        first, last = origin.asked_range(request)
        response = web.StreamResponse(status=206, headers=origin.head(first, last))
        response.content_length = last + 1 - first
        await response.prepare(request)
        await response.write(origin.source[first : min(first + count, last)])
        await origin.hang()
        return response

    return behaviour
