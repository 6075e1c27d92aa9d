"""Which bytes belong to which unit, and what cannot be cut; see app/engine/slicing.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from gguf.constants import GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.gguf_read import Header, RawValue, TensorInfo, ValueType, parse_header, tensor_bytes
from app.engine.gguf_write import array, f32, text, u16, u32, write_header
from app.engine.slicing import MAX_SHARED_BYTES, MAX_VOCABULARY, Plan, plan
from app.errors import BadInput, UnsupportedModel
from app.ids import MAX_UNITS, Span
from tests.helpers.slices import payload, plan_of
from tests.helpers.tiny_models import FAMILIES, write_gemma2

ModelFile = Callable[[str], Path]
Shapes = dict[str, tuple[int, ...]]

BLOCKS = {"llama": 6, "qwen2": 5, "qwen3": 5, "gemma3": 8, "phi3": 4, "qwen3moe": 4, "gpt-oss": 4}


def header_of(metadata: dict[str, RawValue], shapes: Shapes) -> Header:
    """A header with these tensors, as 32-bit floats, and this metadata over a Llama's."""
    tensors, at = [], 0
    for name, shape in shapes.items():
        size = tensor_bytes(shape, GGMLQuantizationType.F32)
        tensors.append(TensorInfo(name, shape, GGMLQuantizationType.F32, at, size))
        at += size + -size % 32
    everything = {
        "general.architecture": text("llama"),
        "llama.block_count": u32(2),
        "llama.embedding_length": u32(32),
        **metadata,
    }
    written = write_header(everything, tensors, 32)
    return parse_header(written, len(written) + at)


SHAPES: Shapes = {
    "token_embd.weight": (32, 8),
    "output_norm.weight": (32,),
    "output.weight": (32, 8),
    "blk.0.attn_norm.weight": (32,),
    "blk.1.attn_norm.weight": (32,),
}


def cut(metadata: dict[str, RawValue] | None = None, **changes: tuple[int, ...] | None) -> Plan:
    """The plan of a small model with some metadata or tensors (`a__b` is a.b) changed."""
    shapes = dict(SHAPES)
    for name, shape in changes.items():
        if shape is None:
            del shapes[name.replace("__", ".")]
        else:
            shapes[name.replace("__", ".")] = shape
    return plan(header_of(metadata or {}, shapes))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_tensor_is_in_one_unit_or_shared(model: ModelFile, family: str) -> None:
    made = plan_of(model(family))
    assert made.architecture == family
    assert made.block_count == BLOCKS[family]
    assert made.whole == Span(0, BLOCKS[family] + 2)
    assert made.head_unit == BLOCKS[family] + 1
    names = [tensor.name for unit in made.units for tensor in unit.tensors]
    names += [tensor.name for tensor in made.shared]
    if family in ("qwen2", "gemma3"):
        names.remove("token_embd.weight")  # tied: the head holds it again
    assert sorted(names) == sorted(tensor.name for tensor in made.header.tensors)
    for unit in range(1, made.head_unit):
        assert all(t.name.startswith(f"blk.{unit - 1}.") for t in made.units[unit].tensors)


@pytest.mark.parametrize("family", FAMILIES)
def test_payloads_hold_the_source_tensors_byte_for_byte(model: ModelFile, family: str) -> None:
    path = model(family)
    made = plan_of(path)
    source = {t.name: t.data.tobytes() for t in gguf.GGUFReader(path).tensors}
    for unit in made.units:
        stored = payload(path, made, unit.unit)
        assert len(stored) == unit.payload_bytes
        for tensor in unit.tensors:
            assert tensor.offset % made.alignment == 0
            assert stored[tensor.offset : tensor.offset + tensor.size] == source[tensor.name]


def test_neighbouring_tensors_come_in_one_range(model: ModelFile) -> None:
    made = plan_of(model("llama"))
    assert all(len(unit.ranges) == 1 for unit in made.units[:-1])
    assert sum(r.length for unit in made.units for r in unit.ranges) <= sum(
        unit.payload_bytes for unit in made.units
    )


def test_tied_embeddings_are_in_the_first_unit_and_in_the_last(model: ModelFile) -> None:
    made = plan_of(model("qwen2"))
    assert [t.name for t in made.units[0].tensors] == ["token_embd.weight"]
    assert {t.name for t in made.units[-1].tensors} == {"token_embd.weight", "output_norm.weight"}
    assert made.units[0].ranges[0].offset == made.units[-1].ranges[0].offset


def test_small_tensors_of_all_layers_are_shared_and_in_no_unit(model: ModelFile) -> None:
    assert [t.name for t in plan_of(model("llama")).shared] == ["rope_freqs.weight"]
    assert [t.name for t in plan_of(model("phi3")).shared] == [
        "rope_factors_long.weight",
        "rope_factors_short.weight",
    ]


