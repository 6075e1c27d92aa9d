"""One session as its host keeps it, and the answers a host gives about it.

Its counterpart is `app/swarm/host.py`, which serves it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from app.engine.frames import PartResult
from app.engine.mounting import BATCH_ROWS
from app.errors import BadInput, NoRoom, PeerLost, Refusal
from app.ids import ModelId, PeerId, SessionId, Span, short_peer_text
from app.net import wire
from app.net.allowances import Allowances
from app.net.channel import Channel, ChannelOpener
from app.swarm.boundary_log import BoundaryLog

TURN_SECONDS: Final = 0.25
"""Whoever waits for a step to end looks so often whether it still goes on."""
STANDS_STILL: Final = "the computation stands still"
STALLED_SECONDS: Final = 1.0
"""Whose engine stands still may be asked again after this long."""
NEXT_SECONDS: Final = 2.0
"""A next host that is not reached by then is given up: the client knows others."""
LONGEST_WAIT_SECONDS: Final = 10.0
"""A host with work for longer takes no further sessions: elsewhere they begin sooner."""
RELINKS_AT_ONCE: Final = 64.0
RELINKS_PER_SECOND: Final = 1.0
REPLAY_RELINKS: Final = 8.0
"""What sending everything again costs of them: a few words have megabytes sent, so seven times at
once and then every nine seconds is enough for a chain whose computers fail one by one."""


@dataclass
class HostStatus:
    """What this host has done since it started.

    `handed_over` and `inherited` are sessions whose memory went to another host, or came from
    one, instead of being computed again.
    """

    sessions: int = 0
    sessions_ever: int = 0
    positions_computed: int = 0
    refusals: int = 0
    handed_over: int = 0
    inherited: int = 0


@dataclass
class Session:
    """What a host knows of one conversation. `expires` is in seconds of `Clock.monotonic`."""

    opening: wire.SessionOpen
    client: PeerId
    channel: Channel
    sequence: int
    epoch: int
    expires: float
    previous: PeerId | None
    absorb: bool
    hand: str = ""
    """Which group of addresses its client comes from."""
    next: Channel | None = None
    gone: Channel | None = None
    """The channel to the next host that broke, when its client was told."""
    ready: bool = False
    over: bool = False
    known: int = 0
    """How many positions are known here."""
    inherits: PeerId | None = None
    """Who may hand its memory of this session over: once, and before any step comes."""
    leaves_at: float | None = None
    """When this computer ends it because it leaves; None while it stays."""
    given: bool = False
    """Whether its memory was handed over, or that was tried."""
    relinks: Allowances[str] = field(
        default_factory=lambda: Allowances(RELINKS_AT_ONCE, RELINKS_PER_SECOND)
    )
    log: BoundaryLog = field(default_factory=BoundaryLog)
    waiting: wire.Step | None = None
    """The step that the engine has now; None when it has none, or its client was told."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from the computing of a step until its result is on its way: results keep order."""
    computing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the engine has a step: its sequence goes to nobody else meanwhile."""

    @property
    def id(self) -> SessionId:
        return SessionId(self.opening.session)

    @property
    def hands_on(self) -> bool:
        """Whether what is computed goes to another host, and not back to the client."""
        return self.opening.next is not None

    def next_has_gone(self) -> bool:
        """Whether the channel to the next host broke; True once for each."""
        if self.next is None or not self.next.closed or self.next is self.gone:
            return False
        self.gone = self.next
        return True

    def leave_next(self, *, unless: wire.NextHop | None = None) -> None:
        """Let the next host go, unless it is this one: a step that waits for room on the way
        there waits no more."""
        if self.next is None:
            return
        if unless is None or unless.peer != self.next.peer or self.next.closed:
            self.next.abort()
            self.next = None

    def deadline_of(self, step: wire.Step) -> float | None:
        """Seconds after which nobody waits for a step any more; None is for ever."""
        own = step.deadline_seconds
        return self.opening.deadline_seconds if own is None else own


def check_served(opening: wire.SessionOpen, model: ModelId, mounted: Span) -> None:
    """Whether what a client wants is what is mounted here.

    Raises:
        Refusal: it is not. BadInput: nobody's would be.
    """
    if opening.model != model:
        raise Refusal("this computer serves another model", code="unknown_model")
    wanted = opening.span
    enters = wanted.start == mounted.start or (mounted.start == 0 and wanted.start == 1)
    if not enters or wanted.stop != mounted.stop:
        raise Refusal(
            f"units {wanted} are wanted and {mounted} are mounted here", code="wrong_span"
        )


def check_neighbours(
    words: wire.SessionOpen | wire.SessionRelink, span: Span, *, own: PeerId
) -> None:
    """Whether somebody can stand before and after a session's units.

    Raises:
        BadInput: nobody can, or a computer would feed itself.
    """
    if span.start == 0 and words.previous is not None:
        raise BadInput("a host before the one that takes the tokens")
    if words.previous == own or (words.next is not None and words.next.peer == own):
        raise BadInput("a chain that leads from a computer to itself")


def check_wait(seconds: float, *, stalled: bool) -> None:
    """Whether a new session makes sense on a host that has work for so long already, or whose
    engine stands still.

    Raises:
        NoRoom: it does not; half of the work will be done by the time to ask again.
        Refusal: the engine does nothing for anybody now.
    """
    if stalled:
        raise Refusal(STANDS_STILL, code="stalled", retry_after_seconds=STALLED_SECONDS)
    if seconds > LONGEST_WAIT_SECONDS:
        raise NoRoom(
            f"this computer has work for {seconds:.0f} s from conversations it serves already",
            retry_after_seconds=seconds / 2,
        )


def step_fault(
    session: Session,
    step: wire.Step,
    code: str,
    reason: str,
    *,
    retry_after_seconds: float | None = None,
) -> wire.SessionFault:
    """The answer to a step that could not be done."""
    return wire.SessionFault(
        session=session.id,
        epoch=step.epoch,
        position=step.position,
        code=code,
        reason=reason[: wire.MAX_REASON_CHARACTERS],
        retry_after_seconds=retry_after_seconds,
    )


def session_fault(session: Session, code: str, reason: str) -> wire.SessionFault:
    """What a client learns that is not the answer to a step."""
    return wire.SessionFault(
        session=session.id, epoch=session.epoch, position=0, code=code, reason=reason
    )


def to_blame(session: Session, step: wire.Step, feeder: PeerId) -> PeerId:
    """Who is counted for a step that cannot be computed.

    Values that are not finite are the fault of whoever sends them: no sound computer hands
    them on. Otherwise sound computers may not fit together because one client joined them, and
    it must not be able to set them against each other; nothing more is taken from there then.
    """
    if feeder == session.client or not np.isfinite(np.frombuffer(step.hidden, "<f4")).all():
        return feeder
    session.previous = None
    return session.client


async def has_turn(session: Session, stands_still: Callable[[], bool]) -> bool:
    """Whether the step before is done, and the turn taken; False as soon as the engine is seen
    to stand still."""
    while not stands_still():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TURN_SECONDS):
                return await session.turn.acquire()
    return False


async def tell(session: Session, fault: wire.SessionFault) -> bool:
    """Say it without waiting for a client that takes nothing; whether it went out."""
    try:
        async with asyncio.timeout(0):
            await session.channel.send(fault)
    except (PeerLost, TimeoutError):
        return False
    return True


async def dismiss(session: Session, code: str, reason: str) -> None:
    """Say why a session is over, and end its channel."""
    if not await tell(session, session_fault(session, code, reason)):
        session.channel.abort()
    else:
        await session.channel.close()
    session.leave_next()


async def replay(session: Session, start: int, stop: int, *, renew: Callable[[], None]) -> None:
    """Send the next host, if there is one, what was handed on of positions `start` .. `stop`.

    Args:
        renew: called after each step, so that a long replay does not outlast the lease.

    Raises:
        PeerLost: the next host is gone. ValueError: not all of it is known here.
    """
    if session.next is None:
        return
    for position, rows, hidden in session.log.pieces(stop, start=start, rows=BATCH_ROWS):
        await session.next.send(
            wire.Step(
                session=session.id,
                epoch=session.epoch,
                position=position,
                rows=rows,
                hidden=hidden,
                replay=True,
            )
        )
        renew()


async def attach(opener: ChannelOpener, session: Session, hop: wire.NextHop) -> None:
    """Reach the next host.

    Raises:
        PeerLost: it is not to be had, or the session has ended meanwhile.
    """
    peer = PeerId(hop.peer)
    try:
        async with asyncio.timeout(NEXT_SECONDS):
            channel = await opener.open_channel(
                peer, hop.addresses, "hop", on_word_of=session.client
            )
    except TimeoutError:
        raise PeerLost(f"{short_peer_text(peer)} does not answer") from None
    if session.over:
        channel.abort()  # nobody would let it go any more
        raise PeerLost("the session ended meanwhile")
    session.next = channel
    await channel.send(wire.HopAttach(session=session.id, epoch=session.epoch))


def relink_trouble(
    session: Session, relink: wire.SessionRelink, *, own: PeerId, now: float
) -> wire.SessionFault | None:
    """Why a session's client cannot give it these neighbours; None when it can.

    Raises:
        BadInput: nobody could.
    """
    check_neighbours(relink, session.opening.span, own=own)
    if relink.epoch < session.epoch:
        return relink_fault(relink, "stale", "a later word was here before")
    if session.hands_on != (relink.next is not None):
        return relink_fault(relink, "wrong_end", "the last host of a chain stays the last")
    tokens = session.opening.tokens
    burden = 1.0 + REPLAY_RELINKS * min(relink.replay, tokens) / tokens
    if not session.relinks.take("", now, burden):
        return relink_fault(relink, "busy", "new neighbours come too often")
    return None


def relink_fault(relink: wire.SessionRelink, code: str, reason: str) -> wire.SessionFault:
    """The answer to a relink that cannot be."""
    return wire.SessionFault(
        session=relink.session,
        epoch=relink.epoch,
        position=relink.replay,
        code=code,
        reason=reason[: wire.MAX_REASON_CHARACTERS],
    )


def refused(opening: wire.SessionOpen, refusal: Refusal | PeerLost) -> wire.SessionRefused:
    """The answer to an opening that is declined."""
    code, retry_after_seconds = "next_lost", None
    if isinstance(refusal, Refusal):
        code, retry_after_seconds = refusal.code, refusal.retry_after_seconds
    return wire.SessionRefused(
        session=opening.session,
        code=code,
        reason=str(refusal)[: wire.MAX_REASON_CHARACTERS],
        retry_after_seconds=retry_after_seconds,
    )


def step_result(step: wire.Step, result: PartResult) -> wire.StepResult:
    """What goes back to the client from the last host."""
    return wire.StepResult(
        session=step.session,
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
