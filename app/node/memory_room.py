"""How much memory this computer has for layers and the conversations on them.

What is free now, what comes free when something is put away, and what was promised and is not in
use yet, meet here; the arithmetic on one look is `app/chat/offers.py`'s, what a span takes of it
`app/engine/footprint.py`'s. Who asks is `app/node/model_offers.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from app.chat.offers import MEMORY_MARGIN_BYTES, room_bytes
from app.clock import Clock
from app.engine.footprint import footprint
from app.engine.hardware import (
    NO_MEMORY,
    Hardware,
    WorkerMemory,
    read_hardware,
    read_worker_memory,
)
from app.engine.mounting import BATCH_ROWS
from app.folder.data_folder import DataFolder, OpenModel
from app.node.beside import Beside
from app.node.sharing import Sharing
from app.swarm.layout import Layout

FRESH_SECONDS: Final = 30.0
"""How long a look at memory holds; what is free changes slowly enough."""


@dataclass(frozen=True)
class Look:
    """One look at memory, in bytes.

    Attributes:
        available: what programs can have now.
        cards: what each graphics card has left, and what is served there.
        first, second: what would come free if the first or the second span were put away.
        promised: what counts as available and is the first span's: weights that the system could
            read again, and what was promised to conversations that do not use it yet.
    """

    available: int
    cards: tuple[int, ...]
    first: int
    second: int
    promised: int


class MemoryRoom:
    """Looks at this computer's memory.

    Args:
        sharing, beside: what is served first and besides.
    """

    def __init__(self, data: DataFolder, sharing: Sharing, beside: Beside, *, clock: Clock) -> None:
        self._data = data
        self._sharing = sharing
        self._beside = beside
        self._clock = clock
        self._last: Look | None = None
        self._looked_at = float("-inf")

    def forget_time(self) -> None:
        """Look anew when asked next."""
        self._looked_at = float("-inf")

    async def for_first(self) -> int:
        """What the first span may take, or another one in its place, its conversations
        included."""
        look = await self._look()
        cards = () if self._data.settings.gpu == "off" else look.cards
        return room_bytes(look.available + look.first + look.second, cards)

    async def for_second(self) -> int:
        """What a span beside the first may take, which is computed on the processor."""
        look = await self._look()
        return room_bytes(look.available + look.second - look.promised, ())

    async def is_short(self) -> bool:
        """Whether the owner's programs need the memory of what is served besides."""
        self.forget_time()
        return (await self._look()).available < MEMORY_MARGIN_BYTES // 2

    def layout(self, model: OpenModel) -> Layout:
        """A model as placement sees it, with the room for conversations that the owner set."""
        tokens = self._data.settings.kv_tokens
        taken = footprint(model.plan, tokens=tokens, batch_rows=BATCH_ROWS)
        return Layout(
            [unit.size for unit in model.manifest.units],
            taken.unit_bytes,
            handing_on_bytes=taken.handing_on_bytes,
            span_bytes=taken.span_bytes,
        )

    async def _look(self) -> Look:
        now = self._clock.monotonic()
        if self._last is None or now - self._looked_at >= FRESH_SECONDS:
            hardware = await asyncio.to_thread(read_hardware)
            self._last = self._seen(hardware)  # all of one moment, or it would not add up
            self._looked_at = now
        return self._last

    def _seen(self, hardware: Hardware) -> Look:
        first, second = (_memory_of(one) for one in (self._sharing, self._beside))
        order, host, engine = self._sharing.order, self._sharing.host, self._sharing.engine
        promised = on_card = 0
        if order is not None and host is not None and engine is not None:
            layout = self.layout(order.model)
            handing_on = layout.handing_on_bytes(order.span.stop)
            promised = first.mapped_bytes + max(0, handing_on - host.logged_bytes)
            if engine.status.configuration == "gpu":
                on_card = layout.memory(order.span)
        return Look(
            available=hardware.memory.available_bytes,
            cards=tuple(
                min(card.free_bytes + on_card, card.total_bytes or 0)
                for card in hardware.cards
                if card.free_bytes is not None
            ),
            first=first.own_bytes + _logged_bytes(self._sharing),
            second=second.own_bytes + _logged_bytes(self._beside),
            promised=promised,
        )


def _memory_of(served: Sharing | Beside) -> WorkerMemory:
    """What the worker has that computes it."""
    pid = None if served.engine is None else served.engine.worker_pid
    return NO_MEMORY if pid is None else read_worker_memory(pid)


def _logged_bytes(served: Sharing | Beside) -> int:
    return 0 if served.host is None else served.host.logged_bytes
