"""The arrays that llama.cpp reads one decode from, made once for each slice.

llama.cpp takes them by address, so they have to outlive every call; and making
them anew for each token took as long as a small layer does. The counterpart that
hands their addresses over is `app/engine/llama.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """Some positions of one sequence: `hidden` is [rows, width] float32.

    The last `outputs` rows are wanted from the head.
    """

    sequence: int
    position: int
    hidden: Floats
    outputs: int = 0

    @property
    def results(self) -> int:
        """How many rows the head returns: `outputs`, or all there are."""
        return min(self.outputs, len(self.hidden))


class BatchArrays:
    """Room for the rows of one decode, from the first row on.

    Attributes:
        hidden: [rows, width] float32, what goes into the first block.
        positions: where each row stands in its sequence.
        sequences: whose row it is.
        sequence_counts: 1 everywhere, for a row belongs to one sequence.
        sequence_pointers: for each row the address of its entry in `sequences`.
        wanted: 1 for the rows whose output is wanted.
    """

    def __init__(self, rows: int, width: int) -> None:
        self.hidden = np.zeros((rows, width), np.float32)
        self.positions = np.zeros(rows, np.int32)
        self.sequences = np.zeros(rows, np.int32)
        self.sequence_counts = np.ones(rows, np.int32)
        item_bytes = self.sequences.itemsize
        first = self.sequences.ctypes.data
        self.sequence_pointers: NDArray[np.uintp] = np.arange(
            first, first + item_bytes * rows, item_bytes, dtype=np.uintp
        )
        self.wanted = np.zeros(rows, np.int8)

    def put(
        self, start: int, hidden: NDArray[np.float32], *, sequence: int, position: int, wanted: int
    ) -> int:
        """Put rows [n, width] of one sequence at row `start`; return where the next ones go.

        The last `wanted` of them are marked.

        Raises:
            ValueError: there is no room, they have another width, or more are wanted
                than there are.
        """
        stop = start + len(hidden)
        if wanted > len(hidden):
            raise ValueError(f"{wanted} of {len(hidden)} rows are wanted")
        if stop > len(self.hidden):
            raise ValueError(f"{stop} rows where {len(self.hidden)} have room")
        self.hidden[start:stop] = hidden
        self.positions[start:stop] = np.arange(position, position + len(hidden))
        self.sequences[start:stop] = sequence
        self.wanted[start : stop - wanted] = 0
        self.wanted[stop - wanted : stop] = 1
        return stop


def row_bytes(width: int, kind: GGMLQuantizationType) -> int:
    """How many bytes one row of `width` values takes."""
    block_items, block_bytes = GGML_QUANT_SIZES[kind]
    return width // int(block_items) * int(block_bytes)
