"""The client's end of a ring: tokens go out to the first host, candidates come back.

When a computer of the ring fails, `RingChain.mend` puts others in its place: the one
before it sends what it had handed on before, and the rest keep what they know. The
counterpart on each host is `app/swarm/host.py`; who takes whose place is decided in
`app/swarm/repair.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Sequence
from types import TracebackType
from typing import Final

from app.engine.frames import Part
from app.engine.mounting import BATCH_ROWS
from app.errors import BadInput, PeerLost
from app.ids import PeerId, Span, new_session, short_peer_text
from app.net import wire
from app.net.channel import Channel, ChannelOpener
from app.sentences import Sentence, say, sentence_of
from app.swarm.awaited_results import AwaitedResults
from app.swarm.boundary_log import rows_per_step
from app.swarm.chain_link import (
    Neighbours,
    SessionTerms,
    hand_over,
    leave_session,
    neighbours_of,
    open_session,
    relink_session,
    withdraw_steps,
)
from app.swarm.chain_memory import ChainMemory
from app.swarm.handover_choice import Move, moves
from app.swarm.route import Link, Route
from app.swarm.side_by_side import side_by_side
from app.swarm.token_chain import (
    Candidates,
    ChainBroken,
    ChainPart,
    MemoryLost,
    ModelShape,
    OwnEnds,
    candidates_of,
    check_result,
    compute_locally,
    read_candidates,
)
from app.tasks import TaskOwner

STEP_SECONDS: Final = 30.0
"""A host that computes longer on one step is stuck, or slower than anybody would wait for."""
BUSY_SECONDS: Final = 5.0
"""So long a step is sent again to a host that is busy; then another one takes its place."""
LEAST_RETRY_SECONDS: Final = 0.1


class RingChain:
    """One conversation over the computers of a route. Use with `async with`.

    Attributes:
        predicted: what a token was expected to take when it was opened, if that is known.
        leaving: who said that it leaves and has the session still, and what it runs.
    """

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
        self.predicted = route.predicted
        self._links = list(route.links)
        self._tokens = tokens
        self._candidates = candidates
        self._ends = ends or OwnEnds()
        self._session = new_session()
        self._terms = SessionTerms(self._session, shape.model, tokens, candidates)
        self._epoch = 0
        self._channels: dict[PeerId, Channel] = {}
        # What each host was told of its neighbours, and what it knows of the conversation.
        self._told: dict[PeerId, Neighbours] = {}
        self._memory = ChainMemory()
        self.leaving: dict[PeerId, Link] = {}
        self._moves: dict[PeerId, Move] = {}
        # Every position that all hosts know, and the tokens there.
        self._sent: list[int] = []
        self._replaying_pieces = 0
        # Who is waited for although it failed before; None is everybody.
        self._waited_for: Collection[PeerId] | None = None
        self._awaited = AwaitedResults()
        self._closed = False
        self._tasks = TaskOwner("chain")
        self._rows_per_step = rows_per_step(BATCH_ROWS, 4 * shape.width)

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
        parts = [ChainPart(link.offer.peer, link.span) for link in self._links]
        head = self._shape.head_unit
        if self._ends.embedding is not None:
            parts.insert(0, ChainPart(None, Span(0, 1)))
        if self._ends.head is not None:
            parts.append(ChainPart(None, Span(head, head + 1)))
        return parts

    @property
    def links(self) -> Sequence[Link]:
        """The computers of the ring, in order."""
        return self._links

    @property
    def unconnected(self) -> list[PeerId]:
        """Those of its computers that it has no session with, because a repair failed."""
        return [link.offer.peer for link in self._links if link.offer.peer not in self._channels]

    @property
    def tokens(self) -> int:
        """As `TokenChain.tokens`."""
        return self._tokens

    async def open(self, *, waited_for: Collection[PeerId] | None = None) -> None:
        """Open the session on every host at once.

        Args:
            waited_for: who is given all the time there is, as nobody could replace it; the
                others have to answer soon. None is everybody.

        Raises:
            ChainBroken: one of them is unreachable or declines; the text says which and why.
        """
        self._waited_for = waited_for
        try:
            await self._all(self._open_link(link, self._neighbours(link)) for link in self._links)
        except BaseException:
            await self.close()
            raise

    async def mend(
        self, links: Sequence[Link], *, waited_for: Collection[PeerId] | None = None
    ) -> None:
        """Go on over these computers; those that stay keep what they know.

        Who is new to the chain, and who lost its memory, is sent again what the computer
        before it handed on. Afterwards the chain stands where its last whole step ended.
        `waited_for` is as for `open`.

        Raises:
            ChainBroken: another computer failed; mend again without it.
            MemoryLost: what is to be sent again is gone.
        """
        self._epoch += 1
        self._waited_for = waited_for
        self._awaited.stand_still(ChainBroken(say("chain_not_whole"), peer=None))
        stays = [link.offer.peer for link in links]
        self._moves = self._find_moves(links)
        givers = {move.giver.peer for move in self._moves.values()}
        for peer in [peer for peer in self._channels if peer not in (*stays, *givers)]:
            await self._drop(peer)
        self._links = list(links)
        self._memory.goes_on_over(stays, self._channels, self._moves)
        # First everybody knows who feeds whom; then what is replayed can only go the right way.
        await self._all(self._renew(link) for link in self._links)
        await self._move_memory()
        await self._all(self._restore_after(link) for link in self._links)
        if stays[0] in self._memory.empty:
            await self._all([self._replay(self._memory.known_from(stays[0]))])
        self._awaited.go_on()
        # The next step waits until they have caught up.
        self._replaying_pieces = -(-len(self._sent) // self._rows_per_step)

    async def step(self, position: int, tokens: Sequence[int]) -> Candidates:
        """As `TokenChain.step`; long prompts go out in pieces that hosts work on side by side.

        A host that is busy is asked again when it says, for `BUSY_SECONDS`.
        """
        waits_until = asyncio.get_running_loop().time() + BUSY_SECONDS
        while True:
            try:
                return await self._step_once(position, tokens)
            except ChainBroken as broken:
                retry = broken.retry_after_seconds
                now = asyncio.get_running_loop().time()
                if self._awaited.broken is not None or retry is None or now + retry > waits_until:
                    raise
            await asyncio.sleep(max(retry, LEAST_RETRY_SECONDS))

    async def _step_once(self, position: int, tokens: Sequence[int]) -> Candidates:
        if self._awaited.broken is not None:
            raise self._awaited.broken
        pieces = -(-len(tokens) // self._rows_per_step)
        last = position + (pieces - 1) * self._rows_per_step
        del self._sent[position:]
        patience = STEP_SECONDS * (pieces + self._replaying_pieces)
        result = self._awaited.expect(last)
        answered = False
        try:
            async with asyncio.timeout(patience):
                for start in range(position, position + len(tokens), self._rows_per_step):
                    piece = list(tokens[start - position : start - position + self._rows_per_step])
                    wanted = 1 if start == last else 0
                    await self._send(start, piece, outputs=wanted, deadline_seconds=patience)
                outcome = await result
            answered = True
            candidates = await self._finish(outcome)
            self._sent += tokens
            self._replaying_pieces = 0
            self._memory.step_came_through(position)
            return candidates
        except TimeoutError:
            # Any of them may be the silent one; together they are avoided.
            suspects = tuple(link.offer.peer for link in self._links)
            raise ChainBroken(say("chain_silent"), peer=suspects[0], suspects=suspects) from None
        except asyncio.CancelledError:
            self._withdraw(len(tokens))
            raise
        finally:
            self._awaited.expect_no_more(last)
            if not answered:
                # Its answer may yet come, and must not be taken for that of a later step.
                self._epoch += 1

    def begin_again(self) -> None:
        """As `TokenChain.begin_again`: a new epoch lets hosts drop what is still under way."""
        self._epoch += 1
        self._sent.clear()
        self._memory.begins_again()

    async def close(self) -> None:
        """As `TokenChain.close`."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._tasks.close()
        finally:
            self._awaited.break_off(ChainBroken("the chain was closed", peer=None))
            for peer in list(self._channels):
                await self._drop(peer)

    # ── opening ──────────────────────────────────────────────────────────────

    async def _all(self, work: Iterable[Awaitable[None]]) -> None:
        """Side by side, and no longer than until a computer of the chain fails."""
        await side_by_side(self._tasks, *work, unless=self._awaited.failure)

    def _neighbours(self, link: Link) -> Neighbours:
        return neighbours_of(link, self._links, self._memory.empty)

    async def _open_link(self, link: Link, neighbours: Neighbours) -> None:
        peer = link.offer.peer
        channel = await open_session(
            self._opener,
            self._terms,
            link,
            neighbours,
            epoch=self._epoch,
            patient=self._waited_for is None or peer in self._waited_for,
            inherits=self._moves[peer].giver.peer if peer in self._moves else None,
        )
        self._channels[peer] = channel
        self._told[peer] = neighbours
        self._tasks.start(self._listen(peer, channel), name=f"listen to {short_peer_text(peer)}")

    async def _drop(self, peer: PeerId) -> None:
        """Say goodbye to a host."""
        await leave_session(self._let_go(peer), self._session)

    def _let_go(self, peer: PeerId) -> Channel:
        self._told.pop(peer, None)
        self.leaving.pop(peer, None)
        return self._channels.pop(peer)

    # ── mending ──────────────────────────────────────────────────────────────

    async def _renew(self, link: Link) -> None:
        """Have a host know its neighbours; it is not asked when it was told them before."""
        peer = link.offer.peer
        neighbours = self._neighbours(link)
        if peer not in self._channels:
            await self._open_link(link, neighbours)
        elif peer in self._memory.empty or not neighbours.same_as(self._told.get(peer)):
            await self._relink(link, neighbours, replay=0)

    def _find_moves(self, links: Sequence[Link]) -> dict[PeerId, Move]:
        """What those that leave can give to newcomers, by whom it would go to."""
        found = moves(
            self.leaving.values(),
            links,
            self._channels,
            positions=len(self._sent),
            shape=self._shape,
            sends_tokens=self._ends.embedding is None,
        )
        return {move.heir.peer: move for move in found}

    async def _move_memory(self) -> None:
        """Have those that leave give what they know, as far as that pays."""
        known: dict[PeerId, int] = {}

        async def carry_out(move: Move) -> None:
            known[move.heir.peer] = await hand_over(self._opener, self._terms, move)

        await self._all(carry_out(move) for move in self._moves.values())
        peers = [link.offer.peer for link in self._links]
        self._memory.were_handed_over(peers, known, len(self._sent))
        for peer in dict.fromkeys(move.giver.peer for move in self._moves.values()):
            if peer in self._channels:
                await self._drop(peer)

    async def _restore_after(self, link: Link) -> None:
        """Have a host send the next one what that does not know any more."""
        neighbours, empty = self._neighbours(link), self._memory.empty
        if neighbours.next is None or link.offer.peer in empty or neighbours.next.peer not in empty:
            return
        start = self._memory.known_from(neighbours.next.peer)
        await self._relink(link, neighbours, replay=len(self._sent), replay_from=start)

    async def _relink(
        self, link: Link, neighbours: Neighbours, *, replay: int, replay_from: int = 0
    ) -> None:
        self._told.pop(link.offer.peer, None)
        await relink_session(
            self._opener,
            self._terms,
            link,
            neighbours,
            epoch=self._epoch,
            replay=replay,
            replay_from=replay_from,
            patience_seconds=STEP_SECONDS * (1 + replay // self._rows_per_step),
        )
        self._told[link.offer.peer] = neighbours

    async def _replay(self, first: int) -> None:
        """Send the first host the tokens again that the others know already."""
        for start in range(first, len(self._sent), self._rows_per_step):
            piece = self._sent[start : start + self._rows_per_step]
            await self._send(start, piece, outputs=0, replay=True)

    # ── steps ────────────────────────────────────────────────────────────────

    async def _send(
        self,
        position: int,
        tokens: list[int],
        *,
        outputs: int,
        replay: bool = False,
        deadline_seconds: float | None = None,
    ) -> None:
        own = self._ends.embedding
        hidden = b""
        if own is not None:
            part = Part(sequence=0, position=position, rows=len(tokens), tokens=tokens)
            hidden = (await compute_locally(own, part)).hidden
        try:
            await self._channel_to_first().send(
                wire.Step(
                    session=self._session,
                    epoch=self._epoch,
                    position=position,
                    rows=len(tokens),
                    outputs=outputs,
                    replay=replay,
                    tokens=None if own is not None else tokens,
                    hidden=hidden,
                    deadline_seconds=deadline_seconds,
                )
            )
        except PeerLost as error:
            first = self._links[0].offer.peer
            raise self._awaited.broken or ChainBroken(str(error), peer=first) from None

    def _withdraw(self, rows: int) -> None:
        """Nobody waits for a long step any more: hosts need not compute what they have of it."""
        if rows == 1 or self._awaited.broken is not None or self._closed:
            return
        epoch = self._epoch + 1  # that of the next step
        for link in self._links:
            neighbours = self._neighbours(link)
            words = withdraw_steps(self._opener, self._terms, link, neighbours, epoch=epoch)
            self._tasks.start(words, name="withdraw")

    def _channel_to_first(self) -> Channel:
        peer = self._links[0].offer.peer
        if peer not in self._channels:
            raise PeerLost(f"{short_peer_text(peer)} has left the chain")
        return self._channels[peer]

    async def _finish(self, result: wire.StepResult) -> Candidates:
        last = self._links[-1].offer.peer
        try:
            check_result(result, self._shape, most=self._candidates, own_head=self._ends.head)
        except BadInput as error:
            self._opener.report_bad_input(last, str(error))
            raise ChainBroken(
                say("helper_wrong", helper=short_peer_text(last), reason=str(error)), peer=last
            ) from None
        if self._ends.head is None:
            return read_candidates(result.ids, result.logits, rows=1)
        return await candidates_of(self._ends.head, result.hidden, count=self._candidates)

    # ── what comes back ──────────────────────────────────────────────────────

    async def _listen(self, peer: PeerId, channel: Channel) -> None:
        try:
            while True:
                message = await channel.receive()
                match message:
                    case wire.StepResult() if message.session == self._session:
                        if message.epoch == self._epoch:  # another one may have been last before
                            self._take_result(message, peer)
                    case wire.SessionFault() if message.session == self._session:
                        self._take_fault(message, peer)
                    case _:
                        raise BadInput(f"an unexpected {type(message).__name__} from a host")
        except BadInput as error:
            self._opener.report_bad_input(peer, str(error))
            self._lose(peer, channel, say("helper_breaks_rules", helper=short_peer_text(peer)))
        except PeerLost as error:
            words = say("helper_left", helper=short_peer_text(peer), reason=sentence_of(error))
            self._lose(peer, channel, words)

    def _lose(self, peer: PeerId, channel: Channel, reason: Sentence) -> None:
        if self._channels.get(peer) is channel:
            self._let_go(peer).abort()
            if any(link.offer.peer == peer for link in self._links):
                self._awaited.break_off(ChainBroken(reason, peer=peer))

    def _take_result(self, result: wire.StepResult, peer: PeerId) -> None:
        if peer != self._links[-1].offer.peer:
            raise BadInput("a result from a host that is not the last")
        self._awaited.deliver(result)

    def _take_fault(self, fault: wire.SessionFault, peer: PeerId) -> None:
        index = next((i for i, link in enumerate(self._links) if link.offer.peer == peer), None)
        reason = say("helper_says", helper=short_peer_text(peer), reason=fault.reason)
        if index is None:
            return
        if fault.code == "lease_over":
            self._awaited.break_off(ChainBroken(reason, peer=None))
        elif fault.code == "leaving":
            self.leaving[peer] = self._links[index]
            self._awaited.break_off(ChainBroken(reason, peer=peer))
        elif fault.epoch != self._epoch:
            return
        elif fault.code in ("gap", "worker_died"):
            self._memory.forgot(peer)
            self._awaited.fail(ChainBroken(reason, peer=peer, forgotten=True))
        elif fault.code == "busy":
            self._epoch += 1  # what else of this step arrives there fails, too, and means nothing
            retry = fault.retry_after_seconds or LEAST_RETRY_SECONDS
            self._awaited.fail(ChainBroken(reason, peer=peer, retry_after_seconds=retry))
        elif fault.code == "over_budget":
            self._awaited.break_off(MemoryLost(reason))
        elif fault.code == "input" and index:
            self._awaited.break_off(ChainBroken(reason, peer=self._links[index - 1].offer.peer))
        elif fault.code == "next_lost" and index + 1 < len(self._links):
            self._told.pop(peer, None)  # should the next one stay, it has to be reached anew
            self._awaited.break_off(ChainBroken(reason, peer=self._links[index + 1].offer.peer))
        else:
            self._told.pop(peer, None)  # should it stay, it is asked first whether it goes on
            self._awaited.break_off(ChainBroken(reason, peer=peer))
