"""Each request is answered, and a bad part fails alone; see app/engine/worker.py."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine import frames
from app.engine.llama import Rows, WholeModel, start_library
from app.engine.mount import write_slice
from app.engine.slice_files import HEADER_ROOM_BYTES, make_slice
from app.engine.slicing import Plan
from app.engine.worker import Embedding, Worker, best_candidates, serve
from app.errors import BadInput, EngineFault
from app.ids import Span
from tests.helpers.slices import OPTIONS, embed, open_slice, payload, plan_of
from tests.helpers.tiny_models import VOCABULARY, WIDTH

ModelFile = Callable[[str], Path]


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    """Send what llama.cpp says into the log."""
    start_library()


def slice_frame(file: Path, cut: Plan, span: Span, folder: Path) -> frames.SliceFiles:
    """Store and mount the blocks and head of a span."""
    piece = make_slice(cut, span)
    folder.mkdir(parents=True, exist_ok=True)
    stored = {}
    for unit in piece.units:
        stored[unit] = folder / f"{unit}.gguf"
        stored[unit].write_bytes(b"\0" * HEADER_ROOM_BYTES + payload(file, cut, unit))
    shared = {
        t.name: file.read_bytes()[cut.header.data_offset + t.offset :][: t.size] for t in cut.shared
    }
    return frames.SliceFiles(
        files=[str(path) for path in write_slice(piece, stored, shared, folder)],
        width=cut.width,
        blocks=piece.blocks,
        has_head=piece.has_head,
        kv_tokens=256,
        sequences=4,
        batch_rows=64,
        threads=1,
        gpu_layers=0,
        repack=False,
        shared_room=True,
    )


def table_frame(file: Path, cut: Plan, folder: Path) -> frames.EmbeddingTable:
    """Store the embedding."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "0.gguf"
    path.write_bytes(b"\0" * HEADER_ROOM_BYTES + payload(file, cut, 0))
    return frames.EmbeddingTable(
        path=str(path),
        offset=HEADER_ROOM_BYTES,
        rows=cut.vocabulary_size,
        width=cut.width,
        kind=int(cut.units[0].tensors[0].type),
        scale=cut.embedding_scale,
    )


def mounted(file: Path, folder: Path, span: Span) -> Worker:
    cut, worker = plan_of(file), Worker()
    answer = worker.answer(
        frames.Mount(
            serial=1,
            embedding=table_frame(file, cut, folder) if 0 in span else None,
            slice=slice_frame(file, cut, span, folder) if span.stop > 1 else None,
        )
    )
    assert isinstance(answer, frames.Mounted), answer
    return worker


@pytest.fixture
def worker(model: ModelFile, tmp_path: Path) -> Worker:
    """Holds the embedding and the first two blocks of the tiny Llama."""
    return mounted(model("llama"), tmp_path, Span(0, 3))


@pytest.fixture
def head(model: ModelFile, tmp_path: Path) -> Worker:
    """Holds the last block and the head of the tiny Llama."""
    return mounted(model("llama"), tmp_path, Span(6, 8))


def rows_of(count: int, value: float = 0.25, *, width: int = WIDTH) -> bytes:
    return np.full((count, width), value, np.float32).tobytes()


def part(sequence: int, position: int, count: int, **more: object) -> frames.Part:
    if "tokens" not in more and "hidden" not in more:
        more["hidden"] = rows_of(count)
    return frames.Part(sequence=sequence, position=position, rows=count, **more)  # type: ignore[arg-type]


def compute(worker: Worker, *parts: frames.Part) -> list[frames.PartResult]:
    answer = worker.answer(frames.Compute(serial=7, parts=list(parts)))
    assert isinstance(answer, frames.Computed), answer
    assert answer.serial == 7
    assert len(answer.results) == len(parts)
    assert answer.seconds >= 0
    return answer.results


def test_tokens_go_in_and_hidden_states_come_out(
    worker: Worker, model: ModelFile, tmp_path: Path
) -> None:
    file = model("llama")
    cut = plan_of(file)
    (result,) = compute(worker, part(0, 0, 5, tokens=[1, 2, 3, 4, 5]))
    with closing(open_slice(file, cut, Span(1, 3), tmp_path / "other")) as other:
        (expected,) = other.compute([Rows(0, 0, embed(file, cut, [1, 2, 3, 4, 5]))])
    assert result.hidden == expected.tobytes()
    assert (result.fault, result.code, result.ids) == ("", "", b"")


