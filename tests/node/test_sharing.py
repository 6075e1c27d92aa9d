"""What is served follows what is wished; see app/node/sharing.py. Real layers, real workers."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.chat.client import lookup_all
from app.engine import mounting, ways
from app.engine.child import Child
from app.engine.download import Downloader
from app.engine.frames import Part, PartResult
from app.engine.mounting import Mount
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.errors import DownloadFailed
from app.folder.data_folder import OpenModel
from app.ids import Span, parse_peer
from app.node.serving import ShareOrder
from app.node.sharing import Sharing
from tests.helpers.running_node import WHOLE, RunningNode, running_node, until

pytestmark = pytest.mark.real


def order_of(running: RunningNode, span: Span) -> ShareOrder:
    """An order for another span of what is served."""
    now = running.node.sharing.order
    assert now is not None
    return ShareOrder(now.model, span, gpu=False, threads=1, kv_tokens=2048, sequences=2)


async def test_the_last_wish_counts_however_many_there_were(tmp_path: Path, guide: Path) -> None:
    others = set(_workers())  # swarms of other modules may still be running
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing = running.node.sharing
        order = order_of(running, Span(2, 5))
        for wish in (None, order_of(running, Span(0, 3)), None, order):
            sharing.wish(wish)
            await asyncio.sleep(0)
        await sharing.settled()
        assert sharing.order == order
        assert sharing.phase == "serving"
        sharing.wish(None)
        await sharing.settled()
        assert sharing.order is None
        assert sharing.engine is None
        assert set(_workers()) <= others


async def test_a_pause_in_the_middle_of_a_mount_returns_when_the_worker_is_gone(
    tmp_path: Path, guide: Path
) -> None:
    others = set(_workers())
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing = running.node.sharing
        order = order_of(running, Span(2, 5))
        met = 0
        for tenths in range(6):
            sharing.wish(None)
            await sharing.settled()
            sharing.wish(order)
            await until(lambda: sharing.phase == "mounting")
            await asyncio.sleep(tenths / 20)
            met += sharing.phase == "mounting"
            sharing.wish(None)
            await sharing.settled()
            assert set(_workers()) <= others
            assert sharing.phase == "off"
        assert met, "no pause came in the middle of a mount"


async def test_what_cannot_be_served_says_why_and_is_tried_again_when_asked(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing = running.node.sharing
        order = order_of(running, Span(2, 5))
        sharing.wish(None)
        await sharing.settled()

        async def fails(error: Exception, *_: object) -> None:
            raise error

        with monkeypatch.context() as patched:
            for error, words in (
                (DownloadFailed("no origin delivers unit 2"), "no origin delivers unit 2"),
                (ZeroDivisionError(), "This is a mistake in Potluck itself (ZeroDivisionError)."),
            ):
                patched.setattr(sharing, "_fetch", partial(fails, error))
                sharing.wish(order)
                sharing.retry()
                await sharing.settled()
                assert sharing.phase == "failed"
                assert str(sharing.problem) == words
                status = await running.ask("GET", "/status")
                assert (status["state"], status["pause"]["reason"]) == ("problem", "problem")
        sharing.retry()
        await until(lambda: sharing.phase == "serving")
        assert sharing.problem is None


@pytest.mark.usefixtures("heard_in_the_end")
async def test_what_is_served_is_announced_and_taken_back(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path / "a", manifest=guide, units=WHOLE, public=True) as running:
        peer = str(running.node.ready_line()["peer_id"])
        bootstrap = [(parse_peer(peer), running.node.endpoint.address)]
        assert [record.span for record in await lookup_all(bootstrap)] == [WHOLE]
        await running.ask("POST", "/pause", {"kind": "resume"})
        assert await lookup_all(bootstrap) == []
        await running.ask("POST", "/resume")
        await running.node.sharing.settled()
        assert [record.span for record in await lookup_all(bootstrap)] == [WHOLE]


async def test_a_drain_ends_in_the_middle_of_an_answer_and_frees_the_worker(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.node.sharing.DRAIN_SECONDS", 0.3)
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing: Sharing = running.node.sharing
        options = {"max_tokens": 900, "temperature": 0, "over_swarm": True}
        made = await running.ask("POST", "/conversations", options, expect=201)
        assert sharing.engine is not None
        # Of some eighty steps that the answer takes.
        compute, steps, stands_still = sharing.engine.compute, 0, asyncio.Event()

        async def soon_no_more(part: Part, **named: Any) -> PartResult:
            nonlocal steps
            steps += 1
            if steps > 30:
                stands_still.set()
                await asyncio.Event().wait()
            return await compute(part, **named)

        monkeypatch.setattr(sharing.engine, "compute", soon_no_more)
        path = f"/conversations/{made['id']}/messages"
        stream = running.events("POST", path, {"content": "Tell me a story."})
        await anext(stream)
        await stands_still.wait()
        sharing.wish(None)
        await sharing.settled()
        assert sharing.engine is None
        # The answer goes on, on this computer alone.
        name, message = [event async for event in stream][-1]
        assert (name, message["state"]) == ("message", "done")


async def test_what_is_announced_is_what_the_caps_leave_and_follows_them(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path / "a", manifest=guide, units=WHOLE, public=True) as running:
        peer = str(running.node.ready_line()["peer_id"])
        bootstrap = [(parse_peer(peer), running.node.endpoint.address)]
        sharing = running.node.sharing
        assert sharing.engine is not None
        full = sharing.engine.status.layers_per_second

        async def announced(wanted: float) -> bool:
            async with asyncio.timeout(30):  # sooner than the next announcement is due
                while True:
                    (record,) = await lookup_all(bootstrap)
                    if record.layers_per_second == pytest.approx(wanted):
                        return True
                    await asyncio.sleep(0.02)

        await running.ask("PATCH", "/settings", {"cpu_percent_away": 100})
        assert await announced(full)
        await running.ask("PATCH", "/settings", {"cpu_percent_away": 1})
        share = (psutil.cpu_count() or 1) / 100 / sharing.engine.status.tuned_threads
        assert share < 0.8
        assert await announced(full * share)
        for left, wanted in ((0.5, 0.5), (0.55, 0.5), (0.65, 0.65), (0.6, 0.65)):
            sharing._share = lambda _, left=left: left
            await sharing.limit_threads(1)
            assert sharing.layers_per_second == pytest.approx(full * left)
            await asyncio.sleep(0.1)
            assert await announced(full * wanted), "a little more or less is no news"


def _workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if _runs(child)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def damage(path: Path, *, at: int, keep_time: bool) -> None:
    """Change one byte of a stored payload, as a failing disk does, which keeps the time."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(HEADER_ROOM_BYTES + at)
        (byte,) = file.read(1)
        file.seek(HEADER_ROOM_BYTES + at)
        file.write(bytes([byte ^ 0xFF]))
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


