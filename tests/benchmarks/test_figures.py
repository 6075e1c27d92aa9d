"""The arithmetic of the benchmarks, and the shape of their last line."""

from __future__ import annotations

import json

import pytest

from benchmarks.figures import last_line, machine, middle, milliseconds, percent_over, slope


def test_the_slope_of_a_line_is_what_each_step_adds() -> None:
    assert slope({0: 1.0, 1: 3.0, 2: 5.0, 4: 9.0}) == 2.0


def test_one_wild_point_hardly_moves_the_slope() -> None:
    assert slope({0: 1.0, 1: 2.0, 2: 90.0, 3: 4.0, 4: 5.0}) == pytest.approx(1.0, abs=0.1)


def test_one_point_has_no_slope() -> None:
    with pytest.raises(ValueError, match="two points"):
        slope({1: 2.0})


def test_the_first_round_warms_up_and_does_not_count() -> None:
    assert middle([100.0, 1.0, 2.0, 3.0]) == 2.0
    assert middle([7.0]) == 7.0


def test_overhead_is_a_share_of_the_yardstick() -> None:
    assert percent_over(10.3, 10.0) == 3.0
    assert percent_over(9.9, 10.0) == -1.0


def test_seconds_become_milliseconds() -> None:
    assert milliseconds(0.0123456) == 12.346


def test_the_last_line_is_one_json_object_that_names_the_machine() -> None:
    line = last_line({"hop_ms": 1.5})
    assert "\n" not in line
    fields = json.loads(line)
    assert fields["hop_ms"] == 1.5
    assert fields["machine"] == json.loads(json.dumps(machine()))
    assert {"cpu", "cores", "threads", "python", "platform"} == set(fields["machine"])
