"""Who takes the place of computers that a chain has lost.

Pure. The computers that are left keep what they know, so the fewer units change hands,
the less has to be computed again. What it decides is carried out by `RingChain.mend`
(`app/swarm/chain.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.errors import NotServed
from app.ids import PeerId, Span
from app.layer_words import layers_of
from app.sentences import say
from app.swarm.route import JUST_SPEEDS, Costs, Link, Offer, chain_between


def patched(
    links: Sequence[Link],
    lost: Collection[PeerId],
    offers: Sequence[Offer],
    *,
    tokens: int,
    avoid: Collection[PeerId] = (),
    costs: Costs = JUST_SPEEDS,
    head_unit: int | None = None,
) -> list[Link]:
    """The chain with others in the place of those that were lost.

    Where nobody serves just the units of the lost ones, a neighbour's are given away
    too, as few as possible.

    Args:
        links: the chain as it was.
        lost: its computers that are gone.
        offers: everything announced for the model.
        tokens: how much room the conversation needs on each computer.
        avoid: computers that shall not take a place; one that is lost and not named here
            may take its own again.
        costs: as for `find_route`: of several that could come, the best by it do.
        head_unit: the number of the model's last unit, for words about it; None if unknown.

    Raises:
        NotServed: they cannot be replaced; the text names the layers.
    """
    stays = {link.offer.peer for link in links if link.offer.peer not in lost}
    free = [
        offer
        for offer in offers
        if offer.peer not in stays and offer.peer not in avoid and offer.tokens_free >= tokens
    ]
    found = list(links)
    gone = [link.offer.peer in lost for link in links]
    while True in gone:
        first = gone.index(True)
        last = next((i for i in range(first, len(gone)) if not gone[i]), len(gone))
        for start, stop in _windows(first, last, len(found)):
            span = Span(found[start].span.start, found[stop - 1].span.stop)
            before = found[start - 1].offer if start else None
            after = found[stop].offer if stop < len(found) else None
            fresh = chain_between(free, span, costs=costs, before=before, after=after)
            if fresh is not None:
                taken = {link.offer.peer for link in fresh}
                free = [offer for offer in free if offer.peer not in taken]
                found[start:stop] = fresh
                gone[start:stop] = [False] * len(fresh)
                break
        else:
            units = Span(found[first].span.start, found[last - 1].span.stop)
            raise NotServed(
                say("nobody_else_serves", units=layers_of(units, head_unit)),
                missing=tuple(range(units.start, units.stop)),
            )
    return found


def _windows(first: int, last: int, count: int) -> list[tuple[int, int]]:
    """Every stretch of the chain around first .. last, those with the fewest others first."""
    around = [(a, b) for a in range(first + 1) for b in range(last, count + 1)]
    return sorted(around, key=lambda window: (window[1] - window[0], first - window[0]))
