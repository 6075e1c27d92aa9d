"""What may be chosen to share, and what to expect of it: the list of model offers.

The arithmetic is `app/chat/offers.py`'s and `app/swarm/placement.py`'s; here it meets the disk, the
memory and the swarm.
"""

from __future__ import annotations

import asyncio
import logging

from app.api.shapes import ModelOffer
from app.chat.offers import block_bytes
from app.clock import Clock
from app.engine.catalogue import KnownModel
from app.errors import PotluckError
from app.folder.data_folder import DataFolder, OpenModel
from app.folder.known_models import KnownModels
from app.folder.measured_speed import MeasuredSpeed
from app.ids import ModelId, PeerId, Span
from app.net.coordinates import distance_seconds
from app.net.endpoint import Endpoint
from app.net.records import Announcement
from app.net.wire import Place
from app.node.announced import Announced
from app.node.beside import Beside
from app.node.line_speed import LineSpeed
from app.node.memory_room import MemoryRoom
from app.node.sharing import Sharing
from app.node.snapshot import Wanted
from app.node.trial import try_writing
from app.swarm.placement import Own, Placement, Server, may_leave, place
from app.swarm.route import Offer
from app.swarm.standby import Need, need_of, spare

logger = logging.getLogger(__name__)


class ModelOffers:
    """Looks at every model this computer knows.

    Args:
        beside: what is served besides; it gives way to whatever else is decided here.
        endpoint: knows this computer's name, whose own announcement does not count, and where it
            stands in the network.
        speed: what was measured of this computer.
    """

    def __init__(
        self,
        data: DataFolder,
        models: KnownModels,
        announced: Announced,
        sharing: Sharing,
        beside: Beside,
        endpoint: Endpoint,
        *,
        speed: MeasuredSpeed,
        line: LineSpeed,
        clock: Clock,
    ) -> None:
        self._data = data
        self._models = models
        self._announced = announced
        self._sharing = sharing
        self._beside = beside
        self._own = endpoint.peer_id
        self._endpoint = endpoint
        self._clock = clock
        self._memory = MemoryRoom(data, sharing, beside, clock=clock)
        self._speed = speed
        self._line = line
        self._tried: ModelId | None = None

    async def all(self, wanted: Wanted | None) -> list[ModelOffer]:
        """Every model that can be cut, in the shelf's order."""
        await self._announced.refresh()
        room = await self._memory.for_first()
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
        return self._suggested(model, await self._memory.for_first())

    async def better(
        self, model: OpenModel, current: Span, *, sessions: int, draw: float
    ) -> Placement | None:
        """Where this computer, which serves these units, is needed clearly more; None to stay.

        Args:
            sessions: conversations on it now.
            draw: a random number from 0 to below 1: of many who could help only some act.
        """
        await self._announced.refresh()
        own = self._own_side(model, await self._memory.for_first(), current, sessions)
        return place(self._memory.layout(model), self._servers(model), own, draw=draw)

    async def may_leave(self, model: OpenModel, current: Span, new: Span) -> bool:
        """Whether others serve all units that would be left, by a fresh look."""
        self._announced.forget_time()
        await self._announced.refresh()
        return may_leave(self._servers(model), self._own, current, new)

    async def to_stand_by(
        self, model: OpenModel, current: Span, *, most_bytes: float, draw: float
    ) -> Span | None:
        """The span to stand by for beside the one that is served; None if there is none.

        What has to come for it leaves the disk room to move once more.

        Args:
            most_bytes: may come for it.
            draw: a random number from 0 to below 1.
        """
        await self._announced.refresh()
        own = self._own_side(model, await self._memory.for_second(), current, 0)
        units, store = model.manifest.units_of(current), self._data.store
        used = await asyncio.to_thread(store.used_bytes)
        left = store.quota_bytes - used - sum(unit.size for unit in units)
        most = min(left, most_bytes)
        layout, servers = self._memory.layout(model), self._servers(model)
        return spare(layout, servers, own, most_bytes=most, draw=draw)

    async def need_of(self, model: OpenModel, span: Span, *, fresh: bool = False) -> Need | None:
        """What others lack there, and this computer might serve besides.

        Args:
            fresh: look now, whoever looked a moment ago.
        """
        if fresh:
            self._announced.forget_time()
        await self._announced.refresh()
        return need_of(self._servers(model), span, own_load=self._beside.load)

    async def fits_beside(self, model: OpenModel, span: Span) -> bool:
        """Whether there is memory left for these units beside what is served."""
        self._memory.forget_time()
        return self._memory.layout(model).memory(span) <= await self._memory.for_second()

    async def memory_is_short(self) -> bool:
        """Whether the owner's programs need the memory of what is served besides."""
        return await self._memory.is_short()

    def missing_bytes(self, model: OpenModel, span: Span) -> int:
        """What of a span would have to be downloaded."""
        units = model.manifest.units_of(span)
        return sum(unit.size for unit in units if not self._data.store.has(unit))

    def _offer(
        self, known: KnownModel, model: OpenModel, room: int, wanted: Wanted | None
    ) -> ModelOffer:
        manifest = model.manifest
        chosen = wanted is not None and wanted.model.id == model.id
        span = wanted.span if wanted is not None and chosen else self._suggested(model, room)
        held = [unit for unit in manifest.units if self._data.store.has(unit)]
        blocks = [] if span is None else manifest.units[max(1, span.start) : span.stop]
        return ModelOffer(
            name=manifest.name,
            title=manifest.shown_name,
            model_id=model.id.hex(),
            licence=manifest.licence,
            units=len(manifest.units),
            bytes=manifest.payload_bytes,
            fits_units=self._memory.layout(model).longest(room),
            suggested_start=0 if span is None else span.start,
            suggested_stop=0 if span is None else span.stop,
            missing_bytes=0 if span is None else self.missing_bytes(model, span),
            held_bytes=sum(unit.size for unit in held),
            expected_tokens_per_second=self._speed.expected(
                model.id, sum(unit.size for unit in blocks), whole=span == model.plan.whole
            ),
            served_by=sum(
                r.ready for r in self._announced.of(model.id, without=self._beside.names())
            ),
            chosen=chosen,
            trust=known.trust.words,
            trust_said=known.trust.said,
        )

    def _suggested(self, model: OpenModel, room: int) -> Span | None:
        # The same at each look, and another one for each computer where several are as good.
        draw = int.from_bytes(self._own[:6]) / (1 << 48)
        own = self._own_side(model, room, None, 0)
        found = place(self._memory.layout(model), self._servers(model), own, draw=draw)
        return None if found is None else found.span

    def _own_side(self, model: OpenModel, room: int, current: Span | None, sessions: int) -> Own:
        units = model.manifest.units
        mean = block_bytes([unit.size for unit in units]) / max(1, len(units) - 2)
        return Own(
            peer=self._own,
            room_bytes=room,
            work_per_second=(self._speed.bytes_per_second or 0.0) / max(1.0, mean),
            current=current,
            line_bytes_per_second=self._line.bytes_per_second,
            held={n for n, unit in enumerate(units) if self._data.store.has(unit)},
            sessions=sessions,
        )

    def _servers(self, model: OpenModel) -> list[Server]:
        here = self._endpoint.place
        return [
            server_of(record, model.plan.head_unit, here)
            for record in self._announced.of(model.id, without=self._beside.names())
            if record.span is not None
        ]

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


def server_of(record: Announcement, head_unit: int, here: Place | None) -> Server:
    """What placement makes of an announcement that names a span.

    Args:
        head_unit: the number of the model's last unit.
        here: where this computer stands.
    """
    assert record.span is not None
    offer = Offer(
        peer=PeerId(record.peer),
        addresses=(),
        span=record.span,
        layers_per_second=record.layers_per_second,
        tokens_free=record.kv_tokens_free,
    )
    away = None
    if here is not None and record.place is not None:
        away = distance_seconds(here, record.place) / 2
    return Server(
        peer=offer.peer,
        span=offer.span,
        tokens_per_second=(
            1.0 / offer.compute_seconds(offer.span, head_unit)
            if record.ready or record.layers_per_second > 0
            else 0.0
        ),
        load=min(1.0, record.sessions / record.capacity) if record.capacity else 0.0,
        ready=record.ready,
        moves_to=record.moves_to,
        besides=record.besides,
        one_way_seconds=away,
    )
