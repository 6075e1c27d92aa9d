"""One conversation with a model, over whoever serves it, or on this computer alone.

It looks up who serves the model, opens chains, and remembers who could read what
was said. The counterpart that writes the text is `app/swarm/generate.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from app.clock import Clock
from app.errors import NotServed, PeerLost
from app.ids import ModelId, PeerId, Span, short_peer_text
from app.net.address_groups import AddressRules
from app.net.dht import Dht
from app.net.dht_messages import Contact
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.records import Announcement
from app.net.shaping import Shaper
from app.net.wire import Place
from app.opened_model import LEAST_ROOM, OpenedModel
from app.swarm.chain import RingChain
from app.swarm.chains import Chains
from app.swarm.credits import Credits
from app.swarm.generate import Answer, AnswerRequest, Generator
from app.swarm.local_chain import LocalChain
from app.swarm.route import Offer, Route
from app.swarm.token_chain import (
    ChainBroken,
    ChainPart,
    MemoryLost,
    ModelShape,
    OwnEnds,
    TokenChain,
)

Lookup = Callable[[Endpoint, ModelId], Awaitable[Sequence[Offer]]]
"""Who serves a model now, asked over this endpoint."""

THIS_COMPUTER = "this computer"


@dataclass(frozen=True)
class Ways:
    """How a conversation may be answered.

    Attributes:
        alone: on this computer only.
        may_be_alone: whether this computer may run the whole model when nobody else
            serves it, if it is here already.
        own: this computer's name as a host, if it is one.
    """

    alone: bool = False
    may_be_alone: bool = False
    own: PeerId | None = None


class Talk:
    """A conversation's means. Close it when it is over."""

    def __init__(
        self,
        opened: OpenedModel,
        lookup: Lookup,
        ways: Ways,
        *,
        clock: Clock,
        shaper: Shaper | None = None,
        credits: Credits | None = None,
        place: Callable[[], Place | None] = lambda: None,
    ) -> None:
        """`place` is where the node of this computer stands, if there is one: conversations
        start from there, and tell nobody (`tells_place` of `Endpoint` says why)."""
        self._place = place
        self._shaper = shaper
        self._credits = credits
        self.opened = opened
        self.ways = ways
        self.generator = Generator(
            self._open_chain, opened.vocabulary, clock=clock, mend_chain=self._mend_chain
        )
        plan = opened.model.plan
        self._chains = Chains(
            ModelShape(opened.model.id, plan.width, plan.vocabulary_size, plan.head_unit),
            lookup=self._offers,
            opener=self._open_endpoint,
            ends=self._own_ends,
            clock=clock,
        )
        self._lookup = lookup
        self._clock = clock
        self._stack = AsyncExitStack()
        self._endpoint: Endpoint | None = None
        self._candidates = 0
        self._chain_readers: set[PeerId] = set()
        self._readers: set[PeerId] = set()

    @property
    def readers(self) -> list[str]:
        """Helpers that could read this answer or its question: the first and the last of each
        chain it was written over."""
        return sorted(short_peer_text(peer) for peer in self._readers)

    @property
    def round_trips(self) -> dict[PeerId, float]:
        """How far its helpers are, in seconds; those not measured yet are left out."""
        open_now = () if self._endpoint is None else self._endpoint.connections()
        return {
            one.peer: one.round_trip_seconds
            for one in open_now
            if one.round_trip_seconds is not None
        }

    async def write(self, request: AnswerRequest, answer: Answer) -> AsyncGenerator[str, None]:
        """As `Generator.write`.

        Raises:
            NotServed: nobody serves the model, and it is not here either.
            ChainBroken, NoRoom: as `Generator.write`.
        """
        candidates = request.options.candidates
        if candidates > self._candidates:
            await self.generator.close()  # the hosts were told how many to send
            self._candidates = candidates
        self._readers = set(self._chain_readers) if self.generator.connected else set()
        async for piece in self.generator.write(request, answer):
            yield piece

    async def close(self) -> None:
        """Give everything back."""
        await self.generator.close()
        await self._stack.aclose()
        if self._endpoint is not None and self._credits is not None:
            self._credits.own_names.discard(self._endpoint.peer_id)
        self._endpoint = None

    def part_names(self, parts: Sequence[ChainPart]) -> list[str]:
        """The computers of a chain in order, each once in a row, as people read them."""
        names: list[str] = []
        for part in parts:
            mine = part.peer is None or part.peer == self.ways.own
            name = THIS_COMPUTER if part.peer is None or mine else short_peer_text(part.peer)
            if names[-1:] != [name]:
                names.append(name)
        return names

    # ── chains ───────────────────────────────────────────────────────────────

    async def _open_chain(self, avoid: Collection[PeerId], tokens: int) -> TokenChain:
        room = max(tokens, min(LEAST_ROOM, self.opened.context_tokens))
        if self.ways.alone:
            return await self._local_chain(room)
        try:
            chain = await self._chains.open(tokens=room, candidates=self._candidates, avoid=avoid)
        except ChainBroken as broken:
            # Those who failed before failed again, and nobody else is there to ask.
            if not (self._may_go_alone and set(broken.suspects) <= set(avoid)):
                raise
            return await self._local_chain(room)
        except (NotServed, PeerLost):
            if not self._may_go_alone:
                raise
            return await self._local_chain(room)
        self._note_readers(chain)
        return chain

    @property
    def _may_go_alone(self) -> bool:
        return self.ways.may_be_alone and self.opened.is_here

    async def _mend_chain(
        self, chain: TokenChain, lost: Collection[PeerId], avoid: Sequence[PeerId]
    ) -> None:
        if not isinstance(chain, RingChain):
            raise MemoryLost("a model on this computer begins again")
        await self._chains.mend(chain, lost, avoid)
        self._note_readers(chain)

    async def _local_chain(self, room: int) -> TokenChain:
        self._chain_readers = set()
        return LocalChain(await self.opened.whole(), tokens=room, candidates=self._candidates)

    async def _offers(self) -> Sequence[Offer]:
        return await self._lookup(await self._open_endpoint(), self.opened.model.id)

    async def _own_ends(self, route: Route) -> OwnEnds:
        head = self.opened.model.plan.head_unit
        return OwnEnds(
            embedding=await self.opened.end(Span(0, 1)) if route.own_embedding else None,
            head=await self.opened.end(Span(head, head + 1)) if route.own_head else None,
        )

    async def _open_endpoint(self) -> Endpoint:
        if self._endpoint is None:
            # A name of its own for each conversation: helpers cannot tell who comes back.
            self._endpoint = await self._stack.enter_async_context(
                Endpoint(
                    new_identity(),
                    listen=("0.0.0.0", 0),
                    handlers={},
                    clock=self._clock,
                    shaper=self._shaper,
                    start=self._place(),
                    tells_place=False,
                )
            )
            if self._credits is not None:
                self._credits.own_names.add(self._endpoint.peer_id)
        return self._endpoint

    def _note_readers(self, chain: RingChain) -> None:
        """The first sees the words; the last, which words come out."""
        peers = {chain.links[0].offer.peer, chain.links[-1].offer.peer}
        self._chain_readers = {peer for peer in peers if peer != self.ways.own}
        self._readers |= self._chain_readers


