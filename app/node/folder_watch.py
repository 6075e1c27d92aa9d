"""Looks whether the data folder is still the one that this node holds.

Somebody may remove the folder, or make it again, while the node runs. Then nothing that
happens is kept, and another node could begin in it; the first one has to notice. The
counterpart is `app/process_lock.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from app.errors import UsageError
from app.process_lock import ProcessLock
from app.sentences import Sentence, say

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0


async def keep_folder(
    lock: ProcessLock,
    *,
    warn: Callable[[Sentence], None],
    quit: Callable[[], None],
    look_seconds: float = LOOK_SECONDS,
) -> None:
    """Look now and then; runs until it is cancelled, or has asked for the end of the node.

    A folder that is gone is said. One that was made again is held like the first, so that
    no second node begins in it; if one has already, this node ends.

    Args:
        warn: tells the person.
        quit: ends this node.
    """
    while True:
        await asyncio.sleep(look_seconds)
        if await asyncio.to_thread(lock.is_held):
            continue
        warn(say("folder_gone", folder=str(lock.path.parent)))
        if not await asyncio.to_thread(lock.path.parent.is_dir):
            continue
        try:
            await asyncio.to_thread(lock.hold_again)
        except UsageError as error:
            logger.error("%s This node ends.", error)
            quit()
            return
