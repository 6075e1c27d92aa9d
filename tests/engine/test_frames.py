"""What node and worker say to each other is understood or refused; see app/engine/frames.py."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine import frames
from app.errors import BadInput

PART = frames.Part(sequence=1, position=2, rows=3, hidden=b"\0" * 12)
SLICE = frames.SliceFiles(
    files=["a", "b"],
    width=64,
    blocks=2,
    has_head=True,
    kv_tokens=256,
    sequences=4,
    batch_rows=64,
    threads=1,
    gpu_layers=-1,
    repack=False,
    shared_room=True,
)
TABLE = frames.EmbeddingTable(path="e", offset=16, rows=9, width=64, kind=8, scale=1.0)
REQUESTS: list[frames.Request] = [
    frames.Mount(serial=1, embedding=TABLE, slice=SLICE),
    frames.Compute(serial=2, parts=[PART, frames.Part(sequence=0, position=0, rows=1, tokens=[5])]),
    frames.Forget(serial=3, sequence=0, position=7),
    frames.Save(serial=4, sequence=1, positions=4),
    frames.DescribeMemory(serial=12, sequence=1),
    frames.Restore(serial=5, sequence=1, state=b"state"),
    frames.Tune(serial=6, threads=[1, 2]),
    frames.OpenVocabulary(serial=7, path="header.gguf"),
    frames.Tokenize(serial=8, text="Grüße", special=True),
    frames.Render(serial=9, messages=[{"role": "user", "content": "hello"}]),
    frames.Status(serial=10),
    frames.UseThreads(serial=11, threads=2),
]
ANSWERS: list[frames.Answer] = [
    frames.Mounted(serial=1, tokens_per_sequence=64, vocabulary_size=0),
    frames.Computed(serial=2, results=[frames.PartResult(hidden=b"\1")], seconds=0.5),
    frames.MemoryDescribed(serial=12, position_bytes=512, digest=bytes(32)),
    frames.Saved(serial=4, state=b"state"),
    frames.Tuned(serial=6, threads=2, seconds=0.25),
    frames.Vocabulary(
        serial=7,
        pieces=[b"a", b"\xff"],
        ends=[1],
        control=[],
        begin=-1,
        end=1,
        add_begin=False,
        has_template=False,
    ),
    frames.Tokens(serial=8, ids=[1, 2]),
    frames.Rendered(serial=9, text="hello"),
    frames.Done(serial=3),
    frames.Report(serial=10, mounted=True, gpu=False, system="AVX2", resident_bytes=1 << 30),
    frames.Failed(serial=2, kind="no_room", reason="full"),
]


def test_every_frame_comes_back_as_it_was_sent() -> None:
    for request in REQUESTS:
        sent = frames.encode(request)
        assert frames.body_length(sent[: frames.LENGTH_BYTES]) == len(sent) - frames.LENGTH_BYTES
        assert frames.decode_request(sent[frames.LENGTH_BYTES :]) == request
    for answer in ANSWERS:
        assert frames.decode_answer(frames.encode(answer)[frames.LENGTH_BYTES :]) == answer
    assert {type(request) for request in REQUESTS} == set(get_args(frames.Request))
    assert {type(answer) for answer in ANSWERS} == set(get_args(frames.Answer))


def test_a_frame_longer_than_allowed_is_not_waited_for() -> None:
    longest = frames.MAX_FRAME_BYTES
    assert frames.body_length(longest.to_bytes(4, "little")) == longest
    with pytest.raises(BadInput, match="claims 268,435,457 bytes"):
        frames.body_length((longest + 1).to_bytes(4, "little"))


def test_a_frame_longer_than_allowed_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 100)
    with pytest.raises(ValueError, match="too large"):
        frames.encode(frames.Restore(serial=1, sequence=0, state=bytes(200)))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"t": "compute"},
        {"t": "nothing", "serial": 1},
        {"t": "status", "serial": -1},
        {"t": "status", "serial": "1"},
        {"t": "compute", "serial": 1, "parts": []},
        {"t": "compute", "serial": 1, "parts": [{"sequence": 0, "position": 0}]},
        {"t": "compute", "serial": 1, "parts": [{"sequence": -1, "position": 0, "rows": 1}]},
        {"t": "compute", "serial": 1, "parts": [{"sequence": 0, "position": 1 << 32, "rows": 1}]},
        {
            "t": "compute",
            "serial": 1,
            "parts": [{"sequence": 0, "position": 0, "rows": 1}] * (frames.MAX_PARTS + 1),
        },
        {
            "t": "compute",
            "serial": 1,
            "parts": [{"sequence": 0, "position": 0, "rows": 1, "tokens": [-1]}],
        },
        {"t": "tune", "serial": 1, "threads": []},
        {"t": "tune", "serial": 1, "threads": [1] * 17},
        {"t": "mounted", "serial": 1, "tokens_per_sequence": 1, "vocabulary_size": 1},
        [],
        None,
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(message: object) -> None:
    with pytest.raises(BadInput, match="no request it knows"):
        frames.decode_request(msgspec.msgpack.encode(message))


@pytest.mark.parametrize(
    "message",
    [
        {"t": "computed", "serial": 1, "results": [], "seconds": 0.0},
        {"t": "computed", "serial": 1, "results": [{"code": "whim"}], "seconds": 0.0},
        {"t": "failed", "serial": 1, "kind": "mood", "reason": ""},
        {"t": "status", "serial": 1},
        17,
    ],
)
def test_an_answer_that_breaks_a_rule_is_refused(message: object) -> None:
    with pytest.raises(BadInput, match="no answer that makes sense"):
        frames.decode_answer(msgspec.msgpack.encode(message))


def test_nesting_without_end_is_refused() -> None:
    for decode in (frames.decode_request, frames.decode_answer):
        with pytest.raises(BadInput):
            decode(b"\x82\xa1t\xa6status\xa1x" + b"\x91" * 100_000)


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_a_frame_or_refused(noise: bytes) -> None:
    for decode, kinds in (
        (frames.decode_request, get_args(frames.Request)),
        (frames.decode_answer, get_args(frames.Answer)),
    ):
        try:
            assert isinstance(decode(noise), kinds)
        except BadInput as refusal:
            assert "\n" not in str(refusal)


@given(st.sampled_from([*REQUESTS, *ANSWERS]), st.data())
@settings(deadline=None, max_examples=300)
def test_a_changed_frame_is_a_frame_or_refused(frame: frames.Frame, data: st.DataObject) -> None:
    body = bytearray(frames.encode(frame)[frames.LENGTH_BYTES :])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(body[: data.draw(st.integers(0, len(body)))])
    for decode in (frames.decode_request, frames.decode_answer):
        try:
            read = decode(changed)
        except BadInput:
            continue
        assert read.serial >= 0
        if isinstance(read, frames.Compute):
            assert 1 <= len(read.parts) <= frames.MAX_PARTS
            assert all(0 <= part.position <= 1 << 31 for part in read.parts)
