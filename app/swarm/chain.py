"""The client's end of a ring: tokens go out to the first host, candidates come back.

`RingChain` runs a model over other computers, `LocalChain` (`app/swarm/local_chain.py`)
on this one alone; both are a `TokenChain`, so whoever writes an answer need not know
which it has.
The counterpart on each host is `app/swarm/host.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.engine.frames import Part, PartResult
from app.engine.mounting import BATCH_ROWS
from app.engine.supervisor import Engine
from app.errors import BadInput, EngineFault, PeerLost
from app.ids import ModelId, PeerId, SessionId, Span, new_session, short_peer_text
from app.net import wire
from app.net.channel import Channel, ChannelOpener
from app.sentences import Sentence, say, sentence_of
from app.swarm.route import Link, Route
from app.tasks import TaskOwner

OPEN_SECONDS: Final = 10.0
"""Two round trips around the world, the dial included, fit many times."""
LEASE_SECONDS: Final = 120.0
STEP_SECONDS: Final = 30.0
"""A host that computes longer on one step is stuck, or slower than anybody would wait for."""
STEP_BYTES: Final = 1 << 20
"""Long prompts travel in steps of at most this much, so that hosts work side by side."""


@dataclass(frozen=True)
class Candidates:
    """For each wanted row the best tokens: `ids` and `logits` are [rows, count], best first."""

    ids: NDArray[np.int32]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class ChainPart:
    """Who runs which units; `peer` None is this computer."""

    peer: PeerId | None
    span: Span


class ChainBroken(PeerLost):
    """The chain cannot go on as it is.

    Attributes:
        peer: who should not be asked again in this conversation; None: nobody in particular.
        suspects: everybody who may be to blame; `peer` alone unless it is not known.
        forgotten: the same chain can go on if everything is sent again from the start;
            if that does not help, `peer` is to be avoided.
    """

    def __init__(
        self,
        reason: str | Sentence,
        *,
        peer: PeerId | None,
        forgotten: bool = False,
        suspects: tuple[PeerId, ...] = (),
    ) -> None:
        super().__init__(reason)
        self.peer = peer
        self.suspects = suspects or (() if peer is None else (peer,))
        self.forgotten = forgotten


class TokenChain(Protocol):
    """A whole model, wherever it runs, with the memory of one conversation."""

    @property
    def parts(self) -> list[ChainPart]:
        """Who runs what, in order."""
        ...

    @property
    def tokens(self) -> int:
        """How many positions the conversation may have."""
        ...

    async def step(self, position: int, tokens: Sequence[int]) -> Candidates:
        """Candidates for the token after these; everything at or after `position` is forgotten.

        Raises:
            ChainBroken: a computer of the chain failed.
        """
        ...

    def begin_again(self) -> None:
        """What was sent before does not count any more; the next step starts at position 0."""
        ...

    async def close(self) -> None:
        """Give back the room. A second call does nothing."""
        ...


@dataclass(frozen=True)
class OwnEnds:
    """The ends of the model that the client runs itself; None where a host does."""

    embedding: Engine | None = None
    head: Engine | None = None


@dataclass(frozen=True)
class ModelShape:
    """What a client knows of a model: its id, its sizes, and its last unit's number."""

    model: ModelId
    width: int
    vocabulary_size: int
    head_unit: int


