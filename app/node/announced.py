"""Who serves what, as the directory told lately: for lists and for the strip of layers.

Conversations ask for themselves (`app/chat/talk.py`); this is what people look at.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Container, Sequence
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
        self._by_model: dict[ModelId, list[Announcement]] = {}
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
            before = _served(self._found)
            self._found = [record for record in found if record.span is not None]
            self._by_model = _by_model(self._found)
        if before != _served(self._found):
            self._changed()

    def forget_time(self) -> None:
        """What is known counts as old: the next who asks looks."""
        self._looked_at = float("-inf")

    def peers(self) -> set[PeerId]:
        """Everybody who announced something, by the last look."""
        return {PeerId(record.peer) for record in self._found}

    def of(self, model: ModelId, *, without: Container[PeerId]) -> list[Announcement]:
        """Who else serves a model or fetches a part of it, by the beginning of their spans.

        Args:
            without: the names of this computer.
        """
        return [record for record in self._by_model.get(model, []) if record.peer not in without]


def _served(records: Sequence[Announcement]) -> set[tuple[object, ...]]:
    return {(r.peer, r.model, r.span, r.ready) for r in records}


def _by_model(records: Sequence[Announcement]) -> dict[ModelId, list[Announcement]]:
    found: defaultdict[ModelId, list[Announcement]] = defaultdict(list)
    for record in sorted(records, key=lambda one: (str(one.span), one.peer)):
        found[ModelId(record.model)].append(record)
    return dict(found)
