"""The pacer charges what was measured, and says how long to rest."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from app.policy.pacing import Pacer, ProcessorTime
from tests.helpers.virtual_clock import VirtualClock


class Meters:
    """What the system would say."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.joules: float | None = None


def pacer(clock: VirtualClock, meters: Meters, *, processors: int = 4) -> Pacer:
    return Pacer(
        clock=clock,
        processor_seconds=lambda: meters.seconds,
        joules=lambda: meters.joules,
        processors=processors,
    )


def test_without_caps_nothing_rests_and_nothing_is_asked() -> None:
    clock, meters = VirtualClock(), Meters()
    free = pacer(clock, meters)
    free.set_caps(cpu_fraction=1.0, power_watts=None)
    meters.seconds += 1000
    clock.advance(1)
    assert free.rest_seconds(1.0) == 0.0


def test_a_quarter_of_four_processors_is_one_second_each_second() -> None:
    clock, meters = VirtualClock(), Meters()
    capped = pacer(clock, meters)
    capped.set_caps(cpu_fraction=0.25, power_watts=None)
    clock.advance(1.0)
    meters.seconds += 4.0
    assert capped.rest_seconds(1.0) == pytest.approx(3.0)
    clock.advance(3.1)
    assert capped.rest_seconds(0.0) == 0.0


def test_energy_above_the_power_cap_is_rested_off() -> None:
    clock, meters = VirtualClock(), Meters()
    meters.joules = 5000.0
    capped = pacer(clock, meters)
    capped.set_caps(cpu_fraction=None, power_watts=100.0)
    capped.measure()
    clock.advance(1.0)
    meters.joules += 300.0
    assert capped.rest_seconds(1.0) == pytest.approx(2.0)
    clock.advance(2.0)
    meters.joules += 20.0  # at rest it still draws a little, which is charged too
    assert 0 < capped.rest_seconds(0.0) <= 0.5


def test_a_card_that_falls_silent_stops_nothing() -> None:
    clock, meters = VirtualClock(), Meters()
    meters.joules = 1.0
    capped = pacer(clock, meters)
    capped.set_caps(cpu_fraction=None, power_watts=10.0)
    meters.joules = None
    clock.advance(1.0)
    assert capped.rest_seconds(1.0) == 0.0
    assert capped.watts is None


def test_without_caps_all_of_the_speed_is_kept_up() -> None:
    free = pacer(VirtualClock(), Meters())
    free.set_caps(cpu_fraction=1.0, power_watts=None)
    assert free.sustained_share(4) == 1.0


@pytest.mark.parametrize(
    ("fraction", "threads", "share"),
    [
        (0.25, 4, 0.25),
        (0.25, 2, 0.5),
        (0.25, 1, 1.0),
        (0.5, 1, 1.0),
        (0.75, 4, 0.75),
        (0.1, 0, 1.0),
    ],
)
def test_a_cap_on_the_processor_leaves_its_part_of_the_speed(
    fraction: float, threads: int, share: float
) -> None:
    capped = pacer(VirtualClock(), Meters(), processors=4)
    capped.set_caps(cpu_fraction=fraction, power_watts=None)
    assert capped.sustained_share(threads) == pytest.approx(share)


def test_a_power_cap_leaves_what_work_and_rests_come_to() -> None:
    clock, meters = VirtualClock(), Meters()
    meters.joules = 0.0
    capped = pacer(clock, meters)
    capped.set_caps(cpu_fraction=None, power_watts=100.0)
    capped.measure()
    assert capped.sustained_share(4) == 1.0, "nothing is known yet"
    for _ in range(200):
        clock.advance(0.1)
        meters.joules += 0.1 * 300.0
        rest = capped.rest_seconds(0.1)
        while rest > 0:
            rest = min(max(rest, 0.001), 0.25)
            clock.advance(rest)
            meters.joules += rest * 20.0
            rest = capped.rest_seconds(0.0)
    # 300 W for a part of the time and 20 W for the rest make 100 W: 80 / 280.
    assert capped.sustained_share(4) == pytest.approx(80 / 280, rel=0.1)
    capped.set_caps(cpu_fraction=None, power_watts=None)
    assert capped.sustained_share(4) == 1.0


def test_what_was_measured_is_shown_in_percent_of_the_whole() -> None:
    clock, meters = VirtualClock(), Meters()
    capped = pacer(clock, meters)
    assert capped.cpu_percent is None
    for _ in range(20):
        capped.measure()
        clock.advance(1.0)
        meters.seconds += 1.0
    assert capped.cpu_percent == pytest.approx(25.0, rel=0.1)


def test_short_batches_are_charged_together() -> None:
    clock, meters = VirtualClock(), Meters()
    asked = 0

    def seconds() -> float:
        nonlocal asked
        asked += 1
        return meters.seconds

    capped = Pacer(clock=clock, processor_seconds=seconds, joules=lambda: None, processors=1)
    capped.set_caps(cpu_fraction=0.5, power_watts=None)
    for _ in range(100):
        clock.advance(0.001)
        capped.rest_seconds(0.001)
    assert asked <= 8


def test_processor_time_counts_a_worker_and_keeps_it_after_its_end() -> None:
    burn = "ends = time.process_time() + 0.3\nwhile time.process_time() < ends: pass\n"
    worker = subprocess.Popen(
        [sys.executable, "-c", f"import time\ninput()\n{burn}input()\n"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert worker.stdin is not None
    alive = [worker.pid]
    counted = ProcessorTime(lambda: alive)
    try:
        before = counted.seconds()
        worker.stdin.write(b"\n")
        worker.stdin.flush()
        while sum(psutil.Process(worker.pid).cpu_times()[:2]) < 0.25:
            os.sched_yield()
        during = counted.seconds()
        assert during - before >= 0.1
    finally:
        worker.communicate(b"\n")
    alive.clear()
    assert counted.seconds() >= during


def test_a_worker_that_is_gone_already_is_no_error() -> None:
    assert ProcessorTime(lambda: [2**22 - 3]).seconds() > 0
