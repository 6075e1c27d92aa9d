"""Fetches a model's units from where its manifest says they lie.

Bytes come from any origin and are believed only when a unit's hash is right; an
origin that sent wrong bytes is named and never asked again. What arrives is kept
at every step, so that a stopped or failed download goes on where it was. The
counterparts are `app/engine/origins.py`, which reads one range from one origin,
and `app/engine/store.py`, which keeps what arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, TypeVar
from weakref import WeakValueDictionary

from app.clock import Clock, SystemClock
from app.engine.gguf_read import MAX_HEADER_BYTES, Header, NeedMore, parse_header
from app.engine.manifest import Manifest, UnitEntry, padding
from app.engine.origins import CHUNK_BYTES, OriginFault, OriginReader, origin_name
from app.engine.progress import Progress, ProgressMeter
from app.engine.store import PartialUnit, UnitStore
from app.errors import BadInput, DownloadFailed, PotluckError
from app.ids import Span
from app.layer_words import layers_of
from app.sentences import Sentence, say
from app.tasks import TaskOwner

UNITS_AT_ONCE: Final = 2
"""Enough to hide an origin's delays; more would only split a home connection."""
STALL_SECONDS: Final = 20.0
MAX_ATTEMPTS: Final = 5
"""How often in a row one origin may fail during one download."""
FIRST_BACK_OFF_SECONDS: Final = 1.0
MAX_BACK_OFF_SECONDS: Final = 60.0
FIRST_HEADER_BYTES: Final = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True)
class OriginStatus:
    """What has become of one origin, since the program started.

    A "waiting" origin failed and is asked again later, an "avoided" one sent wrong
    bytes or breaks the rules of HTTP and is never asked again.
    """

    url: str
    state: Literal["usable", "waiting", "avoided"]
    reason: str
    received_bytes: int


@dataclass
class _Origin:
    """What is remembered about one address."""

    url: str
    avoided: bool = False
    reason: str = ""
    not_before: float = 0.0
    received_bytes: int = 0


