"""Rows of legs: the cheapest of all, and others that share little with it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.swarm.chain_search import Floats, Leg, Numbers, Search

STOP = 6
BEFORE, AFTER = 8, 9


def cost_of(row: Sequence[Leg], table: Floats) -> float:
    numbers = [BEFORE, *(leg.number for leg in row), AFTER]
    ways = sum(table[one, other] for one, other in itertools.pairwise(numbers))
    return float(ways) + sum(leg.cost for leg in row)


def search(legs: Sequence[Leg], table: Floats) -> Search:
    def between(ones: Numbers, others: Numbers) -> Floats:
        return table[np.ix_(ones, others)]

    return Search(legs, start=0, stop=STOP, between=between, before=BEFORE, after=AFTER)


def numbers(rows: Sequence[tuple[float, list[Leg]]]) -> list[list[int]]:
    return [[leg.number for leg in row] for _, row in rows]


FREE = np.zeros((10, 10))


def test_the_ways_between_legs_count_and_not_the_legs_alone() -> None:
    legs = [Leg(0, 0, 3, 1.0), Leg(1, 0, 3, 2.0), Leg(2, 3, 6, 1.0)]
    table = FREE.copy()
    table[0, 2] = 5.0
    assert numbers(search(legs, table).cheapest(1)) == [[1, 2]]


def test_the_ways_from_the_beginning_and_to_the_end_count() -> None:
    legs = [Leg(0, 0, 6, 1.0), Leg(1, 0, 6, 2.0)]
    table = FREE.copy()
    table[BEFORE, 0] = 3.0
    assert numbers(search(legs, table).cheapest(1)) == [[1]]
    table[1, AFTER] = 4.0
    assert numbers(search(legs, table).cheapest(1)) == [[0]]


def test_further_rows_share_nobody_where_they_can() -> None:
    legs = [Leg(n, 0, 3, float(n)) for n in (0, 1)] + [Leg(n, 3, 6, float(n)) for n in (2, 3)]
    assert numbers(search(legs, FREE).cheapest(5)) == [[0, 2], [1, 3]]


def test_further_rows_share_only_whom_they_must() -> None:
    legs = [Leg(0, 0, 3, 1.0), Leg(1, 3, 6, 1.0), Leg(2, 3, 6, 2.0), Leg(3, 3, 6, 9.0)]
    found = search(legs, FREE).cheapest(9)
    assert numbers(found) == [[0, 1], [0, 2], [0, 3]]
    assert [cost for cost, _ in found] == [2.0, 3.0, 10.0]


def test_where_legs_do_not_meet_there_is_no_row() -> None:
    assert search([], FREE).cheapest(1) == []
    assert search([Leg(0, 0, 3, 1.0)], FREE).cheapest(1) == []
    assert search([Leg(0, 0, 3, 1.0), Leg(1, 2, 6, 1.0)], FREE).cheapest(1) == []
    assert search([Leg(0, 1, 6, 1.0)], FREE).cheapest(1) == []


LEGS = st.lists(
    st.tuples(st.integers(0, STOP - 1), st.integers(1, STOP), st.integers(0, 9)), max_size=8
).map(
    lambda made: [
        Leg(number, start, start + length, float(cost))
        for number, (start, length, cost) in enumerate(made)
        if start + length <= STOP
    ]
)


@settings(deadline=None, max_examples=150)
@given(LEGS, st.integers(0, 1000))
def test_no_row_is_cheaper(legs: list[Leg], seed: int) -> None:
    table = np.random.default_rng(seed).uniform(0.0, 5.0, (10, 10))
    best = float("inf")
    for count in range(1, len(legs) + 1):
        for row in itertools.permutations(legs, count):
            edges = [0, *(leg.stop for leg in row)]
            if [leg.start for leg in row] == edges[:-1] and edges[-1] == STOP:
                best = min(best, cost_of(row, table))
    found = search(legs, table).cheapest(3)
    assert bool(found) == (best < float("inf"))
    for cost, legs_in_row in found:
        assert cost == pytest.approx(cost_of(legs_in_row, table))
    if found:
        assert found[0][0] == pytest.approx(best)
