"""How much a row of overlapping spans lets through, and what one more computer would add.

Pure. The swarm is seen as a network of conductors: a span of a share `x` of the model's work
that lets `r` tokens a second through conducts `r / x`, spans in a row are in series, spans of
the same units parallel, and they join only where one ends and another begins. If every part
of the model is served equally well, the whole conducts just what its computers together can
give; what leads nowhere carries nothing, and the weaker a part is, the more of the tension
lies on it. So the gain by one more computer anywhere is known exactly from one small system
of equations, and everybody who seeks his own largest gain raises the same sum.
`app/swarm/placement.py` decides by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

WAYS_BACK_ROUNDS: Final = 3
"""Nothing is computed backwards; conductors that would carry backwards are left out, which may
show others: after so many rounds what is left is too little to matter."""
LEAST_SHARE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Served:
    """A span between two points, by their numbers, that lets `rate` tokens a second through."""

    start: int
    stop: int
    rate: float


class Throughput:
    """A network between points in a row.

    Args:
        shares: where each point lies: the share of the model's work before it, ascending;
            the first is 0 and the last 1.
        served: all spans; those of one point or backwards count nothing.
        leak: what each part lets through that nobody serves, in tokens a second; small, but
            more than 0, so that an incomplete model has a throughput too.
    """

    def __init__(self, shares: Sequence[float], served: Sequence[Served], *, leak: float) -> None:
        self._shares = np.asarray(shares, float)
        count = len(self._shares)
        steps = np.arange(count - 1)
        self._starts = np.array([one.start for one in served], np.intp)
        self._stops = np.array([one.stop for one in served], np.intp)
        self._conducts = self.conductance(
            self._starts, self._stops, np.array([one.rate for one in served], float)
        )
        self._leaks = (
            steps,
            steps + 1,
            self.conductance(steps, steps + 1, np.full(count - 1, leak)),
        )
        self._solve(self._starts < self._stops)
        for _ in range(WAYS_BACK_ROUNDS):
            forward = self._tension[self._starts] > self._tension[self._stops]
            used = self._used & forward
            if used.sum() == self._used.sum():
                break
            self._solve(used)

    def conductance(self, starts: Numbers, stops: Numbers, rates: Floats) -> Floats:
        """What spans with these rates conduct."""
        apart = np.maximum(self._shares[stops] - self._shares[starts], LEAST_SHARE)
        return np.asarray(rates / apart)

    @property
    def value(self) -> float:
        """Tokens a second through the whole."""
        starts, stops, conducts = self._all()
        first = starts == 0
        return float((conducts[first] * (1.0 - self._tension[stops[first]])).sum())

    def gains(self, starts: Numbers, stops: Numbers, rates: Floats) -> Floats:
        """What each of some further spans would add to `value`, if it came alone; exact but
        for spans that would turn a way back into a way forward."""
        drops = np.maximum(0.0, self._tension[starts] - self._tension[stops])
        conducts = self.conductance(starts, stops, rates)
        inner = self._inverse
        resistance = inner[starts, starts] + inner[stops, stops] - 2 * inner[starts, stops]
        return np.asarray(conducts * drops**2 / (1.0 + conducts * resistance))

    def _all(self) -> tuple[Numbers, Numbers, Floats]:
        used = self._used
        return (
            np.concatenate([self._starts[used], self._leaks[0]]),
            np.concatenate([self._stops[used], self._leaks[1]]),
            np.concatenate([self._conducts[used], self._leaks[2]]),
        )

    def _solve(self, used: NDArray[np.bool_]) -> None:
        """The tension at every point: 1 at the first, 0 at the last."""
        self._used = used
        starts, stops, conducts = self._all()
        count = len(self._shares)
        matrix = np.zeros((count, count))
        np.add.at(matrix, (starts, starts), conducts)
        np.add.at(matrix, (stops, stops), conducts)
        np.add.at(matrix, (starts, stops), -conducts)
        np.add.at(matrix, (stops, starts), -conducts)
        self._inverse = np.zeros((count, count))
        self._tension = np.zeros(count)
        self._tension[0] = 1.0
        if count > 2:
            inside = np.linalg.inv(matrix[1:-1, 1:-1])
            self._inverse[1:-1, 1:-1] = inside
            self._tension[1:-1] = inside @ -matrix[1:-1, 0]
