"""Models to measure with: real shapes, random weights, published and put in place.

Speed depends on shapes, not on what the weights say. The bytes are drawn
at random as they are, which makes a model of 100 MB in a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
from gguf.constants import GGMLQuantizationType
from numpy.typing import NDArray

from app.engine.gguf_read import parse_header
from app.engine.manifest import padding
from app.engine.publish import publish
from app.engine.slicing import Plan, plan
from app.engine.store import UnitStore
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import Span
from app.net.identity import new_identity

BLOCK_VALUES = 32
"""Values in a block of Q8_0: a 16-bit scale, then this many signed bytes."""
ORIGIN = "https://example.org/model.gguf"
"""Never asked: the units are put in place before anybody wants them."""


@dataclass(frozen=True)
class Shape:
    """A Llama's measures."""

    blocks: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocabulary: int = 4096
    context: int = 2048
    kind: GGMLQuantizationType = GGMLQuantizationType.Q8_0

    @property
    def text(self) -> str:
        """How a report names it."""
        return f"random llama {self.blocks} x {self.width}, {self.kind.name}"


def write_random_model(path: Path, shape: Shape, *, seed: int = 1) -> Path:
    """Write a Llama with random weights in Q8_0 or F16 and no vocabulary.

    Raises:
        ValueError: weights of another kind are wanted.
    """
    if shape.kind not in _DRAWN:
        raise ValueError(f"random weights are not drawn as {shape.kind.name}")
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    head_width = shape.width // shape.heads
    writer.add_name(shape.text)
    writer.add_license("apache-2.0")
    writer.add_block_count(shape.blocks)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(head_width)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(shape.vocabulary)
    for name, rows, columns in _matrices(shape, head_width):
        data = _DRAWN[shape.kind](random, rows, columns)
        writer.add_tensor(f"{name}.weight", data, raw_dtype=shape.kind)
    for name in _norms(shape):
        writer.add_tensor(f"{name}.weight", np.ones(shape.width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _matrices(shape: Shape, head_width: int) -> Iterator[tuple[str, int, int]]:
    """Name, rows and columns of every matrix."""
    width, kv_width = shape.width, shape.kv_heads * head_width
    yield "token_embd", shape.vocabulary, width
    yield "output", shape.vocabulary, width
    for block in range(shape.blocks):
        prefix = f"blk.{block}."
        yield f"{prefix}attn_q", width, width
        yield f"{prefix}attn_k", kv_width, width
        yield f"{prefix}attn_v", kv_width, width
        yield f"{prefix}attn_output", width, width
        yield f"{prefix}ffn_gate", shape.feed_forward, width
        yield f"{prefix}ffn_up", shape.feed_forward, width
        yield f"{prefix}ffn_down", width, shape.feed_forward


def _norms(shape: Shape) -> Iterator[str]:
    yield "output_norm"
    for block in range(shape.blocks):
        yield f"blk.{block}.attn_norm"
        yield f"blk.{block}.ffn_norm"


def _random_q8_0(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.uint8]:
    """A matrix whose products keep about the size of what goes in."""
    block = np.dtype([("scale", "<f2"), ("values", "i1", BLOCK_VALUES)])
    blocks = np.empty((rows, columns // BLOCK_VALUES), block)
    blocks["scale"] = 1 / (73 * np.sqrt(columns))  # 73: the spread of bytes drawn evenly
    blocks["values"] = random.integers(-127, 128, blocks["values"].shape, np.int8)
    return blocks.view(np.uint8).reshape(rows, -1)


def _random_f16(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.float16]:
    """The same in 16-bit floats: bits drawn at random behind one exponent, either sign."""
    bits = np.frombuffer(random.bytes(2 * rows * columns), np.uint16) & 0x83FF
    exponent = 15 + math.floor(math.log2(1 / (1.5 * math.sqrt(columns))))
    return (bits | exponent << 10).view(np.float16).reshape(rows, columns)


_DRAWN: Final[Mapping[GGMLQuantizationType, Callable[..., NDArray[Any]]]] = {
    GGMLQuantizationType.Q8_0: _random_q8_0,
    GGMLQuantizationType.F16: _random_f16,
}


@dataclass(frozen=True)
class PublishedModel:
    """A GGUF file, how it is cut, and the manifest that others adopt."""

    file: Path
    plan: Plan
    manifest: Path

    def stock(self, folder: Path, span: Span) -> tuple[DataFolder, OpenModel]:
        """A data folder that holds the units of `span` already."""
        data = DataFolder.open(folder)
        model = data.model(str(self.manifest))
        for unit in range(span.start, span.stop):
            self._put(data.store, model, unit)
        return data, model

    def _put(self, store: UnitStore, model: OpenModel, unit: int) -> None:
        entry = model.manifest.units[unit]
        if store.has(entry):
            return
        with self.file.open("rb") as source, store.begin(entry) as partial:
            for part in entry.ranges:
                source.seek(part.offset)
                partial.write(source.read(part.length))
                partial.write(bytes(padding(part.length, model.manifest.alignment)))
            partial.finish()


def publish_here(file: Path, folder: Path) -> PublishedModel:
    """Publish a GGUF file for this benchmark only."""
    manifest = folder / f"{file.stem}.manifest.json"
    manifest.write_bytes(
        publish(file, [ORIGIN], key=new_identity().private_key.private_bytes_raw())
    )
    data = file.read_bytes()
    return PublishedModel(file, plan(parse_header(data, len(data))), manifest)
