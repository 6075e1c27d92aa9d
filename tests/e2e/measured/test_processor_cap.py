"""The cap on the processor against measurement: a real worker that never lacks work.

Eight seconds; `POTLUCK_MEASURE_SECONDS` measures longer. Measured is what the system
says of this process and of the worker, over all processors together.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from tests.helpers.held_up import HeldUp, queued_seconds
from tests.helpers.slices import payload, plan_of
from tests.helpers.tiny_models import write_llama

MEASURE_SECONDS = float(os.environ.get("POTLUCK_MEASURE_SECONDS", "8"))
PROCESSORS = psutil.cpu_count() or 1
CAP_PERCENT = 50.0 / PROCESSORS
"""Half of one processor: a worker with so small a model may be the fastest with one thread."""
TOLERANCE_POINTS = 6.0 / PROCESSORS
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


@dataclass(frozen=True)
class Use:
    """Of all processors together, in percent: what was used, and what stood in line besides."""

    used: float
    wanted: float


class Meter:
    """Measures this process and its workers, from one `read` to the next."""

    def __init__(self, workers: Callable[[], list[int]], held_up: HeldUp) -> None:
        self._workers = workers
        self._held_up = held_up
        self._used = ProcessorTime(workers)
        self._last = self._reading()

    def _reading(self) -> tuple[float, float, float, float]:
        queued = queued_seconds([os.getpid(), *self._workers()])
        return self._used.seconds(), queued, self._held_up.seconds, time.monotonic()

    def read(self) -> Use:
        """Since the last time."""
        before, self._last = self._last, self._reading()
        used, queued, held_up, took = (b - a for a, b in zip(before, self._last, strict=True))
        # While this process stood still the worker may have had nothing to do.
        wanted = (used + queued) / max(took - held_up, 1e-9)
        return Use(100 * used / took / PROCESSORS, 100 * wanted / PROCESSORS)


async def test_half_of_one_processor_is_kept_and_used(tmp_path: Path) -> None:
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
            held_up = HeldUp()
            owner.start(held_up.watch(), name="held up")
            meter = Meter(workers, held_up)
            await held_up.wait(1.0)
            free = meter.read().wanted
            assert free > CAP_PERCENT + TOLERANCE_POINTS, "there is no demand to be capped"
            await engine.limit_threads(max(1, round(PROCESSORS * CAP_PERCENT / 100)))
            pacer.set_caps(cpu_fraction=CAP_PERCENT / 100, power_watts=None)
            await asyncio.sleep(0.5)
            meter.read()
            decodes = engine.status.decodes
            await held_up.wait(MEASURE_SECONDS)
            use = meter.read()
        print(
            f"{use.used:.2f} % of {PROCESSORS} processors ({use.wanted:.2f} % wanted),"
            f" {free:.0f} % without a cap"
        )
        assert engine.status.decodes > decodes
        assert use.used <= CAP_PERCENT + TOLERANCE_POINTS
        assert use.wanted >= CAP_PERCENT - TOLERANCE_POINTS
        shown = pacer.cpu_percent
        assert shown is not None
        assert abs(shown - use.used) <= TOLERANCE_POINTS
