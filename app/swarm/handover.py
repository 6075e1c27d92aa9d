"""A session's memory goes from a host that leaves to the one that takes its place.

Both ends. The client names each to the other, for this session alone and once; it is sent in
parts, each of which is answered, so that the line is measured as it goes, and stops when time is
up or when replaying is cheaper after all (`app/swarm/handover_choice.py`): a beginning is of use
too. Whatever goes wrong costs nothing but the attempt, for the client has replayed to the heir
what it does not know. What the rows mean, and that they are sound, is the engine's to say
(`app/engine/kv_state.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from app.clock import Clock
from app.engine.frames import MOST_STATE_BYTES, MemoryDescribed
from app.engine.supervisor import Engine
from app.errors import BadInput, EngineFault, PeerLost, Refusal
from app.ids import PeerId, SessionId, short_peer_text
from app.net import wire
from app.net.channel import Channel, ChannelOpener
from app.net.state_messages import MAX_STATE_PART_BYTES, StateOffer, StatePart, StateTaken
from app.swarm.handover_choice import Replay, is_cheaper, rows_in_time
from app.swarm.host_session import HostStatus, Session

logger = logging.getLogger(__name__)

PART_BYTES: Final = 128 << 10
"""A twentieth of a second of a home's line: soon enough to know how fast it is."""
PARTS_UNDERWAY: Final = 4
"""So many go before the first is answered: 5 MB in a second over a round trip of 100 ms."""
TAKING_SECONDS: Final = 5.0
"""Longer than anybody may take to leave: what comes later is not waited for."""


