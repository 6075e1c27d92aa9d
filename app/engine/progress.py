"""How far a download is, and how fast.

`app/engine/download.py` counts here what it fetches; whoever asked for the
download sees `Progress`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.clock import Clock

PROGRESS_SECONDS: Final = 0.25
"""More often than this nobody can read."""
RATE_SECONDS: Final = 5.0
"""The speed shown is that of the last few seconds."""
MAX_ARRIVALS: Final = 4096
"""Pieces remembered for the speed: 5 seconds at 100 MB/s in pieces of 128 KiB."""


@dataclass(frozen=True)
class Progress:
    """How far a download is.

    `unit` is the one that just moved; what was on the disk already counts as
    done, but not for the speed. `origin` is the name of who sends it, "" if nobody
    has yet.
    """

    unit: int
    unit_done_bytes: int
    unit_bytes: int
    done_bytes: int
    total_bytes: int
    bytes_per_second: float
    origin: str


class ProgressMeter:
    """Counts one download of several units.

    Args:
        unit_bytes: the size of each unit that is wanted.
        tell: called with each `Progress`, at most a few times a second.
    """

    def __init__(
        self, unit_bytes: Mapping[int, int], tell: Callable[[Progress], None] | None, clock: Clock
    ) -> None:
        self._unit_bytes = dict(unit_bytes)
        self._tell = tell
        self._clock = clock
        self._done = dict.fromkeys(unit_bytes, 0)
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=MAX_ARRIVALS)
        self._told_at = float("-inf")

    def arrived(self, count_bytes: int) -> None:
        """Count bytes from the network, for the speed."""
        self._arrivals.append((self._clock.monotonic(), count_bytes))

    def has(self, unit: int, done_bytes: int) -> None:
        """So much of a unit is here; nobody is told yet."""
        self._done[unit] = done_bytes

    def moved(self, unit: int, done_bytes: int, origin: str, *, always: bool = False) -> None:
        """So much of a unit is here; tell, unless somebody was told just now."""
        self._done[unit] = done_bytes
        now = self._clock.monotonic()
        if self._tell is None or (not always and now - self._told_at < PROGRESS_SECONDS):
            return
        self._told_at = now
        self._tell(
            Progress(
                unit=unit,
                unit_done_bytes=done_bytes,
                unit_bytes=self._unit_bytes[unit],
                done_bytes=sum(self._done.values()),
                total_bytes=sum(self._unit_bytes.values()),
                bytes_per_second=self.bytes_per_second(),
                origin=origin,
            )
        )

    def bytes_per_second(self) -> float:
        """The speed of the last seconds; 0.0 before there is one."""
        now = self._clock.monotonic()
        while self._arrivals and self._arrivals[0][0] < now - RATE_SECONDS:
            self._arrivals.popleft()
        if not self._arrivals:
            return 0.0
        # The first piece came in before the time that is measured.
        seconds = now - self._arrivals[0][0]
        counted = sum(count for _, count in self._arrivals) - self._arrivals[0][1]
        return counted / seconds if seconds > 0 else 0.0
