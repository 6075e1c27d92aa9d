"""What a host handed on in one session, kept until it ends.

Pure. When the computer after this one is lost, what it was sent goes to the one that
takes its place (`app/swarm/host.py`), and nobody else has to compute anything again.
A log grows with the positions its session may use, so the ledger of the engine bounds
it: positions x width x 4 bytes. So much is counted before a span is chosen
(`app/engine/footprint.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

STEP_BYTES: Final = 1 << 20
"""What is long travels in steps of at most this much, so that hosts work side by side."""


def rows_per_step(rows: int, row_bytes: int) -> int:
    """How many of so many rows go into one step; never fewer than one."""
    return max(1, min(rows, STEP_BYTES // max(1, row_bytes)))


class BoundaryLog:
    """Rows of hidden states by position, without a gap: from 0 on, or from where a host began
    that inherited what was before."""

    def __init__(self) -> None:
        self._rows = bytearray()
        self._row_bytes = 0
        self._begins_at = 0

    @property
    def positions(self) -> int:
        """Where the next row belongs, counted from 0."""
        known = len(self._rows) // self._row_bytes if self._row_bytes else 0
        return self._begins_at + known

    @property
    def held_bytes(self) -> int:
        """The memory it takes."""
        return len(self._rows)

    def begin_at(self, position: int) -> None:
        """Forget all, and go on with the rows of this position."""
        self._rows.clear()
        self._begins_at = position

    def put(self, position: int, rows: int, hidden: bytes) -> None:
        """These rows were handed on; what was known at or after `position` is forgotten.

        Raises:
            ValueError: they do not follow on what is known, or have another width.
        """
        row_bytes, rest = divmod(len(hidden), rows)
        if rest or not row_bytes or (self._row_bytes not in (0, row_bytes)):
            raise ValueError(f"{len(hidden)} bytes are not {rows} rows of {self._row_bytes}")
        if position > self.positions:
            raise ValueError(f"position {position} does not follow on {self.positions}")
        self._row_bytes = row_bytes
        if position < self._begins_at:
            self.begin_at(position)
        del self._rows[(position - self._begins_at) * row_bytes :]
        self._rows += hidden

    def pieces(self, stop: int, *, start: int = 0, rows: int) -> Iterator[tuple[int, int, bytes]]:
        """Positions `start` .. `stop` in pieces of at most `rows`: position, rows, hidden states.

        Raises:
            ValueError: so many are not known, or not from there on.
        """
        if stop > self.positions:
            raise ValueError(f"{stop} positions are wanted and {self.positions} are known")
        if start < self._begins_at and start < stop:
            raise ValueError(f"position {start} is wanted, and {self._begins_at} is the first")
        width, base = self._row_bytes, self._begins_at
        rows = rows_per_step(rows, width)
        for first in range(start, stop, rows):
            end = min(stop, first + rows)
            yield (
                first,
                end - first,
                bytes(self._rows[(first - base) * width : (end - base) * width]),
            )
