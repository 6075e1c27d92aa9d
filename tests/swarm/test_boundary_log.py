"""What was handed on, kept by position."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.swarm.boundary_log import BoundaryLog

ROW = 4


def rows(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(ROW, "little") for value in values)


def known(log: BoundaryLog) -> list[int]:
    return [
        int.from_bytes(hidden[at : at + ROW], "little")
        for _, _, hidden in log.pieces(log.positions, rows=3)
        for at in range(0, len(hidden), ROW)
    ]


def test_what_was_handed_on_comes_back_in_pieces() -> None:
    log = BoundaryLog()
    log.put(0, 5, rows([1, 2, 3, 4, 5]))
    assert list(log.pieces(5, rows=2)) == [
        (0, 2, rows([1, 2])),
        (2, 2, rows([3, 4])),
        (4, 1, rows([5])),
    ]
    assert list(log.pieces(3, rows=8)) == [(0, 3, rows([1, 2, 3]))]
    assert list(log.pieces(0, rows=8)) == []
    assert (log.positions, log.held_bytes) == (5, 20)


def test_an_earlier_position_forgets_what_came_after_it() -> None:
    log = BoundaryLog()
    log.put(0, 4, rows([1, 2, 3, 4]))
    log.put(2, 1, rows([9]))
    assert known(log) == [1, 2, 9]


def test_a_gap_is_refused_and_changes_nothing() -> None:
    log = BoundaryLog()
    log.put(0, 1, rows([1]))
    with pytest.raises(ValueError, match="position 2 does not follow on 1"):
        log.put(2, 1, rows([3]))
    assert known(log) == [1]


@pytest.mark.parametrize("hidden", [b"", b"12345", b"12345678"])
def test_rows_of_another_width_are_refused(hidden: bytes) -> None:
    log = BoundaryLog()
    log.put(0, 1, rows([1]))
    with pytest.raises(ValueError, match="rows of 4"):
        log.put(1, 1, hidden)
    assert known(log) == [1]


def test_more_than_is_known_cannot_be_replayed() -> None:
    log = BoundaryLog()
    log.put(0, 2, rows([1, 2]))
    with pytest.raises(ValueError, match="3 positions are wanted and 2 are known"):
        list(log.pieces(3, rows=8))


def test_only_a_part_comes_back_when_the_rest_is_known() -> None:
    log = BoundaryLog()
    log.put(0, 5, rows([1, 2, 3, 4, 5]))
    assert list(log.pieces(5, start=3, rows=8)) == [(3, 2, rows([4, 5]))]
    assert list(log.pieces(5, start=5, rows=8)) == []


def test_a_log_that_begins_later_knows_nothing_before() -> None:
    log = BoundaryLog()
    log.begin_at(10)
    assert log.positions == 10
    assert list(log.pieces(10, start=10, rows=8)) == []
    log.put(10, 2, rows([1, 2]))
    assert list(log.pieces(12, start=10, rows=8)) == [(10, 2, rows([1, 2]))]
    with pytest.raises(ValueError, match="position 9 is wanted, and 10 is the first"):
        list(log.pieces(12, start=9, rows=8))
    log.put(11, 1, rows([3]))
    assert list(log.pieces(12, start=11, rows=8)) == [(11, 1, rows([3]))]


def test_going_back_before_its_beginning_is_a_new_beginning() -> None:
    log = BoundaryLog()
    log.begin_at(10)
    log.put(10, 2, rows([1, 2]))
    log.put(4, 1, rows([3]))
    assert log.positions == 5
    assert list(log.pieces(5, start=4, rows=8)) == [(4, 1, rows([3]))]
    log.put(0, 1, rows([4]))
    assert known(log) == [4]


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 20), st.lists(st.integers(0, 99), min_size=1, max_size=6)),
        max_size=20,
    )
)
def test_it_always_holds_what_a_list_would(steps: list[tuple[int, list[int]]]) -> None:
    log, plain = BoundaryLog(), list[int]()
    for position, values in steps:
        position = min(position, len(plain))
        log.put(position, len(values), rows(values))
        plain = [*plain[:position], *values]
        assert known(log) == plain
