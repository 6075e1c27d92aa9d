"""The cheapest rows of legs from one boundary of a model to another, exactly.

Pure, and knows nothing of computers: a leg leads from a boundary to a later one at a cost,
and going from one leg to the next costs too. `app/swarm/route.py` says what legs and
their costs are.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

REUSED: Final = 1e6
"""What it costs to use somebody again in another row, so that it happens only where it must."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Leg:
    """One way over some boundaries; `number` is whose it is, and may stand in several legs."""

    number: int
    start: int
    stop: int
    cost: float


class Between(Protocol):
    """What it costs to go from some legs to others, by their numbers."""

    def __call__(self, ones: Numbers, others: Numbers, /) -> Floats:
        """Costs as [ones, others]; finite."""
        ...


class Search:
    """Finds rows of legs between two boundaries.

    Args:
        legs: all there are; each leads forward.
        start, stop: the boundaries, `start` the lower one.
        before, after: the numbers, for `between`, of what stands at both ends.
    """

    def __init__(
        self,
        legs: Sequence[Leg],
        *,
        start: int,
        stop: int,
        between: Between,
        before: int,
        after: int,
    ) -> None:
        self._legs = legs
        self._between = between
        self._before = before
        self._after = after
        self._costs = np.array([leg.cost for leg in legs], float)
        self._numbers = np.array([leg.number for leg in legs], np.intp)
        self._starts = np.array([leg.start for leg in legs], np.intp)
        self._stops = np.array([leg.stop for leg in legs], np.intp)
        self._first = np.flatnonzero(self._starts == start)
        self._last = np.flatnonzero(self._stops == stop)
        here = np.array([before], np.intp)
        self._ways_in = between(here, self._numbers[self._first])[0]
        there = np.array([after], np.intp)
        self._ways_out = between(self._numbers[self._last], there)[:, 0]
        # For each boundary inside: who arrives there, who goes on, and what lies between.
        self._inner: list[tuple[Numbers, Numbers, Floats]] = []
        for boundary in sorted({leg.start for leg in legs if leg.start > start}):
            arrive = np.flatnonzero(self._stops == boundary)
            leave = np.flatnonzero(self._starts == boundary)
            if arrive.size:
                ways = between(self._numbers[arrive], self._numbers[leave])
                self._inner.append((arrive, leave, ways))

    def cheapest(self, count: int) -> list[tuple[float, list[Leg]]]:
        """Up to so many different rows with their costs, the cheapest first.

        Each further row shares as few numbers with those before it as can be.
        """
        found: list[tuple[float, list[Leg]]] = []
        used: set[int] = set()
        for _ in range(count):
            row = self._one(used)
            if not row or any(row == other for _, other in found):
                break
            found.append((self._cost(row), row))
            used |= {leg.number for leg in row}
        return sorted(found, key=lambda each: each[0])

    def _one(self, used: Collection[int]) -> list[Leg]:
        """The cheapest row when what is used already costs `REUSED` more; [] if there is none.

        Legs only lead forward, so one pass over the boundaries finds it.
        """
        if not self._first.size or not self._last.size:
            return []
        costs = self._costs.copy()
        if used:
            costs[np.isin(self._numbers, list(used))] += REUSED
        total = np.full(len(costs), np.inf)
        previous = np.full(len(costs), -1, np.intp)
        total[self._first] = self._ways_in + costs[self._first]
        for arrive, leave, ways in self._inner:
            sums = total[arrive, None] + ways
            best = sums.argmin(axis=0)
            total[leave] = sums[best, np.arange(len(leave))] + costs[leave]
            previous[leave] = arrive[best]
        ends = total[self._last] + self._ways_out
        end = int(ends.argmin())
        if not np.isfinite(ends[end]):
            return []
        row: list[Leg] = []
        at = int(self._last[end])
        while at >= 0:
            row.append(self._legs[at])
            at = int(previous[at])
        return row[::-1]

    def _cost(self, row: Sequence[Leg]) -> float:
        numbers = [self._before, *(leg.number for leg in row), self._after]
        ways = sum(
            float(self._between(np.array([one]), np.array([other]))[0, 0])
            for one, other in itertools.pairwise(numbers)
        )
        return ways + sum(leg.cost for leg in row)
