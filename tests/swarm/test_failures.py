"""Failures that are forgotten little by little."""

from __future__ import annotations

import pytest

from app.ids import PeerId
from app.swarm.failures import HALF_LIFE_SECONDS, MOST_FAILURES, MOST_PEERS, Failures

ANN, BEN = PeerId(b"a" * 32), PeerId(b"b" * 32)


def test_failures_add_up_for_each_by_itself() -> None:
    failures = Failures()
    failures.note(ANN, now=10.0)
    failures.note(ANN, now=10.0)
    assert failures.count(ANN, now=10.0) == 2.0
    assert failures.count(BEN, now=10.0) == 0.0


def test_a_failure_of_several_is_shared() -> None:
    failures = Failures()
    failures.note(ANN, now=10.0, share=0.5)
    assert failures.count(ANN, now=10.0) == 0.5


def test_they_count_half_after_a_while() -> None:
    failures = Failures()
    failures.note(ANN, now=10.0)
    later = 10.0 + HALF_LIFE_SECONDS
    assert failures.count(ANN, now=later) == pytest.approx(0.5)
    failures.note(ANN, now=later)
    assert failures.count(ANN, now=later) == pytest.approx(1.5)


def test_nobody_is_out_of_the_question_for_long() -> None:
    failures = Failures()
    for _ in range(1000):
        failures.note(ANN, now=0.0)
    assert failures.count(ANN, now=0.0) == MOST_FAILURES


def test_only_so_many_are_remembered() -> None:
    failures = Failures()
    failures.note(ANN, now=0.0)
    failures.note(BEN, now=1.0)
    failures.note(ANN, now=2.0)
    for number in range(MOST_PEERS - 1):
        failures.note(PeerId(number.to_bytes(32, "big")), now=3.0)
    assert failures.count(BEN, now=3.0) == 0.0
    assert failures.count(ANN, now=3.0) > 0.0
