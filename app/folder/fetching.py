"""Downloads of layers, as the node shows and limits them: one place for all of them.

Stored layers that the disk has damaged are found here, removed, said and brought again:
those whose files look different before each use, all of them when they cannot be mounted.
What is damaged, `app/engine/soundness.py` knows.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence, Set
from contextlib import nullcontext
from statistics import median
from typing import Final

from app.api.shapes import Download
from app.engine.manifest import UnitEntry
from app.engine.progress import Progress
from app.folder.data_folder import DataFolder, OpenModel, ProgressLine
from app.ids import Span
from app.layer_words import layers_among
from app.sentences import Sentence, say

logger = logging.getLogger(__name__)

MOST_REMARKS: Final = 3
"""About damaged layers, the latest; a disk that fails must not fill the window."""

TELLING_BYTES: Final = 4 << 20
"""A shorter download tells how long it takes to begin, not how fast the line is."""
RATES_KEPT: Final = 1024
"""Some minutes: the newest, told a few times a second."""

Limit = Callable[[int], Awaitable[None]]
"""Awaited with the bytes of each piece that came; returns when more may come."""


class Fetching:
    """Brings layers here.

    Args:
        changed: called when a download moves.
        show: whether progress is also told on standard error.
        dropped: called with the hashes of layers that were damaged and removed.
        measured: called with the bytes a second of a download over the network.

    Attributes:
        current: the download that is under way; None without.
        remarks: sentences for the person about layers that were damaged.
    """

    def __init__(
        self,
        data: DataFolder,
        *,
        changed: Callable[[], None],
        limit: Limit | None = None,
        show: bool = False,
        dropped: Callable[[Set[bytes]], None] = lambda _: None,
        measured: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._data = data
        self._changed = changed
        self._limit = limit
        self._show = show
        self._dropped = dropped
        self._measured = measured
        self._one_at_a_time = asyncio.Lock()
        self.current: Download | None = None
        self.remarks: deque[Sentence] = deque(maxlen=MOST_REMARKS)

    async def fetch(self, model: OpenModel, span: Span) -> None:
        """Bring the units of a span here, unless they are here already and look as they did.

        Raises:
            Refusal: there is no room.
            DownloadFailed: no origin delivers.
        """
        async with self._one_at_a_time:
            await self._drop_damaged(model, span, doubtful=False)
            await self._bring(model, span)

    async def mend(self, model: OpenModel, span: Span) -> bool:
        """Hash the units of a span that cannot be mounted, and bring damaged ones again.

        Takes as long as reading them, at most once an hour.

        Returns:
            Whether anything is different now, so that mounting may succeed.

        Raises:
            Refusal, DownloadFailed: as `fetch`.
        """
        async with self._one_at_a_time:
            dropped = await self._drop_damaged(model, span, doubtful=True)
            brought = await self._bring(model, span)
            return dropped or brought

    async def _drop_damaged(self, model: OpenModel, span: Span, *, doubtful: bool) -> bool:
        entries = model.manifest.units_of(span)
        stop = threading.Event()
        try:
            damaged = await asyncio.to_thread(
                self._data.soundness.damaged, entries, doubtful=doubtful, stopped=stop.is_set
            )
        finally:
            stop.set()  # when this is cancelled, the thread soon ends too
        if not damaged:
            return False
        for unit in damaged:
            self._data.store.remove(unit.sha256)
        self._dropped({unit.sha256 for unit in damaged})
        remark = damage_told(model, damaged)
        logger.warning("%s", remark)
        if remark not in self.remarks:
            self.remarks.append(remark)
        self._changed()
        return True

    async def _bring(self, model: OpenModel, span: Span) -> bool:
        """Download what is missing; whether there was anything."""
        entries = model.manifest.units
        units = range(span.start, span.stop)
        wanted = [unit for unit in units if not self._data.store.has(entries[unit])]
        if not wanted:
            return False
        line = ProgressLine(model.manifest.name) if self._show else None

        rates: deque[float] = deque(maxlen=RATES_KEPT)

        def show(progress: Progress) -> None:
            if progress.bytes_per_second:
                rates.append(progress.bytes_per_second)
            self._moved(model, progress)
            if line is not None:
                line.update(progress)

        # What comes with Potluck itself crosses no network.
        limit = None if model.is_embedded else self._limit
        try:
            async with self._data.downloader(limit=limit) as downloader:
                with nullcontext() if line is None or model.is_embedded else line.begun():
                    await downloader.fetch(model.manifest, wanted, show)
        finally:
            self.current = None
            self._changed()
        if not model.is_embedded and sum(entries[unit].size for unit in wanted) >= TELLING_BYTES:
            # The middle: a pause in between says nothing about the line.
            self._measured(median(rates or [0.0]))
        await asyncio.to_thread(self._data.soundness.note, [entries[unit] for unit in wanted])
        return True

    def _moved(self, model: OpenModel, progress: Progress) -> None:
        self.current = Download(
            model=model.manifest.shown_name,
            done_bytes=progress.done_bytes,
            total_bytes=progress.total_bytes,
            bytes_per_second=progress.bytes_per_second,
            origin=progress.origin,
        )
        self._changed()


def damage_told(model: OpenModel, damaged: Sequence[UnitEntry]) -> Sentence:
    """That stored layers were damaged, and what becomes of them."""
    title = model.manifest.shown_name
    hashes = {unit.sha256 for unit in damaged}
    units = [n for n, unit in enumerate(model.manifest.units) if unit.sha256 in hashes]
    return say("units_damaged", model=title, layers=layers_among(units, model.plan.head_unit))
