"""What tests of a mounted span share: how to mount one, and short ways to ask it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from app.engine import frames
from app.engine.mounting import MountRequest
from app.engine.supervisor import Engine
from app.errors import WorkerDied
from tests.helpers.tiny_models import WIDTH

ModelFile = Callable[[str], Path]
Prepare = Callable[..., MountRequest]
ValueT = TypeVar("ValueT")


def defective(defect: str) -> list[str]:
    return [sys.executable, "-m", "tests.helpers.fragile_worker", defect]


async def soon(waiting: Awaitable[ValueT]) -> ValueT:
    """Whatever it is, it happens: this is only where a test gives up."""
    return await asyncio.wait_for(waiting, 60)


def part(sequence: int, position: int, rows: int = 1, value: float = 0.25) -> frames.Part:
    hidden = np.full((rows, WIDTH), value, np.float32).tobytes()
    return frames.Part(sequence=sequence, position=position, rows=rows, hidden=hidden)


def pid_of(engine: Engine) -> int:
    assert engine.worker_pid is not None
    return engine.worker_pid


async def until_restarted(engine: Engine) -> None:
    """A harmless step succeeds once the worker is back."""
    while True:
        with contextlib.suppress(WorkerDied):  # it may come before the death is known
            await engine.compute(part(0, 0))
            return
