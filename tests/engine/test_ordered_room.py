"""Cells in the order of positions: app/engine/ordered_room.py, over cells that fill as
llama.cpp's do: the first that is free, from where the last row went."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.ordered_room import LEAST_WASTE, OrderedRoom, cells_for
from app.errors import NoRoom

TOKENS = 48
BATCH_ROWS = 8
SEQUENCES = 4
NOBODY = SEQUENCES


class Pool:
    """Cells, each with the sequence and position that has it."""

    def __init__(self, count: int) -> None:
        self.cells: list[tuple[int, int] | None] = [None] * count
        self.head = 0
        self.cleared = 0

    def put(self, sequence: int, rows: int) -> None:
        for position in range(known := self.positions(sequence), known + rows):
            order = [*range(self.head, len(self.cells)), *range(self.head)]
            free = next(cell for cell in order if self.cells[cell] is None)
            self.cells[free] = (sequence, position)
            self.head = free + 1

    def positions(self, sequence: int) -> int:
        return sum(cell is not None and cell[0] == sequence for cell in self.cells)

    def set_aside(self, sequence: int, position: int) -> None:
        for number, cell in enumerate(self.cells):
            if cell is not None and cell[0] == sequence and cell[1] >= position:
                self.cells[number] = (NOBODY, cell[1])

    def clear(self) -> None:
        self.cells = [None] * len(self.cells)
        self.head = 0
        self.cleared += 1

    def save(self, sequence: int) -> bytes:
        return bytes(self.order_of(sequence))

    def load(self, sequence: int, state: bytes) -> None:
        assert list(state) == list(range(len(state)))
        self.put(sequence, len(state))

    def order_of(self, sequence: int) -> list[int]:
        """Its positions, in the order of the cells."""
        return [cell[1] for cell in self.cells if cell is not None and cell[0] == sequence]


@settings(deadline=None, max_examples=120)
@given(
    st.lists(
        st.tuples(st.integers(0, SEQUENCES - 1), st.integers(0, 60), st.integers(1, BATCH_ROWS)),
        max_size=120,
    )
)
def test_positions_stand_in_order_whatever_is_given_up(steps: list[tuple[int, int, int]]) -> None:
    pool = Pool(cells_for(TOKENS, batch_rows=BATCH_ROWS))
    room = OrderedRoom(pool, TOKENS, BATCH_ROWS, SEQUENCES)
    for sequence, position, rows in steps:
        room.forget(sequence, min(position, pool.positions(sequence)))
        known = sum(pool.positions(number) for number in range(SEQUENCES))
        if known + rows > TOKENS:
            with pytest.raises(NoRoom, match="full"):
                room.take(rows)
            continue
        room.take(rows)
        pool.put(sequence, rows)
        for number in range(SEQUENCES):
            assert pool.order_of(number) == list(range(pool.positions(number)))


def test_when_the_last_conversation_ends_everything_is_free() -> None:
    pool = Pool(cells_for(TOKENS, batch_rows=BATCH_ROWS))
    room = OrderedRoom(pool, TOKENS, BATCH_ROWS, SEQUENCES)
    room.take(5)
    pool.put(0, 5)
    room.forget(0, 0)
    assert (room.wasted, pool.positions(NOBODY)) == (0, 0)


def test_a_few_idle_cells_are_left_alone_and_many_are_not() -> None:
    tokens = 4 * LEAST_WASTE
    pool = Pool(cells_for(tokens, batch_rows=BATCH_ROWS))
    room = OrderedRoom(pool, tokens, BATCH_ROWS, SEQUENCES)
    for sequence, rows in ((0, 1), (1, LEAST_WASTE), (2, 1)):
        room.take(rows)
        pool.put(sequence, rows)
    room.forget(1, 0)
    assert (room.wasted, pool.cleared) == (LEAST_WASTE, 0)
    room.forget(2, 0)
    assert (room.wasted, pool.cleared) == (0, 1)


def test_after_a_failure_it_looks_before_it_goes_on() -> None:
    pool = Pool(cells_for(TOKENS, batch_rows=BATCH_ROWS))
    room = OrderedRoom(pool, TOKENS, BATCH_ROWS, SEQUENCES)
    room.take(BATCH_ROWS)  # and the rows never came
    room.doubt()
    room.take(TOKENS)
    assert room.wasted == 0


def test_what_was_loaded_counts() -> None:
    pool = Pool(cells_for(TOKENS, batch_rows=BATCH_ROWS))
    room = OrderedRoom(pool, TOKENS, BATCH_ROWS, SEQUENCES)
    pool.load(2, bytes(range(TOKENS)))
    room.loaded(2)
    with pytest.raises(NoRoom):
        room.take(1)
