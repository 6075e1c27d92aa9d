"""What the files of a mounted slice look like, so that stock llama.cpp loads them.

Pure: a plan and a span go in, headers and a few generated tensors come out; the
counterpart that puts them on disk is `app/engine/mount.py`.

A slice is a split GGUF. Its first file is generated: it carries the metadata,
stand-ins for the tensors that llama.cpp insists on but this slice never uses
(an embedding of zeros, a final norm of ones), and the small shared tensors.
Every unit with weights follows as a file of its own, blocks renumbered from 0.
A slice without blocks gets one block of zero weights, which adds nothing: only
so does llama.cpp run the head alone, with the architecture's own final norm,
soft-capping and scale. See docs/ENGINE.md for what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from app.engine.gguf_read import RawValue, TensorInfo, ValueType, tensor_bytes
from app.engine.gguf_write import array, array_part, f32, i32, text, u16, u32, write_header
from app.engine.slicing import DEFAULT_EMBEDDING_SCALE, Plan
from app.errors import UnsupportedModel
from app.ids import Span

HEADER_ROOM_BYTES: Final = 16_384
"""Room in front of a stored unit's payload: 80 tensors' entries fit, blocks have up to 30."""
STAND_IN_ROWS: Final = 32
"""Rows of the embedding nobody uses; 32 is the smallest block of any quantisation."""

Identity = Literal["small", "full"]
"""How a slice without blocks gets its block of zeros: with the smallest shapes
that llama.cpp takes, or, where an architecture insists, with the model's own."""

_PER_LAYER_EXCEPTIONS: Final = (
    "rope.dimension_sections",
    "classifier.output_labels",
    "target_layers",
)
_SLIDING_WINDOW_DEFAULTS: Final[dict[str, tuple[int, bool]]] = {
    # architecture: (period, whether the first of each period is the dense one)
    "gemma3": (6, False),
    "gpt-oss": (2, False),
    "olmo2": (4, False),
    "exaone4": (4, False),
    "plamo3": (8, False),
    "mellum": (4, False),
    "laguna": (4, True),
}
_ALWAYS_SLIDING: Final = frozenset({"gpt-oss"})
"""Architectures for which llama.cpp aborts when no layer at all slides."""
_ENDLESS_WINDOW: Final = 1 << 30
_SMALL: Final = 32


@dataclass(frozen=True)
class GeneratedFile:
    """The first file of a slice: `header`, then `pieces` at absolute offsets.

    Bytes between and after the pieces are zeros, up to `file_bytes`.
    """

    header: bytes
    pieces: tuple[tuple[int, bytes], ...]
    file_bytes: int


@dataclass(frozen=True)
class Slice:
    """One span of a model, ready to be written.

    `units` are the units whose payloads follow the generated file, in order.
    `blocks` is how many blocks llama.cpp will see (1 for a head alone).
    """

    plan: Plan
    span: Span
    units: tuple[int, ...]
    blocks: int
    has_head: bool
    identity: Identity | None


def make_slice(plan: Plan, span: Span, *, identity: Identity = "small") -> Slice:
    """Decide which files a span needs.

    Raises:
        ValueError: the span is not inside the model, or is the embedding alone,
            which needs no llama.cpp.
    """
    if not plan.whole.covers(span) or span.stop == 1:
        raise ValueError(f"{span} is no mountable part of {plan.whole}")
    units = tuple(range(max(1, span.start), span.stop))
    has_head = plan.head_unit in span
    blocks = len(units) - has_head
    return Slice(
        plan=plan,
        span=span,
        units=units,
        blocks=max(1, blocks),
        has_head=has_head,
        identity=None if blocks else identity,
    )


def unit_header(piece: Slice, unit: int) -> bytes:
    """The header page of one unit's file inside this slice, `HEADER_ROOM_BYTES` long.

    Raises:
        UnsupportedModel: the unit has more tensors than the page has room for.
    """
    plan = piece.plan
    number = unit - piece.units[0]
    prefix = f"blk.{unit - 1}."
    tensors = [
        replace(tensor, name=f"blk.{number}." + tensor.name.removeprefix(prefix))
        if tensor.name.startswith(prefix)
        else tensor
        for tensor in plan.units[unit].tensors
    ]
    metadata = {
        "general.architecture": text(plan.architecture),
        "split.no": u16(piece.units.index(unit) + 1),
        "split.count": u16(len(piece.units) + 1),
    }
    try:
        return write_header(metadata, tensors, plan.alignment, room=HEADER_ROOM_BYTES)
    except ValueError:
        raise UnsupportedModel(f"unit {unit} has too many tensors ({len(tensors)})") from None


