"""Buckets and meters, with time as an argument."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy.buckets import BINS, Bucket, RateMeter


def bucket(rate: float | None, *, store_seconds: float = 0.1, least: float = 0.0) -> Bucket:
    made = Bucket(rate, store_seconds=store_seconds, least_store=least)
    made.wait_seconds(0.0)
    return made


def test_without_a_rate_nothing_waits() -> None:
    free = bucket(None)
    assert free.take(1e12, 0.0) == 0.0
    assert free.wait_seconds(0.0) == 0.0


def test_what_is_taken_ahead_is_waited_for() -> None:
    capped = bucket(100.0)
    assert capped.take(50, 0.0) == 0.5
    assert capped.take(50, 0.0) == 1.0
    assert capped.wait_seconds(0.75) == 0.25
    assert capped.wait_seconds(1.0) == 0.0


def test_only_a_little_is_stored_up_in_quiet_times() -> None:
    capped = bucket(100.0, store_seconds=0.1)
    assert capped.take(10, 3600.0) == 0.0
    assert capped.take(10, 3600.0) == 0.1


def test_the_store_is_large_enough_for_one_piece_however_slow_the_rate() -> None:
    slow = bucket(1.0, store_seconds=0.1, least=5.0)
    assert slow.take(5, 100.0) == 0.0
    assert slow.take(1, 100.0) == 1.0


def test_a_rate_of_nothing_waits_for_ever() -> None:
    assert bucket(0.0).take(1, 0.0) == float("inf")


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    capped = bucket(100.0)
    assert capped.take(100, 10.0) == pytest.approx(0.9)
    assert capped.wait_seconds(5.0) == pytest.approx(0.9)
    assert capped.wait_seconds(10.9) == pytest.approx(0.0)


def test_another_rate_holds_at_once_and_a_lifted_cap_forgives() -> None:
    capped = bucket(100.0)
    capped.take(100, 0.0)
    capped.set_rate(200.0, 0.0)
    assert capped.wait_seconds(0.0) == 0.5
    capped.set_rate(None, 0.0)
    assert capped.wait_seconds(0.0) == 0.0
    capped.set_rate(100.0, 0.0)
    assert capped.wait_seconds(0.0) == 0.0


def test_debt_can_be_forgiven_in_part_and_what_was_not_used_comes_back() -> None:
    capped = bucket(100.0)
    capped.take(1000, 0.0)
    capped.forgive(2.0)
    assert capped.wait_seconds(0.0) == 2.0
    capped.give_back(100)
    assert capped.wait_seconds(0.0) == 1.0


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 5000)), min_size=1, max_size=60),
    st.floats(10, 10_000),
)
def test_whoever_waits_as_told_never_exceeds_rate_and_store(
    pieces: list[tuple[float, int]], rate: float
) -> None:
    capped = bucket(rate, store_seconds=0.1)
    now, passed = 0.0, 0.0
    for pause, amount in pieces:
        now += pause
        now += capped.take(amount, now)
        passed += amount
        assert passed <= rate * (now + 0.1) * (1 + 1e-9) + 1e-6


def test_a_meter_knows_nothing_at_first_and_then_the_mean() -> None:
    meter = RateMeter()
    assert meter.mean(0.0) is None
    meter.add(100, 0.0)
    assert meter.mean(0.1) is None
    for second in range(1, 10):
        meter.add(100, float(second))
    assert meter.mean(10.0) == pytest.approx(100.0)
    assert meter.mean(10.0, seconds=2.0) == pytest.approx(100.0)


def test_a_meter_forgets_what_is_long_ago() -> None:
    meter = RateMeter()
    meter.add(1_000_000, 0.0)
    assert meter.mean(BINS + 5.0) == 0.0


def test_a_meter_never_remembers_more_than_its_slots() -> None:
    meter = RateMeter()
    for second in range(10_000):
        meter.add(7, float(second))
    assert meter.mean(10_000.0) == pytest.approx(7.0)
    assert len(meter._bins) == BINS
