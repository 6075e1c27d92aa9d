"""The memory of real layers moves as rows, for every family, and goes on to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.engine import llama
from app.engine.kv_state import read_state, write_state
from app.engine.llama import LoadedSlice
from app.engine.portable_memory import PortableMemory
from app.engine.slicing import Plan
from app.errors import BadInput, EngineFault
from app.ids import Span
from tests.helpers.slices import OPTIONS, embed, open_slice, plan_of
from tests.helpers.tiny_models import FAMILIES

SLIDES = {"gemma3", "gpt-oss"}
SHORT = [3, 14, 15, 9, 26, 53]
"""Fewer tokens than any window here."""
LONG = [token % 90 for token in range(3, 300, 13)]


class Two:
    """The same two layers on two computers with room for different numbers of sequences."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file, self.cut = file, plan_of(file)
        self.ours = self._load(folder / "ours", sequences=4)
        self.theirs = self._load(folder / "theirs", sequences=2)

    def _load(self, folder: Path, *, sequences: int) -> LoadedSlice:
        options = replace(OPTIONS, sequences=sequences, kv_tokens=128 * sequences)
        return open_slice(self.file, self.cut, Span(1, 3), folder, options=options)

    def run(
        self, piece: LoadedSlice, sequence: int, position: int, tokens: list[int]
    ) -> llama.Floats:
        (table,) = piece.compute(
            [llama.Rows(sequence, position, embed(self.file, self.cut, tokens))]
        )
        return table


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def two(
    request: pytest.FixtureRequest,
    model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Two]:
    llama.start_library()
    both = Two(model(request.param), tmp_path_factory.mktemp("two"))
    with closing(both.ours), closing(both.theirs):
        yield both


@pytest.fixture(autouse=True)
def emptied(two: Two) -> None:
    for piece in (two.ours, two.theirs):
        for sequence in range(piece.options.sequences):
            piece.forget(sequence, 0)


def slides(cut: Plan) -> bool:
    return cut.architecture in SLIDES


def test_a_memory_goes_on_elsewhere_to_the_bit(two: Two) -> None:
    ours, theirs = PortableMemory(two.ours), PortableMemory(two.theirs)
    two.run(two.theirs, 0, 0, LONG)  # somebody else's, who must not be harmed
    two.run(two.ours, 3, 0, SHORT)
    state = ours.take(3, len(SHORT))
    theirs.put(1, state)
    assert two.theirs.positions(1) == len(SHORT)
    there = two.run(two.theirs, 1, len(SHORT), [7])
    assert (there == two.run(two.ours, 3, len(SHORT), [7])).all()
    stranger = two.run(two.theirs, 0, len(LONG), [7])
    two.run(two.ours, 0, 0, LONG)
    assert (stranger == two.run(two.ours, 0, len(LONG), [7])).all()


def test_both_know_the_form_before_anything_else(two: Two) -> None:
    ours, theirs = PortableMemory(two.ours).form(2), PortableMemory(two.theirs).form(1)
    assert ours.digest == theirs.digest
    assert ours.position_bytes == theirs.position_bytes
    assert len(ours.layers) == 2
    assert ours.position_bytes == sum(two.cut.position_bytes[:2])  # as was planned for
    assert two.ours.positions(2) == two.theirs.positions(1) == 0


def test_a_beginning_is_enough(two: Two) -> None:
    two.run(two.ours, 0, 0, SHORT)
    PortableMemory(two.theirs).put(0, PortableMemory(two.ours).take(0, 4))
    there = two.run(two.theirs, 0, 4, SHORT[4:])
    again = two.run(two.ours, 1, 0, SHORT)
    assert (there == again[4:]).all()


def test_what_has_slid_out_of_a_window_is_not_to_be_had(two: Two) -> None:
    two.run(two.ours, 0, 0, LONG)
    memory = PortableMemory(two.ours)
    if slides(two.cut):
        with pytest.raises(EngineFault, match="cannot be moved"):
            memory.take(0, len(LONG))
    else:
        PortableMemory(two.theirs).put(1, memory.take(0, len(LONG)))
        there = two.run(two.theirs, 1, len(LONG), [7])
        assert (there == two.run(two.ours, 0, len(LONG), [7])).all()


def test_the_bytes_are_those_that_llama_cpp_wrote(two: Two) -> None:
    two.run(two.ours, 2, 0, SHORT)
    state = two.ours.save(2)
    form, rows = read_state(state, 2)
    assert write_state(form, rows, 2) == state


def test_wrong_rows_change_nothing(two: Two) -> None:
    two.run(two.ours, 0, 0, SHORT)
    wanted = two.run(two.ours, 0, len(SHORT), [7])
    two.ours.forget(0, len(SHORT))
    memory = PortableMemory(two.ours)
    memory.form(1)
    state = memory.take(0, 3)
    for wrong in (b"", state[1:], state + b"\0\0", b"\xff" * len(state)):
        with pytest.raises(BadInput):
            memory.put(0, wrong)
    assert (two.run(two.ours, 0, len(SHORT), [7]) == wanted).all()


def test_finite_rows_of_any_size_do_no_harm(two: Two) -> None:
    """The largest numbers that may come: what is computed of them is a fault of that step."""
    memory = PortableMemory(two.ours)
    two.run(two.ours, 0, 0, SHORT)
    wanted = two.run(two.ours, 0, len(SHORT), [7])
    two.ours.forget(0, len(SHORT))
    largest = np.frombuffer(memory.take(0, 2), np.uint8).copy()
    largest[:] = np.tile([0xFF, 0x7B], len(largest) // 2)
    memory.put(1, largest.tobytes())
    two.run(two.ours, 1, 2, [7])
    assert (two.run(two.ours, 0, len(SHORT), [7]) == wanted).all()
