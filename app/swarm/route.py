"""Which computers form the chain for one conversation.

Pure. Spans are taken as they are announced, because a slice cannot be entered
in its middle: the chain is a row of spans that meet exactly. Only the embedding
may be left out of the first one, when the client has done it already.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from app.errors import NotServed
from app.ids import PeerId, Span
from app.sentences import Sentence, say

SLOWEST_LAYERS_PER_SECOND = 0.01
"""Stands in for a speed that was announced as zero or nothing."""


@dataclass(frozen=True)
class Offer:
    """A computer's span of the model, as announced.

    `layers_per_second` is what it says that its owner's caps leave, `tokens_free` its room for
    conversations.
    """

    peer: PeerId
    addresses: tuple[str, ...]
    span: Span
    layers_per_second: float
    tokens_free: int

    @property
    def seconds_per_token(self) -> float:
        """How long one token takes through the span, without the way there."""
        return len(self.span) / max(self.layers_per_second, SLOWEST_LAYERS_PER_SECOND)


@dataclass(frozen=True)
class Link:
    """One computer in the chain and the units it runs there."""

    offer: Offer
    span: Span


@dataclass(frozen=True)
class Route:
    """A chain. `own_embedding` and `own_head`: the client runs that end itself."""

    links: tuple[Link, ...]
    own_embedding: bool
    own_head: bool


def find_route(
    offers: Sequence[Offer],
    head_unit: int,
    *,
    tokens: int,
    avoid: Collection[PeerId] = (),
    may_run_ends: bool = True,
) -> Route:
    """The chain with the fewest computers, and among those the fastest.

    Args:
        offers: everything announced for the model.
        head_unit: the number of the model's last unit.
        tokens: how much room the conversation needs on each computer.
        avoid: computers that failed in this conversation.
        may_run_ends: whether the client may run embedding or head itself if
            nobody serves them; it then has to download them.

    Raises:
        NotServed: there is no chain; the text names the units nobody serves, or
            says that room is lacking or that spans do not meet.
    """
    usable = [offer for offer in offers if offer.peer not in avoid]
    roomy = [offer for offer in usable if offer.tokens_free >= tokens]
    ends = [(False, False)]
    if may_run_ends:
        ends += [(True, False), (False, True), (True, True)]
    for own_embedding, own_head in ends:
        wanted = Span(1 if own_embedding else 0, head_unit if own_head else head_unit + 1)
        links = chain_between(roomy, wanted)
        if links is not None:
            return Route(tuple(links), own_embedding, own_head)
    raise _no_chain(usable, roomy, head_unit, tokens=tokens, may_run_ends=may_run_ends)


def chain_between(offers: Sequence[Offer], wanted: Span) -> list[Link] | None:
    """The best row of computers for just these units, or None.

    Spans only lead forward, so one pass over the boundaries finds it.
    """
    best: dict[int, tuple[int, float, list[Link]]] = {wanted.start: (0, 0.0, [])}
    for boundary in range(wanted.start, wanted.stop):
        if boundary not in best:
            continue
        hops, seconds, links = best[boundary]
        for offer in offers:
            # A host of the embedding also takes hidden states, which skip it.
            if offer.span.start != boundary and not (boundary == 1 and offer.span.start == 0):
                continue
            stop = offer.span.stop
            if stop > wanted.stop or stop <= boundary:
                continue
            reached = (hops + 1, seconds + offer.seconds_per_token)
            if stop not in best or reached < best[stop][:2]:
                best[stop] = (*reached, [*links, Link(offer, Span(boundary, stop))])
    found = best.get(wanted.stop)
    return None if found is None else found[2]


def _no_chain(
    usable: Sequence[Offer],
    roomy: Sequence[Offer],
    head_unit: int,
    *,
    tokens: int,
    may_run_ends: bool,
) -> NotServed:
    own = {0, head_unit} if may_run_ends else set()
    missing = _missing(usable, head_unit, own)
    if missing:
        return NotServed(say("nobody_serves", units=_listed(missing)), missing=missing)
    crowded = _missing(roomy, head_unit, own)
    if crowded:
        return NotServed(
            say("nobody_has_room", units=_listed(crowded), tokens=tokens), missing=crowded
        )
    spans = ", ".join(sorted({str(offer.span) for offer in roomy}))
    return NotServed(say("spans_apart", spans=spans), missing=())


def _missing(offers: Sequence[Offer], head_unit: int, own: Collection[int]) -> tuple[int, ...]:
    served = {unit for offer in offers for unit in range(offer.span.start, offer.span.stop)}
    return tuple(u for u in range(head_unit + 1) if u not in served and u not in own)


def _listed(units: Sequence[int]) -> Sentence:
    """ "unit 3", "units 3 to 7", "units 1, 2, 5"."""
    if len(units) == 1:
        return say("one_unit", unit=units[0])
    if len(units) == units[-1] - units[0] + 1:
        return say("unit_range", first=units[0], last=units[-1])
    return say("unit_list", units=", ".join(map(str, units)))