def test_the_head_gives_the_best_tokens_of_the_rows_asked_for(
    head: Worker, model: ModelFile, tmp_path: Path
) -> None:
    file = model("llama")
    first = mounted(file, tmp_path / "first", Span(0, 6))
    tokens = [5, 9, 60, 2]
    (middle,) = compute(first, part(1, 0, 4, tokens=tokens))
    (result,) = compute(head, part(0, 0, 4, hidden=middle.hidden, outputs=2, candidates=3))
    with closing(WholeModel(file, options=OPTIONS)) as whole:
        logits = whole.compute_tokens(0, 0, tokens)[-2:]
    ids = np.frombuffer(result.ids, "<i4").reshape(2, 3)
    assert ids.tolist() == np.argsort(-logits, axis=1, kind="stable")[:, :3].tolist()
    values = np.frombuffer(result.logits, np.float32).reshape(2, 3)
    assert np.array_equal(values, np.take_along_axis(logits, ids.astype(int), axis=1))
    assert result.hidden == b""


def test_a_computer_with_the_embedding_alone_turns_tokens_into_rows(
    model: ModelFile, tmp_path: Path
) -> None:
    for family in ("llama", "gemma3"):
        file = model(family)
        lookup = mounted(file, tmp_path / family, Span(0, 1))
        results = compute(
            lookup, part(0, 0, 2, tokens=[3, 95]), part(1, 0, 1), part(2, 5, 1, tokens=[96])
        )
        assert results[0].hidden == embed(file, plan_of(file), [3, 95]).tobytes()
        assert results[1].fault == "no layers are mounted"
        assert results[2].fault == "token 96 is not in the vocabulary"


SPOILED = np.full((2, WIDTH), 0.25, np.float32)
NAN, INFINITE = SPOILED.copy(), SPOILED.copy()
NAN[1, 63], INFINITE[0, 0] = np.nan, -np.inf

BAD_PARTS = {
    "not a number": (part(1, 0, 2, hidden=NAN.tobytes()), "input", "not finite"),
    "infinite": (part(1, 0, 2, hidden=INFINITE.tobytes()), "input", "not finite"),
    "a gap": (part(1, 5, 1), "gap", "position 5 does not follow on 0 known"),
    "no such sequence": (part(4, 0, 1), "input", "there is no sequence 4"),
    "far beyond": (part(1 << 31, 0, 1), "input", "there is no sequence"),
    "too wide": (part(1, 0, 1, hidden=rows_of(1, width=65)), "input", "rows of 65 values"),
    "no rows": (part(1, 0, 0), "input", "do not agree"),
    "no bytes": (part(1, 0, 1, hidden=b""), "input", "rows of 0 values"),
    "bytes of no number": (part(1, 0, 1, hidden=b"abc"), "input", ""),
    "fewer rows than told": (part(1, 0, 3, hidden=rows_of(2)), "input", ""),
    "more rows than a decode": (part(1, 0, 65), "input", "65 rows is too long"),
    "more outputs than rows": (part(1, 0, 1, outputs=2), "input", "do not agree"),
    "a token outside": (part(1, 0, 1, tokens=[VOCABULARY]), "input", "token 96 is not in"),
    "a token far outside": (part(1, 0, 1, tokens=[1 << 31]), "input", "not in the vocabulary"),
    "fewer tokens than rows": (part(1, 0, 2, tokens=[1]), "input", "do not agree"),
    "more tokens than rows": (part(1, 0, 1, tokens=[1, 2]), "input", "do not agree"),
    "no tokens": (part(1, 0, 0, tokens=[]), "input", "do not agree"),
    "no tokens for a row": (part(1, 0, 1, tokens=[]), "input", "do not agree"),
}


