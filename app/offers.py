"""What this computer could serve of a model, and what it should.

Pure: sizes, memory and who serves what go in, a span and an expectation come out.
The node shows it before a model is chosen (`app/service.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from app.ids import Span

MEMORY_MARGIN_BYTES: Final = 1 << 30
"""Left to the owner's own programs, whatever the model."""
MEMORY_SHARE: Final = 0.8
"""Of what is free; the rest is for conversations, buffers and what the owner opens next."""


@dataclass(frozen=True)
class Fit:
    """What fits: the longest span is of `units` units, `suggested` is the one to serve."""

    units: int
    suggested: Span | None


def room_bytes(available_bytes: int, card_bytes: Sequence[int | None]) -> int:
    """How much memory layers may take: the largest card's, or what main memory leaves.

    A card whose memory is unknown counts as none.
    """
    main = min(available_bytes - MEMORY_MARGIN_BYTES, int(available_bytes * MEMORY_SHARE))
    cards = [int((size or 0) * MEMORY_SHARE) for size in card_bytes]
    return max(0, main, *cards)


def fit(unit_bytes: Sequence[int], room: int, holders: Sequence[Span]) -> Fit:
    """What fits of a model and is needed most.

    The whole model is suggested where it fits and somebody is missing anywhere, or
    nobody serves any of it. Else the span that lifts the least served units: of all
    that begin where a chain can reach them, the one with the lowest number of holders.

    Args:
        unit_bytes: the size of each unit in memory.
        room: how much memory there is.
        holders: the spans that others serve.
    """
    whole = Span(0, len(unit_bytes))
    longest = max(_stop(unit_bytes, start, room) - start for start in range(whole.stop))
    if longest <= 0:
        return Fit(0, None)
    if longest == len(whole):
        return Fit(longest, whole)
    counts = coverage(whole.stop, holders)
    edges = _edges(whole, holders)
    candidates = [
        Span(start, stop)
        for start in edges
        for stop in _stops(unit_bytes, start, room, edges)
        if stop > start
    ]
    if not candidates:  # where chains can be entered nothing fits; better somewhere than nowhere
        starts = range(whole.stop)
        start = max(starts, key=lambda start: _stop(unit_bytes, start, room) - start)
        candidates = [Span(start, start + longest)]
    return Fit(longest, min(candidates, key=lambda span: _order(span, counts)))


def coverage(units: int, holders: Sequence[Span]) -> list[int]:
    """How many computers serve each unit."""
    return [sum(unit in span for span in holders) for unit in range(units)]


def block_bytes(unit_bytes: Sequence[int]) -> int:
    """The size of a whole model's blocks together; a token reads each of them once."""
    return sum(unit_bytes[1:-1])


def _order(span: Span, counts: Sequence[int]) -> tuple[int, int, int, int]:
    """Least served first; then the most of these; then the shortest; then the first."""
    least = min(counts[span.start : span.stop])
    gained = sum(count == least for count in counts[span.start : span.stop])
    return (least, -gained, len(span), span.start)


def _edges(whole: Span, holders: Sequence[Span]) -> list[int]:
    """Where a chain can enter: spans are run whole, so new ones have to meet old ones."""
    edges: set[int] = {0, whole.stop}
    for span in holders:
        edges |= {span.start, span.stop}
    return sorted(edge for edge in edges if edge <= whole.stop)


def _stops(unit_bytes: Sequence[int], start: int, room: int, edges: Collection[int]) -> list[int]:
    """Where a span from `start` may end: at an edge others begin at, else as far as it fits."""
    if start >= len(unit_bytes):
        return []
    far = _stop(unit_bytes, start, room)
    meeting = [edge for edge in edges if start < edge <= far]
    return meeting or [far]


def _stop(unit_bytes: Sequence[int], start: int, room: int) -> int:
    """How far a span from `start` reaches within the room."""
    stop, used = start, 0
    while stop < len(unit_bytes) and used + unit_bytes[stop] <= room:
        used += unit_bytes[stop]
        stop += 1
    return stop
