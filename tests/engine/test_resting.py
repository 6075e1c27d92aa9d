"""Rests between batches and the limit on threads, with a real worker; see app/policy/pacing.py."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from app.engine.frames import Part
from app.engine.ladder import Ladder
from app.engine.mounting import MountRequest
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.engine.supervisor import Engine
from app.errors import WorkerDied
from app.ids import Span
from tests.engine.mounted import pid_of, soon
from tests.helpers.slices import payload, plan_of

pytestmark = pytest.mark.real

ModelFile = Callable[[str], Path]


def request(file: Path, folder: Path) -> MountRequest:
    cut = plan_of(file)
    data = file.read_bytes()
    files = {}
    for unit in (2, 3):
        files[unit] = folder / f"{unit}.gguf"
        files[unit].write_bytes(b"\0" * HEADER_ROOM_BYTES + payload(file, cut, unit))
    return MountRequest(
        plan=cut,
        span=Span(2, 4),
        unit_files=files,
        shared={t.name: data[cut.header.data_offset + t.offset :][: t.size] for t in cut.shared},
        folder=folder / "mount",
        kv_tokens=256,
        sequences=4,
        gpu=False,
    )


def part(engine: Engine, *, sequence: int = 0, position: int = 0) -> Part:
    width = engine.request.plan.width
    hidden = np.full((1, width), 0.5, "<f4").tobytes()
    return Part(sequence=sequence, position=position, rows=1, outputs=1, hidden=hidden)


async def test_the_next_batch_waits_for_the_rest_and_what_came_meanwhile_goes_together(
    model: ModelFile, tmp_path: Path
) -> None:
    worked: list[float] = []
    seconds = [0.1]

    def rest(work_seconds: float) -> float:
        worked.append(work_seconds)
        return seconds[0]

    made = Engine(request(model("llama"), tmp_path), Ladder(tmp_path / "l.json"), rest=rest)
    async with made as engine:
        began = time.monotonic()
        await engine.compute(part(engine))
        decodes = engine.status.decodes
        waiting = [
            asyncio.ensure_future(engine.compute(part(engine, sequence=sequence)))
            for sequence in (1, 2, 3)
        ]
        await asyncio.sleep(0)
        assert engine.status.decodes == decodes
        assert not engine.is_busy
        seconds[0] = 0.0
        results = await asyncio.gather(*waiting)
        assert time.monotonic() - began >= 0.1
        assert engine.status.decodes == decodes + 1, "the rest gathered them into one"
        assert not any(result.fault for result in results)
        assert worked[0] > 0
        assert worked[1] == 0.0, "after the rest it was asked once more"


async def test_a_rest_that_is_lifted_ends_soon(model: ModelFile, tmp_path: Path) -> None:
    seconds = [3600.0]
    made = Engine(
        request(model("llama"), tmp_path),
        Ladder(tmp_path / "l.json"),
        rest=lambda work_seconds: seconds[0],
    )
    async with made as engine:
        await engine.compute(part(engine))
        waiting = asyncio.ensure_future(engine.compute(part(engine, sequence=1)))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        seconds[0] = 0.0
        assert not (await soon(waiting)).fault


async def test_an_engine_at_rest_stops_without_waiting_for_its_end(
    model: ModelFile, tmp_path: Path
) -> None:
    made = Engine(
        request(model("llama"), tmp_path), Ladder(tmp_path / "l.json"), rest=lambda seconds: 3600.0
    )
    async with made as engine:
        await engine.compute(part(engine))
        pid = pid_of(engine)
        waiting = asyncio.ensure_future(engine.compute(part(engine, sequence=1)))
        await asyncio.sleep(0)
    with pytest.raises(WorkerDied, match="the engine stops"):
        await soon(waiting)
    assert not psutil.pid_exists(pid)


async def test_fewer_threads_hold_and_hold_after_a_restart(
    model: ModelFile, tmp_path: Path
) -> None:
    async with Engine(request(model("llama"), tmp_path), Ladder(tmp_path / "l.json")) as engine:
        tuned = engine.status.threads
        await engine.limit_threads(1)
        assert engine.status.threads == 1
        before = await engine.compute(part(engine))
        assert engine.worker_pid is not None
        os.kill(engine.worker_pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while engine.status.restarts == 0 or engine.worker_pid is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            after = await engine.compute(part(engine))
        assert engine.status.threads == 1
        assert after.hidden == before.hidden
        await engine.limit_threads(64)
        assert engine.status.threads >= min(tuned, 1)
