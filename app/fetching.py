"""Downloads of layers, as the node shows and limits them: one place for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from app.api.shapes import Download
from app.data_folder import DataFolder, OpenModel, ProgressLine
from app.engine.progress import Progress
from app.ids import Span

Limit = Callable[[int], Awaitable[None]]
"""Awaited with the bytes of each piece that came; returns when more may come."""


class Fetching:
    """Brings layers here.

    Args:
        changed: called when a download moves.
        show: whether progress is also told on standard error.

    Attributes:
        current: the download that is under way; None without.
    """

    def __init__(
        self,
        data: DataFolder,
        *,
        changed: Callable[[], None],
        limit: Limit | None = None,
        show: bool = False,
    ) -> None:
        self._data = data
        self._changed = changed
        self._limit = limit
        self._show = show
        self._one_at_a_time = asyncio.Lock()
        self.current: Download | None = None

    async def fetch(self, model: OpenModel, span: Span) -> None:
        """Bring the units of a span here, unless they are here already.

        Raises:
            Refusal: there is no room.
            DownloadFailed: no origin delivers.
        """
        async with self._one_at_a_time:
            entries = model.manifest.units
            units = range(span.start, span.stop)
            wanted = [unit for unit in units if not self._data.store.has(entries[unit])]
            if not wanted:
                return
            line = ProgressLine(model.manifest.name) if self._show else None

            def show(progress: Progress) -> None:
                self._moved(model, progress)
                if line is not None:
                    line.update(progress)

            # What comes with Potluck itself crosses no network.
            limit = None if model.is_embedded else self._limit
            try:
                async with self._data.downloader(limit=limit) as downloader:
                    await downloader.fetch(model.manifest, wanted, show)
            finally:
                self.current = None
                self._changed()

    def _moved(self, model: OpenModel, progress: Progress) -> None:
        self.current = Download(
            model=model.manifest.title or model.manifest.name,
            done_bytes=progress.done_bytes,
            total_bytes=progress.total_bytes,
            bytes_per_second=progress.bytes_per_second,
            origin=progress.origin,
        )
        self._changed()
