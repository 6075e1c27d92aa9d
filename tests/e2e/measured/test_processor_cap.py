"""The cap on the processor against measurement: a real worker that never lacks work.

Eight seconds; `POTLUCK_MEASURE_SECONDS` measures longer. Measured is what the system
says of this process and of the worker, over all processors together.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import numpy as np
import psutil

from app.clock import SystemClock
from app.engine.frames import Part
from app.engine.ladder import Ladder
from app.engine.mounting import MountRequest
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.engine.supervisor import Engine
from app.errors import WorkerDied
from app.ids import Span
from app.policy.pacing import Pacer, ProcessorTime
from app.tasks import TaskOwner
from tests.helpers.slices import payload, plan_of
from tests.helpers.tiny_models import write_llama

MEASURE_SECONDS = float(os.environ.get("POTLUCK_MEASURE_SECONDS", "8"))
CAP_PERCENT = 25.0
TOLERANCE_POINTS = 3.0
PROCESSORS = psutil.cpu_count() or 1
SEQUENCES = 4
ROWS = 48


def request(folder: Path) -> MountRequest:
    """Twelve random blocks, stored as the node stores them."""
    file = write_llama(folder / "model.gguf", blocks=12)
    cut = plan_of(file)
    data = file.read_bytes()
    files = {}
    for unit in range(1, 13):
        files[unit] = folder / f"{unit}.gguf"
        files[unit].write_bytes(b"\0" * HEADER_ROOM_BYTES + payload(file, cut, unit))
    shared = {
        tensor.name: data[cut.header.data_offset + tensor.offset :][: tensor.size]
        for tensor in cut.shared
    }
    return MountRequest(
        plan=cut,
        span=Span(1, 13),
        unit_files=files,
        shared=shared,
        folder=folder / "mount",
        kv_tokens=1024,
        sequences=SEQUENCES,
        gpu=False,
    )


async def demand(engine: Engine, sequence: int, width: int) -> None:
    """One conversation that always has another step ready."""
    hidden = np.random.default_rng(sequence).normal(0, 1, (ROWS, width)).astype("<f4").tobytes()
    while True:
        for position in range(0, 4 * ROWS, ROWS):
            part = Part(
                sequence=sequence, position=position, rows=ROWS, outputs=ROWS, hidden=hidden
            )
            try:
                assert not (await engine.compute(part)).fault
            except WorkerDied:
                return


async def test_a_quarter_of_the_processor_is_kept_and_used(tmp_path: Path) -> None:
    engines: list[Engine] = []

    def workers() -> list[int]:
        return [engine.worker_pid for engine in engines if engine.worker_pid is not None]

    pacer = Pacer(
        clock=SystemClock(),
        processor_seconds=ProcessorTime(workers).seconds,
        joules=lambda: None,
        processors=PROCESSORS,
    )
    mount = request(tmp_path)
    async with Engine(mount, Ladder(tmp_path / "ladder.json"), rest=pacer.rest_seconds) as engine:
        engines.append(engine)
        async with TaskOwner("demand") as owner:
            for sequence in range(SEQUENCES):
                owner.start(demand(engine, sequence, mount.plan.width), name=f"{sequence}")
            measured = ProcessorTime(workers)
            before, began = measured.seconds(), time.monotonic()
            await asyncio.sleep(1.0)
            free = 100 * (measured.seconds() - before) / (time.monotonic() - began) / PROCESSORS
            assert free > CAP_PERCENT + TOLERANCE_POINTS, "there is no demand to be capped"
            await engine.limit_threads(max(1, round(PROCESSORS * CAP_PERCENT / 100)))
            pacer.set_caps(cpu_fraction=CAP_PERCENT / 100, power_watts=None)
            await asyncio.sleep(0.5)
            before, decodes, began = measured.seconds(), engine.status.decodes, time.monotonic()
            await asyncio.sleep(MEASURE_SECONDS)
            used, took = measured.seconds() - before, time.monotonic() - began
        percent = 100 * used / took / PROCESSORS
        print(f"{percent:.2f} % of {PROCESSORS} processors, {free:.0f} % without a cap")
        assert engine.status.decodes > decodes
        assert abs(percent - CAP_PERCENT) <= TOLERANCE_POINTS
        shown = pacer.cpu_percent
        assert shown is not None
        assert abs(shown - percent) <= TOLERANCE_POINTS
