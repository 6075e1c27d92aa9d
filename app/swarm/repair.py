"""Who takes the place of computers that a chain has lost.

Pure. The computers that are left keep what they know, so the fewer units change hands,
the less has to be computed again. What it decides is carried out by `RingChain.mend`
(`app/swarm/chain.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.errors import NotServed
from app.ids import PeerId, Span
from app.swarm.route import Link, Offer, chain_between


def patched(
    links: Sequence[Link],
    lost: Collection[PeerId],
    offers: Sequence[Offer],
    *,
    tokens: int,
    avoid: Collection[PeerId] = (),
) -> list[Link]:
    """The chain with others in the place of those that were lost.

    Where nobody serves just the units of the lost ones, a neighbour's are given away
    too, as few as possible.

    Args:
        links: the chain as it was.
        lost: its computers that are gone.
        offers: everything announced for the model.
        tokens: how much room the conversation needs on each computer.
        avoid: computers that shall not take a place.

    Raises:
        NotServed: they cannot be replaced; the text names the units.
    """
    in_use = {link.offer.peer for link in links} | set(avoid)
    free = [o for o in offers if o.peer not in in_use and o.tokens_free >= tokens]
    found = list(links)
    while (gap := _first_gap(found, lost)) is not None:
        first, last = gap
        for start, stop in _windows(first, last, len(found)):
            span = Span(found[start].span.start, found[stop - 1].span.stop)
            fresh = chain_between(free, span)
            if fresh is not None:
                taken = {link.offer.peer for link in fresh}
                free = [offer for offer in free if offer.peer not in taken]
                found[start:stop] = fresh
                break
        else:
            units = Span(found[first].span.start, found[last - 1].span.stop)
            raise NotServed(
                f"nobody else serves units {units} of this model now",
                missing=tuple(range(units.start, units.stop)),
            )
    return found


def _first_gap(links: Sequence[Link], lost: Collection[PeerId]) -> tuple[int, int] | None:
    """The first row of lost computers: the index of its first, and the one after its last."""
    gone = [link.offer.peer in lost for link in links]
    if True not in gone:
        return None
    first = gone.index(True)
    last = next((i for i in range(first, len(gone)) if not gone[i]), len(gone))
    return first, last


def _windows(first: int, last: int, count: int) -> list[tuple[int, int]]:
    """Every stretch of the chain around first .. last, those with the fewest others first."""
    around = [(a, b) for a in range(first + 1) for b in range(last, count + 1)]
    return sorted(around, key=lambda window: (window[1] - window[0], first - window[0]))
