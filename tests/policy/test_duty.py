"""Work and rest on a virtual clock: the mean is kept whatever a batch costs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy.duty import LONGEST_DEBT_SECONDS, STORE_SECONDS, Duty
from tests.helpers.virtual_clock import VirtualClock


def work(duty: Duty, clock: VirtualClock, batches: list[float], *, threads: float) -> float:
    """Compute batches one after the other, resting as told; what was used in all."""
    used = 0.0
    for seconds in batches:
        clock.advance(seconds)
        used += seconds * threads
        duty.used(seconds * threads, clock.monotonic())
        clock.advance(duty.rest_seconds(clock.monotonic()))
    return used


def test_without_a_cap_there_is_no_rest() -> None:
    duty = Duty()
    duty.used(100.0, 0.0)
    assert duty.rest_seconds(0.0) == 0.0


def test_half_of_two_processors_is_half_the_time_for_two_threads() -> None:
    clock, duty = VirtualClock(), Duty(1.0)
    duty.rest_seconds(clock.monotonic())
    began = clock.monotonic()
    used = work(duty, clock, [0.05] * 400, threads=2)
    assert used / (clock.monotonic() - began) == pytest.approx(1.0, rel=0.01)
    assert duty.mean(clock.monotonic()) == pytest.approx(1.0, rel=0.05)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(0.001, 2.0), min_size=20, max_size=80),
    st.floats(0.05, 3.0),
    st.integers(1, 8),
)
def test_the_mean_is_kept_for_any_batches(batches: list[float], cap: float, threads: int) -> None:
    clock, duty = VirtualClock(), Duty(cap)
    duty.rest_seconds(clock.monotonic())
    began = clock.monotonic()
    dearest = max(batches) * threads
    if dearest / cap > LONGEST_DEBT_SECONDS:
        return
    used = work(duty, clock, batches, threads=threads)
    elapsed = clock.monotonic() - began
    assert used <= cap * (elapsed + STORE_SECONDS) + 1e-6
    assert elapsed <= max(sum(batches), used / cap) + 1e-6, "it rests no longer than it must"


def test_after_a_quiet_hour_there_is_no_burst() -> None:
    clock, duty = VirtualClock(), Duty(0.5)
    duty.rest_seconds(clock.monotonic())
    clock.advance(3600)
    duty.used(0.0, clock.monotonic())  # as it is measured every two seconds
    began = clock.monotonic()
    used = work(duty, clock, [0.1] * 50, threads=1)
    assert used <= 0.5 * (clock.monotonic() - began + STORE_SECONDS) + 1e-6


def test_a_meter_that_jumps_does_not_stop_work_for_hours() -> None:
    duty = Duty(1.0)
    duty.used(1e9, 0.0)
    assert duty.rest_seconds(0.0) == pytest.approx(LONGEST_DEBT_SECONDS)


def test_a_lifted_cap_ends_the_rest() -> None:
    duty = Duty(1.0)
    duty.used(10.0, 0.0)
    duty.set_cap(None, 0.0)
    assert duty.rest_seconds(0.0) == 0.0
    assert duty.cap is None
