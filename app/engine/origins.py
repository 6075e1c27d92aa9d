"""Reads a stretch of bytes from where a model's file lies, and believes nothing.

An origin is a web server that answers range requests, or Potluck's own resources
folder. Whatever it does wrong becomes an `OriginFault` that says how bad it is;
which origin to ask next is decided by the counterpart, `app/engine/download.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, ParamSpec, TypeVar
from urllib.parse import urlsplit

import aiohttp

from app.clock import Clock
from app.engine.manifest import RESOURCE, check_url
from app.errors import BadInput

CHUNK_BYTES: Final = 256 << 10
"""The most that is taken from a socket or a file at a time."""
CONNECT_SECONDS: Final = 10.0
MAX_REDIRECTS: Final = 5
MAX_CONNECTIONS: Final = 4
"""Two units at once, and room for a connection that is just closing."""
MIN_BYTES_PER_SECOND: Final = 1024
"""Slower than this is a stall: some origins keep a connection alive with single bytes."""
MAX_RETRY_AFTER_SECONDS: Final = 300.0

_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")

Severity = Literal["again", "now", "ever"]
"""Worth another try later; not during this download; never again, for it misbehaves."""
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Take = Callable[[bytes], Awaitable[None]]


class OriginFault(Exception):
    """One origin did not deliver.

    Attributes:
        reason: what it did, as the end of a sentence that starts with its name.
        severity: whether and when it may be asked again.
        retry_after_seconds: how long it asked us to wait, or 0.
    """

    def __init__(
        self, reason: str, *, severity: Severity = "again", retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.severity = severity
        self.retry_after_seconds = retry_after_seconds


class OriginReader:
    """Reads ranges; use it between `async with` and its end.

    Args:
        resources: Potluck's own resources folder, for `resource:` addresses.
        stall_seconds: how long an origin may send nothing, or next to nothing.
    """

    def __init__(self, resources: Path, *, clock: Clock, stall_seconds: float) -> None:
        self._resources = resources
        self._clock = clock
        self._stall_seconds = stall_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> OriginReader:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "potluck"},
            read_bufsize=CHUNK_BYTES,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=self._stall_seconds
            ),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def read(
        self, url: str, first: int, length: int, take: Take, *, file_bytes: int | None = None
    ) -> int:
        """Hand `length` bytes from position `first` to `take`, in order; the file's size.

        `take` is awaited for each chunk, at most `CHUNK_BYTES`, before the next is
        read. Without `file_bytes` the size is learnt from the origin, and a file
        that ends early yields fewer bytes. Cancelling closes the connection.

        Raises:
            OriginFault: the origin did not deliver exactly that.
        """
        try:
            check_url(url)
        except BadInput as error:
            raise OriginFault(str(error), severity="ever") from None
        if url.startswith(RESOURCE):
            return await self._read_resource(url, first, length, take, file_bytes)
        return await self._read_http(url, first, length, take, file_bytes)

    async def _read_http(
        self, url: str, first: int, length: int, take: Take, file_bytes: int | None
    ) -> int:
        if self._session is None:
            raise RuntimeError("the reader is used outside of its async with")
        try:
            # A timeout of our own: an origin that trickles its header never trips aiohttp's.
            async with asyncio.timeout(2 * self._stall_seconds):
                response = await self._session.get(
                    url,
                    headers={"Range": f"bytes={first}-{first + length - 1}"},
                    max_redirects=MAX_REDIRECTS,
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _connection_fault(error, self._stall_seconds) from None
        async with response:
            length, total = _checked_answer(response, first, length, file_bytes)
            await self._take_body(response.content, length, take)
        return total

    async def _take_body(self, content: aiohttp.StreamReader, length: int, take: Take) -> None:
        left, slow_bytes, slow_seconds = length, 0, 0.0
        while True:
            asked = self._clock.monotonic()
            try:
                async with asyncio.timeout(self._stall_seconds):
                    chunk = await content.read(CHUNK_BYTES)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise _connection_fault(error, self._stall_seconds) from None
            if len(chunk) > left:
                raise OriginFault("sends more bytes than it was asked for", severity="ever")
            if not chunk:
                break
            left -= len(chunk)
            # Only time spent waiting for the origin counts, not our own speed limit's.
            slow_bytes += len(chunk)
            slow_seconds += self._clock.monotonic() - asked
            await take(chunk)
            if slow_seconds >= self._stall_seconds:
                if slow_bytes < slow_seconds * MIN_BYTES_PER_SECOND:
                    raise OriginFault("is too slow")
                slow_bytes, slow_seconds = 0, 0.0
        if left:
            raise OriginFault("ended the answer too early")

    async def _read_resource(
        self, url: str, first: int, length: int, take: Take, file_bytes: int | None
    ) -> int:
        root = self._resources.resolve()
        path = (root / url.removeprefix(RESOURCE)).resolve()
        if not path.is_relative_to(root):
            raise OriginFault("leads out of Potluck's own resources", severity="ever")
        total = await _in_file(_size_of, path)
        if file_bytes not in (None, total):
            raise OriginFault("is a file of another size", severity="now")
        last = min(first + length, total)
        while first < last:
            chunk = await _in_file(_read_at, path, first, min(last - first, CHUNK_BYTES))
            if not chunk:
                raise OriginFault("became shorter while it was read", severity="now")
            first += len(chunk)
            await take(chunk)
        return total


def origin_name(url: str) -> str:
    """What people call an origin: its host, or the address itself for a resource."""
    return url if url.startswith(RESOURCE) else urlsplit(url).netloc


async def _in_file(
    work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        raise OriginFault(f"cannot be read ({error.strerror or error})", severity="now") from None


def _size_of(path: Path) -> int:
    return path.stat().st_size


def _read_at(path: Path, first: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(first)
        return file.read(length)


def _checked_answer(
    response: aiohttp.ClientResponse, first: int, length: int, file_bytes: int | None
) -> tuple[int, int]:
    """How many bytes will follow and the whole file's size, if the answer is as asked."""
    status = response.status
    if status == 200:
        raise OriginFault("ignores range requests and would send the whole file", severity="ever")
    if status in (408, 425, 429) or status >= 500:
        raise OriginFault(
            f"answers with error {status}", retry_after_seconds=_retry_after(response)
        )
    if status != 206:
        raise OriginFault(f"answers with status {status}", severity="now")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise OriginFault("encodes the bytes although it was asked not to", severity="ever")
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        raise OriginFault("does not say which range it sends", severity="ever")
    total = file_bytes if match[3] == "*" else int(match[3])
    if total is None:
        raise OriginFault("does not say how large the file is", severity="ever")
    if file_bytes not in (None, total):
        raise OriginFault(f"has a file of {total:,} bytes, not {file_bytes:,}", severity="ever")
    last = min(first + length, total) - 1
    if (int(match[1]), int(match[2])) != (first, last):
        raise OriginFault("sends another range than it was asked for", severity="ever")
    if response.content_length not in (None, last + 1 - first):
        raise OriginFault("announces another length than it was asked for", severity="ever")
    return last + 1 - first, total


def _retry_after(response: aiohttp.ClientResponse) -> float:
    text = response.headers.get("Retry-After", "")
    seconds = float(text) if re.fullmatch(r"\d{1,6}", text) else 0.0
    return min(seconds, MAX_RETRY_AFTER_SECONDS)


def _connection_fault(error: Exception, stall_seconds: float) -> OriginFault:
    if isinstance(error, aiohttp.TooManyRedirects):
        return OriginFault("redirects without end", severity="now")
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return OriginFault("redirects to no web address", severity="now")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return OriginFault("cannot be reached in time")
    if isinstance(error, TimeoutError):
        return OriginFault(f"sent nothing for {stall_seconds:g} seconds")
    if isinstance(error, aiohttp.ClientPayloadError):
        return OriginFault("ended the answer too early")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return OriginFault("has a certificate that is not valid", severity="now")
    if isinstance(error, aiohttp.ClientConnectorError):
        return OriginFault("cannot be reached")
    if isinstance(error, aiohttp.ClientResponseError):
        return OriginFault("sent an answer that is not HTTP")
    return OriginFault(f"broke off ({type(error).__name__})")