def test_tensors_of_a_unit_that_lie_apart_come_in_several_ranges() -> None:
    shapes = {
        "blk.1.a": (32,),
        "token_embd.weight": (32, 8),
        "blk.0.a": (40,),
        "blk.1.b": (32, 2),
        "output.weight": (32, 8),
        "blk.0.b": (8,),
    }
    made = plan(header_of({}, shapes))
    first, second = made.units[1], made.units[2]
    assert [r.length for r in first.ranges] == [160, 32]
    assert [r.length for r in second.ranges] == [128, 256]
    assert [t.offset for t in first.tensors] == [0, 160]
    assert first.payload_bytes == 192


@given(st.permutations(sorted(SHAPES)), st.lists(st.integers(1, 70), min_size=5, max_size=5))
@settings(deadline=None, max_examples=60)
def test_payloads_are_right_in_any_order_of_the_tensors(order: list[str], rows: list[int]) -> None:
    odd = {name: (SHAPES[name][0], *SHAPES[name][1:]) for name in order}
    for name, length in zip(order, rows, strict=True):
        if name.startswith("blk."):
            odd[name] = (length,)
    header = header_of({}, odd)
    source = bytes(i * 7 % 251 for i in range(header.file_bytes))
    made = plan(header)
    for unit in made.units:
        pieces = [source[r.offset : r.offset + r.length] for r in unit.ranges]
        stored = b"".join(p + b"\0" * (-len(p) % 32) for p in pieces)
        assert len(stored) == unit.payload_bytes
        for tensor in unit.tensors:
            (told,) = [t for t in header.tensors if t.name == tensor.name]
            start = header.data_offset + told.offset
            assert stored[tensor.offset :][: tensor.size] == source[start:][: tensor.size]


def counts(*numbers: int) -> RawValue:
    return array(ValueType.INT32, list(numbers))


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ({}, (128, 128)),  # one head as wide as a hidden state
        ({"head_count": u32(4)}, (128, 128)),
        ({"head_count": u32(4), "head_count_kv": u32(2)}, (64, 64)),
        ({"head_count": u32(4), "head_count_kv": counts(2, 0)}, (64, 0)),
        ({"head_count": counts(4, 2)}, (128, 64)),
        ({"head_count": u32(4), "key_length": u32(16), "value_length": u32(4)}, (160, 160)),
        ({"head_count": u32(0)}, (0, 0)),
    ],
)
def test_what_a_block_keeps_of_a_position_is_in_the_plan(
    metadata: dict[str, RawValue], wanted: tuple[int, ...]
) -> None:
    named = {f"llama.attention.{name}": value for name, value in metadata.items()}
    assert cut(named).position_bytes == wanted


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("head_count", u32(1 << 13)),
        ("head_count", text("many")),
        ("head_count_kv", counts(1)),
        ("head_count_kv", counts(1, -1)),
        ("head_count_kv", array(ValueType.FLOAT32, [1.0, float("nan")])),
        ("key_length", u32(1 << 17)),
        ("value_length", counts(1, 1)),
    ],
)
def test_heads_that_cannot_be_are_refused(key: str, value: RawValue) -> None:
    with pytest.raises(BadInput, match=key):
        cut({f"llama.attention.{key}": value})


def test_what_the_graph_does_to_embeddings_alone_is_in_the_plan(model: ModelFile) -> None:
    assert plan_of(model("gemma3")).embedding_scale == 8.0  # the root of a width of 64
    assert plan_of(model("llama")).embedding_scale == 1.0
    assert cut({"llama.embedding_scale": f32(12.0)}).embedding_scale == 12.0


def test_a_model_whose_layers_look_back_over_a_window_says_so(model: ModelFile) -> None:
    slides = {family: plan_of(model(family)).slides for family in FAMILIES}
    assert [family for family, yes in slides.items() if yes] == ["gemma3", "gpt-oss"]


def named(architecture: str, **more: RawValue) -> dict[str, RawValue]:
    return {
        "general.architecture": text(architecture),
        f"{architecture}.block_count": u32(2),
        f"{architecture}.embedding_length": u32(32),
        **{name.replace("__", "."): value for name, value in more.items()},
    }


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (named("gemma2"), "gemma2 models cannot be shared by layers: its graph scales"),
        (named("gemma3n"), "every layer needs the tokens themselves"),
        (named("cohere2"), "read as one with them"),
        (named("bert"), "writes no text"),
        (named("llama4"), "differ by their number in the whole model"),
        (named("llama", split__count=u16(3)), "join the parts first"),
        (named("llama", llama__nextn_predict_layers=u32(1)), "extra prediction layers"),
        (named("jamba", jamba__ssm__state_size=u32(16)), "recurrent models"),
        (named("rwkv7", rwkv7__wkv__head_size=u32(16)), "recurrent models"),
    ],
)
def test_a_model_that_cannot_be_cut_is_refused_with_the_reason(
    metadata: dict[str, RawValue], reason: str
) -> None:
    with pytest.raises(UnsupportedModel, match=reason):
        cut(metadata)


