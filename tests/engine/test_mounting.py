"""Loading slices side by side: see app/engine/mounting.py."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.engine import frames
from app.engine.child import start_child
from app.engine.ladder import PLAIN
from app.engine.mounting import mount_in, thread_counts
from app.errors import EngineFault, UsageError
from app.ids import Span
from app.process_lock import ProcessLock
from tests.helpers.slices import mount_request

ModelFile = Callable[[str], Path]


async def test_two_processes_that_share_a_store_never_read_each_others_header_pages(
    model: ModelFile, tmp_path: Path
) -> None:
    file = model("llama")
    first, second = await asyncio.gather(start_child(), start_child())
    try:
        whole = mount_request(file, None, tmp_path)
        tail = replace(whole, span=Span(3, whole.span.stop), folder=tmp_path / "tail")
        # Block 3 is number 2 in one slice and number 0 in the other, in one and the same file.
        for _ in range(5):
            mounts = await asyncio.gather(
                mount_in(first, whole, PLAIN), mount_in(second, tail, PLAIN)
            )
            assert all(mount.layers_per_second > 0 for mount in mounts)
    finally:
        await asyncio.gather(first.stop(), second.stop())


async def test_a_mount_waits_for_another_process_and_then_goes_on(
    model: ModelFile, tmp_path: Path
) -> None:
    request = mount_request(model("llama"), None, tmp_path)
    store = next(iter(request.unit_files.values())).parent
    child = await start_child()
    lock = ProcessLock(store / "mounting.lock", busy_text="held by the test")
    lock.acquire()
    try:
        mounting = asyncio.ensure_future(mount_in(child, request, PLAIN))
        # The worker answers other things meanwhile, so the mount is what waits.
        await child.ask(frames.Report, lambda serial: frames.Status(serial=serial))
        assert not mounting.done()
        lock.release()
        assert (await mounting).answer.tokens_per_sequence > 0
        with pytest.raises(EngineFault, match="no sequence"):
            await child.ask(
                frames.Saved, lambda serial: frames.Save(serial=serial, sequence=99, positions=4)
            )
    finally:
        lock.release()
        await child.stop()


async def test_a_mount_gives_the_header_pages_back(model: ModelFile, tmp_path: Path) -> None:
    request = mount_request(model("llama"), None, tmp_path)
    child = await start_child()
    try:
        await mount_in(child, request, PLAIN)
    finally:
        await child.stop()
    store = next(iter(request.unit_files.values())).parent
    lock = ProcessLock(store / "mounting.lock", busy_text="still held")
    try:
        lock.acquire()
    except UsageError as error:
        pytest.fail(str(error))
    lock.release()


def test_thread_counts_start_with_one_and_never_pass_the_cores() -> None:
    counts = thread_counts()
    assert counts[0] == 1
    assert counts == sorted(set(counts))
