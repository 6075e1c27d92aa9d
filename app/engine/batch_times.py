"""How long batches of the engine take, by their size: what may be expected of the next one.

Pure. A row costs little among many, because a decode reads the weights once for all of them,
so batches are compared with batches like them. `app/engine/supervisor.py` tells what each
took, and asks when one is overdue.
"""

from __future__ import annotations

from typing import Final

FADES: Final = 0.98
"""By so much what was slow counts less with each further batch like it: a computer that others
keep busy is slow now and then for seconds, and no less alive for that."""


class BatchTimes:
    """The slowest batches lately: for one row, two, up to four, up to eight and so on."""

    def __init__(self) -> None:
        self._slowest: dict[int, float] = {}

    def took(self, rows: int, seconds: float) -> None:
        """A batch of so many rows took so long."""
        size = _size(rows)
        self._slowest[size] = max(seconds, FADES * self._slowest.get(size, 0.0))

    def expected(self, rows: int) -> float:
        """Seconds that a batch of so many rows may be expected to take; 0.0 if none was seen.

        One that is larger than all that were seen takes more in proportion at most; one that is
        smaller takes no longer than the smallest seen.
        """
        size = _size(rows)
        larger = [seen for seen in self._slowest if seen >= size]
        smaller = [seen for seen in self._slowest if seen < size]
        guesses = [self._slowest[min(larger)]] if larger else []
        if smaller:
            guesses.append(self._slowest[max(smaller)] * 2 ** (size - max(smaller)))
        return min(guesses, default=0.0)


def _size(rows: int) -> int:
    return max(0, rows - 1).bit_length()
