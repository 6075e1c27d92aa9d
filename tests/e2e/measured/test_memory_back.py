"""A worker that hangs, and how long its memory is away when the owner wants it back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from app.engine.ladder import Ladder
from app.engine.supervisor import Engine
from app.errors import WorkerDied
from app.ids import Span
from tests.engine.mounted import defective, part, pid_of, soon
from tests.helpers.slices import mount_request
from tests.helpers.tiny_models import write_llama

PROMISED_SECONDS = 1.0
MOST_TRIES = 5
"""The shortest time counts: other programs can make this last longer, and never shorter."""


async def seconds_to_stop(folder: Path) -> float:
    """How long an engine takes to stop whose worker never comes back from a step."""
    request = mount_request(write_llama(folder / "model.gguf"), Span(1, 3), folder)
    engine = Engine(request, Ladder(folder / "ladder.json"), command=defective("hang"))
    async with engine:
        pid = pid_of(engine)
        stuck = asyncio.ensure_future(engine.compute(part(3, 0)))
        await asyncio.sleep(0)
        began = time.monotonic()
    seconds = time.monotonic() - began
    assert not psutil.pid_exists(pid)
    with pytest.raises(WorkerDied):
        await soon(stuck)
    return seconds


async def test_a_worker_that_hangs_gives_its_memory_back_within_a_second(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    shortest = float("inf")
    for _ in range(MOST_TRIES):
        shortest = min(shortest, await seconds_to_stop(tmp_path_factory.mktemp("hanging")))
        if shortest < PROMISED_SECONDS:
            break
    print(f"{shortest:.2f} s")
    assert shortest < PROMISED_SECONDS
