"""Keeps a cap on the graphics cards' power in the way that works here, or says that none does.

The limit in the driver is tried first, because it costs the least speed. Where the rights for
it are missing, rests between batches keep the mean (`app/policy/pacing.py`), for which the
energy has to be known. Where that is not either, nothing keeps the cap, and the governor
(`app/policy/governor.py`) lets no card compute: a limit is not exceeded.
"""

from __future__ import annotations

import asyncio
import random

from app.policy.limits import PowerKeeper
from app.policy.power import SAMPLE_SECONDS, Cards


class PowerCap:
    """The cap in force."""

    def __init__(self, cards: Cards) -> None:
        self._cards = cards
        self._refused_watts: float | None = None
        self._sampling = asyncio.Event()
        self._kept_by: PowerKeeper = ""

    @property
    def kept_by(self) -> PowerKeeper:
        """What keeps the cap, or would if a card computed just now; "" when nothing does."""
        return self._kept_by or ("rests" if self._cards.metering else "")

    def can_keep(self, watts: float) -> bool:
        """Whether this cap can be kept, as far as is known before it was tried."""
        if self._cards.metering:
            return True
        return len(self._cards) > 0 and watts != self._refused_watts

    async def hold(self, watts: float | None) -> float | None:
        """Hold this cap from now on, or none; the cap that is left to rests."""
        held = await asyncio.to_thread(self._cards.limit, watts)
        by_rests = watts is not None and not held and bool(self._cards.metering)
        self._kept_by = "driver" if held else "rests" if by_rests else ""
        if watts is not None:
            self._refused_watts = None if held else watts
        if not by_rests:
            self._sampling.clear()
            self._cards.forget_samples()
            return None
        await asyncio.to_thread(self._sample)
        self._sampling.set()
        return watts

    async def keep_sampling(self) -> None:
        """Read the power of cards without a counter while rests keep the cap; until cancelled."""
        while True:
            await self._sampling.wait()
            await asyncio.sleep(random.uniform(*SAMPLE_SECONDS))
            if self._sampling.is_set():
                await asyncio.to_thread(self._sample)

    def _sample(self) -> None:
        if self._cards.metering == "readings":
            self._cards.sample()
