"""The computer's own clock, in seconds."""

import time

from app.clock import Clock, SystemClock


def test_durations_come_from_a_clock_that_never_goes_back() -> None:
    clock: Clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)
    assert readings[0] <= time.monotonic()


def test_what_is_compared_between_computers_counts_from_1970() -> None:
    before = time.time()
    wall = SystemClock().wall()
    assert before - 1.0 <= wall <= time.time() + 1.0
