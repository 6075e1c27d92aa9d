"""Loads a slice into a running worker, proves it with a few rows and measures it.

The counterpart that decides when, and with which way of loading, is
`app/engine/ways.py`; what the files hold is `app/engine/slice_files.py`'s.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from app.engine import frames
from app.engine.child import Child
from app.engine.ladder import Rung
from app.engine.mount import write_slice
from app.engine.slice_files import HEADER_ROOM_BYTES, Identity, make_slice
from app.engine.slicing import Plan
from app.errors import EngineFault, UsageError, WorkerDied
from app.ids import Span
from app.process_lock import ProcessLock
from app.sentences import say

BATCH_ROWS: Final = 128
"""Rows in one decode: enough to use the processor fully, short enough to share it."""
LOCK_RETRY_SECONDS: Final = 0.05


@dataclass(frozen=True)
class MountRequest:
    """A span of a model, where its units lie, and how much room it gets.

    `threads` 0 means: try and keep the fastest count. Without `gpu` none is tried.
    """

    plan: Plan
    span: Span
    unit_files: Mapping[int, Path]
    shared: Mapping[str, bytes]
    folder: Path
    kv_tokens: int
    sequences: int
    threads: int = 0
    gpu: bool = True


@dataclass(frozen=True)
class Mount:
    """What came of it: the worker's answer, and what was measured.

    `layers_per_second` is 0.0 and `threads` 0 for an embedding alone.
    """

    answer: frames.Mounted
    threads: int = 0
    layers_per_second: float = 0.0


async def introduction(child: Child, seconds: float) -> frames.Report:
    """What a worker that was just started is, in its own words, within so many seconds.

    Raises:
        EngineFault: it ended or was silent.
    """
    try:
        async with asyncio.timeout(seconds):
            return await child.ask(frames.Report, lambda serial: frames.Status(serial=serial))
    except WorkerDied:
        how = await child.ended()
        raise EngineFault(say("worker_ended", how=how)) from None
    except TimeoutError:
        raise EngineFault(say("worker_silent")) from None


async def mount_in(child: Child, request: MountRequest, rung: Rung) -> Mount:
    """Load one way, compute a few rows, and keep the fastest thread count.

    Raises:
        WorkerDied: this way of loading kills the worker.
        EngineFault, NoRoom, OSError: it does not work for another reason.
    """
    embedding = _embedding(request)
    if request.span.stop == 1:
        return Mount(
            await child.ask(
                frames.Mounted, lambda serial: frames.Mount(serial=serial, embedding=embedding)
            )
        )
    try:
        answer = await _load(child, request, rung, embedding, identity="small")
    except EngineFault as error:
        if isinstance(error, WorkerDied) or request.plan.head_unit != request.span.start:
            raise
        # Some architectures insist on their own shapes for the empty block.
        answer = await _load(child, request, rung, embedding, identity="full")
    threads = [request.threads] if request.threads else thread_counts()
    tuned = await child.ask(
        frames.Tuned, lambda serial: frames.Tune(serial=serial, threads=threads)
    )
    blocks = make_slice(request.plan, request.span).blocks
    return Mount(answer, tuned.threads, blocks / max(tuned.seconds, 1e-9))


async def _load(
    child: Child,
    request: MountRequest,
    rung: Rung,
    embedding: frames.EmbeddingTable | None,
    *,
    identity: Identity,
) -> frames.Mounted:
    piece = make_slice(request.plan, request.span, identity=identity)
    async with _header_pages(request.unit_files[piece.units[0]].parent):
        files = await asyncio.to_thread(
            write_slice, piece, request.unit_files, request.shared, request.folder
        )
        wanted = frames.SliceFiles(
            files=[str(file) for file in files],
            width=request.plan.width,
            blocks=piece.blocks,
            has_head=piece.has_head,
            kv_tokens=request.kv_tokens,
            sequences=request.sequences,
            batch_rows=BATCH_ROWS,
            threads=request.threads or 1,
            gpu_layers=rung.gpu_layers,
            repack=rung.repack,
            shared_room=not request.plan.slides,
        )
        return await child.ask(
            frames.Mounted,
            lambda serial: frames.Mount(serial=serial, embedding=embedding, slice=wanted),
        )


@asynccontextmanager
async def _header_pages(store: Path) -> AsyncIterator[None]:
    """Keep others from rewriting the stored units' header pages while llama.cpp reads them.

    A chat and a node may share one store, and each numbers its blocks from 0. Other
    processes hold it only while they load, so it is waited for.
    """
    lock = ProcessLock(store / "mounting.lock", busy_text="busy")
    while True:
        try:
            lock.acquire()
            break
        except UsageError as error:
            if str(error) != "busy":
                raise EngineFault(str(error)) from None
            await asyncio.sleep(LOCK_RETRY_SECONDS)
    try:
        yield
    finally:
        lock.release()


def thread_counts() -> list[int]:
    """The thread counts worth trying: one, half and all of the physical cores."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return sorted({1, max(1, cores // 2), cores})


def _embedding(request: MountRequest) -> frames.EmbeddingTable | None:
    if 0 not in request.span:
        return None
    (table,) = request.plan.units[0].tensors
    return frames.EmbeddingTable(
        path=str(request.unit_files[0]),
        offset=HEADER_ROOM_BYTES,
        rows=table.dimensions[1],
        width=table.dimensions[0],
        kind=int(table.type),
        scale=request.plan.embedding_scale,
    )
