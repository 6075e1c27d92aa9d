"""Several words to several computers at once, and what to make of the first that fails.

`app/swarm/chain.py` opens and mends its sessions with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from app.swarm.token_chain import ChainBroken
from app.tasks import TaskOwner


async def side_by_side(
    owner: TaskOwner, *work: Awaitable[None], unless: asyncio.Future[ChainBroken] | None = None
) -> None:
    """Do it all at once; when one fails the others are given up.

    Args:
        unless: done when something else fails meanwhile; then all of it is given up.

    Raises:
        ChainBroken: the first that failed, when all have ended.
    """
    # No TaskGroup: on Python 3.11 one that fails leaves the caller half cancelled, and
    # Ctrl-C is then no KeyboardInterrupt any more.
    tasks = [owner.start(_outcome(each), name="open") for each in work]
    if not tasks:
        return
    failed = None
    try:
        for ended in asyncio.as_completed(tasks if unless is None else [unless, *tasks]):
            if (failed := await ended) is not None or all(task.done() for task in tasks):
                break
    finally:
        for unfinished in tasks:
            unfinished.cancel()
        await asyncio.wait(tasks)
    if failed is None and unless is not None and unless.done():
        failed = unless.result()
    if failed is not None:
        raise failed


async def _outcome(work: Awaitable[None]) -> ChainBroken | None:
    """A failure is handed back, for whoever waits to raise."""
    try:
        await work
    except ChainBroken as broken:
        return broken
    return None