def generated_file(piece: Slice, shared: Mapping[str, bytes]) -> GeneratedFile:
    """The first file: metadata, stand-ins, shared tensors and perhaps a block of zeros.

    Args:
        piece: what to mount.
        shared: the bytes of every tensor in `plan.shared`, by name.
    """
    tensors = _stand_ins(piece)
    contents: dict[str, bytes] = {
        tensor.name: np.ones(tensor.dimensions[0], np.float32).tobytes()
        for tensor in tensors
        if tensor.name == "output_norm.weight"
    }
    if piece.identity is None:
        for tensor in piece.plan.shared:
            tensors.append(tensor)
            contents[tensor.name] = shared[tensor.name]
    else:
        tensors += _zero_block(piece)
    placed, data_bytes = _place(tensors, piece.plan.alignment)
    unit_tensors = sum(len(piece.plan.units[unit].tensors) for unit in piece.units)
    metadata = _metadata(piece, len(placed) + unit_tensors)
    header = write_header(metadata, placed, piece.plan.alignment)
    pieces = tuple(
        (len(header) + tensor.offset, contents[tensor.name])
        for tensor in placed
        if tensor.name in contents
    )
    return GeneratedFile(header, pieces, len(header) + data_bytes)


def _stand_ins(piece: Slice) -> list[TensorInfo]:
    """Tensors outside the blocks that the architecture has and this slice lacks."""
    plan = piece.plan
    present = {tensor.name for unit in piece.units for tensor in plan.units[unit].tensors}
    rows = plan.vocabulary_size if piece.has_head else STAND_IN_ROWS
    wanted = {tensor.name: tensor for tensor in (*plan.units[0].tensors, *plan.units[-1].tensors)}
    stand_ins = []
    for name, tensor in wanted.items():
        if name in present:
            continue
        if len(tensor.dimensions) == 2:
            kind = _smallest_type(plan.width)
            stand_ins.append(TensorInfo(name, (plan.width, rows), kind, 0, 0))
        else:
            length = rows if name == "output.bias" else plan.width
            stand_ins.append(TensorInfo(name, (length,), GGMLQuantizationType.F32, 0, 0))
    return stand_ins


def _smallest_type(width: int) -> GGMLQuantizationType:
    """The type in which a matrix nobody reads takes the least room on disk."""
    for kind in (GGMLQuantizationType.IQ1_S, GGMLQuantizationType.Q4_0):
        if width % GGML_QUANT_SIZES[kind][0] == 0:
            return kind
    return GGMLQuantizationType.F16


def _zero_block(piece: Slice) -> list[TensorInfo]:
    plan = piece.plan
    block = plan.units[1].tensors
    if piece.identity == "small":
        return [_shrunk(tensor, plan.width) for tensor in block]
    return [tensor for tensor in block if tensor.name.startswith("blk.0.")]


def _shrunk(tensor: TensorInfo, width: int) -> TensorInfo:
    """The tensor as a block with one head of 32 and a feed-forward width of 32 has it."""
    role = tensor.name.removeprefix("blk.0.")
    stem, _, kind = role.rpartition(".")
    dimensions = list(tensor.dimensions)
    reads_narrow = ("attn_output", "ffn_down", "ffn_down_exps", "ffn_down_shexp")
    is_head_norm = stem in ("attn_q_norm", "attn_k_norm") and dimensions[0] != width
    if stem in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up") or (
        stem in ("ffn_gate_exps", "ffn_up_exps", "ffn_gate_shexp", "ffn_up_shexp")
    ):
        dimensions[1 if kind == "weight" else 0] = _SMALL
    elif is_head_norm or (kind == "weight" and stem in reads_narrow):
        dimensions[0] = _SMALL
    elif stem == "attn_sinks":
        dimensions[0] = 1
    is_matrix = len(dimensions) >= 2 and kind == "weight"
    wanted = GGMLQuantizationType.F16 if is_matrix else GGMLQuantizationType.F32
    return TensorInfo(tensor.name, tuple(dimensions), wanted, 0, 0)


def _place(tensors: list[TensorInfo], alignment: int) -> tuple[list[TensorInfo], int]:
    placed, at = [], 0
    for tensor in tensors:
        size = tensor_bytes(tensor.dimensions, tensor.type)
        placed.append(replace(tensor, offset=at, size=size))
        at += size + -size % alignment
    return placed, at


