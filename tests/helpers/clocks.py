"""A clock that tests own: nothing waits, and time passes when somebody sleeps."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Counts seconds; `sleep` moves the hands at once and remembers what was asked."""

    def __init__(self, start: float = 1000.0) -> None:
        self.now = start
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
