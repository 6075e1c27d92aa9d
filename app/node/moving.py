"""Moves this computer to other units of its model where it is needed more.

Only what was chosen automatically: units that the owner named stay. What is decided, and why,
`app/swarm/placement.py` knows; what is wanted, `app/node/wishes.py`. The new units come here while
the old ones are served on, others are told of it, and a last look shows whether the old ones may
be left; whatever goes wrong, this computer stays where it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import random, uniform
from typing import Final

from app.chat.opened_model import Fetch
from app.errors import PotluckError
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import Span
from app.layer_words import layers_of
from app.node.model_offers import ModelOffers
from app.node.sharing import Sharing
from app.node.snapshot import Wanted
from app.node.wishes import Wishes
from app.sentences import Sentence, say
from app.swarm.placement import Placement
from app.tasks import TaskOwner, unless_set

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 300.0
"""Between two looks, a third more or less, so that computers do not look together."""
SEEN_SECONDS: Final = 45.0
"""From telling of a move to the last look before it: announcements come every quarter of a minute
and may be read half a minute old."""


class Moving:
    """Looks every few minutes.

    Args:
        fetch: brings units here.
        chance: a random number from 0 to below 1.
    """

    def __init__(
        self,
        data: DataFolder,
        offers: ModelOffers,
        sharing: Sharing,
        wishes: Wishes,
        *,
        fetch: Fetch,
        chance: Callable[[], float] = random,
    ) -> None:
        self._data = data
        self._offers = offers
        self._sharing = sharing
        self._wishes = wishes
        self._fetch = fetch
        self._chance = chance

    async def keep_placed(self) -> None:
        """Look again and again; runs until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS * uniform(2 / 3, 4 / 3))
            try:
                await self.look()
            except Exception:  # the edge: this look failed, the next one need not
                logger.exception("this computer stays where it is")

    async def look(self) -> None:
        """Look once, and move if that is clearly better. Stops in the middle when something else
        is wanted or sharing rests."""
        wanted = self._wishes.movable
        if wanted is None:
            return
        await unless_set(self._wishes.disturbed, self._look(wanted), name="moving")

    async def _look(self, wanted: Wanted) -> None:
        host = self._sharing.host
        sessions = 0 if host is None else host.status.sessions
        try:
            better = await self._offers.better(
                wanted.model, wanted.span, sessions=sessions, draw=self._chance()
            )
            if better is not None:
                await self._move(wanted, better)
        except PotluckError as error:
            logger.warning("this computer stays where it is: %s", error)

    async def _move(self, wanted: Wanted, better: Placement) -> None:
        head = wanted.model.plan.head_unit
        here, there = layers_of(wanted.span, head), layers_of(better.span, head)
        logger.info("moving from %s to %s (%s)", here, there, better.reason)
        self._sharing.intend(better.span)
        try:
            async with TaskOwner("move") as owner:
                seen = owner.start(asyncio.sleep(SEEN_SECONDS), name="be seen")
                await self._bring(wanted.model, better.span)
                await asyncio.wait({seen})
            if await self._offers.may_leave(wanted.model, wanted.span, better.span):
                moved = Wanted(wanted.model, better.span)
                await self._wishes.move(moved, moved_words(wanted.model, better))
            else:
                logger.info("%s: needed here after all", here)
        finally:
            self._sharing.intend(None)

    async def _bring(self, model: OpenModel, span: Span) -> None:
        await asyncio.to_thread(self._data.store.require_room, model.manifest.units_of(span))
        await self._fetch(model, span)


def moved_words(model: OpenModel, placement: Placement) -> Sentence:
    """That this computer moved, and why."""
    layers = layers_of(placement.span, model.plan.head_unit)
    title = model.manifest.shown_name
    if placement.reason == "nobody":
        return say("moved_nobody", layers=layers, model=title)
    if placement.reason == "twice":
        return say("moved_twice", layers=layers, model=title)
    if placement.reason == "shorter":
        return say("moved_shorter", layers=layers, model=title)
    return say("moved_faster", layers=layers, model=title)