def _metadata(piece: Slice, tensor_count: int) -> dict[str, RawValue]:
    plan = piece.plan
    architecture, source = plan.architecture, plan.header.metadata
    first = max(1, piece.span.start) - 1
    metadata: dict[str, RawValue] = {
        "general.architecture": text(architecture),
        "split.no": u16(0),
        "split.count": u16(len(piece.units) + 1),
        "split.tensors.count": i32(tensor_count),
        "tokenizer.ggml.model": text("no_vocab"),
    }
    for key, value in source.items():
        if key.startswith(f"{architecture}."):
            name = key.removeprefix(f"{architecture}.")
            metadata[key] = _layers_of(name, value, plan.block_count, first, piece.blocks)
    own = {
        "block_count": u32(piece.blocks),
        "vocab_size": u32(plan.vocabulary_size if piece.has_head else STAND_IN_ROWS),
        **_leading_dense(piece, first),
        **_sliding_window(piece, first),
    }
    if f"{architecture}.embedding_scale" in source or architecture in DEFAULT_EMBEDDING_SCALE:
        own["embedding_scale"] = f32(1.0)  # the embedding unit has scaled already
    if piece.identity == "small":
        own |= _small_shapes(piece)
    return metadata | {f"{architecture}.{name}": value for name, value in own.items()}


def _layers_of(name: str, value: RawValue, layers: int, first: int, count: int) -> RawValue:
    """A per-layer array cut to the slice's layers; anything else as it is."""
    if (
        value.type is not ValueType.ARRAY
        or value.item_type is ValueType.STRING
        or len(value) != layers
        or name in _PER_LAYER_EXCEPTIONS
    ):
        return value
    return array_part(value, first, first + count) if first < layers else array_part(value, 0, 1)


def _leading_dense(piece: Slice, first: int) -> dict[str, RawValue]:
    """Mixtures of experts whose first layers are dense count them from the slice's start."""
    plan = piece.plan
    key = f"{plan.architecture}.leading_dense_block_count"
    if key not in plan.header.metadata:
        return {}
    leading = plan.header.count(key) - first
    return {"leading_dense_block_count": u32(max(0, min(leading, piece.blocks)))}


def _sliding_window(piece: Slice, first: int) -> dict[str, RawValue]:
    """Write out which layers slide, because a period would restart with the slice."""
    plan = piece.plan
    name = "attention.sliding_window_pattern"
    key = f"{plan.architecture}.{name}"
    given = plan.header.metadata.get(key)
    default = _SLIDING_WINDOW_DEFAULTS.get(plan.architecture)
    if plan.header.count(f"{plan.architecture}.attention.sliding_window", 0) == 0:
        return {}
    layers = range(first, first + piece.blocks)
    if given is not None and given.type is ValueType.ARRAY:
        pattern = given.decode()
        slides = [bool(pattern[layer % len(pattern)]) for layer in layers]
    elif default is not None:
        slides = _slides(layers, plan.header.count(key, default[0]), dense_first=default[1])
    else:
        return {}
    if any(slides):
        return {name: array(ValueType.BOOL, slides)}
    if plan.architecture in _ALWAYS_SLIDING:
        # A window longer than any conversation is no window.
        everywhere = array(ValueType.BOOL, [True] * piece.blocks)
        return {name: everywhere, "attention.sliding_window": u32(_ENDLESS_WINDOW)}
    return {name: array(ValueType.BOOL, slides), "attention.sliding_window": u32(0)}


def _slides(layers: range, period: int, *, dense_first: bool) -> list[bool]:
    """llama.cpp's `set_swa_pattern`, for layers counted in the whole model."""
    if period == 0:
        return [True for _ in layers]
    if dense_first:
        return [layer % period != 0 for layer in layers]
    return [layer % period < period - 1 for layer in layers]


def _small_shapes(piece: Slice) -> dict[str, RawValue]:
    plan = piece.plan
    small = {
        "attention.head_count": u32(1),
        "attention.head_count_kv": u32(1),
        "attention.key_length": u32(_SMALL),
        "attention.value_length": u32(_SMALL),
        "rope.dimension_count": u32(_SMALL),
        "feed_forward_length": u32(_SMALL),
    }
    for name in ("expert_feed_forward_length", "expert_shared_feed_forward_length"):
        if f"{plan.architecture}.{name}" in plan.header.metadata:
            small[name] = u32(_SMALL)
    return small
