"""Opens chains over whoever serves a model now, and mends them.

Which computers, `app/swarm/route.py` and `app/swarm/repair.py` decide; here what they
decide meets the directory and the network. `app/talk.py` uses it for a conversation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from app.clock import Clock
from app.engine.mounting import BATCH_ROWS
from app.errors import NotServed
from app.ids import PeerId
from app.net.channel import ChannelOpener
from app.sentences import Sentence, say, sentence_of
from app.swarm.boundary_log import rows_per_step
from app.swarm.chain import RingChain
from app.swarm.distances import NOTHING_KNOWN, Whereabouts
from app.swarm.failures import Failures
from app.swarm.repair import patched
from app.swarm.route import ANSWER_TOKENS, Costs, Link, Offer, Prediction, Route, find_route
from app.swarm.token_chain import ChainBroken, ModelShape, OwnEnds

FRESH_SECONDS: Final = 45.0
"""So long a look-up may serve for a repair, nearly as long as what is announced holds: asking
again would cost a round trip first, or a second when a directory went down with the helper."""


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
        opener: Callable[[], Awaitable[ChannelOpener]],
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

    async def open(
        self,
        *,
        tokens: int,
        candidates: int,
        avoid: Collection[PeerId] = (),
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
        await self._look()
        costs = self._costs(prompt_rows=prompt_rows, answer_tokens=answer_tokens)
        route, lacking = self._route(avoid, tokens, costs)
        if alone_seconds is not None and self._is_faster_alone(route, alone_seconds):
            assert route.predicted is not None
            raise AloneIsFaster(route.predicted, alone_seconds)
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
            if lacking is None:
                raise
            words = say("broken_after", lacking=lacking, broken=sentence_of(broken))
            raise ChainBroken(words, peer=broken.peer) from None
        return chain

    async def mend(
        self, chain: RingChain, lost: Collection[PeerId], avoid: Sequence[PeerId] = ()
    ) -> None:
        """Put others in the place of those that were lost, and have them know what is needed.

        What was announced lately is believed first; who is new is looked up only when that
        is not enough. Who failed is asked again when nobody else is there, and whose failure
        is the longest ago before the others.

        Args:
            avoid: who failed, the latest last.

        Raises:
            NotServed: they cannot be replaced; PeerLost: no directory answers.
            ChainBroken, MemoryLost: as `RingChain.mend`.
        """
        self._note_failures(lost)
        failed = [*(peer for peer in avoid if peer not in lost), *lost]
        if self._clock.monotonic() - self._looked_at >= FRESH_SECONDS:
            await self._look()
        try:
            links = self._patched(chain, lost, failed)
        except NotServed:
            await self._look()
            links = self._patched_somehow(chain, lost, failed)
        await chain.mend(links, waited_for=failed)

    def _patched_somehow(
        self, chain: RingChain, lost: Collection[PeerId], failed: Sequence[PeerId]
    ) -> list[Link]:
        for forgiven in range(len(failed)):
            with contextlib.suppress(NotServed):
                return self._patched(chain, lost, failed[forgiven:])
        return self._patched(chain, lost, ())

    def _patched(
        self, chain: RingChain, lost: Collection[PeerId], avoid: Collection[PeerId]
    ) -> list[Link]:
        costs = self._costs()
        return patched(
            chain.links, lost, self._offers, tokens=chain.tokens, avoid=avoid, costs=costs
        )

    def _route(
        self, avoid: Collection[PeerId], tokens: int, costs: Costs
    ) -> tuple[Route, Sentence | None]:
        """A route, and what was lacking if only those who failed before are left."""
        offers, head, draw = self._offers, self._shape.head_unit, self._draw()
        try:
            found = find_route(offers, head, tokens=tokens, avoid=avoid, costs=costs, draw=draw)
            return found, None
        except NotServed as error:
            if not avoid:
                raise
            # Better somebody who failed before than nobody.
            found = find_route(offers, head, tokens=tokens, costs=costs, draw=draw)
            return found, sentence_of(error)

    def _is_faster_alone(self, route: Route, alone_seconds: float) -> bool:
        """Not if this computer is the whole chain: then it serves the model already."""
        if route.predicted is None or all(link.offer.peer == self._own for link in route.links):
            return False
        return alone_seconds < route.predicted.seconds_per_token

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
