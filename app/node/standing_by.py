"""Stands by for units that others may soon lack, and serves them besides while they do.

A computer whose layers were chosen automatically, and that has memory and disk to spare, keeps
the units of a second span here and looks every quarter of a minute whether they are missed.
Which units, and when, `app/swarm/standby.py` says; how they are served, `app/node/beside.py`. What
is served first goes first: whatever else is wanted ends what is served besides. Counterpart:
`app/node/moving.py`, which decides about the first span.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from math import inf
from random import random
from typing import Final

from app.chat.opened_model import Fetch
from app.clock import Clock
from app.errors import PotluckError
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import Span
from app.layer_words import layers_of
from app.node.beside import Beside
from app.node.model_offers import ModelOffers
from app.node.serving import ShareOrder
from app.node.sharing import Sharing
from app.node.snapshot import Wanted
from app.node.wishes import Wishes
from app.policy.verdict import GIGABYTE
from app.swarm.standby import Patience
from app.tasks import unless_set

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 15.0
"""Between two looks, a third more or less. Somebody whose answer stands still waits for three of
them (`PATIENCE_SECONDS` of `app/swarm/generate.py`)."""
LEAST_SECONDS: Final = 0.5
CHOOSE_SECONDS: Final = 300.0
"""Between two choices of what to stand by for, likewise."""
SETTLE_SECONDS: Final = 60.0
"""Before the first choice, likewise: what was begun here is to be known to others by then."""
MONTH_SHARE: Final = 0.25
"""So much of what is left of the month's data may go into standing by; the rest is for what is
served, which would rest for the rest of the month."""
REST_SECONDS: Final = 600.0
"""So long nothing is served besides after memory ran short, or when it could not be served."""


class StandingBy:
    """Looks again and again.

    Args:
        sharing: serves the first span.
        beside: serves the second one, and is told what is ready for it.
        fetch: brings units here.
        month_bytes: sent and received this month.
        chance: a random number from 0 to below 1.
    """

    def __init__(
        self,
        data: DataFolder,
        offers: ModelOffers,
        sharing: Sharing,
        wishes: Wishes,
        beside: Beside,
        *,
        fetch: Fetch,
        month_bytes: Callable[[], int],
        clock: Clock,
        chance: Callable[[], float] = random,
    ) -> None:
        self._data = data
        self._offers = offers
        self._sharing = sharing
        self._wishes = wishes
        self._beside = beside
        self._fetch = fetch
        self._month_bytes = month_bytes
        self._clock = clock
        self._chance = chance
        self._patience = Patience()
        self._choose_at: float | None = None
        self._rests_until = float("-inf")

    async def keep_ready(self) -> None:
        """Look again and again; runs until it is cancelled."""
        disturbed = self._wishes.disturbed
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds_to_next_look()):
                    await disturbed.wait()
            disturbed = self._wishes.disturbed
            try:
                await self.look()
            except Exception:  # the edge: this look failed, the next one need not
                logger.exception("nothing more is kept ready")

    async def look(self) -> None:
        """Look once, and do what follows from it. Stops in the middle when something else is
        wanted or sharing rests."""
        disturbed = self._wishes.disturbed
        if self._is_taken_over():
            return
        wanted = self._free_to_help()
        if wanted is None:
            await self._give_up()
            return
        await unless_set(disturbed, self._look(wanted), name="standing by")

    def _seconds_to_next_look(self) -> float:
        seconds = LOOK_SECONDS * self._about()
        if self._patience.due_at is None:
            return seconds
        return min(seconds, max(LEAST_SECONDS, self._patience.due_at - self._clock.monotonic()))

    def _about(self) -> float:
        """A third more or less, so that computers do not look together."""
        return 2 / 3 + 2 / 3 * self._chance()

    def _free_to_help(self) -> Wanted | None:
        """What is served first, if this computer may do more besides."""
        may = self._data.settings.stand_by and self._beside.may_serve
        return self._wishes.movable if may else None

    def _is_taken_over(self) -> bool:
        """Whether the very units that are served besides are about to become the first ones;
        until then they stay, so that nobody has to do without."""
        wanted, order, ready = self._wishes.wanted, self._sharing.order, self._beside.ready
        if wanted is None or ready is None or not self._beside.is_up:
            return False
        same = (wanted.model.id, wanted.span) == (ready[0].id, ready[1])
        arrived = order is not None and order.span == wanted.span
        return same and not arrived and self._sharing.phase not in ("off", "failed")

    async def _look(self, wanted: Wanted) -> None:
        ready = self._beside.ready
        if ready is not None and not _are_apart(ready, wanted):
            await self._give_up()
        try:
            if not await self._meet_need() and self._is_time_to_choose():
                await self._choose(wanted)
        except PotluckError as error:
            logger.warning("nothing more is kept ready: %s", error)

    # ── what is kept ready ───────────────────────────────────────────────────

    def _is_time_to_choose(self) -> bool:
        now = self._clock.monotonic()
        if self._choose_at is None:
            self._choose_at = now + SETTLE_SECONDS * self._about()
        if now < self._choose_at:
            return False
        self._choose_at = now + CHOOSE_SECONDS * self._about()
        return True

    async def _choose(self, wanted: Wanted) -> None:
        model = wanted.model
        span = await self._offers.to_stand_by(
            model, wanted.span, most_bytes=self._bytes_to_spare(), draw=self._chance()
        )
        ready = None if span is None else (model, span)
        if ready == self._beside.ready:
            return
        self._beside.keep(None)
        self._patience.begin_anew()
        if span is not None:
            await self._bring(model, span)
            layers = layers_of(span, model.plan.head_unit)
            logger.info("standing by for %s of %s", layers, model.manifest.name)
            self._beside.keep(ready)

    def _bytes_to_spare(self) -> float:
        """What may be fetched as the owner's line is now."""
        governor = self._wishes.governor
        if governor.manual.slow_mode or not governor.verdict.caps.transfers:
            return 0.0
        budget = self._data.settings.monthly_budget_gb * GIGABYTE
        return MONTH_SHARE * max(0.0, budget - self._month_bytes()) if budget else inf

    async def _bring(self, model: OpenModel, span: Span) -> None:
        await asyncio.to_thread(self._data.store.require_room, model.manifest.units_of(span))
        # One by one: whatever else has to come to this computer comes in between.
        for unit in range(span.start, span.stop):
            await self._fetch(model, Span(unit, unit + 1))

    # ── what is served besides ───────────────────────────────────────────────

    async def _meet_need(self) -> bool:
        """Serve what is lacking, or end that; whether there is anything to be met."""
        now = self._clock.monotonic()
        if not await self._is_able(now) or self._beside.ready is None:
            return False
        model, span = self._beside.ready
        layers = layers_of(span, model.plan.head_unit)
        need = await self._offers.need_of(model, span)
        meets = self._patience.look(need, now=now, draw=self._chance())
        if meets != self._beside.is_up:
            # Others may have done the same a moment ago.
            need = await self._offers.need_of(model, span, fresh=True)
            if (need is not None) != meets:
                self._patience.call_off()
            elif not meets:
                logger.info("others serve %s again", layers)
                await self._beside.stop()
            elif await self._offers.fits_beside(model, span):
                logger.info("serving %s too (%s)", layers, need)
                # The graphics card is the first span's.
                order = ShareOrder.by_settings(self._data.settings, model, span, gpu=False)
                self._beside.serve(order)
            else:
                self._rest(now)
        return need is not None or self._beside.is_up

    async def _is_able(self, now: float) -> bool:
        """Whether something may be served besides; ends what is, if that does not go well."""
        if now < self._rests_until:
            return False
        if self._patience.meets and not self._beside.is_up:
            self._rest(now)  # it could not even begin
            return False
        if self._beside.is_up:
            is_short = await self._offers.memory_is_short()
            if is_short or self._beside.phase == "failed":
                logger.info("ending what is served besides: %s", self._why(is_short=is_short))
                self._rest(now)
                await self._beside.stop()
                return False
        return True

    def _why(self, *, is_short: bool) -> str:
        return "other programs need the memory" if is_short else str(self._beside.problem)

    def _rest(self, now: float) -> None:
        self._patience.begin_anew()
        self._rests_until = now + REST_SECONDS

    async def _give_up(self) -> None:
        """Keep nothing ready and serve nothing besides; what is on the disk stays there."""
        self._patience.begin_anew()
        self._choose_at = None
        await self._beside.stop()
        self._beside.keep(None)


def _are_apart(ready: tuple[OpenModel, Span], wanted: Wanted) -> bool:
    model, span = ready
    same = model.id == wanted.model.id
    return same and (span.stop <= wanted.span.start or wanted.span.stop <= span.start)
