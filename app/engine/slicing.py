"""Which bytes of a GGUF file belong to which unit.

Pure: a header goes in, a plan comes out. Unit 0 is the embedding, units 1..N
the blocks, unit N+1 the final norm and head; with tied embeddings the head
holds the embedding matrix again. A unit's payload is its byte ranges of the
source file one after the other, each padded with zeros to the alignment, so
that tensors keep their places when only the header in front of them changes.
The counterpart that writes those headers is `app/engine/slice_files.py`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from app.engine.gguf_read import Header, TensorInfo, ValueType
from app.errors import BadInput, UnsupportedModel
from app.ids import MAX_UNITS, Span

MAX_SHARED_BYTES: Final = 1 << 20
MAX_WIDTH: Final = 1 << 16
MAX_VOCABULARY: Final = 1 << 20
MAX_HEADS: Final = 1 << 12
NUMBER_BYTES: Final = 2
"""Of each number in keys and values: 16-bit floats of one kind or another, on every computer."""

_ARCHITECTURE = re.compile(r"[a-z0-9._-]{1,64}")
_BLOCK_NAME = re.compile(r"blk\.(\d{1,6})\.(.+)")
_EMBEDDING: Final = "token_embd.weight"
_HEAD: Final = ("output_norm.weight", "output_norm.bias", "output.weight", "output.bias")
_SHARED: Final = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")

_SCALED_BY_ROOT_OF_WIDTH: Final = frozenset({"gemma3"})
"""Architectures whose graph multiplies the embedding of tokens, and only of tokens."""
DEFAULT_EMBEDDING_SCALE: Final = {"grok": 78.38367176906169, "minicpm": 12.0}
"""What llama.cpp takes when the metadata names no scale."""

_REFUSED: Final = {
    "gemma": "its graph scales whatever enters it, so a slice would scale twice",
    "gemma2": "its graph scales whatever enters it, so a slice would scale twice",
    "gemma3n": "every layer needs the tokens themselves, not only hidden states",
    "gemma4": "every layer may need the tokens themselves, not only hidden states",
    "cohere2": "a slice without sliding layers would be read as one with them",
    "cohere2moe": "a slice without sliding layers would be read as one with them",
    "exaone-moe": "a slice without sliding layers would be read as one with them",
    "bert": "it is an encoder and writes no text",
    "t5": "an encoder and decoder cannot be cut into one chain",
}
_PERIODIC: Final = {
    "llama4": "its layers differ by their number in the whole model",
    "smollm3": "its layers differ by their number in the whole model",
    "smallthinker": "its layers differ by their number in the whole model",
    "afmoe": "its layers differ by their number in the whole model",
    "qwen3next": "its layers differ by their number in the whole model",
    "qwen35": "its layers differ by their number in the whole model",
    "qwen35moe": "its layers differ by their number in the whole model",
}


class ByteRange(msgspec.Struct, frozen=True, array_like=True):
    """`length` bytes from the absolute position `offset` of the source file."""

    offset: int
    length: int


@dataclass(frozen=True)
class UnitPlan:
    """One unit: its tensors (offsets within the payload) and where they come from."""

    unit: int
    tensors: tuple[TensorInfo, ...]
    ranges: tuple[ByteRange, ...]
    payload_bytes: int


@dataclass(frozen=True)
class Plan:
    """How one model is cut. `units[i]` is unit i; there are `block_count + 2`.

    `width` is the length of a hidden state, `embedding_scale` what the graph
    multiplies an embedding row by before the first block. `shared` are small
    tensors that every slice with blocks needs. `position_bytes` is what each block
    keeps of a position, its keys and values.
    """

    architecture: str
    block_count: int
    width: int
    vocabulary_size: int
    context_length: int
    alignment: int
    embedding_scale: float
    units: tuple[UnitPlan, ...]
    shared: tuple[TensorInfo, ...]
    position_bytes: tuple[int, ...]
    header: Header = field(repr=False)

    @property
    def slides(self) -> bool:
        """Whether some layers see only a window of the positions before them."""
        return self.header.count(f"{self.architecture}.attention.sliding_window", 0) > 0

    @property
    def whole(self) -> Span:
        """The span of the whole model."""
        return Span(0, self.block_count + 2)

    @property
    def head_unit(self) -> int:
        """The number of the unit that holds the final norm and head."""
        return self.block_count + 1


def plan(header: Header) -> Plan:
    """Cut a model into units.

    Raises:
        UnsupportedModel: it cannot be cut, and why.
        BadInput: the header contradicts itself.
    """
    architecture = header.text("general.architecture")
    if _ARCHITECTURE.fullmatch(architecture) is None:
        raise BadInput(f"the GGUF file's architecture {architecture[:64]!r} is no name")
    _refuse_unsliceable(header, architecture)
    block_count = header.count(f"{architecture}.block_count", most=MAX_UNITS - 2)
    width = header.count(f"{architecture}.embedding_length", most=MAX_WIDTH)
    if block_count < 1 or width < 1:
        raise BadInput("the GGUF file has no blocks, or hidden states of no width")
    _check_window(header, architecture, block_count)
    by_unit, shared = _sort(header, block_count)
    vocabulary_size = _vocabulary_size(by_unit[0][0], width)
    units = tuple(
        _unit_plan(unit, tensors, header.alignment, header.data_offset)
        for unit, tensors in enumerate(by_unit)
    )
    return Plan(
        architecture=architecture,
        block_count=block_count,
        width=width,
        vocabulary_size=vocabulary_size,
        context_length=header.count(f"{architecture}.context_length", 4096, most=1 << 24),
        alignment=header.alignment,
        embedding_scale=_embedding_scale(header, architecture, width),
        units=units,
        shared=shared,
        position_bytes=_position_bytes(header, architecture, block_count, width),
        header=header,
    )


def _refuse_unsliceable(header: Header, architecture: str) -> None:
    reason = _REFUSED.get(architecture) or _PERIODIC.get(architecture)
    if reason is not None:
        raise UnsupportedModel(f"{architecture} models cannot be shared by layers: {reason}")
    if header.count("split.count", 1) > 1:
        raise UnsupportedModel("this is one part of a split GGUF; join the parts first")
    if header.count(f"{architecture}.nextn_predict_layers", 0) > 0:
        raise UnsupportedModel("models with extra prediction layers cannot be shared by layers yet")
    if any(".ssm." in key or ".wkv." in key for key in header.metadata):
        raise UnsupportedModel("recurrent models keep no positions that a chain could roll back")


def _check_window(header: Header, architecture: str, block_count: int) -> None:
    """Which layers slide must be a period, or one truth value for each layer."""
    header.count(f"{architecture}.attention.sliding_window", 0)
    key = f"{architecture}.attention.sliding_window_pattern"
    pattern = header.metadata.get(key)
    if pattern is None or pattern.type is not ValueType.ARRAY:
        header.count(key, 0)
    elif pattern.item_type is ValueType.STRING or len(pattern) != block_count:
        raise BadInput(f"the GGUF file's {key!r} is not one value for each of its layers")


def _sort(
    header: Header, block_count: int
) -> tuple[list[list[TensorInfo]], tuple[TensorInfo, ...]]:
    units: list[list[TensorInfo]] = [[] for _ in range(block_count + 2)]
    shared: list[TensorInfo] = []
    for tensor in header.tensors:
        match = _BLOCK_NAME.fullmatch(tensor.name)
        if match is not None:
            block = int(match[1])
            if block >= block_count:
                raise BadInput(f"the tensor {tensor.name!r} belongs to no block of the model")
            units[block + 1].append(tensor)
        elif tensor.name == _EMBEDDING:
            units[0].append(tensor)
        elif tensor.name in _HEAD:
            units[-1].append(tensor)
        elif tensor.name in _SHARED:
            shared.append(tensor)
        else:
            raise UnsupportedModel(
                f"the tensor {tensor.name!r} belongs to no layer, so the model cannot be cut"
            )
    if not units[0]:
        raise BadInput(f"the GGUF file has no tensor {_EMBEDDING!r}")
    if not any(tensor.name == "output.weight" for tensor in units[-1]):
        units[-1] = sorted([*units[-1], units[0][0]], key=lambda tensor: tensor.offset)
    for unit, tensors in enumerate(units):
        if not tensors:
            raise BadInput(f"the GGUF file has no tensors for block {unit - 1}")
    if sum(tensor.size for tensor in shared) > MAX_SHARED_BYTES:
        raise UnsupportedModel("the tensors that every layer needs are too large to send along")
    return units, tuple(shared)


def _vocabulary_size(embedding: TensorInfo, width: int) -> int:
    if len(embedding.dimensions) != 2 or embedding.dimensions[0] != width:
        raise BadInput(f"the embedding has the shape {embedding.dimensions}, not {width} a row")
    rows = embedding.dimensions[1]
    if rows > MAX_VOCABULARY:
        raise BadInput(f"a vocabulary of {rows:,} words is larger than any honest one")
    return rows


def _position_bytes(
    header: Header, architecture: str, block_count: int, width: int
) -> tuple[int, ...]:
    """What llama.cpp keeps of a position in each block, at most: some families need less."""
    heads = _heads(header, f"{architecture}.attention.head_count", block_count, [1])
    kv_heads = _heads(header, f"{architecture}.attention.head_count_kv", block_count, heads)
    usual = width // max(1, *heads)
    lengths = [
        header.count(f"{architecture}.attention.{name}", usual, most=MAX_WIDTH)
        for name in ("key_length", "value_length")
    ]
    return tuple(NUMBER_BYTES * count * sum(lengths) for count in kv_heads)


def _heads(header: Header, key: str, block_count: int, default: list[int]) -> list[int]:
    """For each block how many heads, which is one number or one for each."""
    value = header.metadata.get(key)
    if value is None:
        return default * (block_count // len(default))
    if value.type is not ValueType.ARRAY:
        return [header.count(key, most=MAX_HEADS)] * block_count
    counts = [] if value.item_type is ValueType.STRING else value.decode()
    if len(counts) != block_count or not all(0 <= count <= MAX_HEADS for count in counts):
        raise BadInput(f"the GGUF file's {key!r} is not a count for each of its layers")
    return [int(count) for count in counts]


def _unit_plan(unit: int, tensors: list[TensorInfo], alignment: int, data_offset: int) -> UnitPlan:
    """Join neighbouring tensors into ranges and give each its place in the payload."""
    placed: list[TensorInfo] = []
    ranges: list[ByteRange] = []
    payload_bytes = 0
    for tensor in tensors:
        start = data_offset + tensor.offset
        if ranges and start == _padded(ranges[-1].offset + ranges[-1].length, alignment):
            last = ranges[-1]
            ranges[-1] = ByteRange(last.offset, start + tensor.size - last.offset)
        else:
            ranges.append(ByteRange(start, tensor.size))
        placed.append(replace(tensor, offset=payload_bytes))
        payload_bytes += _padded(tensor.size, alignment)
    return UnitPlan(unit, tuple(placed), tuple(ranges), payload_bytes)


def _padded(position: int, alignment: int) -> int:
    return position + -position % alignment


def _embedding_scale(header: Header, architecture: str, width: int) -> float:
    if architecture in _SCALED_BY_ROOT_OF_WIDTH:
        return math.sqrt(width)
    default = DEFAULT_EMBEDDING_SCALE.get(architecture, 0.0)
    scale = header.number(f"{architecture}.embedding_scale", default)
    if not math.isfinite(scale):
        raise BadInput(f"the GGUF file scales its embedding by {scale}")
    return scale if scale else 1.0
