"""Rests between batches, so that processor and graphics card stay below their caps.

The engine calls `rest_seconds` after each batch and rests that long. What was used is
measured: the processor time of this process and of the workers, and the energy the
graphics cards drew. The arithmetic is `app/policy/duty.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

import psutil

from app.clock import Clock
from app.policy.duty import Duty

MEASURE_SECONDS: Final = 0.02
"""Short batches are charged together: the system counts processor time in 10 ms."""
SHARE_SECONDS: Final = 60.0
"""Work and rests older than this hardly count in what a power cap leaves."""
ENOUGH_SECONDS: Final = 5.0
"""Of work and rests, before they say what a power cap leaves."""


class ProcessorTime:
    """Processor seconds that this process and its workers used so far; never goes back."""

    def __init__(self, workers: Callable[[], Iterable[int]]) -> None:
        self._workers = workers
        self._own = psutil.Process()
        self._known: dict[int, tuple[psutil.Process, float]] = {}
        self._gone_seconds = 0.0

    def seconds(self) -> float:
        """The sum over all of them, those that have ended included."""
        wanted = set(self._workers())
        for pid in wanted - set(self._known):
            try:
                process = psutil.Process(pid)
                self._known[pid] = (process, 0.0)
            except psutil.Error:
                continue
        for pid, (process, last) in list(self._known.items()):
            try:
                self._known[pid] = (process, max(last, _cpu_seconds(process)))
            except psutil.Error:
                self._gone_seconds += last
                del self._known[pid]
        return (
            self._gone_seconds
            + _cpu_seconds(self._own)
            + sum(last for _, last in self._known.values())
        )


class Pacer:
    """Says how long to rest, and what the caps came to.

    Args:
        processor_seconds: used so far by everything that is to stay below the cap.
        joules: drawn so far by the graphics cards; None where that is not known.
        processors: how many logical processors there are.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        processor_seconds: Callable[[], float],
        joules: Callable[[], float | None],
        processors: int,
    ) -> None:
        self._clock = clock
        self._processor_seconds = processor_seconds
        self._joules = joules
        self._processors = processors
        self._cpu = Duty()
        self._power = Duty()
        self._last_seconds: float | None = None
        self._last_joules: float | None = None
        self._measured_at = float("-inf")
        self._worked = 0.0
        self._rested = 0.0
        self._resting_since: float | None = None

    def set_caps(self, *, cpu_fraction: float | None, power_watts: float | None) -> None:
        """Other caps from now on; None for no cap.

        Args:
            cpu_fraction: of all processors together.
            power_watts: of all graphics cards together, kept by resting.
        """
        now = self._clock.monotonic()
        self.measure()
        whole = cpu_fraction is None or cpu_fraction >= 1.0
        cpu = None if whole or cpu_fraction is None else cpu_fraction * self._processors
        if cpu != self._cpu.cap:
            self._cpu.set_cap(cpu, now)
        if power_watts != self._power.cap:
            self._power.set_cap(power_watts, now)
            self._worked = self._rested = 0.0
            self._resting_since = None

    def rest_seconds(self, work_seconds: float) -> float:
        """How long to rest after a batch that took so long; 0.0 without caps."""
        if self._cpu.cap is None and self._power.cap is None:
            return 0.0
        now = self._clock.monotonic()
        if now - self._measured_at >= MEASURE_SECONDS:
            self.measure()
        cpu, power = self._cpu.rest_seconds(now), self._power.rest_seconds(now)
        if self._power.cap is not None:
            self._note_pace(work_seconds, now, rests_for_power=power > cpu)
        return max(cpu, power)

    def sustained_share(self, threads: int) -> float:
        """How much of its full speed a worker keeps up under the caps, up to 1.0.

        What the cap on the processor leaves is reckoned: less of it is as much less work.
        (With fewer threads each does a little more, so this promises too little and never
        too much.) What a power cap kept by resting leaves is known once there was work.

        Args:
            threads: with how many it reaches its full speed.
        """
        share = 1.0
        if self._cpu.cap is not None and threads > 0:
            share = min(share, self._cpu.cap / threads)
        spent = self._worked + self._rested
        if self._power.cap is not None and spent >= ENOUGH_SECONDS:
            share = min(share, self._worked / spent)
        return share

    def measure(self) -> None:
        """Charge what was used since the last time; also called while nothing is computed."""
        now = self._measured_at = self._clock.monotonic()
        seconds = self._processor_seconds()
        if self._last_seconds is not None:
            self._cpu.used(max(0.0, seconds - self._last_seconds), now)
        self._last_seconds = seconds
        joules = self._joules() if self._power.cap is not None else None
        if joules is not None and self._last_joules is not None:
            self._power.used(max(0.0, joules - self._last_joules), now)
        self._last_joules = joules

    def _note_pace(self, work_seconds: float, now: float, *, rests_for_power: bool) -> None:
        rested = 0.0 if self._resting_since is None else now - self._resting_since
        self._resting_since = now if rests_for_power else None
        fades = math.exp(-(work_seconds + rested) / SHARE_SECONDS)
        self._worked = self._worked * fades + work_seconds
        self._rested = self._rested * fades + rested

    @property
    def cpu_percent(self) -> float | None:
        """Of the whole processor, over the last half minute; None while unknown."""
        mean = self._cpu.mean(self._clock.monotonic())
        return None if mean is None else 100 * mean / self._processors

    @property
    def watts(self) -> float | None:
        """Of the graphics cards, over the last half minute; None while unknown."""
        return self._power.mean(self._clock.monotonic())


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
