"""What the files of a mounted slice say; see app/engine/slice_files.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.engine.gguf_read import Header, ValueType, parse_header
from app.engine.gguf_write import array, u32
from app.engine.slice_files import (
    HEADER_ROOM_BYTES,
    STAND_IN_ROWS,
    Slice,
    generated_file,
    make_slice,
    unit_header,
)
from app.engine.slicing import Plan
from app.errors import UnsupportedModel
from app.ids import Span
from tests.helpers.slices import plan_of
from tests.helpers.tiny_models import FAMILIES, VOCABULARY, WIDTH

ModelFile = Callable[[str], Path]


def shared_of(piece: Slice) -> dict[str, bytes]:
    return {t.name: bytes([7]) * t.size for t in piece.plan.shared}


def first_of(piece: Slice) -> Header:
    made = generated_file(piece, shared_of(piece))
    return parse_header(made.header, made.file_bytes)


def read(header: Header, name: str) -> Any:
    value = header.metadata.get(name)
    return None if value is None else value.decode()


def with_metadata(cut: Plan, **more: Any) -> Plan:
    """A plan whose source said this as well, under its architecture's name."""
    own = {f"{cut.architecture}.{n.replace('__', '.')}": v for n, v in more.items()}
    return replace(cut, header=replace(cut.header, metadata={**cut.header.metadata, **own}))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_unit_s_header_page_fills_its_room_and_moves_no_tensor(
    model: ModelFile, family: str
) -> None:
    cut = plan_of(model(family))
    for span in (Span(0, cut.head_unit), Span(2, 4), Span(1, cut.head_unit + 1)):
        piece = make_slice(cut, span)
        for number, unit in enumerate(piece.units):
            page = unit_header(piece, unit)
            assert len(page) == HEADER_ROOM_BYTES
            header = parse_header(page, HEADER_ROOM_BYTES + cut.units[unit].payload_bytes)
            assert header.data_offset == HEADER_ROOM_BYTES
            assert read(header, "split.no") == number + 1
            assert read(header, "split.count") == len(piece.units) + 1
            told = [(t.offset, t.size, t.type) for t in cut.units[unit].tensors]
            assert [(t.offset, t.size, t.type) for t in header.tensors] == told


def test_blocks_are_counted_from_the_slice_s_start(model: ModelFile) -> None:
    cut = plan_of(model("llama"))
    piece = make_slice(cut, Span(3, 8))
    assert piece.units == (3, 4, 5, 6, 7)
    assert piece.blocks == 4
    assert piece.has_head
    names = {
        unit: {t.name for t in parse_header(unit_header(piece, unit), 1 << 30).tensors}
        for unit in piece.units
    }
    assert "blk.0.attn_q.weight" in names[3]
    assert "blk.3.attn_q.weight" in names[6]
    assert names[7] == {"output_norm.weight", "output.weight"}


def test_a_unit_with_more_tensors_than_a_page_holds_is_refused(model: ModelFile) -> None:
    cut = plan_of(model("llama"))
    tensor = cut.units[1].tensors[0]
    many = tuple(replace(tensor, name=f"blk.0.{n:040}") for n in range(300))
    units = (cut.units[0], replace(cut.units[1], tensors=many), *cut.units[2:])
    piece = make_slice(replace(cut, units=units), Span(1, 3))
    with pytest.raises(UnsupportedModel, match=r"unit 1 has too many tensors \(300\)"):
        unit_header(piece, 1)


def test_the_first_file_counts_the_tensors_of_all_files(model: ModelFile) -> None:
    for family in FAMILIES:
        cut = plan_of(model(family))
        for span in (Span(0, 3), Span(2, 3), cut.whole, Span(cut.head_unit, cut.head_unit + 1)):
            piece = make_slice(cut, span)
            header = first_of(piece)
            others = sum(len(cut.units[unit].tensors) for unit in piece.units)
            assert read(header, "split.tensors.count") == len(header.tensors) + others
            assert read(header, "split.no") == 0
            assert read(header, f"{family}.block_count") == piece.blocks


def test_a_slice_without_the_head_stands_in_for_what_it_never_uses(model: ModelFile) -> None:
    cut = plan_of(model("llama"))
    piece = make_slice(cut, Span(2, 4))
    made = generated_file(piece, shared_of(piece))
    header = parse_header(made.header, made.file_bytes)
    shapes = {t.name: t.dimensions for t in header.tensors}
    assert shapes == {
        "token_embd.weight": (WIDTH, STAND_IN_ROWS),
        "output_norm.weight": (WIDTH,),
        "output.weight": (WIDTH, STAND_IN_ROWS),
        "rope_freqs.weight": (16,),
    }
    assert read(header, "llama.vocab_size") == STAND_IN_ROWS
    assert read(header, "tokenizer.ggml.model") == "no_vocab"
    assert [data for _, data in made.pieces] == [
        np.ones(WIDTH, np.float32).tobytes(),
        bytes([7]) * 64,
    ]
    for (offset, data), name in zip(
        made.pieces, ("output_norm.weight", "rope_freqs.weight"), strict=True
    ):
        (tensor,) = [t for t in header.tensors if t.name == name]
        assert offset == header.data_offset + tensor.offset
        assert len(data) == tensor.size


