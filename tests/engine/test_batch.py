"""The arrays of a decode: what llama.cpp will find where it looks."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from app.engine.batch import BatchArrays


def rows(count: int, value: float, *, width: int = 4) -> np.ndarray:
    return np.full((count, width), value, np.float32)


def test_rows_of_several_sequences_follow_each_other() -> None:
    arrays = BatchArrays(8, 4)
    stop = arrays.put(0, rows(2, 1.5), sequence=3, position=10, wanted=1)
    stop = arrays.put(stop, rows(1, 2.5), sequence=5, position=0, wanted=1)
    assert stop == 3
    assert arrays.hidden[:3, 0].tolist() == [1.5, 1.5, 2.5]
    assert arrays.positions[:3].tolist() == [10, 11, 0]
    assert arrays.sequences[:3].tolist() == [3, 3, 5]
    assert arrays.wanted[:3].tolist() == [0, 1, 1]


def test_nothing_is_left_of_an_earlier_decode() -> None:
    arrays = BatchArrays(8, 4)
    arrays.put(0, rows(4, 1.0), sequence=1, position=0, wanted=4)
    arrays.put(0, rows(4, 2.0), sequence=2, position=7, wanted=0)
    assert arrays.wanted[:4].tolist() == [0, 0, 0, 0]
    assert arrays.sequences[:4].tolist() == [2, 2, 2, 2]


def test_each_pointer_leads_to_the_sequence_of_its_row() -> None:
    arrays = BatchArrays(4, 4)
    arrays.put(0, rows(1, 0.0), sequence=7, position=0, wanted=0)
    arrays.put(1, rows(1, 0.0), sequence=9, position=0, wanted=0)
    found = [ctypes.c_int32.from_address(int(at)).value for at in arrays.sequence_pointers[:2]]
    assert found == [7, 9]
    assert arrays.sequence_counts.tolist() == [1, 1, 1, 1]


def test_rows_that_have_no_room_are_refused() -> None:
    arrays = BatchArrays(2, 4)
    with pytest.raises(ValueError, match="3 rows where 2 have room"):
        arrays.put(0, rows(3, 0.0), sequence=0, position=0, wanted=0)


def test_rows_of_another_width_are_refused() -> None:
    arrays = BatchArrays(2, 4)
    with pytest.raises(ValueError, match="broadcast"):
        arrays.put(0, rows(2, 0.0, width=3), sequence=0, position=0, wanted=0)


def test_more_rows_are_not_wanted_than_there_are() -> None:
    arrays = BatchArrays(4, 4)
    with pytest.raises(ValueError, match="3 of 2 rows"):
        arrays.put(1, rows(2, 0.0), sequence=0, position=0, wanted=3)