class Downloader:
    """Fetches units into a store; use it between `async with` and its end.

    Args:
        store: where units go.
        resources: Potluck's own resources folder, for `resource:` addresses.
        sleep: waits for seconds; together with `clock`, a test's to replace.
        jitter: a number from 0 to 1 that spreads retries of many computers.
        limit: awaited with the number of bytes after each piece received; it
            returns when more may be fetched.
        stall_seconds: how long an origin may send next to nothing.
    """

    def __init__(
        self,
        store: UnitStore,
        resources: Path,
        *,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        limit: Callable[[int], Awaitable[None]] | None = None,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._jitter = jitter
        self._limit = limit
        self._reader = OriginReader(resources, clock=self._clock, stall_seconds=stall_seconds)
        self._origins: dict[str, _Origin] = {}
        self._slots = asyncio.Semaphore(UNITS_AT_ONCE)
        self._unit_locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def __aenter__(self) -> Downloader:
        await self._reader.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._reader.__aexit__(kind, error, trace)

    async def fetch(
        self,
        manifest: Manifest,
        units: Iterable[int],
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Bring these units of a model here; returns when all are in the store.

        Two at once, in order. `progress` is called at the beginning and end of each
        unit and a few times a second in between. Cancelling keeps what has arrived.
        Several downloads may run at once, also of the same units.

        Raises:
            Refusal: there is no room ("over_quota", "disk_full").
            DownloadFailed: no origin delivered a unit; the text names each and why.
        """
        entries = {unit: manifest.units[unit] for unit in sorted(set(units))}
        await _in_thread(lambda: self._store.require_room(entries.values()))
        sizes = {unit: entry.size for unit, entry in entries.items()}
        job = _Job(manifest, list(entries), ProgressMeter(sizes, progress, self._clock))
        for unit, entry in entries.items():
            here = entry.size if self._store.has(entry) else self._store.partial_bytes(entry)
            job.meter.has(unit, here)
        async with TaskOwner(f"download of {manifest.name}") as owner:
            lanes = {
                owner.start(self._lane(job), name=f"lane {lane}")
                for lane in range(min(UNITS_AT_ONCE, len(entries)))
            }
            while lanes:
                ended, lanes = await asyncio.wait(lanes, return_when=asyncio.FIRST_COMPLETED)
                for lane in ended:
                    if (failure := lane.result()) is not None:
                        raise failure

    async def fetch_header(self, url: str) -> Header:
        """Read only the header of a GGUF file at an address; its `blob` is the bytes.

        Raises:
            DownloadFailed: the origin does not deliver.
            BadInput: what it delivers is no sound GGUF header.
        """
        data = bytearray()
        file_bytes: int | None = None
        wanted = FIRST_HEADER_BYTES
        attempts = 0

        async def take(chunk: bytes) -> None:
            data.extend(chunk)
            if self._limit is not None:
                await self._limit(len(chunk))

        while True:
            try:
                file_bytes = await self._reader.read(
                    url, len(data), wanted - len(data), take, file_bytes=file_bytes
                )
            except OriginFault as fault:
                attempts += 1
                if fault.severity != "again" or attempts >= MAX_ATTEMPTS:
                    raise DownloadFailed(f"{origin_name(url)} {fault.reason}.") from None
                await self._sleep(self._back_off(attempts, fault))
                continue
            try:
                return await _in_thread(lambda: parse_header(bytes(data), file_bytes))  # noqa: B023
            except NeedMore as more:
                wanted = min(max(more.at_least, 2 * len(data)), file_bytes, MAX_HEADER_BYTES)
            if wanted <= len(data):
                raise BadInput(f"the file at {origin_name(url)} ends within its own header")

    def origins(self) -> list[OriginStatus]:
        """Every address that was asked so far, and what became of it."""
        now = self._clock.monotonic()
        return [
            OriginStatus(
                url=origin.url,
                state="avoided"
                if origin.avoided
                else ("waiting" if origin.not_before > now else "usable"),
                reason=origin.reason,
                received_bytes=origin.received_bytes,
            )
            for origin in self._origins.values()
        ]

    # ── one unit ─────────────────────────────────────────────────────────────

    async def _lane(self, job: _Job) -> PotluckError | None:
        """Fetch units until none is left; the first failure, as a value."""
        while job.waiting:
            unit = job.waiting.pop(0)
            entry = job.manifest.units[unit]
            lock = self._unit_locks.setdefault(entry.sha256, asyncio.Lock())
            try:
                async with lock, self._slots:
                    await self._fetch_unit(job, unit, entry)
            except PotluckError as error:
                return error
        return None

    async def _fetch_unit(self, job: _Job, unit: int, entry: UnitEntry) -> None:
        if self._store.has(entry):
            job.meter.moved(unit, entry.size, "", always=True)
            return
        stop = threading.Event()
        part = await _in_thread(
            lambda: self._store.begin(entry, stopped=stop.is_set),
            on_cancel=stop.set,
            undo=PartialUnit.close,
        )
        try:
            job.meter.moved(unit, part.received_bytes, "", always=True)
            await self._fill(job, unit, part)
        finally:
            part.close()
        job.meter.moved(unit, entry.size, "", always=True)

    async def _fill(self, job: _Job, unit: int, part: PartialUnit) -> None:
        """Ask origin after origin until the unit is whole and right.

        When wrong bytes came from several hands nobody can be blamed, so the unit
        is fetched again from one origin alone: then a wrong hash names it.
        """
        hands: set[str] = {""} if part.received_bytes else set()
        current: str | None = None
        alone = False
        while True:
            if not part.missing_bytes:
                try:
                    await _in_thread(part.finish)
                except BadInput:
                    if len(hands) == 1 and current in hands:
                        self._avoid(
                            current, f"sent wrong bytes for {_layer_of(unit, job.manifest)}"
                        )
                    alone = True
                    hands.clear()
                    continue
                if current is not None:
                    job.failures.pop(current, None)
                return
            current = await self._choose(job, unit, prefer=current if alone else None)
            if alone and hands - {current}:
                part.restart()
                hands.clear()
            intake = _Intake(self, job, unit, part, current, hands)
            before = part.received_bytes
            try:
                await self._read_rest(job, unit, part, current, intake)
            except OriginFault as fault:
                intake.keep()
                if not alone and part.received_bytes - before >= CHUNK_BYTES:
                    job.failures.pop(current, None)
                self._note(job, current, fault)
            except asyncio.CancelledError:
                with contextlib.suppress(PotluckError):
                    intake.keep()
                raise

    async def _read_rest(
        self, job: _Job, unit: int, part: PartialUnit, url: str, intake: _Intake
    ) -> None:
        manifest = job.manifest
        entry = manifest.units[unit]
        for first, length, zeros in _remaining(entry, manifest.alignment, part.received_bytes):
            if length:
                await self._reader.read(
                    url, first, length, intake.take, file_bytes=manifest.file_bytes
                )
            intake.buffer.extend(bytes(zeros))
        await intake.flush()

    # ── which origin ─────────────────────────────────────────────────────────

    async def _choose(self, job: _Job, unit: int, *, prefer: str | None) -> str:
        """The best origin that is left, after waiting until it may be asked."""
        urls = job.manifest.urls
        usable = [url for url in urls if not self._origin(url).avoided and url not in job.given_up]
        if not usable:
            told = "; ".join(f"{origin_name(url)} {self._origin(url).reason}" for url in urls)
            why = told or say("no_origin")
            name = job.manifest.shown_name
            layers = _layer_of(unit, job.manifest)
            raise DownloadFailed(
                say("layers_not_downloaded", layers=layers, model=name, reason=why)
            )
        if prefer in usable:
            usable = [prefer]
        now = self._clock.monotonic()

        def cost(url: str) -> tuple[float, int]:
            return max(0.0, self._origin(url).not_before - now), job.failures.get(url, 0)

        best = min(usable, key=cost)
        if (seconds := cost(best)[0]) > 0:
            await self._sleep(seconds)
        return best

    def _note(self, job: _Job, url: str, fault: OriginFault) -> None:
        """Remember a fault, and decide when this origin may be asked again."""
        origin = self._origin(url)
        origin.reason = fault.reason
        failures = job.failures[url] = job.failures.get(url, 0) + 1
        if fault.severity == "ever":
            self._avoid(url, fault.reason)
        elif fault.severity == "now" or failures >= MAX_ATTEMPTS:
            job.given_up.add(url)
        else:
            origin.not_before = self._clock.monotonic() + self._back_off(failures, fault)

    def _back_off(self, failures: int, fault: OriginFault) -> float:
        seconds = min(FIRST_BACK_OFF_SECONDS * 2.0 ** (failures - 1), MAX_BACK_OFF_SECONDS)
        return max(seconds * (0.5 + self._jitter()), fault.retry_after_seconds)

    def _avoid(self, url: str, reason: str) -> None:
        origin = self._origin(url)
        origin.avoided = True
        origin.reason = reason

    def _origin(self, url: str) -> _Origin:
        return self._origins.setdefault(url, _Origin(url))


@dataclass
class _Job:
    """One call of `fetch`: what is wanted and who failed at it."""

    manifest: Manifest
    waiting: list[int]
    meter: ProgressMeter
    failures: dict[str, int] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)


class _Intake:
    """Gathers what one origin sends into pieces worth a trip to the disk's thread."""

    def __init__(
        self,
        downloader: Downloader,
        job: _Job,
        unit: int,
        part: PartialUnit,
        url: str,
        hands: set[str],
    ) -> None:
        self._downloader = downloader
        self._job = job
        self._unit = unit
        self._part = part
        self._url = url
        self._hands = hands
        self.buffer = bytearray()

    async def take(self, chunk: bytes) -> None:
        """Accept what was received, and wait if it came faster than allowed."""
        self._hands.add(self._url)
        self.buffer.extend(chunk)
        self._job.meter.arrived(len(chunk))
        self._downloader._origin(self._url).received_bytes += len(chunk)
        if len(self.buffer) >= CHUNK_BYTES:
            await self.flush()
        if self._downloader._limit is not None:
            await self._downloader._limit(len(chunk))

    async def flush(self) -> None:
        """Write what was gathered."""
        data = bytes(self.buffer)
        self.buffer.clear()
        if data:
            await _in_thread(lambda: self._part.write(data))
            self._job.meter.moved(self._unit, self._part.received_bytes, origin_name(self._url))

    def keep(self) -> None:
        """Write the little that is left after a fault or a cancellation, at once."""
        data = bytes(self.buffer)
        self.buffer.clear()
        if data:
            self._part.write(data)


def _remaining(
    entry: UnitEntry, alignment: int, received_bytes: int
) -> Iterator[tuple[int, int, int]]:
    """What of a unit is missing: position in the file, bytes to fetch, zeros to add."""
    skip = received_bytes
    for part in entry.ranges:
        zeros = padding(part.length, alignment)
        if skip >= part.length + zeros:
            skip -= part.length + zeros
        elif skip >= part.length:
            yield part.offset + part.length, 0, zeros - (skip - part.length)
            skip = 0
        else:
            yield part.offset + skip, part.length - skip, zeros
            skip = 0


def _layer_of(unit: int, manifest: Manifest) -> Sentence:
    return layers_of(Span(unit, unit + 1), manifest.block_count + 1)


async def _in_thread(
    work: Callable[[], T],
    *,
    on_cancel: Callable[[], None] | None = None,
    undo: Callable[[T], None] | None = None,
) -> T:
    """Run `work` in a thread; when cancelled, first wait until it has ended.

    Without that, a file could be closed under a thread that writes to it. Work
    that may take long is told by `on_cancel`; `undo` gets a result nobody waits for.
    """
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                continue
        if future.exception() is None and undo is not None:
            undo(future.result())
        raise
