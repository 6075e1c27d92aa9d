"""Writes the guide's weights and tokenizer as a GGUF file that llama.cpp reads as a Llama.

Matrices become Q8_0 (8 bits and a shared scale for 32 weights), norms stay in 32 bits. The
embedding is written once: a Llama file without `output.weight` uses it as its head too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from tools.guide_text import BEGIN, CHAT_TEMPLATE, END, SPECIAL_TOKENS


@dataclass(frozen=True)
class Shape:
    """The sizes of one model. Widths count numbers, and are multiples of 32 for Q8_0."""

    name: str
    blocks: int
    width: int
    feed_forward: int
    heads: int
    key_value_heads: int
    head_width: int
    vocabulary: int = 2048
    context: int = 1024
    rope_base: float = 10000.0
    norm_epsilon: float = 1e-5


GUIDE = Shape("Potluck Guide", 8, 256, 768, heads=4, key_value_heads=2, head_width=64)
DRAFT = Shape("Potluck Guide Draft", 2, 128, 384, heads=4, key_value_heads=2, head_width=32)


@dataclass(frozen=True)
class Vocabulary:
    """A byte-level BPE tokenizer: token texts by id, and merges in the order learned."""

    tokens: tuple[str, ...]
    merges: tuple[str, ...]  # "left right"


def write_model(
    path: Path,
    shape: Shape,
    vocabulary: Vocabulary,
    parameters: Mapping[str, NDArray[np.float32]],
    parameter_label: str,
) -> None:
    """Write one model file.

    `parameters` maps GGUF tensor names to arrays, matrices as (outputs, inputs);
    `parameter_label` is the size in words, such as "7M".
    """
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(shape.name)
    writer.add_size_label(parameter_label)
    writer.add_license("apache-2.0")
    writer.add_description(
        "A guide of a few million parameters that shows the machinery, not a clever model."
    )
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(shape.blocks)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_value_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocabulary)
    _add_tokenizer(writer, vocabulary)
    for name, array in parameters.items():
        _add_tensor(writer, name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    # "gpt-2" names the rule that cuts text into words before merging; the trainer's
    # ByteLevel pre-tokenizer follows the same rule.
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(
        [
            gguf.TokenType.CONTROL if token in SPECIAL_TOKENS else gguf.TokenType.NORMAL
            for token in vocabulary.tokens
        ]
    )
    writer.add_token_merges(list(vocabulary.merges))
    end = SPECIAL_TOKENS.index(END)
    writer.add_bos_token_id(SPECIAL_TOKENS.index(BEGIN))
    writer.add_eos_token_id(end)
    writer.add_eot_token_id(end)
    writer.add_pad_token_id(end)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_tensor(writer: gguf.GGUFWriter, name: str, array: NDArray[np.float32]) -> None:
    if array.ndim == 1:
        writer.add_tensor(name, array.astype(np.float32))
        return
    quantised = gguf.quants.quantize(array, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor(name, quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)


def read_metadata(path: Path) -> dict[str, Any]:
    """Return a model file's metadata, without its tensors, by key."""
    reader = gguf.GGUFReader(path)
    return {name: field.contents() for name, field in reader.fields.items()}


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return a model file's tensors as 32-bit numbers, matrices as (outputs, inputs)."""
    reader = gguf.GGUFReader(path)
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in reader.tensors
    }


def count_parameters(sizes: Sequence[tuple[int, ...]]) -> int:
    """Return how many numbers tensors of these sizes hold together."""
    return sum(int(np.prod(size)) for size in sizes)
