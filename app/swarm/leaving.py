"""How a host takes leave of its sessions: some finish, some are handed over, the rest go elsewhere.

Whoever is between two answers goes elsewhere at once. Of those that are in the middle of one,
clients whose conversation is long are told at once too, and may have its memory moved while
there is time (`app/swarm/handover.py`); what a single step computes again is not worth moving,
so the others may finish. The counterpart is `app/swarm/chain.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

from app.clock import Clock
from app.engine.mounting import BATCH_ROWS
from app.ids import SessionId
from app.swarm.host_room import resting_seconds, rests
from app.swarm.host_session import Session, dismiss, session_fault, tell

LOOK_SECONDS: Final = 0.1
HANDING_BACK_SECONDS: Final = 0.3
"""How long the ends of sessions may take after they were told to go elsewhere."""
LONG_POSITIONS: Final = BATCH_ROWS
LONG_RESTING_SECONDS: Final = 5.0
"""A long conversation without a step for so long is between two answers: where a chain is slow, its
tokens are further apart than those of others, and there is more to lose."""
WHY: Final = "this computer stops sharing for now"


async def take_leave(
    sessions: Mapping[SessionId, Session], ended: asyncio.Event, *, seconds: float, clock: Clock
) -> None:
    """End all sessions within so many seconds, and `HANDING_BACK_SECONDS`; returns when none is
    left.

    Args:
        sessions: those there are; nobody adds any.
        ended: set whenever one has ended.
    """
    ends_at = clock.monotonic() + seconds
    told: set[SessionId] = set()
    dismissed: set[SessionId] = set()
    while sessions:
        now = clock.monotonic()
        if now >= ends_at + HANDING_BACK_SECONDS:
            break
        for session in list(sessions.values()):
            session.leaves_at = ends_at
            if session.id in dismissed:
                continue
            if now >= ends_at or (_is_idle(session, now) and session.id not in told):
                dismissed.add(session.id)
                await dismiss(session, "leaving", WHY)
            elif session.known > LONG_POSITIONS and session.id not in told:
                told.add(session.id)
                await tell(session, session_fault(session, "leaving", WHY))
        ended.clear()
        if sessions:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await ended.wait()


def _is_idle(session: Session, now: float) -> bool:
    """Whether nobody is in the middle of an answer."""
    if session.known > LONG_POSITIONS:
        return resting_seconds(session, now) >= LONG_RESTING_SECONDS
    return rests(session, now)
