"""A stranger's conversation on this computer's layers.

A client opens a session on every host of its chain; steps then come from the
client or from the host before, and go on to the host after or back to the
client. Nothing here trusts: a session belongs to the PeerId that opened it, has
a lease and a bound on tokens, and only its client and the host named as the
previous one may feed it. What goes on to the next host is kept, so that its client can
have it sent to another one (`app/swarm/boundary_log.py`). The counterpart is
`app/swarm/chain.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import Final

from app.clock import Clock
from app.engine.frames import Part, PartResult
from app.engine.supervisor import Engine
from app.errors import BadInput, EngineFault, NoRoom, PeerLost, Refusal, WorkerDied
from app.ids import ModelId, PeerId, SessionId, short_peer_text
from app.net import wire
from app.net.allowances import Allowances
from app.net.channel import Channel, ChannelOpener
from app.swarm.credits import Credits, blocks_in
from app.swarm.handover import Handover
from app.swarm.host_room import hand_of_client, make_way, who_has_to_go
from app.swarm.host_session import (
    STANDS_STILL,
    HostStatus,
    Session,
    attach,
    check_neighbours,
    check_served,
    check_wait,
    dismiss,
    has_turn,
    refused,
    relink_fault,
    relink_trouble,
    replay,
    session_fault,
    step_fault,
    step_result,
    tell,
    to_blame,
)
from app.swarm.leaving import take_leave

logger = logging.getLogger(__name__)

ATTACH_SECONDS: Final = 5.0
"""How long the host before may come earlier than the client with the same session."""
SESSIONS_PER_PEER: Final = 4
"""One client cannot take every place; nor can it open a session in the millions."""
OPENINGS_AT_ONCE: Final = 128.0
OPENINGS_PER_SECOND: Final = 4.0
"""From one group of addresses: each costs the engine a word, and maybe a dial."""
SWEEP_SECONDS: Final = 0.25
"""A computation that stands still is told to those who wait for it this soon."""


class Host:
    """Serves sessions on one mounted span."""

    def __init__(
        self,
        engine: Engine,
        model: ModelId,
        opener: ChannelOpener,
        *,
        clock: Clock,
        credits: Credits | None = None,
        head_unit: int = 0,
    ) -> None:
        """Serve what the engine has mounted.

        Args:
            credits: where what was computed for others is counted.
            head_unit: the number of the model's last unit, to tell blocks by.
        """
        self._engine = engine
        self._model = model
        self._opener = opener
        self._clock = clock
        self._credits = credits
        self._head_unit = head_unit
        self._sessions: dict[SessionId, Session] = {}
        self._openings: Allowances[str] = Allowances(OPENINGS_AT_ONCE, OPENINGS_PER_SECOND)
        self._opened = asyncio.Condition()
        self._ended = asyncio.Event()
        self._leaving = False
        self.status = HostStatus()
        self._handover = Handover(engine, opener, self._sessions, self.status, clock=clock)

    @property
    def tokens_free(self) -> int:
        """Room for further conversations, in tokens."""
        return self._engine.ledger.tokens_free

    @property
    def logged_bytes(self) -> int:
        """The memory of what was handed on, in all conversations that are open."""
        return sum(session.log.held_bytes for session in self._sessions.values())

    async def serve_session(self, channel: Channel) -> None:
        """The handler of a "session" channel: a session from its opening to its end, or one
        word about a session that is open on another channel.

        Raises:
            BadInput: the peer breaks a rule; counted against it by the endpoint.
        """
        opening = await channel.receive()
        if isinstance(opening, wire.SessionRelink):
            # On a channel of its own: the session's may be full of steps that cannot go on.
            await channel.send(await self._relink(opening, channel.peer))
            return
        if isinstance(opening, wire.SessionHandover):
            await channel.send(await self._handover.give(opening, channel.peer))
            return
        if not isinstance(opening, wire.SessionOpen):
            raise BadInput(f"a session channel began with {type(opening).__name__}")
        try:
            session = await self._admit(opening, channel)
        except (Refusal, PeerLost) as refusal:
            self.status.refusals += 1
            await channel.send(refused(opening, refusal))
            return
        try:
            await channel.send(wire.SessionOpened(session=session.id, tokens_left=self.tokens_free))
            await self._converse(session)
        finally:
            await self._end(session)

    async def serve_hop(self, channel: Channel) -> None:
        """The handler of a "hop" channel: steps of one session from the host before; and of a
        "state" channel: what another host knew of one.

        Raises:
            BadInput: the peer breaks a rule.
        """
        if channel.protocol == "state":
            await self._handover.serve(channel)
            return
        attach = await channel.receive()
        if not isinstance(attach, wire.HopAttach):
            raise BadInput(f"a hop channel began with {type(attach).__name__}")
        session = await self._find(SessionId(attach.session), previous=channel.peer)
        if session is None:
            # Not counted: the client may have given up meanwhile, or lied to the sender.
            logger.info("%s feeds no session of ours", short_peer_text(channel.peer))
            return
        while session is not None:
            message = await channel.receive()
            if not isinstance(message, wire.Step):
                raise BadInput(f"a {type(message).__name__} on a hop channel")
            # Looked up each time: it may have ended, or been opened anew.
            session = self._fed_by(channel.peer, SessionId(attach.session))
            if session is None:
                return
            await self._step(session, message, channel.peer)

    async def sweep(self) -> None:
        """End sessions whose lease ran out, and say which steps stand still; runs until it is
        cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._clock.monotonic()
            if self._engine.overdue:
                await self._tell_who_waits()
            for session in [s for s in self._sessions.values() if s.channel.closed]:
                session.leave_next()
            for session in [s for s in self._sessions.values() if s.next_has_gone()]:
                # At once, and not with the next step: the last one may have got lost on the way.
                reason = "the way to the next computer broke"
                await tell(session, session_fault(session, "next_lost", reason))
            for session in [s for s in self._sessions.values() if s.expires <= now]:
                if session.channel.closed:
                    continue  # it was told
                logger.info("a session of %s ran out", short_peer_text(session.client))
                reason = "nothing was asked for too long; the room went back"
                await dismiss(session, "lease_over", reason)

    async def _tell_who_waits(self) -> None:
        """The engine stands still: clients may want to go on elsewhere."""
        for session in list(self._sessions.values()):
            step, session.waiting = session.waiting, None
            if step is not None:
                await tell(session, step_fault(session, step, "stalled", STANDS_STILL))

    async def drain(self, seconds: float) -> None:
        """Take no more sessions and end those there are; returns when none is left.

        Who is in the middle of an answer has so long to finish it or to have its memory moved
        (`app/swarm/leaving.py`). Cannot be undone.
        """
        self._leaving = True
        await take_leave(self._sessions, self._ended, seconds=seconds, clock=self._clock)

    # ── opening and ending ───────────────────────────────────────────────────

    async def _admit(self, opening: wire.SessionOpen, channel: Channel) -> Session:
        earlier = self._sessions.get(SessionId(opening.session))
        if earlier is not None:
            await self._replace(earlier, opening, channel.peer)
        self._check(opening, channel.peer)
        hand = hand_of_client(self._opener, channel.peer)
        ledger, now = self._engine.ledger, self._clock.monotonic()
        if not self._openings.take(hand, now):
            raise NoRoom("conversations are begun here too often from where you are")
        while one := who_has_to_go(self._sessions.values(), opening, ledger, hand=hand, now=now):
            await make_way(one, now)
            await self._end(one)
            self._check(opening, channel.peer)  # others spoke meanwhile
        sequence = ledger.admit(opening.tokens)
        session = Session(
            opening=opening,
            client=channel.peer,
            channel=channel,
            sequence=sequence,
            epoch=opening.epoch,
            expires=self._clock.monotonic() + opening.lease_seconds,
            previous=None if opening.previous is None else PeerId(opening.previous),
            absorb=opening.absorb,
            hand=hand,
            inherits=None if opening.inherits is None else PeerId(opening.inherits),
        )
        self._sessions[session.id] = session
        try:
            await self._engine.forget(sequence)
            if opening.next is not None:
                await attach(self._opener, session, opening.next)
        except BaseException:
            await self._end(session)
            raise
        session.ready = True
        self.status.sessions_ever += 1
        self.status.sessions = len(self._sessions)
        await self._tell_those_who_attach()
        return session

    async def _tell_those_who_attach(self) -> None:
        async with self._opened:
            self._opened.notify_all()

    def _check(self, opening: wire.SessionOpen, client: PeerId) -> None:
        if self._leaving:
            raise Refusal("this computer stops sharing for now", code="leaving")
        check_served(opening, self._model, self._engine.span)
        check_neighbours(opening, opening.span, own=self._opener.peer_id)
        if SessionId(opening.session) in self._sessions:
            raise BadInput("a session that is open already")
        held = sum(session.client == client for session in self._sessions.values())
        if held >= SESSIONS_PER_PEER:
            raise NoRoom(f"you have {held} conversations open here; more would crowd others out")
        check_wait(self._engine.wait_seconds, stalled=self._engine.overdue)

    async def _replace(self, earlier: Session, opening: wire.SessionOpen, client: PeerId) -> None:
        """A client may open its session anew; its goodbye to the first is still on its way."""
        if earlier.client != client or opening.epoch <= earlier.epoch:
            raise BadInput("a session that is open already")
        earlier.channel.abort()
        await self._end(earlier)

    async def _find(self, wanted: SessionId, *, previous: PeerId) -> Session | None:
        """The session that this peer feeds, waiting a little for a client whose words took
        the longer way."""
        async with self._opened:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ATTACH_SECONDS):
                    await self._opened.wait_for(lambda: self._fed_by(previous, wanted) is not None)
        return self._fed_by(previous, wanted)

    def _fed_by(self, previous: PeerId, wanted: SessionId) -> Session | None:
        session = self._sessions.get(wanted)
        if session is None or not session.ready or session.previous != previous:
            return None
        return session

    async def _end(self, session: Session) -> None:
        if self._sessions.get(session.id) is not session:
            return
        del self._sessions[session.id]
        session.over = True
        self.status.sessions = len(self._sessions)
        self._ended.set()
        session.leave_next()
        async with session.computing:  # a step of the host before may still be under way
            with contextlib.suppress(EngineFault):
                await self._engine.forget(session.sequence)
            self._engine.ledger.release(session.sequence)

    # ── other neighbours ─────────────────────────────────────────────────────

    async def _relink(
        self, relink: wire.SessionRelink, client: PeerId
    ) -> wire.SessionRelinked | wire.SessionFault:
        """Take other neighbours, and send the next one what the session knows."""
        session = self._sessions.get(SessionId(relink.session))
        if session is None or session.client != client or not session.ready:
            return relink_fault(relink, "no_session", "there is no such session here")
        now = self._clock.monotonic()
        trouble = relink_trouble(session, relink, own=self._opener.peer_id, now=now)
        if trouble is not None:
            return trouble
        session.leave_next(unless=relink.next)  # at once: a step may wait for it, and hold the turn
        session.epoch = max(session.epoch, relink.epoch)  # what waits of earlier ones is dropped
        if not await has_turn(session, lambda: self._engine.overdue):
            return relink_fault(relink, "stalled", STANDS_STILL)
        try:
            if relink.epoch < session.epoch:
                return relink_fault(relink, "stale", "a later word came meanwhile")
            session.leave_next(unless=relink.next)
            self._renew(session)
            session.previous = None if relink.previous is None else PeerId(relink.previous)
            session.absorb = relink.absorb
            await self._tell_those_who_attach()
            if session.next is None and relink.next is not None:
                await attach(self._opener, session, relink.next)
            again = partial(self._renew, session)
            await replay(session, relink.replay_from, relink.replay, renew=again)
        except PeerLost as error:
            return relink_fault(relink, "next_lost", str(error))
        except ValueError as error:
            return relink_fault(relink, "log_gone", str(error))
        finally:
            session.turn.release()
        return wire.SessionRelinked(session=session.id, epoch=relink.epoch)

    # ── steps ────────────────────────────────────────────────────────────────

    async def _converse(self, session: Session) -> None:
        while True:
            message = await session.channel.receive()
            match message:
                case wire.Step():
                    await self._step(session, message, session.client)
                case wire.SessionRenew() if message.session == session.id:
                    self._renew(session)
                case wire.SessionClose() if message.session == session.id:
                    return
                case _:
                    raise BadInput(f"a {type(message).__name__} where steps were expected")

    def _renew(self, session: Session) -> None:
        session.expires = self._clock.monotonic() + session.opening.lease_seconds

    async def _step(self, session: Session, step: wire.Step, feeder: PeerId) -> None:
        """Compute one step and hand the result on.

        A step of an earlier epoch is dropped; one of a later epoch begins it.
        """
        if step.session != session.id:
            raise BadInput("a step of another session than the channel's")
        if step.epoch < session.epoch:
            return
        session.epoch = step.epoch
        session.inherits = None  # whatever comes now is late
        self._renew(session)
        if step.tokens is not None and session.opening.span.start != 0:
            raise BadInput("tokens for units that take hidden states")
        if step.tokens is None and session.opening.span.start == 0:
            raise BadInput("hidden states for units that take tokens")
        if step.position + step.rows > self._engine.ledger.limit(session.sequence):
            await self._fault(session, step, "over_budget", "the room asked for is used up")
            return
        async with session.turn:
            await self._compute(session, step, feeder)

    async def _compute(self, session: Session, step: wire.Step, feeder: PeerId) -> None:
        part = Part(
            sequence=session.sequence,
            position=step.position,
            rows=step.rows,
            outputs=step.outputs,
            candidates=session.opening.candidates,
            tokens=step.tokens,
            hidden=step.hidden,
        )
        began = self._clock.monotonic()
        deadline = session.deadline_of(step)
        try:
            async with session.computing:
                if not self._is_wanted(session, step):
                    return  # it ended, or the client went on, while this step waited
                session.waiting = step
                result = await self._engine.compute(
                    part,
                    client=session.client,
                    wanted=lambda: self._is_wanted(session, step),
                    deadline_seconds=deadline,
                )
        except Refusal as busy:
            retry = busy.retry_after_seconds
            await self._fault(session, step, busy.code, busy.reason, retry_after_seconds=retry)
            return
        except EngineFault as error:
            code = "worker_died" if isinstance(error, WorkerDied) else "engine"
            await self._fault(session, step, code, str(error))
            return
        finally:
            session.waiting = None
        if deadline is not None:
            deadline = max(0.0, deadline - (self._clock.monotonic() - began))
        await self._pass_on(session, step, result, feeder, deadline_seconds=deadline)

    def _is_wanted(self, session: Session, step: wire.Step) -> bool:
        """Whether anybody waits for a step still."""
        there = self._sessions.get(session.id) is session and not session.channel.closed
        return there and step.epoch >= session.epoch

    async def _pass_on(
        self,
        session: Session,
        step: wire.Step,
        result: PartResult,
        feeder: PeerId,
        *,
        deadline_seconds: float | None,
    ) -> None:
        """Count what was computed, and send it where it goes next."""
        if result.code == "withdrawn":
            return
        if result.code == "input":
            self._opener.report_bad_input(to_blame(session, step, feeder), result.fault)
        if result.code:
            await self._fault(session, step, result.code, result.fault)
            return
        self.status.positions_computed += step.rows
        session.known = step.position + step.rows
        if self._credits is not None:
            blocks = blocks_in(session.opening.span, self._head_unit)
            self._credits.gave(session.client, positions=step.rows, blocks=blocks)
        if session.hands_on:
            session.log.put(step.position, step.rows, result.hidden)
            if not (step.replay and session.absorb):
                await self._hand_on(session, step, result, deadline_seconds=deadline_seconds)
        elif step.outputs:
            await session.channel.send(step_result(step, result))

    async def _hand_on(
        self,
        session: Session,
        step: wire.Step,
        result: PartResult,
        *,
        deadline_seconds: float | None,
    ) -> None:
        if session.next is None:
            return  # its client looks for another one, and will have this sent again
        if step.hosts + 1 >= wire.MAX_HOSTS:
            await self._fault(session, step, "circle", "the chain leads in a circle")
            return
        try:
            await session.next.send(
                wire.Step(
                    session=session.id,
                    epoch=step.epoch,
                    position=step.position,
                    rows=step.rows,
                    outputs=step.outputs,
                    hidden=result.hidden,
                    replay=step.replay,
                    hosts=step.hosts + 1,
                    deadline_seconds=deadline_seconds,
                )
            )
        except PeerLost as error:
            await self._fault(session, step, "next_lost", str(error))

    async def _fault(
        self,
        session: Session,
        step: wire.Step,
        code: str,
        reason: str,
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        await session.channel.send(
            step_fault(session, step, code, reason, retry_after_seconds=retry_after_seconds)
        )
