"""A memory as llama.cpp's bytes and as rows: the same there and back, and nothing else passes.

Real bytes of real families are in `tests/engine/test_portable_memory.py`.
"""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.kv_state import (
    Bytes2D,
    Cache,
    Layer,
    MemoryForm,
    check_rows,
    read_state,
    write_state,
)
from app.errors import BadInput

F32, F16, BF16 = (
    GGMLQuantizationType.F32,
    GGMLQuantizationType.F16,
    GGMLQuantizationType.BF16,
)
LAYER = Layer(F16, 8, BF16, 4)
PLAIN = MemoryForm((Cache(1, False, (LAYER, LAYER)),))
APART = MemoryForm((Cache(3, False, (LAYER,)),))
SLIDING = MemoryForm((Cache(4, False, ()), Cache(4, False, (LAYER, Layer(F32, 8, F32, 4)))))
TURNED = MemoryForm((Cache(1, True, (LAYER,)),))
FORMS = [PLAIN, APART, SLIDING, TURNED]
POSITIONS_AT = 16
"""Where the first cell of a memory with one stream begins: its position, count and sequence."""


def rows_of(form: MemoryForm, positions: int = 3) -> Bytes2D:
    """Rows that differ everywhere, all finite."""
    numbers = np.arange(positions * form.position_bytes) % 48
    return numbers.astype(np.uint8).reshape(positions, form.position_bytes)


def changed(state: bytes, offset: int, number: int) -> bytes:
    return state[:offset] + struct.pack("<i", number) + state[offset + 4 :]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sequence", [0, 2])
def test_what_is_written_is_read_again(form: MemoryForm, sequence: int) -> None:
    rows = rows_of(form)
    read, found = read_state(write_state(form, rows, sequence), sequence)
    assert read == form
    assert (found == rows).all()
    assert (check_rows(form, rows.tobytes()) == rows).all()


def test_a_beginning_can_be_read_alone() -> None:
    state = write_state(PLAIN, rows_of(PLAIN), 0)
    for form in (None, PLAIN):
        found, rows = read_state(state, 0, form=form, most=2)
        assert found == PLAIN
        assert (rows == rows_of(PLAIN)[:2]).all()


def test_a_memory_of_another_form_than_before_is_refused() -> None:
    with pytest.raises(ValueError, match="another form than before"):
        read_state(write_state(PLAIN, rows_of(PLAIN), 0), 0, form=TURNED)


def test_a_row_has_all_layers_of_one_position() -> None:
    assert PLAIN.position_bytes == 24
    state = write_state(PLAIN, rows_of(PLAIN), 0)
    keys = state.index(struct.pack("<iQ", F16, 8)) + 12
    assert state[keys : keys + 8] == rows_of(PLAIN)[0, :8].tobytes()
    assert state[keys + 8 : keys + 16] == rows_of(PLAIN)[1, :8].tobytes()


def test_turned_values_are_rows_like_others() -> None:
    state = write_state(TURNED, rows_of(TURNED), 0)
    # The first element of positions 0, 1 and 2.
    first = b"".join(row[8:10].tobytes() for row in rows_of(TURNED))
    assert state[-12:-6] == first


def test_cells_in_another_order_are_put_in_that_of_their_positions() -> None:
    state = write_state(PLAIN, rows_of(PLAIN), 0)
    turned = changed(changed(state, POSITIONS_AT, 2), POSITIONS_AT + 24, 0)
    form, rows = read_state(turned, 0)
    assert form == PLAIN
    assert (rows == rows_of(PLAIN)[[2, 1, 0]]).all()


def test_rows_that_mean_the_same_have_the_same_digest() -> None:
    assert TURNED.digest == replace(TURNED, caches=(Cache(1, False, (LAYER,)),)).digest
    assert APART.digest == MemoryForm((Cache(1, False, (LAYER,)),)).digest
    others = [
        MemoryForm((Cache(1, False, layers),))
        for layers in [
            (LAYER, LAYER),
            (Layer(BF16, 8, BF16, 4),),
            (Layer(F16, 4, BF16, 8),),
        ]
    ]
    assert len({form.digest for form in [*others, APART]}) == 4


