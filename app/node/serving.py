"""One span that is up: the engine that computes it and the host that strangers talk to.

`app/node/sharing.py` decides when there is one, and tells others of it; here it is built.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from app.clock import Clock
from app.engine.manifest import UnitEntry
from app.engine.supervisor import Engine
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import Span
from app.net.channel import ChannelOpener
from app.preferences import Settings
from app.swarm.credits import Credits
from app.swarm.host import Host
from app.tasks import TaskOwner


@dataclass(frozen=True)
class ShareOrder:
    """What to serve, and with what: another order means mounting again.

    Attributes:
        gpu: whether a graphics card may compute.
        threads: 0 leaves the count to what is measured fastest.
        kv_tokens, sequences: room for conversations, and how many.
    """

    model: OpenModel
    span: Span
    gpu: bool
    threads: int
    kv_tokens: int
    sequences: int

    @property
    def units(self) -> list[UnitEntry]:
        """What has to be here for it, in order."""
        return self.model.manifest.units_of(self.span)

    @classmethod
    def by_settings(
        cls, settings: Settings, model: OpenModel, span: Span, *, gpu: bool
    ) -> ShareOrder:
        """To serve these units with what the owner gives for it."""
        return cls(
            model,
            span,
            gpu=gpu,
            threads=settings.threads,
            kv_tokens=settings.kv_tokens,
            sequences=settings.max_sessions,
        )


@dataclass
class Serving:
    """What is up now. Closing `stack` ends it, and what `tasks` still do for it."""

    order: ShareOrder
    engine: Engine
    host: Host
    tasks: TaskOwner
    stack: AsyncExitStack
    announced_speed: float = 0.0
    announced: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Means:
    """What a span is served with.

    Attributes:
        opener: reaches the computers after this one in a chain.
        place: keeps mounts of one data folder apart.
        credits: where what is computed for others is counted.
        rest: as `Engine`'s: how long to rest after each batch.
    """

    data: DataFolder
    opener: ChannelOpener
    clock: Clock
    place: str = "serving"
    credits: Credits | None = None
    rest: Callable[[float], float] | None = None


async def bring_up(
    means: Means,
    order: ShareOrder,
    *,
    mend: Callable[[], Awaitable[bool]] | None,
    most_threads: int | None,
) -> Serving:
    """Mount units that are here, ready for sessions; nothing is told of it yet.

    Args:
        mend: as `Engine`'s.
        most_threads: compute with at most so many; None sets no limit.

    Raises:
        EngineFault: no way of loading works.
        Refusal, DownloadFailed: damaged files were found and cannot be had again.
    """
    request = means.data.mount_request(
        order.model,
        order.span,
        kv_tokens=order.kv_tokens,
        sequences=order.sequences,
        name=means.place,
        gpu=order.gpu,
        threads=order.threads,
    )
    async with AsyncExitStack() as building:
        engine = await building.enter_async_context(
            Engine(request, means.data.ladder(), rest=means.rest, mend=mend)
        )
        if most_threads is not None:
            await engine.limit_threads(most_threads)
        host = Host(
            engine,
            order.model.id,
            means.opener,
            clock=means.clock,
            credits=means.credits,
            head_unit=order.model.plan.head_unit,
        )
        tasks = await building.enter_async_context(TaskOwner("serving"))
        tasks.start(host.sweep(), name="leases")
        return Serving(order, engine, host, tasks, building.pop_all())
