"""A worker that takes its time; see benchmarks/paced.py."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from app.engine import frames, worker
from benchmarks.paced import ROW_SECONDS, SPAN_SECONDS, PacedWorker, decode_seconds


def test_a_decode_takes_a_reading_of_the_span_and_something_for_each_row() -> None:
    assert decode_seconds(8) == pytest.approx(SPAN_SECONDS + 8 * ROW_SECONDS)


def test_it_computes_what_a_worker_does_and_says_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    looks = itertools.count()  # a millisecond goes by from one to the next
    clock = SimpleNamespace(perf_counter=lambda: next(looks) / 1000, sleep=slept.append)
    monkeypatch.setattr("benchmarks.paced.time", clock)
    monkeypatch.setattr(worker, "time", clock)
    step = frames.Compute(serial=3, parts=[frames.Part(sequence=0, position=0, rows=1)])
    plain = worker.Worker().answer(step)
    answer = PacedWorker().answer(step)
    assert isinstance(answer, frames.Computed)
    assert isinstance(plain, frames.Computed)
    assert answer.results == plain.results
    # It looks, the worker looks before and after it computes, and it looks again.
    assert slept == [pytest.approx(decode_seconds(1) - 0.003)]
    assert answer.seconds == pytest.approx(plain.seconds + slept[0])
