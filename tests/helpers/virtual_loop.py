"""An event loop whose time is a number: minutes pass in milliseconds, in the same order each time.

    run_virtual(dialogue())             # asyncio.sleep(60) takes no time at all
    clock = LoopClock()                 # tells the loop's time

Only for what lives in memory: a socket or a thread knows nothing of this time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
FIRST_WALL = 1_800_000_000.0
MOST_TURNS = 100_000
"""Of the loop in one moment: a second of a processor, and far more than any test has."""


class _NoWaiting(selectors.DefaultSelector):
    """Where the loop would wait, its time moves on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0  # since time moved on

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        self._turns += 1
        if self._turns > MOST_TURNS:
            self._turns = 0
            raise RuntimeError("somebody is never done, and so time does not move on")
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is due any more")
        if timeout > 0:
            self.now += timeout
            self._turns = 0
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits."""

    def __init__(self) -> None:
        self._virtual = _NoWaiting()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


class LoopClock:
    """Stands in for `app.clock.SystemClock`, by the time of the running loop."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return FIRST_WALL + asyncio.get_running_loop().time()


def run_virtual(dialogue: Coroutine[Any, Any, T]) -> T:
    """Run it to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(dialogue)
