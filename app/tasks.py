"""Tasks with an owner and a name.

A bare `asyncio.create_task` can vanish with its exception. Here a part of the
program that wants something done in the background owns a `TaskOwner`; leaving
it cancels what still runs and waits for it, and a task that fails is logged
with its name at the moment it fails. What is to stop in its middle when something
happens is done with `unless_set`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)


class TaskOwner:
    """Owns background tasks between `async with` and its end."""

    def __init__(self, name: str) -> None:
        self._name = name
        # In the order of their start, so that ending them has the same order each time.
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._closed = False

    async def __aenter__(self) -> TaskOwner:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run `work` in the background until it ends or the owner closes.

        Raises:
            RuntimeError: the owner is closed already; `work` is disposed of.
        """
        if self._closed:
            work.close()
            raise RuntimeError(f"{self._name} is closed and starts no {name}")
        task = asyncio.get_running_loop().create_task(work, name=f"{self._name}: {name}")
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel every task that still runs and wait until it has ended."""
        self._closed = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed", task.get_name(), exc_info=error)


async def unless_set(event: asyncio.Event, work: Coroutine[Any, Any, T], *, name: str) -> T | None:
    """Do `work`, and stop it in its middle as soon as the event is set.

    But for the event it is as if the work were awaited here: who cancels this cancels the work,
    it has ended when this ends, and what it raises is raised here, also if it does so while it
    is being stopped.

    Returns:
        What the work returns; None if it was stopped, or not begun as the event was set before.
    """
    if event.is_set():
        work.close()
        return None
    loop = asyncio.get_running_loop()
    doing = loop.create_task(work, name=name)
    watching = loop.create_task(event.wait(), name=f"{name}: watch")
    try:
        try:
            await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            doing.cancel()
            watching.cancel()
            # Unlike `asyncio.wait` it waits for both even when this is cancelled once more.
            await asyncio.gather(doing, watching, return_exceptions=True)
    finally:
        if not doing.cancelled() and (error := doing.exception()) is not None:
            raise error
    return None if doing.cancelled() else doing.result()
