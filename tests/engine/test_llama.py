"""A chain of slices gives what the whole model gives, to the bit; see app/engine/llama.py."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType

from app.engine.batch import row_bytes
from app.engine.llama import (
    Floats,
    LoadedSlice,
    LoadOptions,
    PositionGap,
    Rows,
    WholeModel,
    Words,
    start_library,
    supports_gpu,
    system_info,
)
from app.engine.slice_files import Identity
from app.engine.slicing import Plan
from app.errors import EngineFault, NoRoom
from app.ids import Span
from tests.helpers.slices import OPTIONS, embed, open_slice, plan_of
from tests.helpers.tiny_models import FAMILIES, VOCABULARY, WIDTH, write_wide

ModelFile = Callable[[str], Path]

INSISTING = {"qwen2", "phi3"}
"""Families that load no block of other shapes than their own, not even one of zeros."""
PROMPT = [(7 * n * n + 3) % VOCABULARY for n in range(24)]
STEPS = 8


class Yardstick:
    """What the whole model says: the greedy tokens, and the logits of each step."""

    def __init__(self, file: Path, cut: Plan) -> None:
        self.prompt = PROMPT
        self.tokens: list[int] = []
        self.logits: list[Floats] = []
        options = replace(OPTIONS, shared_room=not cut.slides)
        with closing(WholeModel(file, options=options)) as whole:
            step, position = PROMPT, 0
            for _ in range(STEPS + 1):
                table = whole.compute_tokens(0, position, step)
                self.logits.append(table)
                position += len(step)
                step = [int(table[-1].argmax())]
                self.tokens += step


class Chain:
    """Slices one after the other, fed with tokens."""

    def __init__(self, file: Path, cut: Plan, slices: Sequence[LoadedSlice]) -> None:
        self._file, self._cut, self._slices = file, cut, slices

    def step(self, position: int, tokens: list[int], *, sequence: int = 0) -> Floats:
        hidden = embed(self._file, self._cut, tokens)
        for piece in self._slices:
            (hidden,) = piece.compute([Rows(sequence, position, hidden, len(tokens))])
        return hidden

    def generate(self) -> tuple[list[int], list[Floats]]:
        step, position = PROMPT, 0
        tokens: list[int] = []
        logits: list[Floats] = []
        for _ in range(STEPS + 1):
            table = self.step(position, step)
            logits.append(table)
            position += len(step)
            step = [int(table[-1].argmax())]
            tokens += step
        return tokens, logits


class Bench:
    """One family's model, its whole answer, and slices of it on demand."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file, self.folder, self.cut = file, folder, plan_of(file)
        self.whole = Yardstick(file, self.cut)
        self._open = ExitStack()
        self._slices = cache(self._load)

    def _load(self, span: Span, identity: Identity) -> LoadedSlice:
        alone = span.start == self.cut.head_unit
        if alone and self.cut.architecture in INSISTING:
            identity = "full"
        piece = open_slice(self.file, self.cut, span, self.folder, identity=identity)
        return self._open.enter_context(closing(piece))

    def slice(self, start: int, stop: int, *, identity: Identity = "small") -> LoadedSlice:
        """A loaded span; the same call gives the same one, so use a sequence of your own."""
        return self._slices(Span(start, stop), identity)

    def chain(self, *cuts: int, identity: Identity = "small") -> Chain:
        """The whole model, cut before each of these units; units of embedding apart."""
        edges = [1, *(cut for cut in cuts if cut > 1), self.cut.head_unit + 1]
        pieces = [
            self.slice(start, stop, identity=identity) for start, stop in itertools.pairwise(edges)
        ]
        return Chain(self.file, self.cut, pieces)

    def assert_same(self, chain: Chain) -> None:
        """Identical greedy tokens, and logits that differ by exactly 0.0."""
        tokens, logits = chain.generate()
        assert tokens == self.whole.tokens
        worst = max(
            float(np.abs(mine - theirs).max())
            for mine, theirs in zip(logits, self.whole.logits, strict=True)
        )
        assert worst == 0.0

    def close(self) -> None:
        self._open.close()


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    """Send what llama.cpp says into the log."""
    start_library()