@pytest.mark.parametrize(("bad", "code", "reason"), BAD_PARTS.values(), ids=BAD_PARTS.keys())
def test_a_bad_part_fails_alone(worker: Worker, bad: frames.Part, code: str, reason: str) -> None:
    compute(worker, part(1, 0, 1))
    (alone,) = compute(worker, part(0, 0, 2))
    compute(worker, part(1, 0, 3))
    worker.answer(frames.Forget(serial=1, sequence=1, position=0))
    before, failed, after = compute(worker, part(0, 0, 2), bad, part(2, 0, 2))
    assert failed.code == code
    assert reason in failed.fault
    assert failed.fault
    assert failed.hidden == failed.ids == b""
    assert before.hidden == after.hidden == alone.hidden
    (again,) = compute(worker, part(1, 0, 2))
    assert again.hidden == alone.hidden


def test_a_part_that_finds_no_room_leaves_the_others_theirs(worker: Worker) -> None:
    for position in range(0, 192, 64):
        compute(worker, part(0, position, 64))
    (alone,) = compute(worker, part(1, 0, 2))
    large, small = compute(worker, part(2, 0, 62, hidden=rows_of(62)), part(1, 0, 2))
    assert small.hidden == alone.hidden
    larger = compute(worker, part(2, 62, 10), part(1, 0, 2))
    assert large.fault == ""
    assert larger[0].code == "no_room"
    assert "full" in larger[0].fault
    assert larger[1].hidden == alone.hidden


def test_more_rows_than_one_decode_takes_are_computed_one_by_one(worker: Worker) -> None:
    (alone,) = compute(worker, part(0, 0, 40))
    results = compute(worker, part(1, 0, 40), part(2, 0, 40))
    assert [result.hidden for result in results] == [alone.hidden] * 2


def test_what_spoiled_weights_compute_is_not_passed_on(model: ModelFile, tmp_path: Path) -> None:
    file = tmp_path / "spoiled.gguf"
    cut = plan_of(model("llama"))
    (tensor,) = [t for t in cut.header.tensors if t.name == "blk.1.ffn_down.weight"]
    data = bytearray(model("llama").read_bytes())
    at = cut.header.data_offset + tensor.offset
    data[at : at + 2] = np.float16(np.inf).tobytes()  # the scale of the first 32 weights
    file.write_bytes(data)
    spoiled = mounted(file, tmp_path, Span(1, 3))
    for result in compute(spoiled, part(0, 0, 2), part(1, 0, 1)):
        assert (result.code, result.hidden) == ("engine", b"")
        assert "not finite" in result.fault
    tuned = spoiled.answer(frames.Tune(serial=1, threads=[1]))
    assert isinstance(tuned, frames.Failed)
    assert "not finite" in tuned.reason


def test_without_layers_everything_about_them_is_answered_with_a_reason() -> None:
    empty = Worker()
    (result,) = compute(empty, part(0, 0, 1))
    assert (result.code, result.fault) == ("input", "no layers are mounted")
    (result,) = compute(empty, part(0, 0, 1, tokens=[1]))
    assert "does not hold the embedding" in result.fault
    for request in (
        frames.Save(serial=3, sequence=0, positions=4),
        frames.Restore(serial=3, sequence=0, state=b""),
        frames.Tune(serial=3, threads=[1]),
        frames.Tokenize(serial=3, text="a", special=False),
        frames.Render(serial=3, messages=[]),
    ):
        answer = empty.answer(request)
        assert isinstance(answer, frames.Failed)
        assert (answer.serial, answer.kind) == (3, "engine")
    forgotten = empty.answer(frames.Forget(serial=4, sequence=0, position=0))
    assert forgotten == frames.Done(serial=4)
    report = empty.answer(frames.Status(serial=5))
    assert isinstance(report, frames.Report)
    assert not report.mounted
    assert report.resident_bytes > 0


def test_a_foreign_sequence_is_refused_in_every_request(worker: Worker) -> None:
    for request in (
        frames.Save(serial=3, sequence=9, positions=4),
        frames.Restore(serial=3, sequence=9, state=b"x"),
        frames.Forget(serial=3, sequence=1 << 30, position=0),
    ):
        answer = worker.answer(request)
        assert isinstance(answer, frames.Failed)
        assert "there is no sequence" in answer.reason


def test_a_sequence_moves_to_another_number(worker: Worker) -> None:
    compute(worker, part(0, 0, 4))
    (expected,) = compute(worker, part(0, 4, 1))
    compute(worker, part(0, 0, 4))
    saved = worker.answer(frames.Save(serial=2, sequence=0, positions=4))
    assert isinstance(saved, frames.Saved)
    restored = worker.answer(frames.Restore(serial=3, sequence=2, state=saved.state))
    assert restored == frames.Done(serial=3)
    (result,) = compute(worker, part(2, 4, 1))
    assert result.hidden == expected.hidden


