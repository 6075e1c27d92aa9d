"""How far and how fast; see app/engine/progress.py."""

from __future__ import annotations

from app.engine.progress import Progress, ProgressMeter
from tests.helpers.clocks import FakeClock


def test_what_was_here_already_counts_as_done_but_not_for_the_speed() -> None:
    clock, told = FakeClock(), list[Progress]()
    meter = ProgressMeter({3: 1000, 4: 500}, told.append, clock)
    meter.has(4, 500)
    meter.moved(3, 200, "example.org")
    assert told == [Progress(3, 200, 1000, 700, 1500, 0.0, "example.org")]


def test_nobody_is_told_more_than_four_times_a_second() -> None:
    clock, told = FakeClock(), list[Progress]()
    meter = ProgressMeter({0: 100}, told.append, clock)
    for done in range(100):
        meter.moved(0, done, "")
        clock.now += 0.01
    assert 3 <= len(told) <= 5


def test_beginnings_and_ends_are_always_told() -> None:
    clock, told = FakeClock(), list[Progress]()
    meter = ProgressMeter({0: 100, 1: 100}, told.append, clock)
    meter.moved(0, 0, "", always=True)
    meter.moved(0, 50, "")
    meter.moved(0, 100, "", always=True)
    assert [progress.done_bytes for progress in told] == [0, 100]


def test_the_speed_is_that_of_the_last_seconds() -> None:
    clock = FakeClock()
    meter = ProgressMeter({0: 1 << 30}, None, clock)
    assert meter.bytes_per_second() == 0.0
    for _ in range(10):
        clock.now += 1.0
        meter.arrived(5_000_000)
    for _ in range(10):
        clock.now += 1.0
        meter.arrived(1000)
    assert meter.bytes_per_second() == 1000.0
    clock.now += 60.0
    assert meter.bytes_per_second() == 0.0


def test_without_a_listener_nothing_happens() -> None:
    ProgressMeter({0: 100}, None, FakeClock()).moved(0, 50, "", always=True)
