"""What this computer is doing right now, read from the system.

One `ComputerSensors` for every system; what differs between them is behind `System`
(`app/policy/linux.py`, `app/policy/windows.py`, `app/policy/macos.py`). Reading blocks
for some milliseconds and belongs off the event loop. What cannot be read is None.
"""

from __future__ import annotations

import logging
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

import psutil

from app.policy.pacing import ProcessorTime
from app.policy.readings import Readings, program_key

logger = logging.getLogger(__name__)

SMOOTHING_SECONDS: Final = 8.0
"""Other programs' use of the processor is a mean over about this long: a page that loads
is no reason to stop, a game that runs is."""
COLDEST_CELSIUS: Final = 1.0
HOTTEST_CELSIUS: Final = 130.0
"""Beyond these a reading is a broken sensor's."""
PROCESSOR_SENSORS: Final = (
    *("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal"),
    "acpitz",
)
"""Names of what measures a processor's heat, the more exact ones first."""


class Sensors(Protocol):
    """Reads everything at once."""

    def read(self, programs: frozenset[str]) -> Readings:
        """One look; `programs` are the names to look for among those that run."""
        ...

    def close(self) -> None:
        """Let go of what reading needs. A second call does nothing."""
        ...


class System(Protocol):
    """What every system tells in its own way. Nothing raises: unknown is None."""

    def idle_seconds(self) -> float | None:
        """Since the last touch of mouse or keyboard."""
        ...

    def metered(self) -> bool | None:
        """Whether the network in use is paid for by the byte."""
        ...

    def full_screen(self) -> bool | None:
        """Whether a program fills the screen."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class ComputerSensors:
    """The sensors of this computer.

    Args:
        folder: the data folder; its disk is the one that matters.
        own: numbers of the processes that are Potluck's, this one aside.
    """

    def __init__(
        self, system: System, folder: Path, *, own: Callable[[], Iterable[int]] = tuple
    ) -> None:
        self._system = system
        self._folder = folder
        self._others = OtherPrograms(
            busy_seconds=processor_busy_seconds,
            own_seconds=ProcessorTime(own).seconds,
            processors=psutil.cpu_count() or 1,
        )

    def read(self, programs: frozenset[str]) -> Readings:
        """One look; some milliseconds."""
        return Readings(
            idle_seconds=self._system.idle_seconds(),
            on_battery=on_battery(),
            metered=self._system.metered(),
            temperature_celsius=processor_celsius(),
            other_cpu_percent=self._others.percent(time.monotonic()),
            full_screen=self._system.full_screen(),
            programs=running(programs),
            disk_free_bytes=disk_free_bytes(self._folder),
        )

    def close(self) -> None:
        """Let go of connections."""
        self._system.close()


class OtherPrograms:
    """How much of the processor everybody else uses, as a mean over the last seconds."""

    def __init__(
        self,
        *,
        busy_seconds: Callable[[], float],
        own_seconds: Callable[[], float],
        processors: int,
    ) -> None:
        self._busy_seconds = busy_seconds
        self._own_seconds = own_seconds
        self._processors = processors
        self._last: tuple[float, float, float] | None = None
        self._mean: float | None = None

    def percent(self, now: float) -> float | None:
        """Of the whole processor; None at the first look."""
        busy, own = self._busy_seconds(), self._own_seconds()
        if self._last is not None and now > self._last[0]:
            elapsed = now - self._last[0]
            others = max(0.0, (busy - self._last[1]) - (own - self._last[2]))
            sample = min(100.0, 100 * others / elapsed / self._processors)
            weight = 1.0 if self._mean is None else 1 - math.exp(-elapsed / SMOOTHING_SECONDS)
            self._mean = (
                sample if self._mean is None else self._mean + weight * (sample - self._mean)
            )
        self._last = (now, busy, own)
        return self._mean


def processor_busy_seconds() -> float:
    """Seconds that all processors together have worked since the start, for anybody."""
    times = psutil.cpu_times()
    names = ("user", "nice", "system", "irq", "softirq", "interrupt", "dpc")
    return float(sum(getattr(times, name, 0.0) for name in names))


def on_battery() -> bool | None:
    """Whether the battery is what powers the computer; False without one."""
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError, ValueError):
        return None
    if battery is None:
        return False
    return None if battery.power_plugged is None else not battery.power_plugged


def processor_celsius() -> float | None:
    """The hottest reading of the processor's best sensor."""
    try:
        sensors = psutil.sensors_temperatures()
    except (AttributeError, OSError, RuntimeError, ValueError):
        return None  # this system has none to offer
    for name in PROCESSOR_SENSORS:
        plausible = [
            float(entry.current)
            for entry in sensors.get(name, ())
            if entry.current is not None and COLDEST_CELSIUS < entry.current < HOTTEST_CELSIUS
        ]
        if plausible:
            return max(plausible)
    return None


def running(programs: frozenset[str]) -> frozenset[str] | None:
    """Those of the named programs that run now, named as the owner did."""
    if not programs:
        return frozenset()
    names: set[str] = set()
    try:
        for process in psutil.process_iter(["name"]):
            names.add(program_key(process.info["name"] or ""))
    except (psutil.Error, OSError):
        return None
    return frozenset(program for program in programs if program_key(program) in names)


def disk_free_bytes(folder: Path) -> int | None:
    """Room on the disk of a folder."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def this_system() -> System:
    """The one that this program runs on."""
    if sys.platform == "win32":
        from app.policy.windows import WindowsSystem, real_calls

        return WindowsSystem(real_calls())
    if sys.platform == "darwin":
        from app.policy.macos import MacSystem, real_calls

        return MacSystem(real_calls())
    from app.policy.linux import LinuxSystem

    return LinuxSystem()
