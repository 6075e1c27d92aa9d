"""Opens chains over whoever serves a model now, and mends them.

Which computers, `app/swarm/route.py` and `app/swarm/repair.py` decide; here what they
decide meets the directory and the network. `app/chat/talk.py` uses it for a conversation.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from app.clock import Clock
from app.engine.mounting import BATCH_ROWS
from app.errors import NotServed, PeerLost
from app.ids import PeerId, short_peer_text
from app.net.channel import Knocker
from app.sentences import say, sentence_of
from app.swarm.boundary_log import rows_per_step
from app.swarm.chain import RingChain
from app.swarm.distances import NOTHING_KNOWN, UNKNOWN_SECONDS, Whereabouts
from app.swarm.failures import Failures
from app.swarm.knocking import Knocking
from app.swarm.repair import patched
from app.swarm.route import ANSWER_TOKENS, Costs, Link, Offer, Prediction, Route, find_route
from app.swarm.token_chain import ChainBroken, ModelShape, OwnEnds

logger = logging.getLogger(__name__)

FRESH_SECONDS: Final = 45.0
"""So long a look-up may serve for a repair, nearly as long as what is announced holds: asking
again would cost a round trip first, or a second when a directory went down with the helper."""

SILENT_SECONDS: Final = 10.0
"""Who did not answer a knock is tried later than others for so long."""


class AloneIsFaster(NotServed):
    """There is a chain, but this computer alone is predicted to be faster.

    Attributes:
        remark: that, with the figures, for the person.
    """

    def __init__(self, predicted: Prediction, alone_seconds: float) -> None:
        self.remark = say(
            "alone_is_faster",
            alone=float(f"{1.0 / alone_seconds:.2g}"),
            chain=float(f"{predicted.tokens_per_second:.2g}"),
        )
        super().__init__(self.remark, missing=())


class Chains:
    """The chains of one conversation.

    Args:
        lookup: everything announced for the model.
        opener: where channels are opened from.
        ends: mounts the ends that a route leaves to this computer.
        whereabouts: what is known of the ways to and between whoever offers.
        failures: who failed in any conversation of this computer.
        draw: random numbers from 0 to below 1, by which equals share the load.
        own: this computer's name as a host, if it is one.
        own_head_seconds: what the model's head would take on this computer.
    """

    def __init__(
        self,
        shape: ModelShape,
        *,
        lookup: Callable[[], Awaitable[Sequence[Offer]]],
        opener: Callable[[], Awaitable[Knocker]],
        ends: Callable[[Route], Awaitable[OwnEnds]],
        clock: Clock,
        whereabouts: Callable[[Sequence[Offer]], Whereabouts] = lambda offers: NOTHING_KNOWN,
        failures: Failures | None = None,
        draw: Callable[[], float] = lambda: 0.0,
        own: PeerId | None = None,
        own_head_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._whereabouts = whereabouts
        self._failures = failures or Failures()
        self._draw = draw
        self._own = own
        self._own_head_seconds = own_head_seconds
        self._shape = shape
        self._lookup = lookup
        self._opener = opener
        self._ends = ends
        self._clock = clock
        self._offers: Sequence[Offer] = ()
        self._looked_at = float("-inf")
        # Who did not answer a knock, and until when others are preferred.
        self._unanswered: dict[PeerId, float] = {}

    async def open(
        self,
        *,
        tokens: int,
        candidates: int,
        avoid: Sequence[PeerId] = (),
        prompt_rows: int = 1,
        answer_tokens: int = ANSWER_TOKENS,
        alone_seconds: float | None = None,
    ) -> RingChain:
        """The best chain with room for so many tokens, without these computers if it can be.

        Args:
            prompt_rows, answer_tokens: as in `Costs`.
            alone_seconds: what a token takes on this computer alone, if it can do that.

        Raises:
            AloneIsFaster: no chain is expected to be faster than that.
            NotServed: nobody serves some unit; PeerLost: no directory answers.
            ChainBroken: a computer of the chain cannot be used.
        """
        if not avoid or not self._offers:  # else who is known already is asked meanwhile
            await self._look()
        costs = self._costs(prompt_rows=prompt_rows, answer_tokens=answer_tokens)
        head, draw = self._shape.head_unit, self._draw()

        def pick(out: Collection[PeerId]) -> Route:
            return find_route(self._offers, head, tokens=tokens, avoid=out, costs=costs, draw=draw)

        if alone_seconds is not None:
            self._raise_if_faster_alone(pick, avoid, alone_seconds)
        route, lacking = await self._answering(pick, failed=avoid)
        logger.debug("a chain over %s", _names(route.links))
        chain = RingChain(
            await self._opener(),
            self._shape,
            route,
            tokens=tokens,
            candidates=candidates,
            ends=await self._ends(route),
        )
        try:
            await chain.open(waited_for=avoid)
        except ChainBroken as broken:
            self._note_failures(broken.suspects)
            raise _broken_after(lacking, broken) from None
        return chain

    async def mend(
        self, chain: RingChain, lost: Collection[PeerId], avoid: Sequence[PeerId] = ()
    ) -> None:
        """Put others in the place of those that were lost, and have them know what is needed.

        Whoever is new has to answer a knock first (`app/swarm/knocking.py`). What was
        announced lately is believed first; who is new is looked up only when that is not
        enough. Who failed is asked again when nobody else is there.

        Args:
            avoid: who failed, the latest last.

        Raises:
            NotServed: they cannot be replaced; PeerLost: no directory answers.
            ChainBroken, MemoryLost: as `RingChain.mend`.
        """
        self._note_failures(lost)
        failed = [*(peer for peer in avoid if peer not in lost), *lost]
        costs = self._costs()
        gone = {*lost, *chain.unconnected}
        # Who leaves answers every knock still, but others are to be had while it is there.
        if leaving := set(chain.leaving):
            with contextlib.suppress(PeerLost):
                await self._look()

        def pick(out: Collection[PeerId]) -> Route:
            def filled(offers: Sequence[Offer]) -> list[Link]:
                return patched(
                    chain.links,
                    gone,
                    offers,
                    tokens=chain.tokens,
                    avoid=out,
                    costs=costs,
                    head_unit=self._shape.head_unit,
                )

            try:
                links = filled([offer for offer in self._offers if offer.peer not in leaving])
            except NotServed:
                links = filled(self._offers)
            return Route(tuple(links), own_embedding=False, own_head=False)

        stay = [link.offer.peer for link in chain.links if link.offer.peer not in gone]
        links = (await self._answering(pick, failed=failed, stay=stay))[0].links
        logger.debug("instead of %s goes on %s", _names(chain.links), _names(links))
        await chain.mend(links, waited_for=failed)

    async def _answering(
        self,
        pick: Callable[[Collection[PeerId]], Route],
        *,
        failed: Sequence[PeerId],
        stay: Sequence[PeerId] = (),
    ) -> tuple[Route, NotServed | None]:
        """A chain whose new computers answer, and what was lacking if only those who failed
        before are left."""
        opener = await self._opener()
        now = self._clock.monotonic()
        self._unanswered = {peer: t for peer, t in self._unanswered.items() if t > now}
        silent = [peer for peer in self._unanswered if peer not in failed]
        round_trips = self._whereabouts(self._offers).round_trips
        knocking = Knocking(
            pick,
            knock=lambda offer: opener.knock(offer.peer, offer.addresses),
            round_trip=lambda peer: round_trips.get(peer, 2 * UNKNOWN_SECONDS),
            look=self._look,
            is_stale=now - self._looked_at >= FRESH_SECONDS,
            stay=stay,
            failed=[*failed, *silent],
        )
        try:
            route = await knocking.found()
        except ChainBroken as broken:
            raise _broken_after(knocking.lacking if failed else None, broken) from None
        finally:
            again_at = self._clock.monotonic() + SILENT_SECONDS
            self._unanswered |= dict.fromkeys(knocking.unanswered, again_at)
        return route, knocking.lacking

    def _raise_if_faster_alone(
        self,
        pick: Callable[[Collection[PeerId]], Route],
        avoid: Collection[PeerId],
        alone_seconds: float,
    ) -> None:
        """Not if this computer is the whole chain: then it serves the model already."""
        try:
            route = pick(avoid)
        except NotServed:
            route = pick(())
        if route.predicted is None or all(link.offer.peer == self._own for link in route.links):
            return
        if alone_seconds < route.predicted.seconds_per_token:
            raise AloneIsFaster(route.predicted, alone_seconds)

    def _costs(self, *, prompt_rows: int = 1, answer_tokens: int = ANSWER_TOKENS) -> Costs:
        now = self._clock.monotonic()
        row_bytes = 4 * self._shape.width
        return Costs(
            self._whereabouts(self._offers),
            failures=lambda peer: self._failures.count(peer, now=now),
            prompt_rows=prompt_rows,
            answer_tokens=answer_tokens,
            row_bytes=row_bytes,
            rows_per_step=rows_per_step(BATCH_ROWS, row_bytes),
            head_unit=self._shape.head_unit,
            own_head_seconds=self._own_head_seconds(),
        )

    def _note_failures(self, suspects: Collection[PeerId]) -> None:
        """One failure, shared by all who may be to blame."""
        for peer in suspects:
            self._failures.note(peer, now=self._clock.monotonic(), share=1.0 / len(suspects))

    async def _look(self) -> None:
        self._offers = await self._lookup()
        self._looked_at = self._clock.monotonic()
        logger.debug("%d offers were found", len(self._offers))


def _broken_after(lacking: NotServed | None, broken: ChainBroken) -> ChainBroken:
    """The same, and that only those that failed before were left, if it was so."""
    if lacking is None:
        return broken
    words = say("broken_after", lacking=sentence_of(lacking), broken=sentence_of(broken))
    retry = broken.retry_after_seconds
    return ChainBroken(words, peer=broken.peer, suspects=broken.suspects, retry_after_seconds=retry)


def _names(links: Sequence[Link]) -> str:
    return ", ".join(f"{short_peer_text(link.offer.peer)} {link.span}" for link in links)
