"""What a network of spans lets through; see app/swarm/throughput.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import Span
from app.swarm.throughput import Served, Throughput
from benchmarks.sim.placing import largest_flow

LEAK = 1e-6
TENTHS = [tenth / 10 for tenth in range(11)]


def through(*served: tuple[int, int, float]) -> float:
    """Tokens a second through ten units."""
    return Throughput(TENTHS, [Served(*one) for one in served], leak=LEAK).value


def test_a_whole_model_lets_through_what_its_computer_can() -> None:
    assert through((0, 10, 3.0)) == pytest.approx(3.0, rel=1e-4)


def test_equal_computers_in_a_row_let_through_what_one_of_them_can() -> None:
    assert through((0, 4, 2.0), (4, 10, 2.0)) == pytest.approx(2.0, rel=1e-4)
    assert through((0, 4, 2.0), (4, 10, 2.0), (0, 10, 1.0)) == pytest.approx(3.0, rel=1e-4)


def test_what_does_not_meet_carries_nothing() -> None:
    assert through((0, 6, 2.0), (4, 10, 2.0)) < 0.001


def test_the_weakest_part_holds_up_the_rest() -> None:
    even = through((0, 5, 2.0), (5, 10, 2.0))
    uneven = through((0, 5, 3.0), (5, 10, 1.0))
    assert uneven < 0.8 * even


def test_nothing_is_computed_backwards() -> None:
    # 0 -> 8, back over 4:8 and on from 4 would be a way if conductors knew no direction.
    assert through((0, 8, 5.0), (4, 8, 5.0), (4, 10, 5.0)) < 0.001


CELLS = [(0, 10), (0, 5), (5, 10), (0, 2), (2, 5), (5, 7), (7, 10)]
cells = st.tuples(st.sampled_from(CELLS), st.floats(0.1, 10.0)).map(lambda one: (*one[0], one[1]))


def network(served: list[tuple[int, int, float]]) -> Throughput:
    return Throughput(TENTHS, [Served(*one) for one in served], leak=0.01)


@settings(deadline=None, max_examples=60)
@given(st.lists(cells, max_size=12), cells)
def test_the_gain_of_one_more_is_what_it_adds(
    served: list[tuple[int, int, float]], more: tuple[int, int, float]
) -> None:
    before, after = network(served), network([*served, more])
    start, stop, rate = more
    (gain,) = before.gains(np.array([start]), np.array([stop]), np.array([rate]))
    assert before.value + gain == pytest.approx(after.value)


@settings(deadline=None, max_examples=60)
@given(st.lists(cells, max_size=12))
def test_what_can_flow_is_never_said_to_be_less(served: list[tuple[int, int, float]]) -> None:
    leaks = [(Span(unit, unit + 1), 0.01) for unit in range(10)]
    flow = largest_flow(10, leaks + [(Span(start, stop), rate) for start, stop, rate in served])
    assert network(served).value >= flow * (1 - 1e-6)