async def greedy(running: RunningNode) -> str:
    """What the shared layers say, the likeliest word each time."""
    body = {"model": "guide", "prompt": "Potluck is", "max_tokens": 12, "temperature": 0}
    answer = await running.openai("/v1/completions", body)
    assert answer["potluck"]["chain"] == ["this computer"]
    return str(answer["choices"][0]["text"])


async def test_a_flipped_byte_on_the_disk_is_found_at_the_next_start_and_mended(
    tmp_path: Path, guide: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        order = running.node.sharing.order
        assert order is not None
        words = await greedy(running)
        unit = order.model.manifest.units[3]
        path = running.node.data.store.path(unit.sha256)
    damage(path, at=unit.size // 2, keep_time=False)
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        assert running.node.data.store.verify(unit)
        assert await greedy(running) == words
        status = await running.ask("GET", "/status")
        (warning,) = [line for line in status["warnings"] if "damaged" in line]
        assert "(layer 3)" in warning
        assert "fetched again" in warning
    assert "fetched again" in caplog.text
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        status = await running.ask("GET", "/status")
        assert [line for line in status["warnings"] if "damaged" in line] == []


async def test_a_damage_that_kills_the_worker_is_mended_and_no_way_of_loading_is_blamed(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing = running.node.sharing
        order = sharing.order
        assert order is not None
        words = await greedy(running)
        ladder_before = _ladder(tmp_path)
        await running.ask("POST", "/pause", {"kind": "resume"})
        assert sharing.order is None
        store = running.node.data.store
        unit = order.model.manifest.units[4]
        damage(store.path(unit.sha256), at=unit.size // 2, keep_time=True)
        real = mounting.mount_in

        async def dies_of_damage(child: Child, *rest: Any) -> Mount:
            if not store.verify(unit):
                os.kill(child.pid, signal.SIGSEGV)
            return await real(child, *rest)

        monkeypatch.setattr(ways, "mount_in", dies_of_damage)
        await running.ask("POST", "/resume")
        await sharing.settled()
        assert sharing.phase == "serving"
        assert store.verify(unit)
        assert await greedy(running) == words
        assert _ladder(tmp_path) == ladder_before
        assert "(layer 4)" in " ".join((await running.ask("GET", "/status"))["warnings"])


async def test_layers_that_are_served_are_loaded_anew_when_they_turn_out_damaged(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing = running.node.sharing
        words = await greedy(running)
        assert sharing.order is not None
        assert sharing.engine is not None
        before = sharing.engine.worker_pid
        store = running.node.data.store
        unit = sharing.order.model.manifest.units[5]
        damage(store.path(unit.sha256), at=unit.size // 2, keep_time=False)
        # A chat on this computer alone looks at the same layers before it uses them.
        body = {"max_tokens": 12, "temperature": 0, "alone": True}
        made = await running.ask("POST", "/conversations", body, expect=201)
        path = f"/conversations/{made['id']}/messages"
        async for _ in running.events("POST", path, {"content": "Hello."}):
            pass
        assert store.verify(unit)
        await until(lambda: sharing.engine is not None and sharing.engine.worker_pid != before)
        await until(lambda: sharing.phase == "serving")
        assert await greedy(running) == words


async def test_damage_that_cannot_be_had_again_is_said_and_tried_later(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing = running.node.sharing
        order = sharing.order
        assert order is not None
        await running.ask("POST", "/pause", {"kind": "resume"})
        assert sharing.order is None
        store = running.node.data.store
        os.truncate(store.path(order.model.manifest.units[2].sha256), 9)

        async def away(*_: object) -> None:
            raise DownloadFailed("no origin delivers unit 2")

        with monkeypatch.context() as patched:
            patched.setattr(Downloader, "fetch", away)
            await running.ask("POST", "/resume")
            await sharing.settled()
            assert (sharing.phase, str(sharing.problem)) == ("failed", "no origin delivers unit 2")
        sharing.retry()
        await until(lambda: sharing.phase == "serving")


def _ladder(folder: Path) -> str:
    file = folder / "engine.json"
    return file.read_text() if file.exists() else ""


async def test_what_was_served_is_served_on_until_what_comes_next_is_here(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_node(tmp_path, manifest=guide, units=Span(0, 3)) as running:
        sharing = running.node.sharing
        before, after = sharing.order, order_of(running, Span(2, 5))
        assert before is not None
        fetch, may_come = sharing._fetch, asyncio.Event()

        async def slow(model: OpenModel, span: Span) -> None:
            await may_come.wait()
            await fetch(model, span)

        monkeypatch.setattr(sharing, "_fetch", slow)
        sharing.wish(after)
        await until(lambda: sharing.phase == "fetching")
        assert sharing.order == before
        assert sharing.own_offer(before.model.id) is not None
        sharing.wish(before)  # changed one's mind
        await until(lambda: sharing.phase == "serving")
        assert sharing.order == before
        sharing.wish(after)
        await until(lambda: sharing.phase == "fetching")
        may_come.set()
        await sharing.settled()
        assert (sharing.order, sharing.phase) == (after, "serving")


@pytest.mark.usefixtures("heard_in_the_end")
async def test_units_on_their_way_are_announced_and_taken_back_when_they_do_not_come(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_node(
        tmp_path / "a", manifest=guide, units=Span(0, 3), public=True
    ) as running:
        peer = str(running.node.ready_line()["peer_id"])
        bootstrap = [(parse_peer(peer), running.node.endpoint.address)]
        sharing = running.node.sharing
        order = order_of(running, Span(3, 6))
        sharing.wish(None)
        await sharing.settled()

        async def never(*_: object) -> None:
            await asyncio.Event().wait()

        announcer = sharing._announcer
        assert announcer is not None
        announce, sent = announcer.announce, asyncio.Event()

        async def noted(*given: Any, **named: Any) -> None:
            await announce(*given, **named)
            sent.set()

        monkeypatch.setattr(announcer, "announce", noted)
        monkeypatch.setattr(sharing, "_fetch", never)
        # Nothing is told of units that are here.
        for unit in order.model.manifest.units[3:6]:
            running.node.data.store.remove(unit.sha256)
        sharing.wish(order)
        await sent.wait()
        records = await lookup_all(bootstrap)
        assert [(record.span, record.ready) for record in records] == [(Span(3, 6), False)]
        sharing.wish(None)
        await sharing.settled()
        assert await lookup_all(bootstrap) == []
