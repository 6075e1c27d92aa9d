"""Units come here from origins that fail, stall and lie; see app/engine/download.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from app.engine.download import MAX_ATTEMPTS, Downloader, OriginStatus
from app.engine.gguf_read import parse_header
from app.engine.manifest import Manifest
from app.engine.progress import Progress
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.engine.store import UnitStore
from app.errors import BadInput, DownloadFailed, Refusal
from tests.helpers.clocks import FakeClock
from tests.helpers.origin import (
    Origin,
    answering,
    breaking_off_after,
    manifest_of,
    source_file,
    stalling_after,
    unit_payload,
    whole_file,
    with_headers,
    wrong_bytes,
)
from tests.helpers.tiny_models import write_llama

SOURCE = source_file()
Limit = Callable[[int], Awaitable[None]]


class Bench:
    """A downloader, its store and its clock, two origins and a manifest that names both."""

    def __init__(self, folder: Path, first: Origin, second: Origin, downloader: Downloader) -> None:
        self.folder = folder
        self.first = first
        self.second = second
        self.downloader = downloader
        self.store: UnitStore
        self.clock: FakeClock
        self.manifest: Manifest
        self.told: list[Progress] = []

    async def fetch(self, *units: int) -> None:
        await self.downloader.fetch(self.manifest, units or range(4), self.told.append)

    def holds(self, unit: int) -> bool:
        """Whether the unit is here and is what the source file says."""
        entry = self.manifest.units[unit]
        if not self.store.has(entry):
            return False
        data = self.store.path(entry.sha256).read_bytes()[HEADER_ROOM_BYTES:]
        return data == unit_payload(SOURCE, entry.ranges)

    def status(self, origin: Origin) -> OriginStatus:
        return next(each for each in self.downloader.origins() if each.url == origin.url)


@asynccontextmanager
async def make_bench(folder: Path, **options: Any) -> AsyncIterator[Bench]:
    clock = FakeClock()
    store = UnitStore(folder / "units", quota_bytes=1 << 30, free_bytes=lambda _: 1 << 40)
    options = {"stall_seconds": 60.0, "jitter": lambda: 0.5, **options}
    downloader = Downloader(store, folder / "resources", clock=clock, sleep=clock.sleep, **options)
    async with Origin(SOURCE) as first, Origin(SOURCE) as second, downloader:
        bench = Bench(folder, first, second, downloader)
        bench.store, bench.clock = store, clock
        bench.manifest = manifest_of(SOURCE, [first.url, second.url])
        yield bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with make_bench(tmp_path) as made:
        yield made


async def test_units_arrive_whole_from_the_first_origin(bench: Bench) -> None:
    await bench.fetch()
    assert all(bench.holds(unit) for unit in range(4))
    assert len(bench.first.requests) == 8
    assert bench.second.requests == []
    assert bench.status(bench.first).state == "usable"


async def test_only_the_units_asked_for_are_fetched(bench: Bench) -> None:
    await bench.fetch(2)
    assert [bench.holds(unit) for unit in range(4)] == [False, False, True, False]


async def test_units_that_are_here_are_not_fetched_again(bench: Bench) -> None:
    await bench.fetch(1, 2)
    asked = len(bench.first.requests)
    await bench.fetch(1, 2)
    assert len(bench.first.requests) == asked
    assert bench.told[-1].done_bytes == bench.told[-1].total_bytes


async def test_no_more_than_two_units_at_once(bench: Bench) -> None:
    await asyncio.gather(bench.fetch(0, 1), bench.fetch(2, 3))
    assert bench.first.most_busy <= 2


async def test_two_downloads_of_the_same_unit_fetch_it_once(bench: Bench) -> None:
    await asyncio.gather(bench.fetch(1), bench.fetch(1))
    assert bench.holds(1)
    assert len(bench.first.requests) == 2


async def test_progress_goes_from_nothing_to_everything(bench: Bench) -> None:
    await bench.fetch(0, 1)
    size = sum(unit.size for unit in bench.manifest.units[:2])
    done = [progress.done_bytes for progress in bench.told]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, size)
    assert {progress.total_bytes for progress in bench.told} == {size}
    assert {progress.unit for progress in bench.told} == {0, 1}


async def test_the_limit_is_asked_about_every_byte(tmp_path: Path) -> None:
    counted = 0

    async def limit(count: int) -> None:
        nonlocal counted
        counted += count

    async with make_bench(tmp_path, limit=limit) as bench:
        await bench.fetch(0)
        assert counted == sum(part.length for part in bench.manifest.units[0].ranges)


# ── origins that fail ────────────────────────────────────────────────────────


async def test_a_broken_connection_goes_on_at_the_other_origin(bench: Bench) -> None:
    bench.first.behaviours.append(breaking_off_after(500))
    await bench.fetch(0)
    assert bench.holds(0)
    start = bench.manifest.units[0].ranges[0].offset
    assert bench.second.requests[0].startswith(f"bytes={start + 500}-")
    assert bench.clock.slept == []


async def test_a_stall_goes_on_at_the_other_origin(tmp_path: Path) -> None:
    async with make_bench(tmp_path, stall_seconds=0.1) as bench:
        bench.first.behaviours.append(stalling_after(500))
        await bench.fetch(0)
        assert bench.holds(0)
        assert "sent nothing" in bench.status(bench.first).reason


async def test_a_lonely_origin_is_asked_again_after_longer_and_longer_waits(
    bench: Bench,
) -> None:
    bench.manifest = manifest_of(SOURCE, [bench.first.url])
    bench.first.behaviours += [answering(503)] * 3
    await bench.fetch(0)
    assert bench.holds(0)
    assert bench.clock.slept == [1.0, 2.0, 4.0]


async def test_an_origin_that_asks_for_patience_gets_it(bench: Bench) -> None:
    bench.manifest = manifest_of(SOURCE, [bench.first.url])
    bench.first.behaviours.append(answering(429, Retry_After="30"))
    await bench.fetch(0)
    assert bench.clock.slept == [30.0]


async def test_origins_that_fail_for_good_are_named_with_their_reasons(bench: Bench) -> None:
    bench.first.always = answering(404)
    bench.second.always = answering(500)
    with pytest.raises(DownloadFailed) as failed:
        await bench.fetch(3)
    text = str(failed.value)
    assert f"{bench.first.name} answers with status 404" in text
    assert f"{bench.second.name} answers with error 500" in text
    assert "the output of Made up" in text
    assert "\n" not in text
    assert len(bench.second.requests) == MAX_ATTEMPTS


async def test_a_failed_origin_gets_another_chance_in_the_next_download(bench: Bench) -> None:
    bench.manifest = manifest_of(SOURCE, [bench.first.url])
    bench.first.always = answering(404)
    with pytest.raises(DownloadFailed):
        await bench.fetch(0)
    bench.first.always = None
    await bench.fetch(0)
    assert bench.holds(0)


async def test_a_manifest_without_origins_says_so(bench: Bench) -> None:
    bench.manifest = manifest_of(SOURCE, [])
    with pytest.raises(DownloadFailed, match="names no origin"):
        await bench.fetch(0)


# ── origins that lie ─────────────────────────────────────────────────────────


async def test_wrong_bytes_are_thrown_away_and_their_origin_named_and_avoided(
    bench: Bench,
) -> None:
    bench.first.always = wrong_bytes
    await bench.fetch(0)
    assert bench.holds(0)
    assert bench.status(bench.first).state == "avoided"
    assert "sent wrong bytes for the input" in bench.status(bench.first).reason
    asked = len(bench.first.requests)
    bench.first.always = None
    await bench.fetch(1, 2, 3)
    assert all(bench.holds(unit) for unit in range(4))
    assert len(bench.first.requests) == asked


async def test_when_everybody_lies_nothing_is_kept(bench: Bench) -> None:
    bench.first.always = bench.second.always = wrong_bytes
    with pytest.raises(DownloadFailed, match="sent wrong bytes") as failed:
        await bench.fetch(0)
    assert bench.first.name in str(failed.value)
    assert bench.second.name in str(failed.value)
    assert bench.store.held() == set()
    assert bench.store.partial_bytes(bench.manifest.units[0]) == 0


@pytest.mark.parametrize("liar", ["first", "second"])
async def test_when_two_sent_one_wrong_unit_only_the_liar_is_blamed(
    bench: Bench, liar: str
) -> None:
    async def lie_then_break(origin: Origin, request: web.Request) -> web.StreamResponse:
        true, origin.source = origin.source, bytes(len(origin.source))
        try:
            return await breaking_off_after(500)(origin, request)
        finally:
            origin.source = true

    if liar == "first":
        bench.first.behaviours.append(lie_then_break)
        bench.first.always = wrong_bytes
    else:
        bench.first.behaviours.append(breaking_off_after(500))
        bench.second.always = wrong_bytes
    await bench.fetch(0)
    assert bench.holds(0)
    honest = bench.second if liar == "first" else bench.first
    assert bench.status(honest).state != "avoided"


async def test_bytes_damaged_on_our_own_disk_are_nobodys_fault(bench: Bench) -> None:
    entry = bench.manifest.units[0]
    with bench.store.begin(entry) as part:
        part.write(bytes(1000))
    await bench.fetch(0)
    assert bench.holds(0)
    assert bench.status(bench.first).state == "usable"


@pytest.mark.parametrize(
    "behaviour", [whole_file, with_headers(Content_Encoding="gzip"), answering(206)]
)
async def test_an_origin_that_breaks_the_rules_is_asked_once(bench: Bench, behaviour: Any) -> None:
    bench.first.always = behaviour
    await bench.fetch(0)
    assert bench.holds(0)
    assert bench.status(bench.first).state == "avoided"
    assert len(bench.first.requests) == 1


# ── stopping and going on ────────────────────────────────────────────────────


async def test_a_cancelled_download_keeps_what_arrived_and_goes_on(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def limit(count: int) -> None:
        arrived.set()

    async with make_bench(tmp_path, limit=limit) as bench:
        bench.first.behaviours.append(stalling_after(700))
        running = asyncio.ensure_future(bench.fetch(0))
        await arrived.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        kept = bench.store.partial_bytes(bench.manifest.units[0])
        assert 0 < kept <= 700
        await bench.fetch(0)
        assert bench.holds(0)
        start = bench.manifest.units[0].ranges[0].offset
        assert bench.first.requests[1].startswith(f"bytes={start + kept}-")


async def test_any_stop_within_a_unit_can_be_resumed(bench: Bench) -> None:
    entry = bench.manifest.units[1]
    payload = unit_payload(SOURCE, entry.ranges)
    for stop in [1, *range(1480, 1540), entry.size - 1, entry.size]:
        bench.store.remove(entry.sha256)
        with bench.store.begin(entry) as part:
            part.write(payload[:stop])
        await bench.fetch(1)
        assert bench.holds(1)
    assert all(each.state == "usable" for each in bench.downloader.origins())


async def test_no_room_is_said_before_anything_is_fetched(bench: Bench) -> None:
    bench.store.quota_bytes = 1000
    with pytest.raises(Refusal, match="Not enough room"):
        await bench.fetch()
    assert bench.first.requests == []


async def test_a_disk_that_fills_up_ends_the_download_with_one_line(tmp_path: Path) -> None:
    async with make_bench(tmp_path) as bench:
        free = iter([1 << 40, 1 << 40])
        bench.store._free_bytes = lambda _: next(free, 1000)
        with pytest.raises(Refusal, match="make room on the disk"):
            await bench.fetch()
        assert bench.store.held() == set()


async def test_a_unit_comes_out_of_the_resources_folder(tmp_path: Path) -> None:
    async with make_bench(tmp_path) as bench:
        (tmp_path / "resources").mkdir()
        (tmp_path / "resources" / "made-up.gguf").write_bytes(SOURCE)
        bench.manifest = manifest_of(SOURCE, ["resource:made-up.gguf", bench.first.url])
        await bench.fetch()
        assert all(bench.holds(unit) for unit in range(4))
        assert bench.first.requests == []


# ── headers ──────────────────────────────────────────────────────────────────


async def test_a_header_is_read_without_the_weights(bench: Bench, tmp_path: Path) -> None:
    bench.first.source = write_llama(tmp_path / "llama.gguf").read_bytes()
    header = await bench.downloader.fetch_header(bench.first.url)
    assert header == parse_header(bench.first.source, len(bench.first.source))


async def test_a_long_header_is_read_in_several_steps(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.engine.download.FIRST_HEADER_BYTES", 100)
    bench.first.source = write_llama(tmp_path / "llama.gguf").read_bytes()
    bench.first.behaviours.append(answering(503))
    header = await bench.downloader.fetch_header(bench.first.url)
    assert header.blob == bench.first.source[: header.data_offset]
    asked = [request.removeprefix("bytes=").split("-") for request in bench.first.requests[1:]]
    assert len(asked) > 2
    assert [int(after[0]) for after in asked[1:]] == [int(before[1]) + 1 for before in asked[:-1]]
    assert int(asked[-1][1]) < len(bench.first.source)


async def test_what_is_no_gguf_is_said_to_be_none(bench: Bench) -> None:
    with pytest.raises(BadInput, match="not a GGUF file"):
        await bench.downloader.fetch_header(bench.first.url)


async def test_a_header_that_nobody_delivers_is_a_failed_download(bench: Bench) -> None:
    bench.first.always = answering(404)
    with pytest.raises(DownloadFailed, match="status 404"):
        await bench.downloader.fetch_header(bench.first.url)
