"""A model as placement sees it: what its units take and cost, and where to cut it.

Pure. Everybody who has the model's manifest derives the same cut points from it, so that
strangers who decide independently still meet (`app/swarm/placement.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Final

from app.ids import Span

EMBEDDING_WORK: Final = 0.05
"""A token through the embedding, in blocks: one row is looked up."""


class Layout:
    """The units of a model.

    Args:
        unit_bytes: the size of each, on the disk and in memory; the embedding first and the
            head last.
        room_bytes_per_block: what the conversations on a block take besides.
    """

    def __init__(self, unit_bytes: Sequence[int], room_bytes_per_block: int = 0) -> None:
        self._unit_bytes = tuple(unit_bytes)
        self._room_bytes = room_bytes_per_block

    @property
    def units(self) -> int:
        """How many there are."""
        return len(self._unit_bytes)

    @cached_property
    def memory_before(self) -> list[int]:
        """What all units before each boundary take in memory."""
        last = self.units - 1
        sizes = [
            size + (self._room_bytes if 0 < unit < last else 0)
            for unit, size in enumerate(self._unit_bytes)
        ]
        return [0, *itertools.accumulate(sizes)]

    @cached_property
    def work_before(self) -> list[float]:
        """What a token costs in all units before each boundary. A middling block costs 1.

        The head costs nothing by itself: what is measured are blocks, its time among theirs.
        """
        blocks = self._unit_bytes[1:-1]
        mean = max(1.0, sum(blocks) / max(1, len(blocks)))
        work = [size / mean for size in blocks]
        return [0.0, *itertools.accumulate([EMBEDDING_WORK, *work, EMBEDDING_WORK])]

    @property
    def least_work(self) -> float:
        """Less costs no span."""
        return EMBEDDING_WORK

    @cached_property
    def cuts(self) -> dict[int, int]:
        """The boundaries inside by how many halvings lead to them: the middle has 1."""
        found: dict[int, int] = {}
        parts = [(0, self.units)]
        depth = 1
        while parts:
            halves = []
            for start, stop in parts:
                if stop - start > 1:
                    middle = self._middle(start, stop)
                    found[middle] = depth
                    halves += [(start, middle), (middle, stop)]
            parts, depth = halves, depth + 1
        return found

    def depth_for(self, room_bytes: int, least: int) -> int:
        """How often the model must be halved, at least so often, that every part fits."""
        deepest = max(self.cuts.values(), default=0)
        for depth in range(least, deepest):
            points = sorted({0, self.units} | {u for u, at in self.cuts.items() if at <= depth})
            if all(self.memory(Span(*ends)) <= room_bytes for ends in itertools.pairwise(points)):
                return depth
        return max(least, deepest)

    def memory(self, span: Span) -> int:
        """What a span takes in memory."""
        return self.memory_before[span.stop] - self.memory_before[span.start]

    def work(self, span: Span) -> float:
        """What a token costs in a span."""
        stop = min(span.stop, self.units)
        start = min(span.start, stop)
        return max(EMBEDDING_WORK, self.work_before[stop] - self.work_before[start])

    def missing_bytes(self, span: Span, held: Collection[int]) -> int:
        """What of a span is not on the disk."""
        return sum(self._unit_bytes[u] for u in range(span.start, span.stop) if u not in held)

    def missing_before(self, held: Collection[int]) -> list[int]:
        """What of all units before each boundary is not on the disk."""
        sizes = [0 if unit in held else size for unit, size in enumerate(self._unit_bytes)]
        return [0, *itertools.accumulate(sizes)]

    def farthest(self, start: int, room_bytes: int) -> int:
        """How far a span from a boundary may reach; `start` itself where nothing fits."""
        stop = start
        while stop < self.units and self.memory(Span(start, stop + 1)) <= room_bytes:
            stop += 1
        return stop

    def nearest(self, stop: int, room_bytes: int) -> int:
        """Where a span up to a boundary may begin at the earliest, likewise."""
        start = stop
        while start > 0 and self.memory(Span(start - 1, stop)) <= room_bytes:
            start -= 1
        return start

    def _middle(self, start: int, stop: int) -> int:
        """The boundary inside with the most equal bytes on both sides; the first of equal ones."""
        before = self.memory_before

        def unequal(point: int) -> int:
            return abs(before[point] - before[start] - (before[stop] - before[point]))

        return min(range(start + 1, stop), key=unequal)
