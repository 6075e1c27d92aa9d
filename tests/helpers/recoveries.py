"""When the tokens of an answer were asked for and came, and how long that takes after a fault.

Used by storms with real processes (`tests/chaos/storm.py`) and in virtual time
(`tests/helpers/stormy_swarm.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Pace:
    """Seconds on a clock of one's choice, of one answer."""

    asked: list[float] = field(default_factory=list)
    came: list[float] = field(default_factory=list)

    def next_after(self, moment: float) -> float | None:
        """When the first token came that was asked for after a fault; None without."""
        for asked, came in zip(self.asked, self.came, strict=False):
            if asked >= moment:
                return came
        return None


@dataclass(frozen=True)
class Quantiles:
    """Of some durations in seconds: the median, 95 of 100, and the longest."""

    median: float
    late: float
    longest: float


def quantiles(seconds: Sequence[float]) -> Quantiles | None:
    """None when there are no durations."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return Quantiles(median(ordered), late, ordered[-1])
