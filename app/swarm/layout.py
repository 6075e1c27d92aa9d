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
        room_bytes: what conversations take besides on each unit; nothing where it is not given.
        handing_on_bytes: what they take on a span that does not end the model.
        span_bytes: what every span takes, however long.
    """

    def __init__(
        self,
        unit_bytes: Sequence[int],
        room_bytes: Sequence[int] = (),
        *,
        handing_on_bytes: int = 0,
        span_bytes: int = 0,
    ) -> None:
        self._unit_bytes = tuple(unit_bytes)
        self._room_bytes = tuple(room_bytes) or (0,) * len(self._unit_bytes)
        self._handing_on_bytes = handing_on_bytes
        self._span_bytes = span_bytes

    @property
    def units(self) -> int:
        """How many there are."""
        return len(self._unit_bytes)

    @cached_property
    def memory_before(self) -> list[int]:
        """What all units before each boundary take in memory."""
        sizes = map(sum, zip(self._unit_bytes, self._room_bytes, strict=True))
        return [0, *itertools.accumulate(sizes)]

    @cached_property
    def _unit_bytes_before(self) -> list[int]:
        return [0, *itertools.accumulate(self._unit_bytes)]

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
        units = self.memory_before[span.stop] - self.memory_before[span.start]
        return units + self.memory_besides(span.stop)

    def memory_besides(self, stop: int) -> int:
        """What a span that ends there takes in memory besides its units."""
        return self._span_bytes + self.handing_on_bytes(stop)

    def handing_on_bytes(self, stop: int) -> int:
        """What of that is for what it hands on to the next one, if there is a next one."""
        return self._handing_on_bytes if stop < self.units else 0

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
        if start < self.units and self.memory(Span(start, self.units)) <= room_bytes:
            return self.units  # what ends the model may take less than what ends before its end
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

    def longest(self, room_bytes: int) -> int:
        """How many units in a row fit at most."""
        longest, start = self.units - self.nearest(self.units, room_bytes), 0
        for stop in range(1, self.units):
            while start < stop and self.memory(Span(start, stop)) > room_bytes:
                start += 1
            longest = max(longest, stop - start)
        return longest

    def _middle(self, start: int, stop: int) -> int:
        """The boundary inside with the most equal bytes on both sides; of equal ones that with the
        most equal work, and the first of those.

        Of the units alone: how much room conversations get is each computer's own affair.
        """
        size, work = self._unit_bytes_before, self.work_before

        def unequal(point: int) -> tuple[int, float]:
            return (
                abs(2 * size[point] - size[start] - size[stop]),
                abs(2 * work[point] - work[start] - work[stop]),
            )

        return min(range(start + 1, stop), key=unequal)
