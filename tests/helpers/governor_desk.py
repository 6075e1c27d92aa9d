"""A governor with everything around it played: sensors, node, cards and clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from app.policy.governor import Governor
from app.policy.pacing import Pacer
from app.policy.power import Cards
from app.policy.readings import Readings
from app.policy.traffic import Traffic
from app.policy.verdict import GIGABYTE, Caps, Machine, Verdict
from app.preferences import Settings
from tests.helpers.virtual_clock import VirtualClock
from tests.policy.test_power import Nvml

AWAY = Readings(
    idle_seconds=600.0,
    on_battery=False,
    metered=False,
    other_cpu_percent=1.0,
    full_screen=False,
    programs=frozenset(),
    disk_free_bytes=100 * GIGABYTE,
)


class Played:
    """Sensors that say what a test plays."""

    def __init__(self, readings: Readings = AWAY) -> None:
        self.readings = readings
        self.asked: list[frozenset[str]] = []
        self.closed = 0
        self.stuck: threading.Event | None = None
        self.broken = False

    def read(self, programs: frozenset[str]) -> Readings:
        self.asked.append(programs)
        if self.stuck is not None:
            self.stuck.wait(60)
        if self.broken:
            raise RuntimeError("a sensor nobody has seen before")
        return self.readings

    def close(self) -> None:
        self.closed += 1


class Node:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.caps: list[Caps] = []
        self.fault: Exception | None = None

    async def pause(self, verdict: Verdict) -> None:
        self.told.append(f"pause: {verdict.reason}")
        if self.fault is not None:
            raise self.fault

    async def resume(self, verdict: Verdict) -> None:
        self.told.append("resume")

    async def apply(self, caps: Caps) -> None:
        self.told.append(f"{caps.threads} threads")
        self.caps.append(caps)


class Desk:
    """A governor and everything around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.sensors = Played()
        self.node = Node()
        self.changes = 0
        self.gpu = False
        self.nvml = Nvml(cards=1)
        self.traffic = Traffic(folder, clock=self.clock, month=lambda: "2030-01")

    def changed(self) -> None:
        self.changes += 1

    @asynccontextmanager
    async def open(
        self, settings: Settings | None = None, *, as_told: bool = False, doubtful: bool = False
    ) -> AsyncIterator[Governor]:
        cards = Cards(self.folder, nvml=self.nvml, clock=self.clock)
        pacer = self.pacer = Pacer(
            clock=self.clock,
            processor_seconds=lambda: 0.0,
            joules=cards.joules,
            processors=8,
        )
        async with Governor(
            self.folder,
            settings or Settings(),
            self.node,
            sensors=self.sensors,
            traffic=self.traffic,
            pacer=pacer,
            cards=cards,
            machine=lambda: Machine(processors=8, gpu_usable=self.gpu),
            clock=self.clock,
            changed=self.changed,
            as_told=as_told,
            doubtful=doubtful,
        ) as made:
            await made.reconsider()
            yield made


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30.0):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.005)
