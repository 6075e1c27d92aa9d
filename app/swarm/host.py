"""A stranger's conversation on this computer's layers.

A client opens a session on every host of its chain; steps then come from the
client or from the host before, and go on to the host after or back to the
client. Nothing here trusts: a session belongs to the PeerId that opened it, has
a lease and a bound on tokens, and only its client and the host named as the
previous one may feed it. The counterpart is `app/swarm/chain.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import Final

from app.clock import Clock
from app.engine.frames import Part, PartResult
from app.engine.supervisor import Engine
from app.errors import BadInput, EngineFault, NoRoom, PeerLost, Refusal, WorkerDied
from app.ids import ModelId, PeerId, SessionId, short_peer_text
from app.net import wire
from app.net.channel import Channel, ChannelOpener
from app.swarm.credits import Credits, blocks_in

logger = logging.getLogger(__name__)

ATTACH_SECONDS: Final = 5.0
"""How long the host before may come earlier than the client with the same session."""
SESSIONS_PER_PEER: Final = 4
"""One client cannot take every place; nor can it open a session in the millions."""
SWEEP_SECONDS: Final = 1.0
RESTING_SECONDS: Final = 0.5
"""A session without a step for so long is between two answers, and nothing is finishing."""
LOOK_SECONDS: Final = 0.1
HANDING_BACK_SECONDS: Final = 0.3
"""How long the ends of sessions may take after they were told to go elsewhere."""


@dataclass
class HostStatus:
    """What this host has done since it started."""

    sessions: int = 0
    sessions_ever: int = 0
    positions_computed: int = 0
    refusals: int = 0


@dataclass
class _Session:
    opening: wire.SessionOpen
    client: PeerId
    channel: Channel
    sequence: int
    epoch: int
    expires: float
    next: Channel | None = None
    ready: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from the computing of a step until its result is on its way: results keep order."""
    computing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the engine has a step: its sequence goes to nobody else meanwhile."""

    @property
    def id(self) -> SessionId:
        return SessionId(self.opening.session)


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
        self._sessions: dict[SessionId, _Session] = {}
        self._opened = asyncio.Condition()
        self._ended = asyncio.Event()
        self._leaving = False
        self.status = HostStatus()

    @property
    def tokens_free(self) -> int:
        """Room for further conversations, in tokens."""
        return self._engine.ledger.tokens_free

    async def serve_session(self, channel: Channel) -> None:
        """The handler of a "session" channel: from its opening to its end.

        Raises:
            BadInput: the peer breaks a rule; counted against it by the endpoint.
        """
        opening = await channel.receive()
        if not isinstance(opening, wire.SessionOpen):
            raise BadInput(f"a session channel began with {type(opening).__name__}")
        try:
            session = await self._admit(opening, channel)
        except (Refusal, PeerLost) as refusal:
            self.status.refusals += 1
            await channel.send(_refused(opening, refusal))
            return
        try:
            await channel.send(wire.SessionOpened(session=session.id, tokens_left=self.tokens_free))
            await self._converse(session)
        finally:
            await self._end(session)

    async def serve_hop(self, channel: Channel) -> None:
        """The handler of a "hop" channel: steps of one session from the host before.

        Raises:
            BadInput: the peer breaks a rule.
        """
        attach = await channel.receive()
        if not isinstance(attach, wire.HopAttach):
            raise BadInput(f"a hop channel began with {type(attach).__name__}")
        session = await self._find(SessionId(attach.session))
        if session is None:
            return  # the client gave up meanwhile; nobody's fault
        if session.opening.previous != channel.peer:
            # Not counted: it may have been sent here by a client that lied to it.
            logger.info("%s feeds a session that is not its to feed", short_peer_text(channel.peer))
            return
        while True:
            message = await channel.receive()
            if not isinstance(message, wire.Step):
                raise BadInput(f"a {type(message).__name__} on a hop channel")
            if self._sessions.get(session.id) is not session:
                return
            await self._step(session, message, channel.peer)

    async def sweep(self) -> None:
        """End sessions whose lease ran out; runs until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self._clock.monotonic()
            for session in [s for s in self._sessions.values() if s.expires <= now]:
                logger.info("a session of %s ran out", short_peer_text(session.client))
                reason = "nothing was asked for too long; the room went back"
                await self._dismiss(session, "lease_over", reason)

    async def drain(self, seconds: float) -> None:
        """Take no more sessions and end those there are; returns when none is left.

        Who is in the middle of an answer may finish it for so long; then the session is
        handed back with a fault, and the client goes on elsewhere. Takes at most
        `HANDING_BACK_SECONDS` more, and cannot be undone.
        """
        self._leaving = True
        ends_at = self._clock.monotonic() + seconds
        dismissed: set[SessionId] = set()
        while self._sessions:
            now = self._clock.monotonic()
            if now >= ends_at + HANDING_BACK_SECONDS:
                break
            for session in list(self._sessions.values()):
                resting = now - (session.expires - session.opening.lease_seconds)
                if session.id in dismissed or (now < ends_at and resting < RESTING_SECONDS):
                    continue
                dismissed.add(session.id)
                await self._dismiss(session, "leaving", "this computer stops sharing for now")
            self._ended.clear()
            if self._sessions:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), LOOK_SECONDS)

    async def _dismiss(self, session: _Session, code: str, reason: str) -> None:
        """Say why and end it, without waiting for a client that takes nothing."""
        fault = wire.SessionFault(
            session=session.id,
            epoch=session.epoch,
            position=0,
            code=code,
            reason=reason,
        )
        try:
            async with asyncio.timeout(0):
                await session.channel.send(fault)
            await session.channel.close()
        except (PeerLost, TimeoutError):
            session.channel.abort()

    # ── opening and ending ───────────────────────────────────────────────────

    async def _admit(self, opening: wire.SessionOpen, channel: Channel) -> _Session:
        self._check(opening, channel.peer)
        sequence = self._engine.ledger.admit(opening.tokens)
        session = _Session(
            opening=opening,
            client=channel.peer,
            channel=channel,
            sequence=sequence,
            epoch=opening.epoch,
            expires=self._clock.monotonic() + opening.lease_seconds,
        )
        self._sessions[session.id] = session
        try:
            await self._engine.forget(sequence)
            if opening.next is not None:
                session.next = await self._attach(session, opening.next)
        except BaseException:
            await self._end(session)
            raise
        session.ready = True
        self.status.sessions_ever += 1
        self.status.sessions = len(self._sessions)
        async with self._opened:
            self._opened.notify_all()
        return session

    def _check(self, opening: wire.SessionOpen, client: PeerId) -> None:
        if self._leaving:
            raise Refusal("this computer stops sharing for now", code="leaving")
        if opening.model != self._model:
            raise Refusal("this computer serves another model", code="unknown_model")
        mounted = self._engine.span
        enters = opening.span.start == mounted.start or (
            mounted.start == 0 and opening.span.start == 1
        )
        if not enters or opening.span.stop != mounted.stop:
            raise Refusal(
                f"units {opening.span} are wanted and {mounted} are mounted here", code="wrong_span"
            )
        if opening.span.start == 0 and opening.previous is not None:
            raise BadInput("a host before the one that takes the tokens")
        if SessionId(opening.session) in self._sessions:
            raise BadInput("a session that is open already")
        held = sum(session.client == client for session in self._sessions.values())
        if held >= SESSIONS_PER_PEER:
            raise NoRoom(f"you have {held} conversations open here; more would crowd others out")

    async def _attach(self, session: _Session, hop: wire.NextHop) -> Channel:
        channel = await self._opener.open_channel(PeerId(hop.peer), hop.addresses, "hop")
        await channel.send(wire.HopAttach(session=session.id, epoch=session.epoch))
        return channel

    async def _find(self, wanted: SessionId) -> _Session | None:
        """The session, waiting a little for a client whose words took the longer way."""
        async with self._opened:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ATTACH_SECONDS):
                    await self._opened.wait_for(lambda: self._ready_session(wanted) is not None)
        return self._ready_session(wanted)

    def _ready_session(self, wanted: SessionId) -> _Session | None:
        session = self._sessions.get(wanted)
        return session if session is not None and session.ready else None

    async def _end(self, session: _Session) -> None:
        if self._sessions.pop(session.id, None) is None:
            return
        self.status.sessions = len(self._sessions)
        self._ended.set()
        if session.next is not None:
            session.next.abort()
        async with session.computing:  # a step of the host before may still be under way
            with contextlib.suppress(EngineFault):
                await self._engine.forget(session.sequence)
            self._engine.ledger.release(session.sequence)

    # ── steps ────────────────────────────────────────────────────────────────

    async def _converse(self, session: _Session) -> None:
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

    def _renew(self, session: _Session) -> None:
        session.expires = self._clock.monotonic() + session.opening.lease_seconds

    async def _step(self, session: _Session, step: wire.Step, feeder: PeerId) -> None:
        """Compute one step and hand the result on.

        A step of an earlier epoch is dropped; one of a later epoch begins it.
        """
        if step.session != session.id:
            raise BadInput("a step of another session than the channel's")
        if step.epoch < session.epoch:
            return
        session.epoch = step.epoch
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

    async def _compute(self, session: _Session, step: wire.Step, feeder: PeerId) -> None:
        part = Part(
            sequence=session.sequence,
            position=step.position,
            rows=step.rows,
            outputs=step.outputs,
            candidates=session.opening.candidates,
            tokens=step.tokens,
            hidden=step.hidden,
        )
        try:
            async with session.computing:
                if self._sessions.get(session.id) is not session:
                    return  # it ended while this step waited
                result = await self._engine.compute(part)
        except EngineFault as error:
            code = "worker_died" if isinstance(error, WorkerDied) else "engine"
            await self._fault(session, step, code, str(error))
            return
        if result.code == "input":
            self._opener.report_bad_input(feeder, result.fault)
        if result.code:
            await self._fault(session, step, result.code, result.fault)
            return
        self.status.positions_computed += step.rows
        if self._credits is not None:
            blocks = blocks_in(session.opening.span, self._head_unit)
            self._credits.gave(session.client, positions=step.rows, blocks=blocks)
        if session.next is not None:
            await self._hand_on(session, step, result)
        elif step.outputs:
            await session.channel.send(_result(session, step, result))

    async def _hand_on(self, session: _Session, step: wire.Step, result: PartResult) -> None:
        assert session.next is not None
        try:
            await session.next.send(
                wire.Step(
                    session=session.id,
                    epoch=step.epoch,
                    position=step.position,
                    rows=step.rows,
                    outputs=step.outputs,
                    hidden=result.hidden,
                )
            )
        except PeerLost as error:
            await self._fault(session, step, "next_lost", str(error))

    async def _fault(self, session: _Session, step: wire.Step, code: str, reason: str) -> None:
        await session.channel.send(
            wire.SessionFault(
                session=session.id,
                epoch=step.epoch,
                position=step.position,
                code=code,
                reason=reason[: wire.MAX_REASON_CHARACTERS],
            )
        )


def _refused(opening: wire.SessionOpen, refusal: Refusal | PeerLost) -> wire.SessionRefused:
    code, retry_after_seconds = "next_lost", None
    if isinstance(refusal, Refusal):
        code, retry_after_seconds = refusal.code, refusal.retry_after_seconds
    return wire.SessionRefused(
        session=opening.session,
        code=code,
        reason=str(refusal)[: wire.MAX_REASON_CHARACTERS],
        retry_after_seconds=retry_after_seconds,
    )


def _result(session: _Session, step: wire.Step, result: PartResult) -> wire.StepResult:
    return wire.StepResult(
        session=session.id,
        epoch=step.epoch,
        position=step.position,
        rows=step.rows,
        outputs=step.outputs,
        ids=result.ids,
        logits=result.logits,
        hidden=b"" if result.ids else _last_rows(result.hidden, step),
    )


def _last_rows(hidden: bytes, step: wire.Step) -> bytes:
    row_bytes = len(hidden) // step.rows
    return hidden[len(hidden) - step.outputs * row_bytes :]
