"""How long the computer kept a test from running, for what is measured against the clock.

A cap is kept whatever else the computer does, but it cannot be used up by whoever does not get
to run. So what may not be too much is divided by all the time that passed, and what may not
be too little by that time less the time found here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path

NAP_SECONDS = 0.01
USUAL_SECONDS = 0.02
"""Who wakes so late was not held up: the test itself was at work."""
CALM_SECONDS = 1.0
MOST_CALM_SECONDS = 30.0
MOST_TIMES = 5
"""So many times as long as was asked for `wait` lasts at most."""


class HeldUp:
    """Adds up by how much this process woke too late; `watch` has to run beside the test."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last = time.monotonic()

    async def watch(self) -> None:
        """Look on, until it is cancelled."""
        while True:
            asleep = time.monotonic()
            await asyncio.sleep(NAP_SECONDS)
            awake = time.monotonic()
            late = awake - asleep - NAP_SECONDS
            if late > USUAL_SECONDS:
                self.seconds += late
                self._last = awake

    async def calm(self) -> None:
        """Wait until a second has passed without any of it, but not for ever."""
        gives_up = time.monotonic() + MOST_CALM_SECONDS
        while True:
            calm_at = min(self._last + CALM_SECONDS, gives_up)
            if (left := calm_at - time.monotonic()) <= 0:
                return
            await asyncio.sleep(left)

    async def wait(self, seconds: float) -> None:
        """Wait for so long, and for as long again as this process was held up meanwhile."""
        began, held_before = time.monotonic(), self.seconds
        while (took := time.monotonic() - began) < MOST_TIMES * seconds:
            left = seconds - took + self.seconds - held_before
            if left <= 0:
                return
            await asyncio.sleep(left)


def queued_seconds(pids: Iterable[int]) -> float:
    """How long threads of these processes stood in line for a processor so far.

    0.0 where the system does not tell: only Linux does.
    """
    nanoseconds = 0
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                nanoseconds += int(file.read_text().split()[1])
            except (OSError, IndexError, ValueError):
                continue  # it ended meanwhile, or it is told otherwise
    return nanoseconds / 1e9
