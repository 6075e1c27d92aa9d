"""What may be chosen to share, and what to expect of it: the list of model offers.

The arithmetic is `app/offers.py`'s; here it meets the disk, the memory and the swarm.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from app.announced import Announced
from app.api.shapes import ModelOffer
from app.clock import Clock
from app.data_folder import DataFolder, OpenModel
from app.engine.catalogue import KnownModel
from app.engine.hardware import Hardware, read_hardware
from app.errors import PotluckError
from app.ids import ModelId, PeerId, Span
from app.known_models import KnownModels
from app.measured_speed import MeasuredSpeed
from app.offers import Fit, block_bytes, fit, room_bytes
from app.sharing import Sharing
from app.snapshot import Wanted
from app.trial import try_writing

logger = logging.getLogger(__name__)

FRESH_SECONDS: Final = 30.0
"""How long a look at memory holds; what is free changes slowly enough."""


class ModelOffers:
    """Looks at every model this computer knows.

    Args:
        speed: what was measured of this computer.
        own: this computer's name, whose own announcement does not count.
    """

    def __init__(
        self,
        data: DataFolder,
        models: KnownModels,
        announced: Announced,
        sharing: Sharing,
        *,
        speed: MeasuredSpeed,
        own: PeerId,
        clock: Clock,
    ) -> None:
        self._data = data
        self._models = models
        self._announced = announced
        self._sharing = sharing
        self._own = own
        self._clock = clock
        self._hardware: Hardware | None = None
        self._looked_at = float("-inf")
        self._speed = speed
        self._tried: ModelId | None = None

    async def all(self, wanted: Wanted | None) -> list[ModelOffer]:
        """Every model that can be cut, in the shelf's order."""
        await self._announced.refresh()
        room = await self._room()
        self._measure()
        offers = []
        for known in self._models.all():
            try:
                model = await self._models.open(known)
            except PotluckError:
                continue  # it cannot be cut, so it cannot be chosen
            offers.append(self._offer(known, model, room, wanted))
        return offers

    async def suggested(self, model: OpenModel) -> Span | None:
        """The span of a model to serve here; None if not even one unit fits."""
        await self._announced.refresh()
        return self._fit(model, await self._room()).suggested

    def missing_bytes(self, model: OpenModel, span: Span) -> int:
        """What of a span would have to be downloaded."""
        units = model.manifest.units[span.start : span.stop]
        return sum(unit.size for unit in units if not self._data.store.has(unit))

    def _offer(
        self, known: KnownModel, model: OpenModel, room: int, wanted: Wanted | None
    ) -> ModelOffer:
        manifest = model.manifest
        chosen = wanted is not None and wanted.model.id == model.id
        possible = self._fit(model, room)
        span = wanted.span if wanted is not None and chosen else possible.suggested
        held = [unit for unit in manifest.units if self._data.store.has(unit)]
        blocks = [] if span is None else manifest.units[max(1, span.start) : span.stop]
        return ModelOffer(
            name=manifest.name,
            title=manifest.title or manifest.name,
            model_id=model.id.hex(),
            licence=manifest.licence,
            units=len(manifest.units),
            bytes=manifest.payload_bytes,
            fits_units=possible.units,
            suggested_start=0 if span is None else span.start,
            suggested_stop=0 if span is None else span.stop,
            missing_bytes=0 if span is None else self.missing_bytes(model, span),
            held_bytes=sum(unit.size for unit in held),
            expected_tokens_per_second=self._speed.expected(
                model.id, sum(unit.size for unit in blocks), whole=span == model.plan.whole
            ),
            served_by=len(self._announced.of(model.id, without=self._own)),
            chosen=chosen,
            trust=known.trust.words,
            trust_said=known.trust.said,
        )

    def _fit(self, model: OpenModel, room: int) -> Fit:
        holders = [r.span for r in self._announced.of(model.id, without=self._own) if r.span]
        return fit([unit.size for unit in model.manifest.units], room, holders)

    def _measure(self) -> None:
        """Take over the bytes of weights computed in a second by what runs now."""
        engine, order = self._sharing.engine, self._sharing.order
        if engine is not None and order is not None and engine.status.layers_per_second > 0:
            blocks = order.model.manifest.units[1:-1]
            mean = sum(unit.size for unit in blocks) / len(blocks)
            self._speed.note(engine.status.layers_per_second * mean)

    async def _try(self) -> None:
        """Once after a whole model was loaded, while nobody uses it: how fast does it write?"""
        engine, order, host = self._sharing.engine, self._sharing.order, self._sharing.host
        if engine is None or order is None or host is None or host.status.sessions:
            return
        model = order.model
        if order.span != model.plan.whole or self._tried == model.id:
            return
        self._tried = model.id
        try:
            speed = await try_writing(engine, self._clock)
        except PotluckError as error:
            logger.info("how fast %s writes could not be tried: %s", model.manifest.name, error)
            return
        if speed is not None:
            size = block_bytes([unit.size for unit in model.manifest.units])
            self._speed.note_wrote(model.id, size, speed)

    async def keep_speed(self) -> None:
        """Measure what can be, and write down how fast this computer computes if that is news."""
        self._measure()
        await self._try()
        if self._speed.is_news:
            await asyncio.to_thread(self._speed.save)

    async def _room(self) -> int:
        now = self._clock.monotonic()
        if self._hardware is None or now - self._looked_at >= FRESH_SECONDS:
            self._hardware = await asyncio.to_thread(read_hardware)
            self._looked_at = now
        hardware = self._hardware
        cards = [] if self._data.settings.gpu == "off" else hardware.cards
        held = self._held_in_memory()
        return room_bytes(
            hardware.memory.available_bytes + held, [card.free_bytes for card in cards]
        )

    def _held_in_memory(self) -> int:
        """What the layers served now take: it would come free for others."""
        order = self._sharing.order
        if order is None:
            return 0
        return sum(
            unit.size for unit in order.model.manifest.units[order.span.start : order.span.stop]
        )
