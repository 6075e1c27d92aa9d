"""What a host handed on in one session, kept until it ends.

Pure. When the computer after this one is lost, what it was sent goes to the one that
takes its place (`app/swarm/host.py`), and nobody else has to compute anything again.
A log grows with the positions its session may use, so the ledger of the engine bounds
it: positions x width x 4 bytes.
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
    """Rows of hidden states by position, from 0 on without a gap."""

    def __init__(self) -> None:
        self._rows = bytearray()
        self._row_bytes = 0

    @property
    def positions(self) -> int:
        """How many positions are known, counted from 0."""
        return len(self._rows) // self._row_bytes if self._row_bytes else 0

    @property
    def held_bytes(self) -> int:
        """The memory it takes."""
        return len(self._rows)

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
        del self._rows[position * row_bytes :]
        self._rows += hidden

    def pieces(self, stop: int, *, rows: int) -> Iterator[tuple[int, int, bytes]]:
        """Positions 0 .. `stop` in pieces of at most `rows`: position, rows, hidden states.

        Raises:
            ValueError: so many are not known.
        """
        if stop > self.positions:
            raise ValueError(f"{stop} positions are wanted and {self.positions} are known")
        width = self._row_bytes
        rows = rows_per_step(rows, width)
        for start in range(0, stop, rows):
            end = min(stop, start + rows)
            yield start, end - start, bytes(self._rows[start * width : end * width])