class RingChain:
    """One conversation over the computers of a route. Use with `async with`."""

    def __init__(
        self,
        opener: ChannelOpener,
        shape: ModelShape,
        route: Route,
        *,
        tokens: int,
        candidates: int,
        ends: OwnEnds | None = None,
    ) -> None:
        self._opener = opener
        self._shape = shape
        self._route = route
        self._tokens = tokens
        self._candidates = candidates
        self._ends = ends or OwnEnds()
        self._session = new_session()
        self._epoch = 0
        self._channels: dict[int, Channel] = {}
        self._results: dict[int, asyncio.Future[wire.StepResult]] = {}
        self._broken: ChainBroken | None = None
        self._closed = False
        self._tasks = TaskOwner("chain")
        self._rows_per_step = max(1, min(BATCH_ROWS, STEP_BYTES // (4 * shape.width)))

    async def __aenter__(self) -> RingChain:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def parts(self) -> list[ChainPart]:
        """Who runs what, in order; the client's own ends included."""
        parts = [ChainPart(link.offer.peer, link.span) for link in self._route.links]
        head = self._shape.head_unit
        if self._ends.embedding is not None:
            parts.insert(0, ChainPart(None, Span(0, 1)))
        if self._ends.head is not None:
            parts.append(ChainPart(None, Span(head, head + 1)))
        return parts

    @property
    def tokens(self) -> int:
        """As `TokenChain.tokens`."""
        return self._tokens

    async def open(self) -> None:
        """Open the session on every host at once.

        Raises:
            ChainBroken: one of them is unreachable or declines; the text says which and why.
        """
        # No TaskGroup: on Python 3.11 one that fails leaves the caller half cancelled, and
        # Ctrl-C is then no KeyboardInterrupt any more.
        openings = [
            self._tasks.start(self._try_open(index), name=f"open {index}")
            for index in range(len(self._route.links))
        ]
        try:
            for opening in asyncio.as_completed(openings):
                if (broken := await opening) is not None:
                    raise broken
        except BaseException:
            await self.close()
            raise
        for index, channel in self._channels.items():
            self._tasks.start(self._listen(index, channel), name=f"listen {index}")

    async def step(self, position: int, tokens: Sequence[int]) -> Candidates:
        """As `TokenChain.step`; long prompts go out in pieces that hosts work on side by side."""
        if self._broken is not None:
            raise self._broken
        pieces = -(-len(tokens) // self._rows_per_step)
        last = position + (pieces - 1) * self._rows_per_step
        result: asyncio.Future[wire.StepResult] = asyncio.get_running_loop().create_future()
        self._results[last] = result
        answered = False
        try:
            async with asyncio.timeout(STEP_SECONDS * pieces):
                for start in range(position, position + len(tokens), self._rows_per_step):
                    piece = list(tokens[start - position : start - position + self._rows_per_step])
                    await self._send(start, piece, outputs=1 if start == last else 0)
                outcome = await result
            answered = True
            return await self._finish(outcome)
        except TimeoutError:
            # Any of them may be the silent one; together they are avoided.
            suspects = tuple(link.offer.peer for link in self._route.links)
            raise ChainBroken(say("chain_silent"), peer=suspects[0], suspects=suspects) from None
        finally:
            self._results.pop(last, None)
            if not answered:
                # Its answer may yet come, and must not be taken for that of a later step.
                self._epoch += 1
                _ = result.cancel() or result.cancelled() or result.exception()

    def begin_again(self) -> None:
        """As `TokenChain.begin_again`: a new epoch lets hosts drop what is still under way."""
        self._epoch += 1

    async def close(self) -> None:
        """As `TokenChain.close`."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._tasks.close()
        finally:
            self._break(ChainBroken("the chain was closed", peer=None))
            for channel in self._channels.values():
                await _leave(channel, self._session)

    # ── opening ──────────────────────────────────────────────────────────────

    async def _try_open(self, index: int) -> ChainBroken | None:
        """Open one session; a failure is handed back, for whoever waits to raise."""
        try:
            await self._open_link(index)
        except ChainBroken as broken:
            return broken
        return None

    async def _open_link(self, index: int) -> None:
        links = self._route.links
        offer = links[index].offer
        name = short_peer_text(offer.peer)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                channel = await self._opener.open_channel(offer.peer, offer.addresses, "session")
                self._channels[index] = channel  # whatever happens now, `close` gives it back
                await channel.send(self._opening(index))
                answer = await channel.receive()
        except (PeerLost, TimeoutError) as error:
            reason = sentence_of(error) if str(error) else say("no_answer")
            words = say("helper_unusable", helper=name, reason=reason)
            raise ChainBroken(words, peer=offer.peer) from None
        match answer:
            case wire.SessionOpened() if answer.session == self._session:
                return
            case wire.SessionRefused() if answer.session == self._session:
                culprit = offer.peer
                if answer.code == "next_lost" and index + 1 < len(links):
                    culprit = links[index + 1].offer.peer
                words = say("helper_declines", helper=name, reason=answer.reason)
                raise ChainBroken(words, peer=culprit)
            case wire.Refused():
                words = say("helper_declines", helper=name, reason=answer.reason)
                raise ChainBroken(words, peer=offer.peer)
        self._opener.report_bad_input(offer.peer, "a wrong answer to the opening of a session")
        raise ChainBroken(say("helper_nonsense", helper=name), peer=offer.peer)

    def _opening(self, index: int) -> wire.SessionOpen:
        links = self._route.links
        following: Link | None = links[index + 1] if index + 1 < len(links) else None
        return wire.SessionOpen(
            session=self._session,
            epoch=self._epoch,
            model=self._shape.model,
            span=links[index].span,
            tokens=self._tokens,
            lease_seconds=LEASE_SECONDS,
            candidates=self._candidates,
            previous=links[index - 1].offer.peer if index else None,
            next=None
            if following is None
            else wire.NextHop(peer=following.offer.peer, addresses=list(following.offer.addresses)),
        )

    # ── steps ────────────────────────────────────────────────────────────────

    async def _send(self, position: int, tokens: list[int], *, outputs: int) -> None:
        own = self._ends.embedding
        hidden = b""
        if own is not None:
            part = Part(sequence=0, position=position, rows=len(tokens), tokens=tokens)
            hidden = (await compute_locally(own, part)).hidden
        try:
            await self._channels[0].send(
                wire.Step(
                    session=self._session,
                    epoch=self._epoch,
                    position=position,
                    rows=len(tokens),
                    outputs=outputs,
                    tokens=None if own is not None else tokens,
                    hidden=hidden,
                )
            )
        except PeerLost as error:
            raise self._broken or ChainBroken(
                str(error), peer=self._route.links[0].offer.peer
            ) from None

    async def _finish(self, result: wire.StepResult) -> Candidates:
        last = self._route.links[-1].offer.peer
        try:
            if result.outputs != 1:
                raise BadInput(f"{result.outputs} results where one was asked for")
            if self._ends.head is None:
                return self._checked(read_candidates(result.ids, result.logits, rows=1))
            hidden = np.frombuffer(result.hidden, "<f4")
            if hidden.size != self._shape.width or not np.isfinite(hidden).all():
                raise BadInput("hidden states of the wrong size, or not finite")
        except BadInput as error:
            self._opener.report_bad_input(last, str(error))
            raise ChainBroken(
                say("helper_wrong", helper=short_peer_text(last), reason=str(error)), peer=last
            ) from None
        part = Part(
            sequence=0,
            position=0,
            rows=1,
            outputs=1,
            candidates=self._candidates,
            hidden=result.hidden,
        )
        own = await compute_locally(self._ends.head, part)
        return read_candidates(own.ids, own.logits, rows=1)

    def _checked(self, candidates: Candidates) -> Candidates:
        if candidates.ids.shape[1] > self._candidates:
            raise BadInput("more candidates than were asked for")
        if candidates.ids.min() < 0 or candidates.ids.max() >= self._shape.vocabulary_size:
            raise BadInput("a token outside the vocabulary")
        if not np.isfinite(candidates.logits).all():
            raise BadInput("a logit that is not a finite number")
        if (np.diff(candidates.logits, axis=1) > 0).any():
            raise BadInput("candidates that are not in order")
        return candidates

    # ── what comes back ──────────────────────────────────────────────────────

    async def _listen(self, index: int, channel: Channel) -> None:
        peer = self._route.links[index].offer.peer
        is_last = index == len(self._route.links) - 1
        try:
            while True:
                message = await channel.receive()
                match message:
                    case wire.StepResult() if is_last and message.session == self._session:
                        self._deliver(message)
                    case wire.SessionFault() if message.session == self._session:
                        self._take_fault(message, index)
                    case _:
                        raise BadInput(f"an unexpected {type(message).__name__} from a host")
        except BadInput as error:
            self._opener.report_bad_input(peer, str(error))
            words = say("helper_breaks_rules", helper=short_peer_text(peer))
            self._break(ChainBroken(words, peer=peer))
        except PeerLost as error:
            words = say("helper_left", helper=short_peer_text(peer), reason=sentence_of(error))
            self._break(ChainBroken(words, peer=peer))

    def _deliver(self, message: wire.StepResult) -> None:
        """Hand a result to whoever waits; one that nobody waits for is late, not wrong."""
        future = self._results.get(message.position)
        if message.epoch == self._epoch and future is not None and not future.done():
            future.set_result(message)

    def _take_fault(self, fault: wire.SessionFault, index: int) -> None:
        links = self._route.links
        peer = links[index].offer.peer
        reason = say("helper_says", helper=short_peer_text(peer), reason=fault.reason)
        if fault.code == "lease_over":
            self._break(ChainBroken(reason, peer=None))
        elif fault.epoch != self._epoch:
            return
        elif fault.code in ("gap", "worker_died"):
            self._fail(ChainBroken(reason, peer=peer, forgotten=True))
        elif fault.code == "over_budget":
            self._break(ChainBroken(reason, peer=None))
        elif fault.code == "input" and index:
            self._break(ChainBroken(reason, peer=links[index - 1].offer.peer))
        elif fault.code == "next_lost" and index + 1 < len(links):
            self._break(ChainBroken(reason, peer=links[index + 1].offer.peer))
        else:
            self._break(ChainBroken(reason, peer=peer))

    def _break(self, error: ChainBroken) -> None:
        self._broken = self._broken or error
        self._fail(error)

    def _fail(self, error: ChainBroken) -> None:
        for future in self._results.values():
            if not future.done():
                future.set_exception(error)


async def _leave(channel: Channel, session: SessionId) -> None:
    """Tell a host that it is over, without waiting for one that takes nothing."""
    try:
        async with asyncio.timeout(0):
            await channel.send(wire.SessionClose(session=session))
        await channel.close()
    except (PeerLost, TimeoutError):
        channel.abort()


async def compute_locally(engine: Engine, part: Part) -> PartResult:
    """Run a part on an engine of this computer.

    Raises:
        ChainBroken: it failed; `forgotten` when starting over will do.
    """
    try:
        result = await engine.compute(part)
    except EngineFault as error:
        raise ChainBroken(str(error), peer=None, forgotten=True) from None
    if result.code:
        raise ChainBroken(result.fault, peer=None, forgotten=result.code == "gap")
    return result


def read_candidates(ids: bytes, logits: bytes, *, rows: int) -> Candidates:
    """Candidates from their bytes.

    Raises:
        BadInput: the lengths do not agree, or there are none.
    """
    count = len(ids) // (4 * rows)
    if count == 0 or len(ids) != 4 * rows * count or len(logits) != len(ids):
        raise BadInput("candidates are missing, or ids and logits do not agree")
    return Candidates(
        np.frombuffer(ids, "<i4").reshape(rows, count),
        np.frombuffer(logits, "<f4").reshape(rows, count),
    )
