"""Who serves what, as the directory told lately: for lists and for the strip of layers.

Conversations ask for themselves (`app/talk.py`); this is what people look at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from app.clock import Clock
from app.errors import PeerLost
from app.ids import ModelId, PeerId
from app.net.dht import Dht
from app.net.records import Announcement

logger = logging.getLogger(__name__)

FRESH_SECONDS: Final = 10.0


class Announced:
    """The announcements of all models, looked up when they are wanted and are old.

    Args:
        changed: called when others serve something else than before.
    """

    def __init__(self, directory: Dht, *, changed: Callable[[], None], clock: Clock) -> None:
        self._directory = directory
        self._changed = changed
        self._clock = clock
        self._found: list[Announcement] = []
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def refresh(self) -> None:
        """Look, unless somebody just did; when nobody answers the old ones stay until stale."""
        async with self._looking:
            if self._clock.monotonic() - self._looked_at < FRESH_SECONDS:
                return
            try:
                found = await self._directory.lookup(None)
            except PeerLost as error:
                logger.debug("nobody tells who serves what: %s", error)
                found = [r for r in self._found if r.expires_at > self._clock.wall()]
            self._looked_at = self._clock.monotonic()
            before = {(r.peer, r.model, r.span) for r in self._found}
            self._found = [record for record in found if record.span is not None]
        if before != {(r.peer, r.model, r.span) for r in self._found}:
            self._changed()

    def forget_time(self) -> None:
        """What is known counts as old: the next who asks looks."""
        self._looked_at = float("-inf")

    def peers(self) -> set[PeerId]:
        """Everybody who announced something, by the last look."""
        return {PeerId(record.peer) for record in self._found}

    def of(self, model: ModelId, *, without: PeerId) -> list[Announcement]:
        """Who else serves a model, by the beginning of their spans."""
        found = [r for r in self._found if r.model == model and r.peer != without]
        return sorted(found, key=lambda record: (str(record.span), record.peer))