def test_rows_of_memory_that_are_none_are_bad_input(worker: Worker) -> None:
    described = worker.answer(frames.DescribeMemory(serial=2, sequence=1))
    assert isinstance(described, frames.MemoryDescribed)
    for wrong in (b"", bytes(described.position_bytes + 1), b"\xff" * described.position_bytes):
        answer = worker.answer(frames.Restore(serial=3, sequence=1, state=wrong))
        assert isinstance(answer, frames.Failed)
        assert answer.kind == "input"


def test_a_mount_that_fails_leaves_nothing_mounted(worker: Worker, tmp_path: Path) -> None:
    wanted = frames.SliceFiles(
        files=[str(tmp_path / "absent.gguf")],
        width=64,
        blocks=1,
        has_head=False,
        kv_tokens=64,
        sequences=1,
        batch_rows=8,
        threads=1,
        gpu_layers=0,
        repack=False,
        shared_room=True,
    )
    answer = worker.answer(frames.Mount(serial=2, slice=wanted))
    assert isinstance(answer, frames.Failed)
    assert "could not load the layers" in answer.reason
    (result,) = compute(worker, part(0, 0, 1))
    assert result.fault == "no layers are mounted"


@pytest.mark.parametrize(
    ("rows", "kind", "path"),
    [
        (VOCABULARY, GGMLQuantizationType.Q8_0, "absent"),
        (VOCABULARY + 1, GGMLQuantizationType.Q8_0, "short"),
        (1, 4, "short"),
        (1, GGMLQuantizationType.Q8_K, "short"),
        (1, GGMLQuantizationType.F32, "empty"),
    ],
)
def test_an_embedding_that_cannot_be_read_is_refused(
    tmp_path: Path, rows: int, kind: int, path: str
) -> None:
    (tmp_path / "short").write_bytes(bytes(VOCABULARY * 68))
    (tmp_path / "empty").write_bytes(b"")
    table = frames.EmbeddingTable(
        path=str(tmp_path / path), offset=0, rows=rows, width=WIDTH, kind=int(kind), scale=1.0
    )
    with pytest.raises((OSError, ValueError, EngineFault)):
        Embedding(table)
    answer = Worker().answer(frames.Mount(serial=1, embedding=table))
    assert isinstance(answer, frames.Failed)
    assert answer.reason


def test_tuning_keeps_one_of_the_counts_and_leaves_no_trace(worker: Worker) -> None:
    (before,) = compute(worker, part(0, 0, 3))
    tuned = worker.answer(frames.Tune(serial=9, threads=[1, 2]))
    assert isinstance(tuned, frames.Tuned)
    assert tuned.threads in (1, 2)
    assert 0 < tuned.seconds < 5
    assert compute(worker, part(0, 1, 1))[0].code == "gap"
    assert compute(worker, part(0, 0, 3))[0].hidden == before.hidden


# ── the best tokens ───────────────────────────────────────────────────────────


def best(logits: list[list[float]], count: int) -> tuple[list[list[int]], list[list[float]]]:
    result = best_candidates(np.array(logits, np.float32), count)
    ids = np.frombuffer(result.ids, "<i4").reshape(len(logits), -1)
    values = np.frombuffer(result.logits, "<f4").reshape(len(logits), -1)
    return ids.tolist(), values.tolist()


def test_the_best_come_first_and_the_lower_number_of_equals() -> None:
    assert best([[1, 5, 3, 5, 3]], 1) == ([[1]], [[5]])
    assert best([[1, 5, 3, 5, 3]], 2) == ([[1, 3]], [[5, 5]])
    assert best([[1, 5, 3, 5, 3]], 3) == ([[1, 3, 2]], [[5, 5, 3]])
    assert best([[1, 5, 3, 5, 3]], 5) == ([[1, 3, 2, 4, 0]], [[5, 5, 3, 3, 1]])
    assert best([[0.0] * 90, [*range(90)]], 4)[0] == [[0, 1, 2, 3], [89, 88, 87, 86]]