class Handover:
    """What a host does about memory that goes or comes.

    Args:
        sessions: those of the host.
        status: where what moved is counted.
    """

    def __init__(
        self,
        engine: Engine,
        opener: ChannelOpener,
        sessions: Mapping[SessionId, Session],
        status: HostStatus,
        *,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._opener = opener
        self._sessions = sessions
        self._status = status
        self._clock = clock
        # How fast memory left lately; None while none did.
        self._bytes_per_second: float | None = None
        # Each is at most `MOST_STATE_BYTES`, over all sessions.
        self._leaving_bytes = self._arriving_bytes = 0

    # ── leaving ──────────────────────────────────────────────────────────────

    async def give(self, wanted: wire.SessionHandover, client: PeerId) -> wire.SessionHandedOver:
        """Have the heir know what this host knows of a session, while it is leaving; the answer
        says how many positions, and 0 when there is nothing to it."""
        session = self._sessions.get(SessionId(wanted.session))
        positions = 0
        may = session is not None and session.client == client and not session.given
        if session is not None and may and session.leaves_at is not None:
            session.given = True
            try:
                async with asyncio.timeout(session.leaves_at - self._clock.monotonic()):
                    positions = await self._give(session, wanted, session.leaves_at)
            except (PeerLost, EngineFault, Refusal, BadInput, TimeoutError) as error:
                logger.info("a memory stays here: %s", str(error) or "time is up")
        self._status.handed_over += positions > 0
        return wire.SessionHandedOver(session=wanted.session, positions=positions)

    async def _give(self, session: Session, wanted: wire.SessionHandover, until: float) -> int:
        replay = Replay(wanted.positions, wanted.compute_seconds, wanted.replay_bytes)
        held = 0
        try:
            async with session.computing:
                form = await self._engine.memory_form(session.sequence)
                size = form.position_bytes
                if size > MAX_STATE_PART_BYTES or not self._goes_on(size, replay, until):
                    return 0
                known = min(wanted.positions, session.known)
                positions = min(known, self._rows_with_room(size, until))
                if not positions:
                    return 0
                held = positions * size
                self._leaving_bytes += held
                state = await self._engine.save(session.sequence, positions)
            return await self._give_rows(session, wanted, form, state, replay, until)
        finally:
            self._leaving_bytes -= held

    def _rows_with_room(self, size: int, until: float) -> int:
        """So many rows there is memory for to send them, and time as far as that is known."""
        rows = (MOST_STATE_BYTES - self._leaving_bytes) // size
        if (speed := self._bytes_per_second) is None:
            return rows
        seconds = until - self._clock.monotonic()
        return min(rows, rows_in_time(size, seconds, bytes_per_second=speed))

    async def _give_rows(
        self,
        session: Session,
        wanted: wire.SessionHandover,
        form: MemoryDescribed,
        state: bytes,
        replay: Replay,
        until: float,
    ) -> int:
        """Offer the heir what was taken out; how many positions it knows in the end."""
        size = form.position_bytes
        heir = PeerId(wanted.heir.peer)
        channel = await self._opener.open_channel(
            heir, wanted.heir.addresses, "state", on_word_of=session.client
        )
        try:
            offer = StateOffer(
                session=session.id, positions=len(state) // size, row_bytes=size, form=form.digest
            )
            await channel.send(offer)
            known = await self._send(channel, state, size, replay, until)
        except BaseException:
            channel.abort()
            raise
        await channel.close()
        return known

    async def _send(
        self, channel: Channel, state: bytes, size: int, replay: Replay, until: float
    ) -> int:
        """How many positions the heir knows in the end."""
        began = self._clock.monotonic()
        part = max(1, PART_BYTES // size)
        stop = len(state) // size
        sent = taken = 0
        while taken < stop:
            while sent < stop and sent - taken < PARTS_UNDERWAY * part:
                rows = state[sent * size : min(stop, sent + part) * size]
                await channel.send(StatePart(rows=rows))
                sent += len(rows) // size
            taken = await _answer(channel, least=taken + 1, most=sent)
            seconds = max(1e-6, self._clock.monotonic() - began)
            self._bytes_per_second = taken * size / seconds
            if not self._goes_on(size, replay, until):
                stop = sent
        await channel.send(StatePart(last=True))
        return await _answer(channel, least=sent, most=sent)

    def _goes_on(self, size: int, replay: Replay, until: float) -> bool:
        """Whether another part is worth it; while nothing was measured it is, to measure it."""
        speed = self._bytes_per_second
        if speed is None:
            return True
        seconds = until - self._clock.monotonic()
        part = max(1, PART_BYTES // size)
        in_time = rows_in_time(size, seconds, bytes_per_second=speed) >= part
        return in_time and is_cheaper(size, replay, bytes_per_second=speed)

    # ── inheriting ───────────────────────────────────────────────────────────

    async def serve(self, channel: Channel) -> None:
        """The handler of a "state" channel: what another host knew becomes known here.

        Raises:
            BadInput: the peer breaks a rule. What it cannot know, such as how much room its
                client has here, is declined and not counted: a client could set two honest
                hosts against each other.
        """
        offer = await channel.receive()
        if not isinstance(offer, StateOffer):
            raise BadInput(f"a state channel began with {type(offer).__name__}")
        session = self._sessions.get(SessionId(offer.session))
        try:
            if session is None or session.inherits != channel.peer or not session.ready:
                who = short_peer_text(channel.peer)
                raise Refusal(f"{who} has nothing to hand over here", code="unasked")
            session.inherits = None  # once; a second offer finds nothing
            async with asyncio.timeout(TAKING_SECONDS):
                await self._inherit(offer, channel, session)
        except TimeoutError:
            await channel.send(wire.Refused(code="late", reason="the memory took too long"))
        except (Refusal, EngineFault) as error:
            code = error.code if isinstance(error, Refusal) else "engine"
            reason = str(error)[: wire.MAX_REASON_CHARACTERS]
            await channel.send(wire.Refused(code=code, reason=reason))

    async def _inherit(self, offer: StateOffer, channel: Channel, session: Session) -> None:
        form = await self._engine.memory_form(session.sequence)
        if (offer.row_bytes, offer.form) != (form.position_bytes, form.digest):
            raise Refusal("memory has another form here", code="other_form")
        expected = offer.positions * offer.row_bytes
        if offer.positions > self._engine.ledger.limit(session.sequence):
            raise Refusal("the session has no room for so much", code="no_room")
        if self._arriving_bytes + expected > MOST_STATE_BYTES:
            raise Refusal("too much comes here already", code="busy")
        self._arriving_bytes += expected
        try:
            rows = await _receive(offer, channel)
            positions = len(rows) // offer.row_bytes
            async with session.computing:
                if session.over or session.known:
                    raise Refusal("the session went on without it", code="late")
                await self._engine.restore(session.sequence, bytes(rows))
                session.known = positions
                session.log.begin_at(positions)
        finally:
            self._arriving_bytes -= expected
        self._status.inherited += 1
        await channel.send(StateTaken(positions=positions))


async def _receive(offer: StateOffer, channel: Channel) -> bytearray:
    """The rows, as many as came.

    Raises:
        BadInput: they are more than was offered, none, or not whole.
    """
    rows = bytearray()
    while True:
        part = await channel.receive()
        if not isinstance(part, StatePart):
            raise BadInput(f"a {type(part).__name__} in the middle of a memory")
        if part.last and rows:
            return rows
        rows += part.rows
        if not part.rows or len(part.rows) % offer.row_bytes:
            raise BadInput("a part of a memory that is not whole rows")
        if len(rows) > offer.positions * offer.row_bytes:
            raise BadInput("more of a memory than was offered")
        await channel.send(StateTaken(positions=len(rows) // offer.row_bytes))


async def _answer(channel: Channel, *, least: int, most: int) -> int:
    """How many positions the heir has taken.

    Raises:
        Refusal: it declines. BadInput: no such answer was possible.
    """
    answer = await channel.receive()
    if isinstance(answer, wire.Refused):
        raise Refusal(f"the heir declines: {answer.reason}", code=answer.code)
    if not isinstance(answer, StateTaken) or not least <= answer.positions <= most:
        raise BadInput("a wrong answer to a part of a memory")
    return answer.positions
