"""Takes a sequence's memory out of a loaded slice, and puts another computer's into one.

Runs in the worker. What llama.cpp is given was written here, from rows that were checked; how,
`app/engine/kv_state.py` says. The counterpart that moves rows between computers is
`app/swarm/handover.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from app.engine.batch import Rows
from app.engine.frames import MAX_FRAME_BYTES, MOST_STATE_BYTES
from app.engine.kv_state import Bytes2D, MemoryForm, check_rows, read_state, write_state
from app.errors import EngineFault


class Memory(Protocol):
    """A slice that has the memory; `app.engine.llama.LoadedSlice`."""

    @property
    def width(self) -> int:
        """The values of a hidden state."""
        ...

    def positions(self, sequence: int) -> int:
        """How many positions of a sequence are known."""
        ...

    def compute(self, batch: Sequence[Rows]) -> Any:
        """Run rows through it."""
        ...

    def forget(self, sequence: int, position: int) -> None:
        """Drop everything at or after a position."""
        ...

    def save(self, sequence: int) -> bytes:
        """The memory of a sequence, in llama.cpp's bytes."""
        ...

    def restore(self, sequence: int, state: bytes) -> None:
        """Replace the memory of a sequence."""
        ...


class PortableMemory:
    """The memory of a slice's sequences, as rows that mean the same on every computer."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._form: MemoryForm | None = None

    def form(self, sequence: int) -> MemoryForm:
        """What rows look like here; learnt once, by computing a row of a sequence.

        Raises:
            NoRoom: there is none for it now. EngineFault: no memory of these layers can be moved,
                or there is no such sequence.
        """
        probe = not self._memory.positions(sequence)
        if self._form is None:
            if probe:
                row = np.full((1, self._memory.width), 0.01, np.float32)
                self._memory.compute([Rows(sequence, 0, row, 0)])
            try:
                self._form, _ = self._read(sequence)
            finally:
                if probe:
                    self._memory.forget(sequence, 0)
        return self._form

    def take(self, sequence: int, positions: int) -> bytes:
        """The rows of the first positions of a sequence, so many or as many as are known and
        make `MOST_STATE_BYTES`.

        Raises:
            EngineFault: nothing is known, or it cannot be moved.
        """
        form = self.form(sequence)
        row_bytes = form.position_bytes
        if self._memory.positions(sequence) * row_bytes > MAX_FRAME_BYTES:
            raise EngineFault("this conversation's memory is too large to be moved")
        most = min(positions, MOST_STATE_BYTES // row_bytes)
        _, rows = self._read(sequence, form=form, most=most)
        return rows.tobytes()

    def put(self, sequence: int, data: bytes) -> None:
        """Replace the memory of a sequence with rows that `take` gave, here or elsewhere.

        Raises:
            BadInput: they are no such rows; the sequence is as it was.
            NoRoom, EngineFault: as `form`, or there is no room; the sequence is empty then.
        """
        if self._form is None:
            self._memory.forget(sequence, 0)
        form = self.form(sequence)
        self._memory.restore(sequence, write_state(form, check_rows(form, data), sequence))

    def _read(
        self, sequence: int, *, form: MemoryForm | None = None, most: int | None = None
    ) -> tuple[MemoryForm, Bytes2D]:
        try:
            return read_state(self._memory.save(sequence), sequence, form=form, most=most)
        except ValueError as error:
            raise EngineFault(f"this conversation's memory cannot be moved: {error}") from None
