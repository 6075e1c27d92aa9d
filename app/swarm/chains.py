"""Opens chains over whoever serves a model now, and mends them.

Which computers, `app/swarm/route.py` and `app/swarm/repair.py` decide; here what they
decide meets the directory and the network. `app/talk.py` uses it for a conversation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from app.clock import Clock
from app.errors import NotServed
from app.ids import PeerId
from app.net.channel import ChannelOpener
from app.sentences import Sentence, say, sentence_of
from app.swarm.chain import RingChain
from app.swarm.repair import patched
from app.swarm.route import Link, Offer, Route, find_route
from app.swarm.token_chain import ChainBroken, ModelShape, OwnEnds

FRESH_SECONDS: Final = 15.0
"""So long a look-up may serve for a repair: asking again would cost a round trip first."""


class Chains:
    """The chains of one conversation.

    Args:
        lookup: everything announced for the model.
        opener: where channels are opened from.
        ends: mounts the ends that a route leaves to this computer.
    """

    def __init__(
        self,
        shape: ModelShape,
        *,
        lookup: Callable[[], Awaitable[Sequence[Offer]]],
        opener: Callable[[], Awaitable[ChannelOpener]],
        ends: Callable[[Route], Awaitable[OwnEnds]],
        clock: Clock,
    ) -> None:
        self._shape = shape
        self._lookup = lookup
        self._opener = opener
        self._ends = ends
        self._clock = clock
        self._offers: Sequence[Offer] = ()
        self._looked_at = float("-inf")

    async def open(
        self, *, tokens: int, candidates: int, avoid: Collection[PeerId] = ()
    ) -> RingChain:
        """A chain with room for so many tokens, without these computers if it can be.

        Raises:
            NotServed: nobody serves some unit; PeerLost: no directory answers.
            ChainBroken: a computer of the chain cannot be used.
        """
        route, lacking = await self._route(avoid, tokens)
        chain = RingChain(
            await self._opener(),
            self._shape,
            route,
            tokens=tokens,
            candidates=candidates,
            ends=await self._ends(route),
        )
        try:
            await chain.open()
        except ChainBroken as broken:
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
        failed = [*(peer for peer in avoid if peer not in lost), *lost]
        if self._clock.monotonic() - self._looked_at >= FRESH_SECONDS:
            await self._look()
        try:
            links = patched(chain.links, lost, self._offers, tokens=chain.tokens, avoid=failed)
        except NotServed:
            await self._look()
            links = self._patched_somehow(chain, lost, failed)
        await chain.mend(links)

    def _patched_somehow(
        self, chain: RingChain, lost: Collection[PeerId], failed: Sequence[PeerId]
    ) -> list[Link]:
        for forgiven in range(len(failed)):
            with contextlib.suppress(NotServed):
                avoid = failed[forgiven:]
                return patched(chain.links, lost, self._offers, tokens=chain.tokens, avoid=avoid)
        return patched(chain.links, lost, self._offers, tokens=chain.tokens)

    async def _route(self, avoid: Collection[PeerId], tokens: int) -> tuple[Route, Sentence | None]:
        """A route, and what was lacking if only those who failed before are left."""
        await self._look()
        head = self._shape.head_unit
        try:
            return find_route(self._offers, head, tokens=tokens, avoid=avoid), None
        except NotServed as error:
            if not avoid:
                raise
            # Better somebody who failed before than nobody.
            return find_route(self._offers, head, tokens=tokens), sentence_of(error)

    async def _look(self) -> None:
        self._offers = await self._lookup()
        self._looked_at = self._clock.monotonic()