def test_more_than_there_are_gives_all_and_none_gives_one() -> None:
    assert best([[1, 2]], 9)[0] == [[1, 0]]
    assert best([[1, 2]], 0)[0] == [[1]]
    nothing = best_candidates(np.zeros((0, 5), np.float32), 3)
    assert (nothing.ids, nothing.logits) == (b"", b"")


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=12, max_size=12), min_size=1, max_size=3),
    st.integers(1, 14),
)
@settings(deadline=None, max_examples=100)
def test_any_logits_are_sorted_the_same_way(logits: list[list[int]], count: int) -> None:
    ids, values = best([[float(v) for v in row] for row in logits], count)
    for row, mine, told in zip(logits, ids, values, strict=True):
        expected = sorted(range(12), key=lambda token: (-row[token], token))[:count]
        assert mine == expected
        assert told == [row[token] for token in expected]


# ── over pipes ────────────────────────────────────────────────────────────────


class Dialogue:
    """A worker at the other end of real pipes."""

    def __init__(self) -> None:
        requests, answers = os.pipe(), os.pipe()
        self.requests = os.fdopen(requests[1], "wb")
        self.answers = os.fdopen(answers[0], "rb")
        self.error: BaseException | None = None
        self._ends = (os.fdopen(requests[0], "rb"), os.fdopen(answers[1], "wb"))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        source, sink = self._ends
        try:
            serve(source, sink, Worker())
        except BadInput as error:
            self.error = error
        finally:
            sink.close()

    def say(self, data: bytes) -> None:
        self.requests.write(data)
        self.requests.flush()

    def hear(self) -> frames.Answer:
        length = frames.body_length(self.answers.read(frames.LENGTH_BYTES))
        return frames.decode_answer(self.answers.read(length))

    def end(self) -> bytes:
        """Close the requests; returns whatever was still said."""
        self.requests.close()
        rest = self.answers.read()
        self._thread.join(60)
        assert not self._thread.is_alive()
        self.answers.close()
        self._ends[0].close()
        return rest


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(frames.LENGTH_BYTES, "little") + body


def test_requests_are_answered_in_order_until_they_end() -> None:
    dialogue = Dialogue()
    dialogue.say(
        frames.encode(frames.Status(serial=1))
        + frames.encode(frames.Forget(serial=2, sequence=0, position=0))
        + frames.encode(frames.Save(serial=3, sequence=0, positions=4))
    )
    assert [dialogue.hear().serial for _ in range(3)] == [1, 2, 3]
    assert dialogue.end() == b""
    assert dialogue.error is None


@pytest.mark.parametrize("noise", [b"", b"\xc1", b"\x00" * 50, b"\x82\xa1t\xa6status"])
def test_noise_in_a_frame_is_refused_and_the_next_frame_understood(noise: bytes) -> None:
    dialogue = Dialogue()
    dialogue.say(framed(noise))
    refused = dialogue.hear()
    assert isinstance(refused, frames.Failed)
    assert refused.kind == "bad_request"
    dialogue.say(frames.encode(frames.Status(serial=8)))
    assert dialogue.hear().serial == 8
    assert dialogue.end() == b""


def test_a_frame_of_absurd_length_ends_the_conversation() -> None:
    dialogue = Dialogue()
    dialogue.say(b"\xff\xff\xff\xff")
    assert dialogue.end() == b""
    assert "claims 4,294,967,295 bytes" in str(dialogue.error)


@pytest.mark.parametrize("cut", [1, 3, 4, 9])
def test_a_frame_cut_off_by_the_end_is_no_request(cut: int) -> None:
    dialogue = Dialogue()
    dialogue.say(frames.encode(frames.Status(serial=8))[:cut])
    assert dialogue.end() == b""
    assert dialogue.error is None


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=60)
def test_any_noise_is_answered_or_ends_the_conversation(noise: bytes) -> None:
    sink = io.BytesIO()
    try:
        serve(io.BytesIO(framed(noise) + noise), sink, Worker())
    except BadInput as refusal:
        assert "claims" in str(refusal)
    sink.seek(0)
    prefix = sink.read(frames.LENGTH_BYTES)
    assert isinstance(
        frames.decode_answer(sink.read(frames.body_length(prefix))), frames.Failed | frames.Report
    )
