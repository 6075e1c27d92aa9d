"""Who serves which units of a model: how often each, and what one computer is needed for.

Pure. Counted from the spans that are announced and ready; `app/node/snapshot.py` shows it in the
window, `app/command_line/commands.py` in a terminal. Which chain is made of them,
`app/swarm/route.py` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import Literal

from app.ids import Span

Place = Literal["none", "only", "second", "spare"]
"""What a computer is to a model: it serves none of it; nobody else serves some of its units;
one other computer does; or at least two others serve each of them."""


def replicas(spans: Sequence[Span], units: int) -> list[int]:
    """For each of a model's units, how many of these spans serve it.

    What a stranger's span has beyond the model's end counts for nothing.
    """
    changes = [0] * (units + 1)
    for span in spans:
        if span.start < units:
            changes[span.start] += 1
            changes[min(span.stop, units)] -= 1
    return list(accumulate(changes))[:units]


def place_of(own: Span | None, counts: Sequence[int]) -> Place:
    """What a computer is to a model.

    Args:
        own: what it serves, None if nothing.
        counts: the replicas of the model's units, itself included.
    """
    served = [] if own is None else counts[own.start : own.stop]
    if not served:
        return "none"
    least = min(served)
    if least <= 1:
        return "only"
    return "second" if least == 2 else "spare"


def meets(spans: Sequence[Span], units: int) -> bool:
    """Whether a chain can be made: spans that meet exactly, from one end to the other.

    Either end, the first unit and the last one, a client may run itself.
    """
    reached = {0, 1}
    for span in sorted(set(spans), key=lambda one: (one.start, one.stop)):
        if span.start in reached and span.stop <= units:
            reached.add(span.stop)
    return bool(reached & {units - 1, units})


def runs(counts: Sequence[int]) -> list[tuple[Span, int]]:
    """Neighbouring units that are served equally often, as (units, how often)."""
    found = []
    start = 0
    for count, same in groupby(counts):
        stop = start + len(list(same))
        found.append((Span(start, stop), count))
        start = stop
    return found
