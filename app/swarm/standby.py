"""For which units a computer with room to spare stands by, and when it serves them as well.

Pure: what was announced, the time and chance go in. Standing by is keeping the units of a second
span on the disk, beside the one that is served; serving them as well is for as long as they are
missed. `app/swarm/placement.py` decides where a computer is for good, and goes by the same
announcements; `app/node/standing_by.py` acts on both answers here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.ids import Span
from app.swarm.coverage import replicas, runs
from app.swarm.layout import Layout
from app.swarm.placement import ENOUGH, Own, Server

CROWDED: Final = 0.8
"""Units are crowded where every computer that serves them has so much of its places taken."""
STILL_CROWDED: Final = 0.6
"""Who helps out stays while the others, left alone, would have so much of theirs taken."""

Need = Literal["nobody", "one", "crowded"]
"""What others lack: nobody serves a unit, only one does, or all who do are crowded."""

BEGIN_SECONDS: Final[dict[Need, tuple[float, float]]] = {
    "nobody": (0.0, 4.0),
    "one": (20.0, 40.0),
    "crowded": (45.0, 45.0),
}
"""A need has lasted so long before it is met, and by chance up to so much longer: somebody may be
back in a moment, and of many who stand by the first is to be seen by the others."""
END_SECONDS: Final = (300.0, 120.0)
"""Likewise before it ends. Leaving costs whoever talks over it a repair."""


def spare(
    layout: Layout, servers: Sequence[Server], own: Own, *, most_bytes: float, draw: float
) -> Span | None:
    """The span to stand by for: where losing one computer more would hurt most, or all are crowded.

    Units that few serve come first, and of those as few serve the crowded ones; chance takes one
    of what is left, so that not all stand by for the same. Spans are others' or gaps between
    them, because chains join only there.

    Args:
        servers: everybody else who announced units of the model.
        own: `current` is what is served; `room_bytes` what memory is left beside it.
        most_bytes: what may be fetched.
        draw: a random number from 0 to below 1.

    Returns:
        None if nothing fits, or everything is served often enough and has room.
    """
    if own.current is None:
        return None
    ready = [server for server in servers if server.ready and server.span.stop <= layout.units]
    counts = replicas([*(server.span for server in ready), own.current], layout.units)
    gaps = [span for span, count in runs(counts) if not count]
    found: defaultdict[tuple[int, bool], list[Span]] = defaultdict(list)
    for span in sorted({*gaps, *(server.span for server in ready)}):
        apart = span.stop <= own.current.start or own.current.stop <= span.start
        fits = layout.memory(span) <= own.room_bytes
        if not apart or not fits or layout.missing_bytes(span, own.held) > most_bytes:
            continue
        least = min(counts[span.start : span.stop])
        is_crowded = _is_crowded(_loads(ready, span))
        if least <= ENOUGH or is_crowded:
            found[least, not is_crowded].append(span)
    if not found:
        return None
    alike = found[min(found)]
    here = [span for span in alike if not layout.missing_bytes(span, own.held)]
    choice = here or alike
    return choice[int(draw * len(choice))]


def need_of(servers: Sequence[Server], span: Span, *, own_load: float | None = None) -> Need | None:
    """What units of a span lack, this computer not counted.

    Args:
        servers: everybody else who announced units of the model.
        own_load: which part of its places this computer has taken there, if it serves them now.
    """
    loads = _loads(servers, span)
    least = min(map(len, loads))
    if least == 0:
        return "nobody"
    if least < ENOUGH:
        return "one"
    return "crowded" if _is_crowded(loads, own_load) else None


def _loads(servers: Sequence[Server], span: Span) -> list[list[float]]:
    """For each unit, how full those are who serve it."""
    loads: list[list[float]] = [[] for _ in range(span.start, span.stop)]
    for server in servers:
        if server.ready:
            start, stop = max(server.span.start, span.start), min(server.span.stop, span.stop)
            for unit in range(start, stop):
                loads[unit - span.start].append(server.load)
    return loads


def _is_crowded(loads: Sequence[Sequence[float]], own_load: float | None = None) -> bool:
    """Whether all who serve some unit are full, or would be if this computer left them alone."""
    if own_load is None:
        return any(some and min(some) >= CROWDED for some in loads)
    return any(some and (sum(some) + own_load) / len(some) >= STILL_CROWDED for some in loads)


@dataclass
class Patience:
    """Says when a need has lasted long enough to be met, or has been gone long enough.

    Attributes:
        meets: whether it is to be met now.
        due_at: when that changes if everything stays as it is; None if it does not.
    """

    meets: bool = False
    due_at: float | None = None

    def look(self, need: Need | None, *, now: float, draw: float) -> bool:
        """Take in what is lacking now; whether it is to be met from now on.

        A need that becomes more urgent is met sooner, never later than it would have been.

        Args:
            now: in seconds of `Clock.monotonic`.
            draw: a random number from 0 to below 1.
        """
        if (need is not None) == self.meets:
            self.due_at = None
            return self.meets
        least, more = END_SECONDS if need is None else BEGIN_SECONDS[need]
        due_at = now + least + draw * more
        self.due_at = due_at if self.due_at is None else min(self.due_at, due_at)
        if now >= self.due_at:
            self.meets, self.due_at = not self.meets, None
        return self.meets

    def call_off(self) -> None:
        """What `look` said last is not done after all."""
        self.meets, self.due_at = not self.meets, None

    def begin_anew(self) -> None:
        """Nothing is met, and nothing was seen yet."""
        self.meets, self.due_at = False, None
