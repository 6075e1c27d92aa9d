"""Which computers form the chain for one conversation: those with the least time per token.

Pure. Spans are taken as they are announced, because a slice cannot be entered
in its middle: the chain is a row of spans that meet exactly. Only the embedding
may be left out of the first one, when the client has done it already.

What a chain costs is what a token is predicted to take over it (`Prediction`), and a little
for what is doubtful about it (`Costs`). `app/swarm/chain_search.py` finds the cheapest.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.errors import NotServed
from app.ids import PeerId, Span
from app.layer_words import layers_among
from app.net.wire import Place
from app.sentences import Sentence, say
from app.swarm.chain_search import Floats, Leg, Numbers, Search
from app.swarm.distances import NOTHING_KNOWN, Ways, Whereabouts

SLOWEST_LAYERS_PER_SECOND: Final = 0.01
"""Stands in for a speed that was announced as zero or nothing."""
EMBEDDING_SECONDS: Final = 0.0005
"""A token through the embedding alone: one row is looked up, and no speed is measured."""
HOP_SECONDS: Final = 0.001
"""What each computer adds besides its way and its layers (`benchmarks/hop.py`: 1.0 to 1.5 ms,
the layers of a small model included)."""
OWN_END_SECONDS: Final = 0.0002
"""What an end that the client runs itself adds besides its weights: the way to its own worker and
back; for the embedding, a row that is looked up, that is all (0.16 ms of a small model)."""
CLIENT_SECONDS: Final = 0.0007
"""What the client itself does for each token."""
WAITING_SHARE: Final = 0.1
"""By how much of its own time a step is held up by each other session: 0.07 where rows share a
reading of the weights (`benchmarks/load.py`: eight over paced hosts write 5 times as much as one),
0.23 on one host of two cores, where they gain less from it."""
PROMPT_GAIN: Final = 3.3
"""How much faster rows are computed together than one by one, on a processor
(`benchmarks/engine.py`: 64 rows take 19 times as long as one)."""
UPLINK_BYTES_PER_SECOND: Final = 2.5e6
"""What a home line is taken to send: 20 Mbit/s. It counts for prompts, whose many rows travel."""
ANSWER_TOKENS: Final = 128
"""So many tokens share what happens once in an answer, when its length is not known."""
DOUBT_SHARE: Final = 0.5
"""Of two chains that take the same time, the one that is known better; so much of what a
prediction may be off counts as if it took it."""
FAILURE_SECONDS: Final = 5.0
"""What it may cost an answer to choose somebody who failed a moment ago."""
FULL_SECONDS: Final = 1.0
"""What it may cost an answer to be declined by who has all its places taken."""
MOST_PER_SPAN: Final = 16
"""Of more computers with the very same units, those are looked at that are best by themselves."""
MOST_ROUTES: Final = 4
NEARLY_AS_GOOD: Final = 0.1
"""Chains that cost this much more than the best, and no more, share the load with it."""


@dataclass(frozen=True)
class Offer:
    """A computer's span of the model, as announced.

    `layers_per_second` is what it says that its owner's caps leave, `tokens_free` its room for
    conversations, `sessions` how many it serves of at most `capacity` (0: it does not say).
    """

    peer: PeerId
    addresses: tuple[str, ...]
    span: Span
    layers_per_second: float
    tokens_free: int
    sessions: int = 0
    capacity: int = 0
    place: Place | None = None

    @property
    def is_full(self) -> bool:
        """Whether all its places were taken when it announced."""
        return 0 < self.capacity <= self.sessions

    def compute_seconds(self, span: Span, head_unit: int | None = None) -> float:
        """How long one token takes through some of its units, without the way there.

        What is announced are layers, of which the embedding is none; a final norm and head are
        counted in the time of the layers before them.
        """
        if span.stop == 1:
            return EMBEDDING_SECONDS
        last = span.stop if head_unit is None else min(span.stop, head_unit)
        blocks = max(1, last - max(1, span.start))
        return blocks / max(self.layers_per_second, SLOWEST_LAYERS_PER_SECOND)


@dataclass(frozen=True)
class Link:
    """One computer in the chain and the units it runs there."""

    offer: Offer
    span: Span


@dataclass(frozen=True)
class Prediction:
    """What one token is expected to take over a chain, in seconds, by what takes it.

    Attributes:
        network: the ways from the client through all computers and back to it.
        compute: the layers, and a head that the client runs itself.
        waiting: other conversations on the same computers.
        overhead: what every computer does besides.
        prompt: once, before the first token, besides all that: its other rows.
        doubt: by how much the ways may easily be off.
    """

    network: float
    compute: float
    waiting: float
    overhead: float
    prompt: float = 0.0
    doubt: float = 0.0

    @property
    def seconds_per_token(self) -> float:
        """All of it together."""
        return self.network + self.compute + self.waiting + self.overhead

    @property
    def tokens_per_second(self) -> float:
        """How many tokens a second that makes."""
        return 1.0 / self.seconds_per_token


@dataclass(frozen=True)
class Route:
    """A chain. `own_embedding` and `own_head`: the client runs that end itself."""

    links: tuple[Link, ...]
    own_embedding: bool
    own_head: bool
    predicted: Prediction | None = None


def no_failures(peer: PeerId) -> float:
    """Of nobody is known that it failed."""
    return 0.0


@dataclass(frozen=True)
class Costs:
    """What is known of a conversation and of the computers, besides what they announce.

    Attributes:
        whereabouts: how long the ways are.
        failures: how often a computer failed lately (`app/swarm/failures.py`).
        prompt_rows: how long the question is, in tokens.
        answer_tokens: how long the answer may be expected to be.
        row_bytes: how large a hidden state is.
        rows_per_step: of longer questions so many rows travel together.
        head_unit: the number of the model's last unit, if it is known.
        own_head_seconds: what the final norm and head take on the client, should nobody serve them.
    """

    whereabouts: Whereabouts = NOTHING_KNOWN
    failures: Callable[[PeerId], float] = no_failures
    prompt_rows: int = 1
    answer_tokens: int = ANSWER_TOKENS
    row_bytes: int = 0
    rows_per_step: int = 512
    head_unit: int | None = None
    own_head_seconds: float = 0.0

    def of_host(self, offer: Offer, span: Span) -> float:
        """What a computer adds to each token, without the ways to it and from it."""
        compute = offer.compute_seconds(span, self.head_unit)
        once = self._prompt_seconds(compute)
        once += FAILURE_SECONDS * self.failures(offer.peer)
        once += FULL_SECONDS if offer.is_full else 0.0
        waiting = WAITING_SHARE * offer.sessions * compute
        return HOP_SECONDS + compute + waiting + once / max(1, self.answer_tokens)

    def of_ways(self, ways: Ways, ones: Numbers, others: Numbers) -> Floats:
        """What the ways between computers add to each token, as [ones, others]."""
        seconds, doubts = ways.between(ones, others)
        once = self._sending_seconds() / max(1, self.answer_tokens)
        return seconds + DOUBT_SHARE * doubts + once

    def predict(
        self, links: Sequence[Link], *, own_embedding: bool = False, own_head: bool = False
    ) -> Prediction:
        """What a token is expected to take over a chain; the client runs the ends that are its
        own."""
        ways = Ways(self.whereabouts, [None, *(link.offer for link in links), None])
        numbers = np.arange(len(links) + 2)
        seconds, doubts = ways.between(numbers[:-1], numbers[1:])
        compute = [link.offer.compute_seconds(link.span, self.head_unit) for link in links]
        waiting = [
            WAITING_SHARE * link.offer.sessions * own
            for link, own in zip(links, compute, strict=True)
        ]
        # Pieces of a long prompt are worked on side by side: all of them pass the slowest.
        pieces = max(1, -(-(self.prompt_rows - 1) // self.rows_per_step))
        stages = [self._prompt_seconds(own) for own in compute]
        # Tokens are small; from the embedding on hidden states travel.
        stages += [self._sending_seconds()] * (len(links) - 1 + own_embedding)
        prompt = sum(stages) / pieces + max(stages) * (pieces - 1) / pieces
        return Prediction(
            network=float(np.trace(seconds)),
            compute=sum(compute) + self.own_head_seconds * own_head,
            waiting=sum(waiting),
            overhead=CLIENT_SECONDS
            + HOP_SECONDS * len(links)
            + OWN_END_SECONDS * (own_embedding + own_head),
            prompt=prompt,
            doubt=float(np.trace(doubts)),
        )

    def _prompt_seconds(self, compute: float) -> float:
        return compute * max(0, self.prompt_rows - 1) / PROMPT_GAIN

    def _sending_seconds(self) -> float:
        return self.row_bytes * max(0, self.prompt_rows - 1) / UPLINK_BYTES_PER_SECOND


JUST_SPEEDS: Final = Costs()


def find_route(
    offers: Sequence[Offer],
    head_unit: int,
    *,
    tokens: int,
    avoid: Collection[PeerId] = (),
    may_run_ends: bool = True,
    costs: Costs = JUST_SPEEDS,
    draw: float = 0.0,
) -> Route:
    """The chain with the least time per token, or one that is nearly as good.

    Args:
        offers: everything announced for the model.
        head_unit: the number of the model's last unit.
        tokens: how much room the conversation needs on each computer.
        avoid: computers that failed in this conversation.
        may_run_ends: whether the client may run embedding or head itself if
            nobody serves them; it then has to download them.
        costs: what is known besides.
        draw: a random number from 0 to below 1 that spreads the load; 0 takes the best.

    Raises:
        NotServed: there is no chain; the text names the units nobody serves, or
            says that room is lacking or that spans do not meet.
    """
    routes = find_routes(
        offers, head_unit, tokens=tokens, avoid=avoid, may_run_ends=may_run_ends, costs=costs
    )
    return spread(routes, draw)


def find_routes(
    offers: Sequence[Offer],
    head_unit: int,
    *,
    tokens: int,
    avoid: Collection[PeerId] = (),
    may_run_ends: bool = True,
    costs: Costs = JUST_SPEEDS,
    most: int = MOST_ROUTES,
) -> list[tuple[float, Route]]:
    """The best chain and others that share as few computers as can be, with what they cost.

    Raises:
        NotServed: as `find_route`; else there is at least one.
    """
    usable = [offer for offer in offers if offer.peer not in avoid]
    roomy = [offer for offer in usable if offer.tokens_free >= tokens]
    ends = [(False, False)]
    if may_run_ends:
        ends += [(True, False), (False, True), (True, True)]
    for own_embedding, own_head in ends:
        wanted = Span(1 if own_embedding else 0, head_unit if own_head else head_unit + 1)
        chains = _chains(roomy, wanted, costs, before=None, after=None, most=most)
        if chains:
            found = []
            for cost, links in chains:
                predicted = costs.predict(links, own_embedding=own_embedding, own_head=own_head)
                found.append((cost, Route(tuple(links), own_embedding, own_head, predicted)))
            return found
    raise _no_chain(usable, roomy, head_unit, tokens=tokens, may_run_ends=may_run_ends)


def spread(routes: Sequence[tuple[float, Route]], draw: float) -> Route:
    """One of the chains that are nearly as good as the first, the better ones more often.

    Args:
        draw: from 0 to below 1.
    """
    least = routes[0][0]
    near = [
        (1.0 - (cost / least - 1.0) / (2 * NEARLY_AS_GOOD), route)
        for cost, route in routes
        if cost <= (1.0 + NEARLY_AS_GOOD) * least
    ]
    left = draw * sum(weight for weight, _ in near)
    for weight, route in near:
        if left < weight:
            return route
        left -= weight
    return near[-1][1]


def chain_between(
    offers: Sequence[Offer],
    wanted: Span,
    *,
    costs: Costs = JUST_SPEEDS,
    before: Offer | None = None,
    after: Offer | None = None,
) -> list[Link] | None:
    """The best row of computers for just these units, or None.

    Args:
        before, after: who comes before them and after them in the chain; None is the client.
    """
    chains = _chains(offers, wanted, costs, before=before, after=after, most=1)
    return chains[0][1] if chains else None


def _chains(
    offers: Sequence[Offer],
    wanted: Span,
    costs: Costs,
    *,
    before: Offer | None,
    after: Offer | None,
    most: int,
) -> list[tuple[float, list[Link]]]:
    hosts = [*{offer.peer: offer for offer in offers}.values()]
    ways = Ways(costs.whereabouts, [*hosts, before, after])
    first, last = len(hosts), len(hosts) + 1

    def between(ones: Numbers, others: Numbers) -> Floats:
        return costs.of_ways(ways, ones, others)

    everybody = np.arange(len(hosts))
    around = between(np.array([first]), everybody)[0] + between(everybody, np.array([last]))[:, 0]
    search = Search(
        _legs(hosts, wanted, costs, around),
        start=wanted.start,
        stop=wanted.stop,
        between=between,
        before=first,
        after=last,
    )
    found = []
    for cost, row in search.cheapest(most):
        found.append((cost, [Link(hosts[leg.number], Span(leg.start, leg.stop)) for leg in row]))
    return found


def _legs(hosts: Sequence[Offer], wanted: Span, costs: Costs, around: Floats) -> list[Leg]:
    """Where each computer may stand in a chain; of many with the same units the best alone."""
    legs: defaultdict[tuple[int, int], list[Leg]] = defaultdict(list)
    for number, offer in enumerate(hosts):
        # A host of the embedding also takes hidden states, which skip it.
        for start in {offer.span.start, max(1, offer.span.start)}:
            stop = offer.span.stop
            if wanted.start <= start < stop <= wanted.stop:
                cost = costs.of_host(offer, Span(start, stop))
                legs[start, stop].append(Leg(number, start, stop, cost))

    def by_itself(leg: Leg) -> float:
        return leg.cost + float(around[leg.number]) / 2

    return [
        leg
        for same in legs.values()
        for leg in (
            same if len(same) <= MOST_PER_SPAN else heapq.nsmallest(MOST_PER_SPAN, same, by_itself)
        )
    ]


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
        return NotServed(_nobody_serves(missing, head_unit), missing=missing)
    crowded = _missing(roomy, head_unit, own)
    if crowded:
        layers = layers_among(crowded, head_unit)
        return NotServed(say("nobody_has_room", units=layers, tokens=tokens), missing=crowded)
    return NotServed(say("spans_apart"), missing=())


def _nobody_serves(missing: Collection[int], head_unit: int) -> Sentence:
    if all(layer in missing for layer in range(1, head_unit)):
        return say("nobody_serves_any")
    return say("nobody_serves", units=layers_among(missing, head_unit))


def _missing(offers: Sequence[Offer], head_unit: int, own: Collection[int]) -> tuple[int, ...]:
    served = {unit for offer in offers for unit in range(offer.span.start, offer.span.stop)}
    return tuple(u for u in range(head_unit + 1) if u not in served and u not in own)