def directory_lookup(
    bootstraps: Sequence[tuple[PeerId, str]], known: Sequence[Contact], clock: Clock
) -> Lookup:
    """Asks bootstraps and those known from before, over the conversation's own endpoint.

    Whom it met is asked the next time too, so that a bootstrap may go meanwhile.
    """
    met = list(known)

    async def lookup(endpoint: Endpoint, model: ModelId) -> Sequence[Offer]:
        async with conversation_directory(endpoint, bootstraps, met, clock) as directory:
            offers = offers_of(await directory.lookup(model))
            met[:] = directory.seeds()
        return offers

    return lookup


def conversation_directory(
    endpoint: Endpoint,
    bootstraps: Sequence[tuple[PeerId, str]],
    known: Sequence[Contact],
    clock: Clock,
    rules: AddressRules | None = None,
) -> Dht:
    """The directory as a conversation asks it: under its own name, which is told to nobody."""
    return Dht(
        endpoint,
        bootstraps,
        known=known,
        clock=clock,
        rules=rules,
        seen_at=endpoint.address_of,
        background=False,
    )


def offers_of(records: Sequence[Announcement]) -> list[Offer]:
    """What was announced, as routes are made from it."""
    return [
        Offer(
            peer=PeerId(record.peer),
            addresses=tuple(record.addresses),
            span=record.span,
            layers_per_second=record.layers_per_second,
            tokens_free=record.kv_tokens_free,
        )
        for record in records
        if record.span is not None
    ]
