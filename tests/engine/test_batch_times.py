"""What a batch may be expected to take, from those before it."""

from __future__ import annotations

import pytest

from app.engine.batch_times import FADES, BatchTimes


def test_nothing_is_expected_before_the_first_batch() -> None:
    assert BatchTimes().expected(1) == 0.0


def test_a_batch_is_compared_with_batches_like_it() -> None:
    times = BatchTimes()
    times.took(1, 0.01)
    times.took(64, 0.05)
    assert times.expected(1) == 0.01
    assert times.expected(40) == times.expected(64) == 0.05


def test_a_larger_one_may_take_more_in_proportion_and_a_smaller_one_no_longer() -> None:
    times = BatchTimes()
    times.took(4, 0.02)
    assert times.expected(32) == pytest.approx(0.16)
    assert times.expected(1) == 0.02


def test_one_in_between_takes_no_longer_than_the_next_larger_seen() -> None:
    times = BatchTimes()
    times.took(1, 0.01)
    times.took(512, 0.1)
    assert times.expected(256) == 0.1
    assert times.expected(2) == pytest.approx(0.02)


def test_what_was_slow_once_is_forgotten_with_time() -> None:
    times = BatchTimes()
    times.took(1, 1.0)
    times.took(1, 0.01)
    assert times.expected(1) == FADES
    for _ in range(300):
        times.took(1, 0.01)
    assert times.expected(1) == pytest.approx(0.01)
