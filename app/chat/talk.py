"""One conversation with a model, over whoever serves it, or on this computer alone.

It looks up who serves the model, opens chains, and remembers who could read what
was said. The counterpart that writes the text is `app/swarm/generate.py`.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from app.chat.offers import block_bytes
from app.chat.opened_model import LEAST_ROOM, OpenedModel
from app.clock import Clock
from app.errors import EngineFault, NotServed, PeerLost, Refusal
from app.folder.measured_speed import MeasuredSpeed
from app.ids import ModelId, PeerId, Span, short_peer_text
from app.net.address_groups import AddressRules
from app.net.dht import Dht
from app.net.dht_messages import Contact
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.records import Announcement
from app.net.shaping import Shaper
from app.net.wire import Place
from app.sentences import Sentence
from app.swarm.chain import RingChain
from app.swarm.chains import AloneIsFaster, Chains
from app.swarm.credits import Credits
from app.swarm.distances import Whereabouts, located
from app.swarm.failures import Failures
from app.swarm.generate import Answer, AnswerRequest, Generator
from app.swarm.local_chain import LocalChain
from app.swarm.route import ANSWER_TOKENS, Offer, Prediction, Route
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

UNMEASURED_BYTES_PER_SECOND: Final = 5e9
"""Weights that a plain processor reads in a second; for the head, until that was measured."""

THIS_COMPUTER = "this computer"


@dataclass(frozen=True)
class Ways:
    """How a conversation may be answered.

    Attributes:
        alone: on this computer only.
        may_be_alone: whether this computer may run the whole model when nobody else
            serves it, if it is here already.
        alone_if_faster: whether it may when it is faster by itself, if it is here already.
        own: this computer's name as a host, if it is one.
    """

    alone: bool = False
    may_be_alone: bool = False
    alone_if_faster: bool = False
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
        round_trip_seconds: Callable[[PeerId], float | None] = lambda peer: None,
        failures: Failures | None = None,
        speed: MeasuredSpeed | None = None,
    ) -> None:
        """`place` is where the node of this computer stands, if there is one: conversations
        start from there, and tell nobody (`tells_place` of `Endpoint` says why).
        `round_trip_seconds` are those that it measured; `failures` those of all conversations,
        `speed` what was measured of this computer by itself."""
        self._speed = speed
        self._place = place
        self._node_round_trip_seconds = round_trip_seconds
        self._shaper = shaper
        self._credits = credits
        self.opened = opened
        self.ways = ways
        self.generator = Generator(
            self._open_chain,
            opened.vocabulary,
            clock=clock,
            mend_chain=self._mend_chain,
            head_unit=opened.model.plan.head_unit,
        )
        plan = opened.model.plan
        self._chains = Chains(
            ModelShape(opened.model.id, plan.width, plan.vocabulary_size, plan.head_unit),
            lookup=self._offers,
            opener=self._open_endpoint,
            ends=self._own_ends,
            clock=clock,
            whereabouts=self._whereabouts,
            failures=failures,
            draw=random.random,
            own=ways.own,
            own_head_seconds=self._own_head_seconds,
        )
        self._lookup = lookup
        self._clock = clock
        self._stack = AsyncExitStack()
        self._endpoint: Endpoint | None = None
        self._candidates = 0
        self._prompt_rows = 1
        self._answer_tokens = ANSWER_TOKENS
        self._remark: Sentence | None = None
        self._predicted: Prediction | None = None
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
        self._prompt_rows = len(request.prompt)
        self._answer_tokens = min(ANSWER_TOKENS, request.max_tokens)
        self._readers = set(self._chain_readers) if self.generator.connected else set()
        try:
            async for piece in self.generator.write(request, answer):
                answer.remark, answer.predicted = self._remark, self._predicted
                yield piece
        finally:
            answer.remark, answer.predicted = self._remark, self._predicted

    async def close(self) -> None:
        """Give everything back."""
        try:
            await self.generator.close()
        finally:
            await self._stack.aclose()
            if self._endpoint is not None and self._credits is not None:
                self._credits.own_names.discard(self._endpoint.peer_id)
            self._endpoint = None

    def part_names(self, parts: Sequence[ChainPart]) -> list[str]:
        """The computers of a chain in order, each once in a row, as people read them."""
        names: list[str] = []
        for part in parts:
            own = part.peer is None or self._is_own(part.peer)
            name = THIS_COMPUTER if part.peer is None or own else short_peer_text(part.peer)
            if names[-1:] != [name]:
                names.append(name)
        return names

    # ── chains ───────────────────────────────────────────────────────────────

    async def _open_chain(self, avoid: Sequence[PeerId], tokens: int) -> TokenChain:
        room = max(tokens, min(LEAST_ROOM, self.opened.context_tokens))
        if self.ways.alone:
            return await self._local_chain(room)
        try:
            return await self._best_chain(room, avoid)
        except ChainBroken as broken:
            # Those who failed before failed again, and nobody else is there to ask.
            if not (self._may_go_alone and set(broken.suspects) <= set(avoid)):
                raise
            return await self._local_chain(room)
        except (NotServed, PeerLost):
            if not self._may_go_alone:
                raise
            return await self._local_chain(room)

    @property
    def _may_go_alone(self) -> bool:
        return self.ways.may_be_alone and self.opened.is_here

    async def _best_chain(self, room: int, avoid: Sequence[PeerId]) -> TokenChain:
        """Over others, or on this computer if that is expected to be faster."""
        alone_seconds = self._alone_seconds()
        try:
            return await self._ring_chain(room, avoid, alone_seconds)
        except AloneIsFaster as faster:
            try:
                chain = await self._local_chain(room)
            except (Refusal, EngineFault):
                return await self._ring_chain(room, avoid, None)  # slower than not at all
            self._remark = faster.remark
            return chain

    async def _ring_chain(
        self, room: int, avoid: Sequence[PeerId], alone_seconds: float | None
    ) -> TokenChain:
        chain = await self._chains.open(
            tokens=room,
            candidates=self._candidates,
            avoid=avoid,
            prompt_rows=self._prompt_rows,
            answer_tokens=self._answer_tokens,
            alone_seconds=alone_seconds,
        )
        self._remark, self._predicted = None, chain.predicted
        self._note_readers(chain)
        return chain

    def _alone_seconds(self) -> float | None:
        """What a token takes on this computer alone; None if it shall not or cannot be."""
        if self._speed is None or not self.ways.alone_if_faster or not self.opened.is_here:
            return None
        model = self.opened.model
        size = block_bytes([unit.size for unit in model.manifest.units])
        rate = self._speed.expected(model.id, size, whole=True)
        return None if rate is None or not self.opened.fits else 1.0 / rate

    def _own_head_seconds(self) -> float:
        """What the model's head takes on this computer, which reads its weights for each token."""
        model = self.opened.model
        measured = None if self._speed is None else self._speed.bytes_per_second
        size = model.manifest.units[model.plan.head_unit].size
        return size / (measured or UNMEASURED_BYTES_PER_SECOND)

    async def _mend_chain(
        self, chain: TokenChain, lost: Collection[PeerId], avoid: Sequence[PeerId]
    ) -> None:
        if not isinstance(chain, RingChain):
            raise MemoryLost("a model on this computer begins again")
        await self._chains.mend(chain, lost, avoid)
        self._note_readers(chain)

    async def _local_chain(self, room: int) -> TokenChain:
        self._chain_readers = set()
        self._remark = self._predicted = None
        return LocalChain(await self.opened.whole(), tokens=room, candidates=self._candidates)

    async def _offers(self) -> Sequence[Offer]:
        return await self._lookup(await self._open_endpoint(), self.opened.model.id)

    def _whereabouts(self, offers: Sequence[Offer]) -> Whereabouts:
        """What this conversation and the node have measured, and where they stand by it."""
        endpoint = self._endpoint
        if endpoint is None:
            return Whereabouts(self._place())
        measured: dict[PeerId, float] = {}
        for offer in offers:
            seconds = endpoint.round_trip_seconds(offer.peer)
            if seconds is None:
                seconds = self._node_round_trip_seconds(offer.peer)
            if seconds is not None:
                measured[offer.peer] = seconds
        measured |= {offer.peer: 0.0 for offer in offers if self._is_own(offer.peer)}
        place = self._place()
        if place is None:
            samples = [
                (offer.peer, offer.place, measured[offer.peer])
                for offer in offers
                if offer.place is not None and offer.peer in measured
            ]
            place = located(endpoint.peer_id, samples, endpoint.place)
        return Whereabouts(place, measured)

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
        self._chain_readers = {peer for peer in peers if not self._is_own(peer)}
        self._readers |= self._chain_readers

    def _is_own(self, peer: PeerId) -> bool:
        """Whether this is a name of this very computer."""
        names = () if self._credits is None else self._credits.own_names
        return peer == self.ways.own or peer in names


def directory_lookup(
    bootstraps: Sequence[tuple[PeerId, str]],
    known: Sequence[Contact],
    clock: Clock,
    *,
    tell: Callable[[Sequence[Contact]], None] = lambda met: None,
) -> Lookup:
    """Asks bootstraps and those known from before, over the conversation's own endpoint.

    Whom it met is asked the next time too, so that a bootstrap may go meanwhile. `tell` gets
    those of them that answered and that others may be told of.
    """
    met = list(known)

    async def lookup(endpoint: Endpoint, model: ModelId) -> Sequence[Offer]:
        async with conversation_directory(endpoint, bootstraps, met, clock) as directory:
            offers = offers_of(await directory.lookup(model))
            met[:] = directory.seeds()
            tell(directory.contacts())
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
    """What was announced and is ready, as routes are made from it."""
    return [
        Offer(
            peer=PeerId(record.peer),
            addresses=tuple(record.addresses),
            span=record.span,
            layers_per_second=record.layers_per_second,
            tokens_free=record.kv_tokens_free,
            sessions=record.sessions,
            capacity=record.capacity,
            place=record.place,
        )
        for record in records
        if record.span is not None and record.ready
    ]