@pytest.fixture(scope="module", params=FAMILIES)
def bench(
    request: pytest.FixtureRequest, model: ModelFile, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    made = Bench(model(request.param), tmp_path_factory.mktemp(request.param))
    yield made
    made.close()


def test_the_whole_model_says_more_than_one_thing(bench: Bench) -> None:
    rows = np.concatenate(bench.whole.logits)
    assert len(set(rows.argmax(axis=1).tolist())) > 5
    assert np.isfinite(rows).all()


def test_a_chain_cut_anywhere_gives_what_the_whole_model_gives(bench: Bench) -> None:
    for cut in range(1, bench.cut.head_unit + 1):
        bench.assert_same(bench.chain(cut))


def test_a_chain_of_three_gives_what_the_whole_model_gives(bench: Bench) -> None:
    middle = bench.cut.head_unit // 2
    bench.assert_same(bench.chain(middle, middle + 2))
    bench.assert_same(bench.chain(2, bench.cut.head_unit))


def test_a_chain_of_single_blocks_gives_what_the_whole_model_gives(bench: Bench) -> None:
    bench.assert_same(bench.chain(*range(2, bench.cut.head_unit + 1)))


def test_the_head_alone_may_have_a_block_of_the_model_s_own_shapes(bench: Bench) -> None:
    bench.assert_same(bench.chain(bench.cut.head_unit, identity="full"))


def test_a_family_that_insists_on_its_own_shapes_refuses_a_smaller_block(
    bench: Bench, tmp_path: Path
) -> None:
    span = Span(bench.cut.head_unit, bench.cut.head_unit + 1)
    if bench.cut.architecture in INSISTING:
        with pytest.raises(EngineFault, match="could not load"):
            open_slice(bench.file, bench.cut, span, tmp_path)
    else:
        open_slice(bench.file, bench.cut, span, tmp_path).close()


def test_positions_can_be_computed_again_after_others(bench: Bench) -> None:
    chain = bench.chain(3)
    prompt, tokens, logits = bench.whole.prompt, bench.whole.tokens, bench.whole.logits
    chain.step(0, prompt)
    for wrong in (5, 6, 7):
        chain.step(len(prompt) + wrong - 5, [wrong])
    again = chain.step(len(prompt), [tokens[0]])
    assert np.abs(again - logits[1]).max() == 0.0
    back = chain.step(12, prompt[12:])
    assert np.abs(back - logits[0][12:]).max() == 0.0
    again = chain.step(len(prompt), [tokens[0]])
    assert np.abs(again - logits[1]).max() == 0.0


def test_two_sessions_in_one_decode_get_what_each_gets_alone(bench: Bench) -> None:
    for piece in (bench.slice(1, 3), bench.slice(3, bench.cut.head_unit + 1)):
        longer = embed(bench.file, bench.cut, PROMPT)
        shorter = embed(bench.file, bench.cut, PROMPT[5:12])
        one = embed(bench.file, bench.cut, [9])
        alone = [
            piece.compute([Rows(0, 0, longer, 24)])[0],
            piece.compute([Rows(1, 0, shorter, 7)])[0],
            piece.compute([Rows(0, 24, one, 1)])[0],
            piece.compute([Rows(1, 7, one, 1)])[0],
        ]
        piece.forget(0, 0)
        piece.forget(1, 0)
        both = piece.compute([Rows(2, 0, longer, 24), Rows(1, 0, shorter, 7)])
        both += piece.compute([Rows(2, 24, one, 1), Rows(1, 7, one, 1)])
        for mine, theirs in zip(both, alone, strict=True):
            assert np.abs(mine - theirs).max() == 0.0


def test_what_is_known_of_a_sequence_can_be_moved_to_another(bench: Bench) -> None:
    piece = bench.slice(1, 3)
    prompt, one = embed(bench.file, bench.cut, PROMPT), embed(bench.file, bench.cut, [9])
    piece.compute([Rows(0, 0, prompt)])
    state = piece.save(0)
    (there,) = piece.compute([Rows(0, 24, one)])
    for sequence in range(4):
        piece.forget(sequence, 0)
    assert piece.positions(3) == 0
    piece.restore(3, state)
    assert piece.positions(3) == 24
    (here,) = piece.compute([Rows(3, 24, one)])
    assert np.abs(here - there).max() == 0.0


# ── what a row's company changes: nothing ─────────────────────────────────────


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model wide enough for llama.cpp to split its sums, and a folder."""
    folder = tmp_path_factory.mktemp("wide")
    return write_wide(folder / "wide.gguf"), folder


WIDE = LoadOptions(kv_tokens=512, sequences=4, batch_rows=128, threads=1)


@pytest.mark.real
@pytest.mark.parametrize("span", [Span(1, 3), Span(2, 4)], ids=["blocks", "with the head"])
def test_a_row_s_result_does_not_depend_on_rows_beside_it_nor_on_threads(
    wide: tuple[Path, Path], span: Span
) -> None:
    file, folder = wide
    cut = plan_of(file)
    tokens = [(11 * n * n + 5) % VOCABULARY for n in range(70)]
    hidden = embed(file, cut, tokens)
    with closing(open_slice(file, cut, span, folder, options=WIDE)) as piece:
        results = []
        for threads in (1, 2):
            piece.set_threads(threads)
            for rows in (1, 8, 64, 65):
                piece.forget(0, 0)
                parts = [
                    piece.compute([Rows(0, at, hidden[at : at + rows], 128)])[0]
                    for at in range(0, 70, rows)
                ]
                results.append(np.concatenate(parts))
        assert results[0].shape[0] == 70
        for other in results[1:]:
            assert np.abs(other - results[0]).max() == 0.0


def test_a_row_s_result_does_not_depend_on_other_sessions(wide: tuple[Path, Path]) -> None:
    file, folder = wide
    cut = plan_of(file)
    hidden = embed(file, cut, [(11 * n * n + 5) % VOCABULARY for n in range(100)])
    with closing(open_slice(file, cut, Span(1, 3), folder, options=WIDE)) as piece:
        (alone,) = piece.compute([Rows(0, 0, hidden[:60])])
        piece.compute([Rows(1, 0, hidden)])
        company = [Rows(0, 0, hidden[:60]), Rows(1, 100, hidden[:3]), Rows(2, 0, hidden[:64])]
        assert np.abs(piece.compute(company)[0] - alone).max() == 0.0


# ── what is refused ───────────────────────────────────────────────────────────


@pytest.fixture
def piece(model: ModelFile, tmp_path: Path) -> Iterator[LoadedSlice]:
    file = model("llama")
    with closing(open_slice(file, plan_of(file), Span(1, 3), tmp_path)) as made:
        yield made


def rows_of(count: int, *, width: int = WIDTH) -> Floats:
    return np.full((count, width), 0.25, np.float32)


def test_a_gap_is_refused_and_harms_nothing(piece: LoadedSlice) -> None:
    with pytest.raises(PositionGap, match="position 3 does not follow on 0 known"):
        piece.compute([Rows(0, 3, rows_of(1))])
    piece.compute([Rows(0, 0, rows_of(4))])
    with pytest.raises(PositionGap, match="position 5 does not follow on 4 known"):
        piece.compute([Rows(0, 5, rows_of(1))])
    assert piece.positions(0) == 4
    piece.compute([Rows(0, 4, rows_of(1))])
    assert piece.positions(0) == 5


@pytest.mark.parametrize("sequence", [-1, 4, 1 << 31])
def test_a_sequence_that_does_not_exist_is_refused(piece: LoadedSlice, sequence: int) -> None:
    for ask in (
        lambda: piece.compute([Rows(sequence, 0, rows_of(1))]),
        lambda: piece.forget(sequence, 0),
        lambda: piece.positions(sequence),
        lambda: piece.save(sequence),
        lambda: piece.restore(sequence, b""),
    ):
        with pytest.raises(EngineFault, match="there is no sequence"):
            ask()


def test_rows_of_the_wrong_width_or_too_many_are_refused(piece: LoadedSlice) -> None:
    with pytest.raises(EngineFault, match="rows of 65 values came, 64 are needed"):
        piece.compute([Rows(0, 0, rows_of(1, width=65))])
    with pytest.raises(EngineFault, match="65 rows"):
        piece.compute([Rows(0, 0, rows_of(65))])
    with pytest.raises(EngineFault, match="80 rows are too many"):
        piece.compute([Rows(0, 0, rows_of(40)), Rows(1, 0, rows_of(40))])
    assert piece.positions(0) == piece.positions(1) == 0


def test_a_full_memory_is_refused_and_has_room_again_afterwards(piece: LoadedSlice) -> None:
    assert piece.tokens_per_sequence == 256
    for position in range(0, 192, 64):
        piece.compute([Rows(0, position, rows_of(64))])
    piece.compute([Rows(1, 0, rows_of(60))])
    with pytest.raises(NoRoom, match="memory for conversations is full"):
        piece.compute([Rows(2, 0, rows_of(5))])
    assert (piece.positions(0), piece.positions(1), piece.positions(2)) == (192, 60, 0)
    piece.forget(1, 0)
    piece.compute([Rows(2, 0, rows_of(5))])


def test_saving_a_memory_takes_little_more_than_the_memory_itself(piece: LoadedSlice) -> None:
    for position in range(0, 192, 64):  # so many that what others do meanwhile hardly counts
        piece.compute([Rows(0, position, rows_of(64))])
    tracemalloc.start()
    try:
        state = piece.save(0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(state)


def test_a_saved_memory_that_makes_no_sense_is_refused(piece: LoadedSlice) -> None:
    piece.compute([Rows(0, 0, rows_of(4))])
    state = piece.save(0)
    for damaged in (b"", state[:-1], state[:10], b"\0" * len(state), state + b"more"):
        with pytest.raises(EngineFault, match="does not fit this slice"):
            piece.restore(1, damaged)
    piece.restore(1, state)
    assert piece.positions(1) == 4


def test_files_that_are_no_model_are_refused(tmp_path: Path) -> None:
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(b"GGUF" + b"\xff" * 200)
    for file in (noise, tmp_path / "absent.gguf"):
        with pytest.raises(EngineFault, match="could not load the layers"):
            LoadedSlice([file], width=64, blocks=1, has_head=False, options=OPTIONS)
        with pytest.raises(EngineFault, match="cannot read this model's tokenizer"):
            Words(file)


def test_an_architecture_llama_cpp_does_not_know_is_refused(
    model: ModelFile, tmp_path: Path
) -> None:
    strange = tmp_path / "strange.gguf"
    strange.write_bytes(model("llama").read_bytes().replace(b"llama", b"lemur"))
    with pytest.raises(EngineFault, match="could not load the layers"):
        WholeModel(strange, options=OPTIONS)


def test_the_head_gives_only_the_rows_asked_for(model: ModelFile, tmp_path: Path) -> None:
    file = model("llama")
    cut = plan_of(file)
    with closing(open_slice(file, cut, Span(5, 8), tmp_path)) as head:
        assert head.vocabulary_size == VOCABULARY
        hidden = embed(file, cut, PROMPT)
        (every,) = head.compute([Rows(0, 0, hidden, 24)])
        last, none, two = head.compute(
            [Rows(0, 0, hidden, 1), Rows(1, 0, hidden, 0), Rows(2, 0, hidden[:10], 2)]
        )
        assert np.array_equal(last, every[-1:])
        assert none.shape == (0, VOCABULARY)
        assert np.array_equal(two, every[8:10])
        (nothing,) = head.compute([Rows(0, 0, hidden, 0)])
        assert nothing.shape == (0, VOCABULARY)


def test_closing_twice_does_nothing(model: ModelFile, tmp_path: Path) -> None:
    file = model("llama")
    made = open_slice(file, plan_of(file), Span(1, 2), tmp_path)
    made.close()
    made.close()


def test_the_library_says_what_it_is() -> None:
    assert "CPU" in system_info()
    assert supports_gpu() in (True, False)
    assert row_bytes(64, GGMLQuantizationType.Q8_0) == 68


def test_gaps_that_others_leave_change_no_bit(model: ModelFile, tmp_path: Path) -> None:
    """Conversations come, go back and end, and each step is what it would be alone."""
    file = model("llama")
    cut = plan_of(file)
    options = replace(OPTIONS, kv_tokens=400, sequences=4)
    chance = np.random.default_rng(1)
    whole = Span(1, cut.head_unit + 1)
    with closing(open_slice(file, cut, whole, tmp_path, options=options)) as piece:
        texts = [chance.integers(0, VOCABULARY, 120).tolist() for _ in range(3)]
        rows = [embed(file, cut, text) for text in texts]
        alone = []
        for hidden in rows:
            parts = [Rows(3, start, hidden[start : start + 40], 40) for start in (0, 40, 80)]
            alone.append(
                np.concatenate([table for part in parts for table in piece.compute([part])])
            )
            piece.forget(3, 0)
        known = [0, 0, 0]
        for _ in range(60):
            one = int(chance.integers(3))
            if chance.random() < 0.2 or known[one] == 120:
                known[one] = int(chance.choice([0, known[one] // 2]))
            start, stop = known[one], min(120, known[one] + int(chance.integers(1, 40)))
            (table,) = piece.compute([Rows(one, start, rows[one][start:stop], stop - start)])
            assert np.array_equal(table, alone[one][start:stop])
            known[one] = stop
