"""What is written is what is read back; see app/engine/gguf_write.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gguf.constants import GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine import gguf_write
from app.engine.gguf_read import RawValue, TensorInfo, ValueType, parse_header
from app.engine.gguf_write import PADDING_KEY, array, array_part, text, u16, u32, write_header
from app.errors import BadInput

ONE = TensorInfo("one", (32, 2), GGMLQuantizationType.F32, 0, 256)


def test_every_family_s_header_comes_back_as_it_was(model: Callable[[str], Path]) -> None:
    for family in ("llama", "gemma3", "gpt-oss"):
        data = model(family).read_bytes()
        first = parse_header(data, len(data))
        written = write_header(first.metadata, first.tensors, first.alignment)
        again = parse_header(written, len(written) + len(data))
        assert again.tensors == first.tensors
        assert again.metadata == {"general.alignment": u32(32), **first.metadata}
        assert again.data_offset == len(written)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40),
        st.one_of(
            st.text(max_size=60).map(text),
            st.integers(0, 65_535).map(u16),
            st.integers(0, (1 << 32) - 1).map(u32),
            st.lists(st.booleans(), max_size=20).map(lambda v: array(ValueType.BOOL, v)),
            st.lists(st.integers(-9, 9), max_size=20).map(lambda v: array(ValueType.INT32, v)),
        ),
        max_size=8,
    ),
    st.sampled_from([8, 32, 4096]),
)
@settings(deadline=None, max_examples=80)
def test_any_metadata_survives_the_way_out_and_back(
    metadata: dict[str, RawValue], alignment: int
) -> None:
    metadata.pop("general.alignment", None)
    written = write_header(metadata, [ONE], alignment)
    assert len(written) % alignment == 0
    header = parse_header(written, len(written) + 256)
    assert {**metadata, "general.alignment": u32(alignment)} == header.metadata
    assert header.tensors == (ONE,)
    assert header.data_offset == len(written)


@pytest.mark.parametrize("room", [256, 4096, 16_384])
def test_a_header_fills_its_room_exactly(room: int) -> None:
    for name_length in range(1, 40):
        metadata = {"k" * name_length: text("v")}
        written = write_header(metadata, [ONE], 32, room=room)
        assert len(written) == room
        header = parse_header(written, room + 256)
        assert header.data_offset == room
        assert header.metadata["k" * name_length].decode() == "v"


def test_the_last_byte_of_the_room_can_be_used_and_not_one_more() -> None:
    padding = parse_header(write_header({"k": text("")}, [], 8, room=4096), 4096)
    spare = len(padding.metadata[PADDING_KEY].decode())
    assert len(write_header({"k": text("x" * spare)}, [], 8, room=4096)) == 4096
    with pytest.raises(ValueError, match="a header of 4097 bytes does not fit into 4096"):
        write_header({"k": text("x" * (spare + 1))}, [], 8, room=4096)


def test_room_that_would_not_end_at_the_alignment_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple of 32768"):
        write_header({}, [ONE], 32_768, room=16_384)


def test_a_part_of_an_array_keeps_its_type() -> None:
    whole = array(ValueType.FLOAT32, [0.5, 1.5, 2.5, 3.5])
    part = array_part(whole, 1, 3)
    assert part.item_type is ValueType.FLOAT32
    assert part.decode() == [1.5, 2.5]
    for value in (text("words"), u16(3)):
        with pytest.raises(ValueError, match="arrays of numbers"):
            array_part(value, 0, 1)


def test_single_values_read_as_they_were_given() -> None:
    assert gguf_write.i32(-5).decode() == -5
    assert gguf_write.f32(0.25).decode() == 0.25
    assert gguf_write.scalar(ValueType.BOOL, True).decode() is True
    assert text("Grüße").decode() == "Grüße"
    with pytest.raises(BadInput):
        RawValue(text("abc").raw[:-3] + b"\xff\xff\xff").decode()
