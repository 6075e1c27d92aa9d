"""Keeps each conversation's cells in the order of its positions, so that results stay exact.

Conversations share one pool of cells, and llama.cpp puts a new row into the first free cell
it finds. Where one conversation has left a gap, another's later positions would come to stand
before its earlier ones; the attention adds up in the order of the cells, and the same tokens
would give other bits. So no gap is ever left: cells that are given up stay taken by nobody's
sequence, and when there are too many of them, what is known is written anew without them.
The counterpart that has the cells is `app/engine/llama.py`.
"""

from __future__ import annotations

from typing import Final, Protocol

from app.errors import NoRoom

SPARE_PART: Final = 8
"""One cell in so many is there beside those for conversations: with fewer, what is known would
be written anew too often while the room is in full use."""
LEAST_WASTE: Final = 512
"""So many cells may lie idle before it is worth anybody's time."""


class Cells(Protocol):
    """What has the cells."""

    def positions(self, sequence: int) -> int:
        """How many positions of a sequence are known."""
        ...

    def set_aside(self, sequence: int, position: int) -> None:
        """Take the cells at or after `position` from a sequence, and leave them taken."""
        ...

    def clear(self) -> None:
        """Empty every cell."""
        ...

    def save(self, sequence: int) -> bytes:
        """The memory of one sequence."""
        ...

    def load(self, sequence: int, state: bytes) -> None:
        """Put what `save` gave into the cells after those that are taken.

        Raises:
            EngineFault: it does not fit.
        """
        ...


def cells_for(tokens: int, *, batch_rows: int) -> int:
    """How many cells a pool needs for conversations of so many tokens together."""
    return tokens + max(batch_rows, tokens // SPARE_PART)


class OrderedRoom:
    """Which cells of a pool are in use: always the first ones, without a gap."""

    def __init__(self, cells: Cells, tokens: int, batch_rows: int, sequences: int) -> None:
        self._cells = cells
        self._tokens = tokens
        self._count = cells_for(tokens, batch_rows=batch_rows)
        self._sequences = sequences
        self._used = 0
        self._known = 0
        self._doubtful = False

    @property
    def wasted(self) -> int:
        """Cells that are taken by nobody."""
        return self._used - self._known

    def forget(self, sequence: int, position: int) -> None:
        """Drop everything of a sequence at or after `position`."""
        known = self._cells.positions(sequence)
        if position >= known:
            return
        self._cells.set_aside(sequence, position)
        self._known -= known - position
        if self.wasted > max(self._known, LEAST_WASTE) or self._known == 0:
            self.tidy()

    def take(self, rows: int) -> None:
        """Count rows that are about to be put into the next cells.

        Raises:
            NoRoom: they are more than there is room for; nothing has changed.
            EngineFault: as `Cells.load`; some sequences are empty then.
        """
        if self._doubtful:
            self.tidy()
        if self._known + rows > self._tokens:
            raise NoRoom("this computer's memory for conversations is full")
        if self._used + rows > self._count:
            self.tidy()
        self._used += rows
        self._known += rows

    def loaded(self, sequence: int) -> None:
        """A sequence that was empty was loaded behind what was there."""
        positions = self._cells.positions(sequence)
        self._used += positions
        self._known += positions

    def doubt(self) -> None:
        """Something failed half-way: what is where shall be looked at before it goes on."""
        self._doubtful = True

    def tidy(self) -> None:
        """Write anew what is known, one sequence after the other, from the first cell on.

        Raises:
            EngineFault: as `Cells.load`.
        """
        known = [number for number in range(self._sequences) if self._cells.positions(number)]
        states = [(number, self._cells.save(number)) for number in known]
        self._cells.clear()
        self._used = self._known = 0
        self._doubtful = False
        for number, state in states:
            self._cells.load(number, state)
            self.loaded(number)