def test_a_slice_with_the_head_has_the_whole_vocabulary(model: ModelFile) -> None:
    for family in ("llama", "qwen2"):
        cut = plan_of(model(family))
        piece = make_slice(cut, Span(3, cut.head_unit + 1))
        header = first_of(piece)
        assert read(header, f"{family}.vocab_size") == VOCABULARY
        unit_names = {t.name for t in cut.units[-1].tensors}
        assert not unit_names & {t.name for t in header.tensors}


def test_the_head_alone_gets_one_block_of_zeros(model: ModelFile) -> None:
    cut = plan_of(model("qwen3"))
    small = make_slice(cut, Span(6, 7))
    assert (small.units, small.blocks, small.has_head, small.identity) == ((6,), 1, True, "small")
    header = first_of(small)
    assert read(header, "qwen3.attention.head_count") == 1
    assert read(header, "qwen3.feed_forward_length") == 32
    shapes = {t.name: t.dimensions for t in header.tensors}
    assert shapes["blk.0.attn_q.weight"] == (WIDTH, 32)
    assert shapes["blk.0.attn_output.weight"] == (32, WIDTH)
    assert shapes["blk.0.ffn_down.weight"] == (32, WIDTH)
    assert generated_file(small, {}).pieces == ()
    full = first_of(make_slice(cut, Span(6, 7), identity="full"))
    assert read(full, "qwen3.attention.head_count") == 4
    own = {t.name: t.dimensions for t in cut.units[1].tensors}
    assert own.items() <= {t.name: t.dimensions for t in full.tensors}.items()


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (3, 9), (8, 9)])
def test_what_is_no_part_of_the_model_cannot_be_mounted(
    model: ModelFile, start: int, stop: int
) -> None:
    with pytest.raises(ValueError, match="no mountable part"):
        make_slice(plan_of(model("llama")), Span(start, stop))


def test_values_given_layer_by_layer_are_cut_to_the_slice_s_layers(model: ModelFile) -> None:
    cut = with_metadata(
        plan_of(model("llama")),
        attention__head_count_kv=array(ValueType.INT32, [1, 2, 3, 4, 5, 6]),
        rope__dimension_sections=array(ValueType.INT32, [9] * 6),
        other=array(ValueType.INT32, [1, 2, 3]),
    )
    for span, kept in ((Span(0, 3), [1, 2]), (Span(3, 5), [3, 4]), (Span(6, 8), [6])):
        header = first_of(make_slice(cut, span))
        assert read(header, "llama.attention.head_count_kv") == kept
        assert read(header, "llama.rope.dimension_sections") == [9] * 6
        assert read(header, "llama.other") == [1, 2, 3]
    alone = first_of(make_slice(cut, Span(7, 8), identity="full"))
    assert read(alone, "llama.attention.head_count_kv") == [1]


def test_leading_dense_layers_are_counted_from_the_slice_s_start(model: ModelFile) -> None:
    cut = with_metadata(plan_of(model("qwen3moe")), leading_dense_block_count=u32(2))
    for span, left in ((Span(0, 2), 1), (Span(1, 5), 2), (Span(2, 4), 1), (Span(4, 5), 0)):
        header = first_of(make_slice(cut, span))
        assert read(header, "qwen3moe.leading_dense_block_count") == left


SLIDES = "attention.sliding_window_pattern"


def test_each_slice_writes_out_which_of_its_layers_slide(model: ModelFile) -> None:
    cut = plan_of(model("gemma3"))  # five slide, one does not, two slide
    for span, pattern in (
        (Span(0, 10), [True] * 5 + [False] + [True] * 2),
        (Span(5, 8), [True, False, True]),
        (Span(8, 9), [True]),
    ):
        header = first_of(make_slice(cut, span))
        assert read(header, f"gemma3.{SLIDES}") == pattern
        assert read(header, "gemma3.attention.sliding_window") == 8


def test_a_slice_of_dense_layers_alone_has_no_window(model: ModelFile) -> None:
    header = first_of(make_slice(plan_of(model("gemma3")), Span(6, 7)))
    assert read(header, f"gemma3.{SLIDES}") == [False]
    assert read(header, "gemma3.attention.sliding_window") == 0


def test_where_llama_cpp_insists_on_a_window_a_dense_slice_gets_an_endless_one(
    model: ModelFile,
) -> None:
    cut = plan_of(model("gpt-oss"))
    dense = first_of(make_slice(cut, Span(2, 3)))
    assert read(dense, f"gpt-oss.{SLIDES}") == [True]
    assert read(dense, "gpt-oss.attention.sliding_window") == 1 << 30
    both = first_of(make_slice(cut, Span(2, 4)))
    assert read(both, f"gpt-oss.{SLIDES}") == [False, True]


def test_a_pattern_given_by_the_publisher_is_followed(model: ModelFile) -> None:
    given = [False, True, True, False, True, True, False, True]
    cut = with_metadata(
        plan_of(model("gemma3")),
        attention__sliding_window_pattern=array(ValueType.BOOL, given),
    )
    assert read(first_of(make_slice(cut, Span(3, 6))), f"gemma3.{SLIDES}") == given[2:5]
    period = with_metadata(plan_of(model("gemma3")), attention__sliding_window_pattern=u32(3))
    header = first_of(make_slice(period, Span(3, 6)))
    assert read(header, f"gemma3.{SLIDES}") == [False, True, True]


def test_a_model_without_a_window_gets_no_pattern(model: ModelFile) -> None:
    header = first_of(make_slice(plan_of(model("llama")), Span(1, 3)))
    assert f"llama.{SLIDES}" not in header.metadata
