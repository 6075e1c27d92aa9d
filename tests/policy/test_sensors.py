"""The sensors of this computer, for real; and what they make of odd answers."""

from __future__ import annotations

import sys
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.policy.readings import Readings
from app.policy.sensors import (
    ComputerSensors,
    OtherPrograms,
    on_battery,
    processor_busy_seconds,
    processor_celsius,
    running,
    this_system,
)

Entry = namedtuple("Entry", "label current high critical")
Battery = namedtuple("Battery", "percent secsleft power_plugged")


class Quiet:
    """A system that tells nothing."""

    closed = 0

    def idle_seconds(self) -> float | None:
        return None

    def metered(self) -> bool | None:
        return None

    def full_screen(self) -> bool | None:
        return None

    def close(self) -> None:
        self.closed += 1


def test_this_computer_is_read_at_little_cost(tmp_path: Path) -> None:
    system = this_system()
    made = ComputerSensors(system, tmp_path)
    made.read(frozenset())  # the first look opens connections
    took = []
    for _ in range(5):
        began = time.thread_time()
        read = made.read(frozenset())
        took.append(time.thread_time() - began)
    made.close()
    assert min(took) < 0.02
    assert read.disk_free_bytes is not None
    assert read.other_cpu_percent is not None
    assert 0 <= read.other_cpu_percent <= 100
    assert read.programs == frozenset()


def test_what_the_system_does_not_tell_is_unknown(tmp_path: Path) -> None:
    system = Quiet()
    made = ComputerSensors(system, tmp_path / "missing")
    read = made.read(frozenset())
    assert (read.idle_seconds, read.metered, read.full_screen) == (None, None, None)
    assert read.other_cpu_percent is None, "there is nothing to compare with yet"
    assert read.disk_free_bytes is None
    assert isinstance(read, Readings)
    made.close()
    assert system.closed == 1


def test_others_are_all_that_is_busy_less_what_is_ours() -> None:
    busy, own = [100.0], [10.0]
    others = OtherPrograms(busy_seconds=lambda: busy[0], own_seconds=lambda: own[0], processors=4)
    assert others.percent(0.0) is None
    busy[0] += 6.0
    own[0] += 2.0
    assert others.percent(2.0) == pytest.approx(50.0)


def test_a_short_burst_of_others_weighs_little_and_a_long_one_counts() -> None:
    busy = [0.0]
    others = OtherPrograms(busy_seconds=lambda: busy[0], own_seconds=lambda: 0.0, processors=1)
    others.percent(0.0)
    others.percent(2.0)
    busy[0] += 2.0
    first = others.percent(4.0)
    assert first is not None
    assert 15 < first < 25.1
    for second in range(6, 40, 2):
        busy[0] += 2.0
        last = others.percent(float(second))
    assert last is not None
    assert last > 90


def test_counters_that_disagree_are_no_negative_use() -> None:
    busy, own = [100.0], [10.0]
    others = OtherPrograms(busy_seconds=lambda: busy[0], own_seconds=lambda: own[0], processors=1)
    others.percent(0.0)
    own[0] += 5.0
    assert others.percent(1.0) == 0.0
    assert others.percent(1.0) == 0.0, "no time has passed"


def test_the_whole_processor_has_worked_since_the_start() -> None:
    before = processor_busy_seconds()
    ends = time.process_time() + 0.05
    while time.process_time() < ends:
        pass
    assert processor_busy_seconds() >= before > 0


@pytest.mark.parametrize(
    ("battery", "means"),
    [
        (None, False),
        (Battery(80, 3600, False), True),
        (Battery(80, -2, True), False),
        (Battery(80, -1, None), None),
    ],
)
def test_the_battery(monkeypatch: pytest.MonkeyPatch, battery: Any, means: bool | None) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    assert on_battery() is means


def test_a_battery_that_cannot_be_asked_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no such device")

    monkeypatch.setattr(psutil, "sensors_battery", fail, raising=False)
    assert on_battery() is None
    monkeypatch.delattr(psutil, "sensors_battery")
    assert on_battery() is None


def test_heat_is_the_hottest_of_the_best_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = {
        "nvme": [Entry("Composite", 78.9, 80.0, 85.0)],
        "acpitz": [Entry("", 27.8, 105.0, 105.0)],
        "coretemp": [Entry("Package id 0", 61.0, 80.0, 100.0), Entry("Core 0", 63.0, 80.0, 100.0)],
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: recorded, raising=False)
    assert processor_celsius() == 63.0
    recorded["coretemp"] = [Entry("broken", 255.5, None, None), Entry("off", 0.0, None, None)]
    assert processor_celsius() == 27.8
    recorded.clear()
    assert processor_celsius() is None
    monkeypatch.delattr(psutil, "sensors_temperatures")
    assert processor_celsius() is None


def test_running_programs_are_found_by_name() -> None:
    own = psutil.Process().name()
    upper = own.upper() + ".exe"
    assert running(frozenset({own, upper, "no such program"})) == frozenset({own, upper})
    assert running(frozenset()) == frozenset()


def test_programs_that_cannot_be_listed_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "process_iter", fail)
    assert running(frozenset({"steam"})) is None


def test_every_system_has_its_own() -> None:
    names = {"linux": "LinuxSystem", "win32": "WindowsSystem", "darwin": "MacSystem"}
    system = this_system()
    assert type(system).__name__ == names[sys.platform]
    system.close()
