"""A worker that takes its time; see benchmarks/paced.py."""

from __future__ import annotations

import pytest

from app.engine import frames, worker
from benchmarks.paced import ROW_SECONDS, SPAN_SECONDS, PacedWorker, decode_seconds


def test_a_decode_takes_a_reading_of_the_span_and_something_for_each_row() -> None:
    assert decode_seconds(8) == pytest.approx(SPAN_SECONDS + 8 * ROW_SECONDS)


def test_it_computes_what_a_worker_does_and_says_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("benchmarks.paced.time.sleep", slept.append)
    step = frames.Compute(serial=3, parts=[frames.Part(sequence=0, position=0, rows=1)])
    plain = worker.Worker().answer(step)
    answer = PacedWorker().answer(step)
    assert isinstance(answer, frames.Computed)
    assert isinstance(plain, frames.Computed)
    assert answer.results == plain.results
    assert answer.seconds == pytest.approx(decode_seconds(1), abs=0.02)
    assert slept == [pytest.approx(decode_seconds(1), abs=0.02)]
