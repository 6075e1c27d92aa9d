"""Virtual time: what is to happen, in order; hours pass in the time that the work takes.

Its counterpart in the program is the event loop. Everything random in a simulation comes
from one seed, so that a run can be had again.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Final

WALL_AT_START: Final = 1_800_000_000.0


class Clockwork:
    """Calls due at a time, in seconds from the start."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._serials = itertools.count()

    @property
    def wall(self) -> float:
        """Seconds since 1970, the same for everybody here."""
        return WALL_AT_START + self.now

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Do this later; what is due at the same time happens in the order it was asked for."""
        heapq.heappush(self._due, (self.now + seconds, next(self._serials), call))

    def run(self, until: float) -> None:
        """Let time pass up to this second, doing all that falls due."""
        while self._due and self._due[0][0] <= until:
            self.now, _, call = heapq.heappop(self._due)
            call()
        self.now = until
