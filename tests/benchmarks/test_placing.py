"""Forty uneven computers decide for themselves what to serve; see benchmarks/sim/placing.py."""

from __future__ import annotations

import pytest

from app.ids import Span
from benchmarks.sim.placing import GB, Outcome, Placing, Scene, fields, largest_flow, table


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """An empty swarm, forty that come one by one, a calm hour and one of coming and going."""
    return Placing(
        Scene(
            computers=40,
            unit_bytes=(GB // 2, *[GB] * 20, GB // 2),
            settle_seconds=5400.0,
            calm_seconds=1800.0,
            churn_seconds=1800.0,
        )
    ).play()


def test_everything_is_served_twice_at_the_end_and_soon(outcome: Outcome) -> None:
    assert outcome.covered_twice == 1.0
    assert outcome.twice_after_seconds is not None
    assert outcome.twice_after_seconds < 2400.0


def test_the_throughput_comes_near_to_that_of_the_best_fixed_assignment(outcome: Outcome) -> None:
    assert outcome.efficiency >= 0.85


def test_computers_come_to_rest(outcome: Outcome) -> None:
    assert outcome.moves_per_computer_hour <= 0.2


def test_while_computers_come_and_go_no_unit_is_left_alone(outcome: Outcome) -> None:
    assert max(outcome.churn_holes) == 0
    assert min(outcome.churn_covered) >= 0.5


def test_the_largest_flow_goes_only_where_spans_meet() -> None:
    assert largest_flow(10, [(Span(0, 10), 2.0), (Span(0, 4), 3.0), (Span(4, 10), 1.0)]) == 3.0
    assert largest_flow(10, [(Span(0, 6), 3.0), (Span(4, 10), 1.0)]) == 0.0
    assert largest_flow(10, [(Span(1, 6), 3.0), (Span(6, 10), 1.0), (Span(6, 10), 1.0)]) == 2.0
    # Part of the first way has to be taken back for the second.
    diamond = [(Span(0, 2), 1.0), (Span(0, 4), 1.0), (Span(2, 4), 1.0), (Span(2, 9), 1.0)]
    assert largest_flow(9, [*diamond, (Span(4, 9), 1.0)]) == 2.0


def test_the_last_line_tells_the_worst(outcome: Outcome) -> None:
    bad = Outcome(outcome.scene, efficiency=0.1, covered_twice=0.2)
    told = fields([outcome, bad])
    assert (told["placement_efficiency"], told["units_covered_twice"]) == (0.1, 0.2)
    assert "10.0%" in table([outcome, bad])
