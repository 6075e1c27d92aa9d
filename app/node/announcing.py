"""Tells the directory what this computer serves, and takes it back.

Its counterpart is `app/net/dht.py`, which finds the computers that keep it until it
expires; `app/node/sharing.py` decides what there is to tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

from app import __version__
from app.clock import Clock
from app.errors import PeerLost, PotluckError, Refusal
from app.folder.data_folder import OpenModel
from app.ids import Span
from app.net.dht import Dht
from app.net.endpoint import Endpoint
from app.net.identity import Identity
from app.net.records import Announcement, sign_announcement

logger = logging.getLogger(__name__)

LIFETIME_SECONDS: Final = 300.0
"""Those that keep an announcement notice when the connection to its writer is lost and drop
it; only what they had no room to watch is told for so long."""
ANNOUNCE_SECONDS: Final = 100.0
"""Twice missed, an announcement is still there."""
ROOM_CHANGE: Final = 0.25
"""Room for conversations is announced anew when it differs by more than this part."""
WITHDRAW_SECONDS: Final = 0.5
SPEED_CHANGE: Final = 0.2
"""A speed is announced anew when it differs by more than this part of what was announced:
routes are made by it, and need no news of every breath."""


class Announcer:
    """Signs and sends this computer's announcements.

    Args:
        public: whether strangers may use this computer to find others.
        addresses: where others can dial this computer; None is where the endpoint is bound.
        besides: as in `Announcement`, for all it tells.
    """

    def __init__(
        self,
        identity: Identity,
        endpoint: Endpoint,
        directory: Dht,
        *,
        public: bool,
        clock: Clock,
        addresses: Callable[[], Sequence[str]] | None = None,
        besides: bool = False,
    ) -> None:
        self._besides = besides
        self._addresses = addresses or (lambda: [endpoint.address])
        self._identity = identity
        self._endpoint = endpoint
        self._directory = directory
        self._public = public
        self._clock = clock
        self._sequence = 0
        self._told_alone = False
        self._told_unheard = False
        self._due_at = float("-inf")
        self._tokens_free = 0

    def is_due(self, tokens_free: int) -> bool:
        """Whether it is time to announce again: it is a while ago, it failed, or the room for
        conversations is another."""
        larger = max(self._tokens_free, tokens_free)
        changed = abs(self._tokens_free - tokens_free) > ROOM_CHANGE * larger
        return changed or self._clock.monotonic() >= self._due_at

    def keeper_lost(self) -> None:
        """One that kept the announcement is gone: look for another one soon."""
        self._due_at = float("-inf")

    async def announce(
        self,
        model: OpenModel,
        span: Span,
        *,
        layers_per_second: float,
        tokens_free: int,
        sessions: int,
        capacity: int = 0,
        ready: bool = True,
        moves_to: Span | None = None,
    ) -> None:
        """Tell what is served here; what fails is logged and tried again next time.

        While there is nobody to tell, nothing is.

        Args:
            ready: False while the units are on their way.
            moves_to: units on their way, to be served instead.
        """
        if not self._directory.has_anybody:
            if not self._told_alone:
                logger.warning("no computer to ask first is known, so nobody can find this one")
            self._told_alone = True
            return
        self._told_alone = False
        self._due_at, self._tokens_free = float("-inf"), tokens_free
        try:
            await self._send(
                model,
                span=span,
                layers_per_second=layers_per_second,
                kv_tokens_free=tokens_free,
                sessions=sessions,
                capacity=capacity,
                ready=ready,
                moves_to=moves_to,
            )
        except (PeerLost, Refusal) as error:
            level = logging.DEBUG if self._told_unheard else logging.WARNING
            logger.log(level, "not announced: %s; it is tried until it works", error)
            self._told_unheard = True
        else:
            self._told_unheard = False
            self._due_at = self._clock.monotonic() + ANNOUNCE_SECONDS

    async def keep_telling_coming(
        self, model: OpenModel, span: Span, *, capacity: int, check_seconds: float
    ) -> None:
        """Tell what will be served here, so that not all come for the same, and again when that is
        due; until it is cancelled. How fast it will be is not known yet."""
        due = True
        while True:
            if due:
                await self.announce(
                    model,
                    span,
                    layers_per_second=0.0,
                    tokens_free=0,
                    sessions=0,
                    capacity=capacity,
                    ready=False,
                )
            await asyncio.sleep(check_seconds)
            due = self.is_due(0)

    async def withdraw(self, model: OpenModel) -> None:
        """Take the announcement back, in `WITHDRAW_SECONDS` or not at all."""
        if not self._directory.has_anybody:
            return
        with contextlib.suppress(PotluckError, TimeoutError):
            async with asyncio.timeout(WITHDRAW_SECONDS):
                await self._send(model, span=None)

    async def _send(
        self,
        model: OpenModel,
        *,
        span: Span | None,
        layers_per_second: float = 0.0,
        kv_tokens_free: int = 0,
        sessions: int = 0,
        capacity: int = 0,
        ready: bool = True,
        moves_to: Span | None = None,
    ) -> None:
        now = self._clock.wall()
        self._sequence = max(self._sequence + 1, int(now * 100))
        announcement = Announcement(
            peer=self._identity.peer_id,
            sequence=self._sequence,
            issued_at=now,
            expires_at=now + LIFETIME_SECONDS,
            model=model.id,
            model_name=model.manifest.name[:64],
            addresses=list(self._addresses()),
            span=span,
            layers_per_second=layers_per_second,
            kv_tokens_free=kv_tokens_free,
            sessions=sessions,
            capacity=capacity,
            ready=ready,
            moves_to=moves_to,
            besides=self._besides,
            place=self._endpoint.place,
            public=self._public,
            version=__version__,
        )
        await self._directory.announce(sign_announcement(self._identity, announcement))


def steady_speed(announced: float, now: float) -> float:
    """The speed to announce: what was announced, unless it is another by now."""
    return announced if abs(now - announced) <= SPEED_CHANGE * announced else now
