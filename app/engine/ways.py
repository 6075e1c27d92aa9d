"""Starts a worker with a span mounted, in the first way of loading that works here.

What the ways are, and which of them failed before, `app/engine/ladder.py` knows; how one of them
is tried, `app/engine/mounting.py`. `app/engine/supervisor.py` keeps what is started here running.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.child import Child, start_child
from app.engine.ladder import Ladder, Rung
from app.engine.mounting import Mount, MountRequest, introduction, mount_in
from app.errors import EngineFault, NoRoom, WorkerDied
from app.sentences import say

PROBE_SECONDS: Final = 120.0
"""A slice of many GB is read from a slow disk while it is probed."""


@dataclass(frozen=True)
class Started:
    """A worker that has the span, the way it was loaded, and what came of it."""

    child: Child
    rung: Rung
    mount: Mount


@dataclass(frozen=True)
class _NoMount:
    """Why one way of loading failed, and whether damaged files could be the cause."""

    reason: str
    files_doubtful: bool = True


async def start_mounted(
    request: MountRequest,
    ladder: Ladder,
    *,
    begun: Callable[[Child], None] = lambda _: None,
    command: Sequence[str] | None = None,
    mend: Callable[[], Awaitable[bool]] | None = None,
) -> Started:
    """Start a worker and mount what is asked for; a way that kills a worker is struck out.

    Whatever is raised, a cancellation included, no worker is left behind.

    Args:
        begun: told each worker that is started, also one that will be given up.
        command: starts a worker; None is this very program.
        mend: as `Engine`'s; called once at most.

    Raises:
        EngineFault: no way of loading works; the text says what was tried.
        Refusal, DownloadFailed: what `mend` raises.
    """
    child = await start_child(command)
    try:
        begun(child)
        report = await introduction(child, PROBE_SECONDS)
        reasons = []
        rungs = deque(ladder.rungs(gpu=report.gpu and request.gpu))
        while rungs:
            rung = rungs.popleft()
            if not child.alive:
                await child.stop()
                child = await start_child(command)
                begun(child)
            mount = await _try(child, request, rung)
            if isinstance(mount, Mount):
                return Started(child, rung, mount)
            if mend is not None and mount.files_doubtful:
                mended, mend = await mend(), None
                if mended:  # then the way of loading was not to blame
                    rungs.appendleft(rung)
                    continue
            if child.crashed:
                ladder.strike(rung, mount.reason)
            reasons.append(f"{rung.name}: {mount.reason}")
        raise EngineFault(say("cannot_run", reasons="; ".join(reasons)))
    except BaseException:
        await child.stop()
        raise


async def _try(child: Child, request: MountRequest, rung: Rung) -> Mount | _NoMount:
    """Load one way, or say why that does not work."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return await mount_in(child, request, rung)
    except WorkerDied:
        return _NoMount(await child.ended())
    except TimeoutError:
        child.kill()
        await child.ended()
        return _NoMount(f"no answer in {PROBE_SECONDS:.0f} s")
    except NoRoom as error:
        return _NoMount(str(error), files_doubtful=False)
    except (EngineFault, OSError) as error:
        return _NoMount(str(error))
