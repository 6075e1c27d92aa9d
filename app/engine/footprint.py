"""What a served span takes in memory besides its weights, told by the model's header.

Pure. A host promises room for so many tokens; what they take when all of them are used is
counted before a span is chosen (`app/swarm/layout.py`), so that the promise never asks for
more than the owner's memory has. What does not grow with tokens or weights, such as what the
network holds for a moment, has bounds of its own and lies in the margin that is left free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.engine.ordered_room import cells_for
from app.engine.slicing import Plan

WORKER_BYTES: Final = 96 << 20
"""A worker before it has loaded anything, and what of a step is on its way through the node."""
GRAPH_WIDTHS: Final = 8
"""So many hidden states of each row llama.cpp has at a time while it computes a block."""
MASK_BYTES: Final = 6
"""For each cell and row of a batch: whether the row sees the cell, as llama.cpp has it twice."""
HIDDEN_VALUE_BYTES: Final = 4
RESULT_BYTES: Final = 8
"""A row of the head has a number of 4 bytes for each word: in the graph and in the results."""


@dataclass(frozen=True)
class Footprint:
    """Bytes besides the weights.

    Attributes:
        unit_bytes: on each unit: the keys and values of all tokens, and as much again for the
            moment in which they are written anew (`app/engine/ordered_room.py`); on the head,
            results.
        handing_on_bytes: of a span that does not end the model: what was handed on is kept until
            a conversation ends, to be sent again (`app/swarm/boundary_log.py`).
        span_bytes: of every span, however long.
    """

    unit_bytes: tuple[int, ...]
    handing_on_bytes: int
    span_bytes: int


def footprint(plan: Plan, *, tokens: int, batch_rows: int) -> Footprint:
    """What a span of this model takes with room for so many tokens over all conversations.

    Args:
        batch_rows: the most rows of one decode.
    """
    cells = cells_for(tokens, batch_rows=batch_rows)
    return Footprint(
        unit_bytes=(
            0,
            *(size * (cells + tokens) for size in plan.position_bytes),
            RESULT_BYTES * plan.vocabulary_size * batch_rows,
        ),
        handing_on_bytes=HIDDEN_VALUE_BYTES * plan.width * tokens,
        span_bytes=WORKER_BYTES
        + batch_rows * (MASK_BYTES * cells + GRAPH_WIDTHS * HIDDEN_VALUE_BYTES * plan.width),
    )
