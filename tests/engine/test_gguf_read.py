"""A GGUF header is read exactly, or refused in one line; see app/engine/gguf_read.py."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.gguf_read import (
    MAX_ARRAY_ITEMS,
    MAX_DIMENSION,
    MAX_KEYS,
    MAX_STRING_BYTES,
    MAX_TENSORS,
    Header,
    NeedMore,
    ValueType,
    parse_header,
    tensor_bytes,
)
from app.errors import BadInput

ModelFile = Callable[[str], Path]

UINT32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9
F32, Q8_0 = 0, 8


def words(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def key(name: bytes, kind: int, raw: bytes) -> bytes:
    return words(name) + struct.pack("<I", kind) + raw


def entry(name: bytes, dimensions: tuple[int, ...], kind: int, offset: int) -> bytes:
    count = len(dimensions)
    return words(name) + struct.pack(f"<I{count}QIQ", count, *dimensions, kind, offset)


def file_of(
    keys: list[bytes],
    tensors: list[bytes],
    *,
    data_bytes: int = 4096,
    key_count: int | None = None,
    tensor_count: int | None = None,
) -> bytes:
    """A GGUF file of these parts; the counts are told truly unless given."""
    counts = (
        len(tensors) if tensor_count is None else tensor_count,
        len(keys) if key_count is None else key_count,
    )
    head = b"GGUF" + struct.pack("<IQQ", 3, *counts) + b"".join(keys) + b"".join(tensors)
    return head + b"\0" * (-len(head) % 32) + b"\0" * data_bytes


def read(file: bytes) -> Header:
    return parse_header(file, len(file))


SOUND = file_of(
    [
        key(b"general.architecture", STRING, words(b"llama")),
        key(b"llama.scale", FLOAT32, struct.pack("<f", 1.5)),
        key(b"llama.kv", ARRAY, struct.pack("<IQ3I", UINT32, 3, 7, 8, 9)),
        key(b"words", ARRAY, struct.pack("<IQ", STRING, 2) + words(b"a") + words(b"\xff!")),
    ],
    [entry(b"first", (64, 2), F32, 0), entry(b"second", (32, 3), Q8_0, 512)],
)


def test_a_sound_header_says_what_stands_in_it() -> None:
    header = read(SOUND)
    assert header.text("general.architecture") == "llama"
    assert header.number("llama.scale") == 1.5
    assert header.metadata["llama.kv"].decode() == [7, 8, 9]
    assert header.metadata["words"].decode() == ["a", "\ufffd!"]
    assert [(t.name, t.dimensions, t.offset, t.size) for t in header.tensors] == [
        ("first", (64, 2), 0, 512),
        ("second", (32, 3), 512, 102),
    ]
    assert header.blob == SOUND[: header.data_offset]


def test_a_tiny_model_reads_as_the_reference_reader_reads_it(model: ModelFile) -> None:
    path = model("llama")
    header, reference = read(path.read_bytes()), gguf.GGUFReader(path)
    assert [(t.name, t.dimensions, t.size) for t in header.tensors] == [
        (t.name, tuple(t.shape), t.n_bytes) for t in reference.tensors
    ]
    assert [header.data_offset + t.offset for t in header.tensors] == [
        t.data_offset for t in reference.tensors
    ]
    names = {name for name in reference.fields if not name.startswith("GGUF.")}
    assert set(header.metadata) == names
    for name in names:
        assert header.metadata[name].decode() == reference.fields[name].contents()


def test_a_beginning_of_any_length_asks_for_more_and_never_for_more_than_there_is() -> None:
    whole = read(SOUND)
    for length in range(whole.data_offset):
        with pytest.raises(NeedMore) as need:
            parse_header(SOUND[:length], len(SOUND))
        assert length < need.value.at_least <= whole.data_offset
    assert parse_header(SOUND[: whole.data_offset], len(SOUND)) == whole


def test_a_file_cut_off_at_any_length_is_refused() -> None:
    data_end = read(SOUND).data_offset + 512 + 102
    for length in range(data_end):
        with pytest.raises(BadInput):
            read(SOUND[:length])
    read(SOUND[:data_end])


def test_a_real_header_cut_off_is_refused_or_asks_for_more(model: ModelFile) -> None:
    data = model("gpt-oss").read_bytes()
    data_offset = read(data).data_offset
    for length in range(0, data_offset, 17):
        with pytest.raises(NeedMore):
            parse_header(data[:length], len(data))
        with pytest.raises(BadInput):
            read(data[:length])


ONE = entry(b"one", (32,), F32, 0)

LIES = {
    "another format": (b"PK\x03\x04" + SOUND[4:], "not a GGUF file"),
    "the first version": (b"GGUF" + struct.pack("<I", 1) + SOUND[8:], "version 1"),
    "big-endian": (b"GGUF" + struct.pack(">I", 3) + SOUND[8:], "version 50331648"),
    "too many keys": (file_of([], [], key_count=MAX_KEYS + 1), "4,097 metadata keys"),
    "2^64 - 1 keys": (file_of([], [], key_count=(1 << 64) - 1), "18,446,744,073,709,551,615"),
    "too many tensors": (file_of([], [], tensor_count=MAX_TENSORS + 1), "65,537 tensors"),
    "more keys than are there": (file_of([], [], key_count=9, data_bytes=0)[:24], "cut off"),
    "a key without a name": (file_of([key(b"", UINT32, b"\0" * 4)], []), "empty"),
    "a key that is not UTF-8": (file_of([key(b"\xff", UINT32, b"\0" * 4)], []), "not UTF-8"),
    "a key with a zero byte": (file_of([key(b"a\0b", UINT32, b"\0" * 4)], []), "zero byte"),
    "an endless key": (file_of([struct.pack("<Q", 1 << 40)], []), "bytes in a metadata key"),
    "a key twice": (file_of([key(b"k", UINT32, b"\0" * 4)] * 2, []), "'k' stands twice"),
    "an unknown value type": (file_of([key(b"k", 13, b"\0" * 8)], []), "unknown type 13"),
    "an unknown item type": (
        file_of([key(b"k", ARRAY, struct.pack("<IQ", 99, 1))], []),
        "unknown type 99",
    ),
    "an array of arrays": (
        file_of([key(b"k", ARRAY, struct.pack("<IQ", ARRAY, 1))], []),
        "holds arrays",
    ),
    "an endless array": (
        file_of([key(b"k", ARRAY, struct.pack("<IQ", UINT32, MAX_ARRAY_ITEMS + 1))], []),
        "items in 'k'",
    ),
    "an array longer than the file": (
        file_of([key(b"k", ARRAY, struct.pack("<IQ", UINT32, MAX_ARRAY_ITEMS))], []),
        "cut off",
    ),
    "an endless string": (
        file_of([key(b"k", STRING, struct.pack("<Q", MAX_STRING_BYTES + 1))], []),
        "bytes in 'k'",
    ),
    "an endless word": (
        file_of([key(b"k", ARRAY, struct.pack("<IQQ", STRING, 1, 1 << 60))], []),
        "too long",
    ),
    "words longer than the file": (
        file_of([key(b"k", ARRAY, struct.pack("<IQQ", STRING, 9, 1 << 20))], []),
        "cut off",
    ),
    "an alignment of zero": (
        file_of([key(b"general.alignment", UINT32, struct.pack("<I", 0))], [ONE]),
        "alignment 0",
    ),
    "an alignment that is no power of two": (
        file_of([key(b"general.alignment", UINT32, struct.pack("<I", 48))], [ONE]),
        "alignment 48",
    ),
    "an alignment wider than a header page": (
        file_of([key(b"general.alignment", UINT32, struct.pack("<I", 1 << 15))], [ONE]),
        "alignment 32768",
    ),
    "an alignment in words": (
        file_of([key(b"general.alignment", STRING, words(b"32"))], [ONE]),
        "alignment 0",
    ),
    "a tensor without a name": (file_of([], [entry(b"", (32,), F32, 0)]), "empty"),
    "a tensor's name that is not UTF-8": (
        file_of([], [entry(b"\xc3\x28", (32,), F32, 0)]),
        "not UTF-8",
    ),
    "a tensor's name that llama.cpp would cut": (
        file_of([], [entry(b"x" * 64, (32,), F32, 0)]),
        "64 bytes in a tensor's name",
    ),
    "a tensor twice": (
        file_of([], [ONE, entry(b"one", (32,), F32, 128)]),
        "'one' stands twice",
    ),
    "a tensor of no dimensions": (file_of([], [entry(b"one", (), F32, 0)]), "0 dimensions"),
    "a tensor of five dimensions": (
        file_of([], [entry(b"one", (1,) * 5, F32, 0)]),
        "5 dimensions",
    ),
    "a tensor of no values": (file_of([], [entry(b"one", (32, 0), F32, 0)]), "impossible shape"),
    "an endless dimension": (
        file_of([], [entry(b"one", (MAX_DIMENSION + 1,), F32, 0)]),
        "impossible shape",
    ),
    "sizes whose product overflows": (
        file_of([], [entry(b"one", (1 << 40,) * 4, F32, 0)]),
        "after the file does",
    ),
    "an unknown tensor type": (file_of([], [entry(b"one", (32,), 4, 0)]), "unknown type 4"),
    "rows that are no whole blocks": (
        file_of([], [entry(b"one", (33,), Q8_0, 0)]),
        "33 values is no whole number of Q8_0",
    ),
    "a tensor after the end of the file": (
        file_of([], [entry(b"one", (2000,), F32, 0)]),
        "'one' ends 3,904 bytes after the file does",
    ),
    "an offset beyond the file": (
        file_of([], [entry(b"one", (32,), F32, 1 << 62)]),
        "not at 0 as it must",
    ),
    "tensors over each other": (
        file_of([], [ONE, entry(b"two", (32,), F32, 64)]),
        "lies at 64, not at 128",
    ),
    "a hole between tensors": (
        file_of([], [ONE, entry(b"two", (32,), F32, 256)]),
        "lies at 256, not at 128",
    ),
    "no room for the data": (file_of([], [ONE], data_bytes=0)[:-1], "ends before"),
}


@pytest.mark.parametrize(("file", "words_in_reason"), LIES.values(), ids=LIES.keys())
def test_a_lying_file_is_refused_with_the_reason(file: bytes, words_in_reason: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read(file)
    assert words_in_reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_absurd_counts_are_refused_before_more_bytes_are_fetched() -> None:
    lie = file_of([], [], key_count=1 << 60)
    with pytest.raises(BadInput):
        parse_header(lie[:24], 1 << 40)


def test_values_of_the_wrong_kind_are_refused_when_asked_for() -> None:
    header = read(
        file_of(
            [
                key(b"text", STRING, words(b"\xff\xfe")),
                key(b"number", FLOAT32, struct.pack("<f", float("nan"))),
                key(b"half", FLOAT32, struct.pack("<f", 0.5)),
                key(b"far", FLOAT32, struct.pack("<f", float("inf"))),
                key(b"below", 5, struct.pack("<i", -1)),
                key(b"many", ARRAY, struct.pack("<IQ2I", UINT32, 2, 1, 2)),
            ],
            [],
        )
    )
    for name in ("text", "half", "number", "below", "far", "many", "absent"):
        with pytest.raises(BadInput):
            header.count(name)
    for name in ("text", "number", "many", "absent"):
        with pytest.raises(BadInput):
            header.text(name)
    assert header.count("absent", 3) == 3
    assert header.text("absent", "") == ""
    assert header.number("half") == 0.5


def test_the_size_of_every_tensor_type_agrees_with_the_reference() -> None:
    for kind, (block_items, block_bytes) in gguf.GGML_QUANT_SIZES.items():
        assert tensor_bytes((4 * block_items, 3), kind) == 12 * block_bytes


def look_at(file: bytes, file_bytes: int) -> None:
    """Read as a download does: whatever comes out must be usable."""
    try:
        header = parse_header(file, file_bytes)
    except NeedMore as need:
        assert len(file) < need.at_least <= file_bytes
        return
    except BadInput as refusal:
        assert "\n" not in str(refusal)
        return
    assert header.data_offset == len(header.blob)
    end = header.data_offset
    for tensor in header.tensors:
        assert header.data_offset + tensor.offset >= end
        end = header.data_offset + tensor.offset + tensor.size
        assert end <= file_bytes
    for value in header.metadata.values():
        assert value.type in ValueType
        try:
            value.decode()
        except BadInput as refusal:
            assert "UTF-8" in str(refusal)


@given(st.binary(max_size=400), st.integers(0, 1 << 20))
@settings(deadline=None, max_examples=150)
def test_any_bytes_at_all_are_read_or_refused(noise: bytes, more: int) -> None:
    look_at(noise, len(noise) + more)
    look_at(b"GGUF" + struct.pack("<IQQ", 3, 2, 2) + noise, 24 + len(noise) + more)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_a_sound_file_with_changed_bytes_is_read_or_refused(data: st.DataObject) -> None:
    header_bytes = len(SOUND) - 4096
    changed = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, header_bytes - 1))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        changed[at : at + len(piece)] = piece
    length = data.draw(st.integers(0, len(changed)))
    look_at(bytes(changed), len(changed))
    look_at(bytes(changed[:length]), len(changed))
