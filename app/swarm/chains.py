"""Opens chains over whoever serves a model now, and mends them.

Which computers, `app/swarm/route.py` and `app/swarm/repair.py` decide; here what they
decide meets the directory and the network. `app/talk.py` uses it for a conversation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from app.clock import Clock
from app.errors import NotServed
from app.ids import PeerId
from app.net.channel import ChannelOpener
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
            if not lacking:
                raise
            raise ChainBroken(f"{lacking} ({broken})", peer=broken.peer) from None
        return chain

    async def mend(
        self, chain: RingChain, lost: Collection[PeerId], avoid: Collection[PeerId] = ()
    ) -> None:
        """Put others in the place of those that were lost, and have them know what is needed.

        What was announced lately is believed first; who is new is looked up only when that
        is not enough.

        Raises:
            NotServed: they cannot be replaced; PeerLost: no directory answers.
            ChainBroken, MemoryLost: as `RingChain.mend`.
        """
        links: Sequence[Link] | None = None
        if self._clock.monotonic() - self._looked_at < FRESH_SECONDS:
            links = self._patched(chain, lost, avoid)
        if links is None:
            await self._look()
            links = self._patched(chain, lost, avoid)
        if links is None:
            # Better somebody who failed before, even this very one, than nobody.
            there = {offer.peer for offer in self._offers}
            gone = [peer for peer in lost if peer not in there]
            links = patched(chain.links, gone, self._offers, tokens=chain.tokens)
        self._offers = [offer for offer in self._offers if offer.peer not in lost]
        await chain.mend(links)

    def _patched(
        self, chain: RingChain, lost: Collection[PeerId], avoid: Collection[PeerId]
    ) -> Sequence[Link] | None:
        try:
            return patched(chain.links, lost, self._offers, tokens=chain.tokens, avoid=avoid)
        except NotServed:
            return None

    async def _route(self, avoid: Collection[PeerId], tokens: int) -> tuple[Route, str]:
        """A route, and what was lacking if only those who failed before are left."""
        await self._look()
        head = self._shape.head_unit
        try:
            return find_route(self._offers, head, tokens=tokens, avoid=avoid), ""
        except NotServed as error:
            if not avoid:
                raise
            # Better somebody who failed before than nobody.
            return find_route(self._offers, head, tokens=tokens), str(error)

    async def _look(self) -> None:
        self._offers = await self._lookup()
        self._looked_at = self._clock.monotonic()
