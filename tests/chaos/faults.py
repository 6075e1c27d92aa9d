"""What happens to computers: each fault hurts one member of the swarm and makes it whole again.

`FAULTS` names them as people read them; `tests/chaos/storm.py` draws who is hurt, when and
for how long. They need a POSIX system; `disk` needs Linux.
"""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Final

import psutil

from tests.chaos.swarm import ChaosSwarm, Member

STOP_SECONDS: Final = 60.0
"""A node that is asked to end has gone long before, also on a computer with far too much to do."""

Hit = Callable[[], None]
"""Called at the moment the fault strikes."""
Fault = Callable[[ChaosSwarm, Member, Random, Hit], Awaitable[None]]


async def killed(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """kill -9, and later it is started again with the same folder."""
    node = member.running
    swarm.remember(member)
    node.process.kill()
    hit()
    await asyncio.to_thread(node.process.wait)
    swarm.died(member)
    await asyncio.sleep(chance.uniform(0.3, 4))
    await swarm.start_member(member)


async def ended(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """A polite end, and later it is started again."""
    node = member.running
    swarm.remember(member)
    node.process.terminate()
    hit()
    code = await asyncio.to_thread(node.process.wait, STOP_SECONDS)
    assert code == 0, f"a node that was asked to end ended with {code}: {node.errors[-2000:]}"
    swarm.died(member)
    await asyncio.sleep(chance.uniform(0.3, 4))
    await swarm.start_member(member)


async def stopped(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """The node stands still, as on a computer that sleeps."""
    await _stand_still(psutil.Process(member.running.process.pid), chance.uniform(0.3, 6), hit)


async def worker_stopped(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """Only its engine stands still, as with a hung driver."""
    worker = _worker(swarm, member)
    if worker is not None:
        await _stand_still(worker, chance.uniform(0.3, 6), hit)


async def worker_killed(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """Its engine crashes."""
    worker = _worker(swarm, member)
    if worker is not None:
        with suppress(psutil.NoSuchProcess):  # it has just ended by itself
            worker.kill()
            hit()


async def cut(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """Nothing reaches it for a while."""
    member.link.is_cut = True
    hit()
    await asyncio.sleep(chance.uniform(0.5, 6))
    member.link.is_cut = False


async def slowed(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """Its line is slow and loses datagrams for a while."""
    member.link.delay_seconds = chance.uniform(0.05, 0.4)
    member.link.loss = chance.uniform(0.0, 0.2)
    hit()
    await asyncio.sleep(chance.uniform(1, 6))
    member.link.delay_seconds = member.link.loss = 0.0


async def paused(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """Its owner pauses it, and resumes."""
    asking = asyncio.ensure_future(swarm.ask(member, "/pause", {"kind": "resume"}))
    hit()
    await asking
    await asyncio.sleep(chance.uniform(0.3, 3))
    await swarm.ask(member, "/resume", {})


async def disk_full(swarm: ChaosSwarm, member: Member, chance: Random, hit: Hit) -> None:
    """Its disk takes not a byte more for a while: every write to a file fails."""
    limits: dict[int, tuple[int, int]] = {}
    for process in swarm.remember(member):
        with suppress(ProcessLookupError):  # it has just ended by itself
            limit = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, limit[1]))
            limits[process.pid] = limit
    hit()
    await asyncio.sleep(chance.uniform(1, 6))
    for pid, limit in limits.items():
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


FAULTS: Final[dict[str, Fault]] = {
    "kill -9 of a node": killed,
    "polite end of a node": ended,
    "node stands still": stopped,
    "worker stands still": worker_stopped,
    "worker is killed": worker_killed,
    "link is cut": cut,
    "link is slow": slowed,
    "owner pauses": paused,
    "disk is full": disk_full,
}


def _worker(swarm: ChaosSwarm, member: Member) -> psutil.Process | None:
    """Its engine's process; None while it is being started."""
    family = swarm.remember(member)
    return family[1] if len(family) > 1 else None


async def _stand_still(process: psutil.Process, seconds: float, hit: Hit) -> None:
    with suppress(psutil.NoSuchProcess):  # it has just ended by itself, or its node ended it
        process.send_signal(signal.SIGSTOP)
        hit()
        try:
            await asyncio.sleep(seconds)
        finally:
            process.send_signal(signal.SIGCONT)