def test_a_real_gemma2_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="gemma2"):
        plan_of(write_gemma2(tmp_path / "gemma2.gguf"))


def test_one_part_alone_is_no_split_file() -> None:
    assert cut({"split.count": u16(1)}).block_count == 2


def test_a_tensor_that_belongs_to_no_layer_is_named() -> None:
    with pytest.raises(UnsupportedModel, match=r"'per_layer_token_embd\.weight' belongs to no"):
        cut(per_layer_token_embd__weight=(32,))


def test_shared_tensors_too_large_to_send_along_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match="too large to send along"):
        cut(rope_freqs__weight=(MAX_SHARED_BYTES // 4 + 8,))


@pytest.mark.parametrize(
    ("metadata", "changes", "reason"),
    [
        ({}, {"blk__1__attn_norm__weight": None}, "no tensors for block 1"),
        ({}, {"blk__0__attn_norm__weight": None}, "no tensors for block 0"),
        ({}, {"blk__2__attn_norm__weight": (32,)}, "'blk.2.attn_norm.weight' belongs to no block"),
        ({}, {"token_embd__weight": None}, "no tensor 'token_embd.weight'"),
        ({}, {"token_embd__weight": (16, 8)}, "the embedding has the shape"),
        ({}, {"token_embd__weight": (32,)}, "the embedding has the shape"),
        ({}, {"token_embd__weight": (32, MAX_VOCABULARY + 1)}, "a vocabulary of 1,048,577 words"),
        ({"llama.block_count": u32(0)}, {}, "has no blocks"),
        ({"llama.block_count": u32(MAX_UNITS)}, {}, "not a count up to 4094"),
        ({"llama.block_count": text("2")}, {}, "no number 'llama.block_count'"),
        ({"llama.embedding_length": u32(0)}, {}, "no width"),
        ({"llama.embedding_length": u32(1 << 20)}, {}, "not a count"),
        ({"general.architecture": u32(1)}, {}, "no text 'general.architecture'"),
        ({"general.architecture": text("x" * 5000)}, {}, "is no name"),
        ({"general.architecture": text("a\nb")}, {}, "is no name"),
        ({"llama.embedding_scale": f32(float("nan"))}, {}, "scales its embedding by nan"),
        ({"llama.attention.sliding_window": text("8")}, {}, "sliding_window"),
        (
            {"llama.attention.sliding_window_pattern": array(ValueType.BOOL, [])},
            {},
            "one value for each",
        ),
        (
            {"llama.attention.sliding_window_pattern": array(ValueType.BOOL, [True] * 3)},
            {},
            "one value for each",
        ),
    ],
)
def test_a_header_that_contradicts_itself_is_bad_input(
    metadata: dict[str, RawValue], changes: dict[str, tuple[int, ...] | None], reason: str
) -> None:
    with pytest.raises(BadInput, match=reason) as refusal:
        cut(metadata, **changes)
    assert len(str(refusal.value)) < 300


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("llama.block_count", "llama.embedding_length", "llama.context_length"),
                *("llama.attention.sliding_window", "llama.attention.sliding_window_pattern"),
                *("split.count", "general.architecture", "llama.embedding_scale"),
                *("llama.attention.head_count", "llama.attention.head_count_kv"),
                *("llama.attention.key_length", "llama.attention.value_length"),
            ]
        ),
        st.one_of(
            st.integers(0, 40).map(u32),
            st.floats(width=32).map(f32),
            st.text(max_size=9).map(text),
            st.lists(st.integers(0, 9), max_size=3).map(lambda v: array(ValueType.INT32, v)),
        ),
    ),
    st.dictionaries(
        st.sampled_from([*SHAPES, "blk.3.x", "blk.00.x", "output.bias", "strange"]),
        st.one_of(st.none(), st.lists(st.integers(1, 64), min_size=1, max_size=3).map(tuple)),
    ),
)
@settings(deadline=None, max_examples=150)
def test_any_sound_header_is_cut_or_refused(
    metadata: dict[str, RawValue], changes: dict[str, tuple[int, ...] | None]
) -> None:
    shapes = {n: s for n, s in {**SHAPES, **changes}.items() if s is not None}
    try:
        made = plan(header_of(metadata, shapes))
    except (BadInput, UnsupportedModel):
        return
    assert len(made.units) == made.block_count + 2
    assert made.slides in (True, False)
    for unit in made.units:
        for part in unit.ranges:
            assert part.offset + part.length <= made.header.file_bytes
