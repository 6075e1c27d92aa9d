"""Layers that take their time; see benchmarks/uneven.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.engine import llama
from benchmarks.uneven import LAYER_VARIABLE, ROW_SHARE, UnevenSlice, decode_seconds


def test_layers_add_up_and_further_rows_cost_a_part() -> None:
    assert decode_seconds(1, 3, 4.0) == pytest.approx(0.012)
    assert decode_seconds(11, 3, 4.0) == pytest.approx(0.012 * (1 + 10 * ROW_SHARE))


def test_a_decode_computes_and_is_not_ready_before_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computed: list[Any] = []
    slept: list[float] = []

    def load(self: llama.LoadedSlice, **given: Any) -> None:
        computed.append(given["blocks"])

    def compute(self: llama.LoadedSlice, parts: Any) -> list[Any]:
        computed.append(parts)
        return ["result"]

    monkeypatch.setattr(llama.LoadedSlice, "__init__", load)
    monkeypatch.setattr(llama.LoadedSlice, "compute", compute)
    looks = iter([100.0, 100.004])  # computing took four milliseconds
    clock = SimpleNamespace(perf_counter=lambda: next(looks), sleep=slept.append)
    monkeypatch.setattr("benchmarks.uneven.time", clock)
    monkeypatch.setenv(LAYER_VARIABLE, "5")
    part = llama.Rows(0, 0, np.zeros((1, 4), np.float32))
    assert UnevenSlice(blocks=2).compute([part]) == ["result"]
    assert computed == [2, [part]]
    assert slept == [pytest.approx(0.006)]