@pytest.mark.parametrize(
    ("offset", "number"),
    [
        (0, 7),  # the magic
        (4, 1),  # another sequence
        (8, 2),  # streams
        (8, 0),
        (12, 2),  # cells
        (12, 1 << 30),
        (POSITIONS_AT, 1),  # positions 1, 1, 2
        (POSITIONS_AT + 24, 3),  # positions 0, 1, 3
        (POSITIONS_AT, -1),
        (POSITIONS_AT + 4, 2),  # a cell of two sequences
        (POSITIONS_AT + 8, 1),  # of another one
        (POSITIONS_AT + 36, 1),  # values turned
        (POSITIONS_AT + 40, 3),  # layers
        (POSITIONS_AT + 44, 2),  # a type that is quantized
        (POSITIONS_AT + 48, 9),  # the size of a row
    ],
)
def test_a_memory_that_is_not_as_ours_is_refused(offset: int, number: int) -> None:
    state = write_state(PLAIN, rows_of(PLAIN), 0)
    with pytest.raises(ValueError, match=r"memory|cell|rows|numbers|stream|elements"):
        read_state(changed(state, offset, number), 0)


def test_a_window_that_has_slid_on_is_refused() -> None:
    full = write_state(SLIDING, rows_of(SLIDING), 0)
    shorter = write_state(SLIDING, rows_of(SLIDING, 2), 0)
    # All positions for the layers that see everything, fewer for those that slide.
    middle = 8 + 4 + 4 + 3 * 12 + 8 + 3 * 4
    with pytest.raises(ValueError, match="same positions"):
        read_state(full[:middle] + shorter[middle - 12 :], 0)


@pytest.mark.parametrize("form", FORMS)
def test_every_shorter_or_longer_memory_is_refused(form: MemoryForm) -> None:
    state = write_state(form, rows_of(form), 0)
    for wrong in [*(state[:stop] for stop in range(len(state))), state + b"\0"]:
        with pytest.raises(ValueError, match=r"memory|layers"):
            read_state(wrong, 0)


@pytest.mark.parametrize(
    ("form", "offset", "bad"),
    [
        (PLAIN, 2, b"\x00\x7c"),  # an infinite key
        (PLAIN, 6, b"\x01\xfe"),  # a key that is no number
        (PLAIN, 8, b"\x80\x7f"),  # an infinite value
        (PLAIN, 34, b"\xc0\xff"),  # a value that is no number
        (SLIDING, 12, b"\x00\x00\x80\xff"),
    ],
)
def test_values_that_are_not_finite_are_bad_input(
    form: MemoryForm, offset: int, bad: bytes
) -> None:
    data = bytearray(rows_of(form).tobytes())
    data[offset : offset + len(bad)] = bad
    with pytest.raises(BadInput, match="not finite"):
        check_rows(form, bytes(data))


@pytest.mark.parametrize("length", [0, 1, 23, 25])
def test_half_a_row_is_bad_input(length: int) -> None:
    with pytest.raises(BadInput, match=f"{length} bytes are not rows of 24"):
        check_rows(PLAIN, bytes(length))


@given(st.sampled_from(FORMS), st.binary(max_size=200))
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_rows_or_bad_input(form: MemoryForm, data: bytes) -> None:
    try:
        rows = check_rows(form, data)
    except BadInput:
        return
    state = write_state(form, rows, 1)
    read, found = read_state(state, 1)
    assert read == form
    assert found.tobytes() == data


@given(st.sampled_from(FORMS), st.data())
@settings(deadline=None, max_examples=200)
def test_a_damaged_memory_is_another_one_or_refused(form: MemoryForm, data: st.DataObject) -> None:
    state = bytearray(write_state(form, rows_of(form), 0))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(state) - 1))
        state[at] = data.draw(st.integers(0, 255))
    try:
        read, rows = read_state(bytes(state), 0)
    except ValueError:
        return
    assert rows.shape[1] == read.position_bytes


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=100)
def test_noise_is_no_memory(noise: bytes) -> None:
    with pytest.raises(ValueError, match=r"memory|numbers|cell|rows|stream|layers|elements"):
        read_state(struct.pack("<Ii", 0xAF143CD8, 0) + noise, 0)
