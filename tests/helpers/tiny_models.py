"""Makes tiny models with random weights, one for each family the slicer must cut.

The weights are seeded, so the same call writes the same file; the shapes are the
smallest that still have what makes the family special: grouped heads, biases,
tied embeddings, sliding windows, fused projections, experts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize

VOCABULARY = 96
WIDTH = 64
HEADS = 4
KV_HEADS = 2
HEAD_WIDTH = 32
FEED_FORWARD = 96
CONTEXT = 256

Shape = tuple[int, ...]


class _Maker:
    """Collects one model's metadata and tensors; shapes are in numpy order."""

    def __init__(
        self, path: Path, architecture: str, blocks: int, *, seed: int, width: int = WIDTH
    ) -> None:
        self.blocks = blocks
        self.width = width
        self._random = np.random.default_rng(seed)
        self.writer = gguf.GGUFWriter(path, architecture)
        self.writer.add_name(f"tiny {architecture}")
        self.writer.add_license("apache-2.0")
        self.writer.add_block_count(blocks)
        self.writer.add_context_length(CONTEXT)
        self.writer.add_embedding_length(width)
        self.writer.add_feed_forward_length(FEED_FORWARD)
        self.writer.add_head_count(HEADS)
        self.writer.add_layer_norm_rms_eps(1e-5)
        self.writer.add_rope_freq_base(10_000.0)
        self.writer.add_tokenizer_model("no_vocab")
        self.writer.add_vocab_size(VOCABULARY)

    def heads(self, *, kv: int | list[int] = KV_HEADS, width: int = HEAD_WIDTH) -> None:
        self.writer.add_head_count_kv(kv)
        self.writer.add_key_length(width)
        self.writer.add_value_length(width)
        self.writer.add_rope_dimension_count(width)

    def matrix(self, name: str, *shape: int, kind: gguf.GGMLQuantizationType | None = None) -> None:
        kind = kind or gguf.GGMLQuantizationType.Q8_0
        values = self._random.normal(0, 0.35 / np.sqrt(shape[-1] / 16), shape).astype(np.float32)
        self.writer.add_tensor(f"{name}.weight", quantize(values, kind), raw_dtype=kind)

    def vector(self, name: str, length: int, *, around: float = 0.0) -> None:
        values = self._random.normal(around, 0.1, length).astype(np.float32)
        self.writer.add_tensor(name, values)

    def norm(self, name: str, length: int | None = None) -> None:
        self.vector(f"{name}.weight", length or self.width, around=1.0)

    def ends(self, *, tied: bool = False) -> None:
        self.matrix("token_embd", VOCABULARY, self.width)
        self.norm("output_norm")
        if not tied:
            self.matrix("output", VOCABULARY, self.width)

    def attention(self, prefix: str, *, kv: int = KV_HEADS, width: int = HEAD_WIDTH) -> None:
        self.norm(f"{prefix}attn_norm")
        self.matrix(f"{prefix}attn_q", HEADS * width, self.width)
        self.matrix(f"{prefix}attn_k", kv * width, self.width)
        self.matrix(f"{prefix}attn_v", kv * width, self.width)
        self.matrix(f"{prefix}attn_output", self.width, HEADS * width)

    def feed_forward(self, prefix: str) -> None:
        self.norm(f"{prefix}ffn_norm")
        self.matrix(f"{prefix}ffn_gate", FEED_FORWARD, self.width)
        self.matrix(f"{prefix}ffn_up", FEED_FORWARD, self.width)
        self.matrix(f"{prefix}ffn_down", self.width, FEED_FORWARD)

    def close(self) -> None:
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def write_llama(path: Path, *, blocks: int = 6, seed: int = 1) -> Path:
    """Llama with key-value heads given layer by layer and shared rope factors."""
    maker = _Maker(path, "llama", blocks, seed=seed)
    maker.heads(kv=[KV_HEADS] * blocks)
    maker.ends()
    maker.vector("rope_freqs.weight", HEAD_WIDTH // 2, around=1.0)
    for block in range(blocks):
        maker.attention(f"blk.{block}.")
        maker.feed_forward(f"blk.{block}.")
    maker.close()
    return path


def write_qwen2(path: Path, *, blocks: int = 5, seed: int = 2) -> Path:
    """Qwen2: biases on the projections, embeddings tied."""
    maker = _Maker(path, "qwen2", blocks, seed=seed)
    width = WIDTH // HEADS
    maker.heads(width=width)
    maker.ends(tied=True)
    for block in range(blocks):
        prefix = f"blk.{block}."
        maker.attention(prefix, width=width)
        maker.vector(f"{prefix}attn_q.bias", HEADS * width)
        maker.vector(f"{prefix}attn_k.bias", KV_HEADS * width)
        maker.vector(f"{prefix}attn_v.bias", KV_HEADS * width)
        maker.feed_forward(prefix)
    maker.close()
    return path


def write_qwen3(path: Path, *, blocks: int = 5, seed: int = 3) -> Path:
    """Qwen3: norms on queries and keys."""
    maker = _Maker(path, "qwen3", blocks, seed=seed)
    maker.heads()
    maker.ends()
    for block in range(blocks):
        prefix = f"blk.{block}."
        maker.attention(prefix)
        maker.norm(f"{prefix}attn_q_norm", HEAD_WIDTH)
        maker.norm(f"{prefix}attn_k_norm", HEAD_WIDTH)
        maker.feed_forward(prefix)
    maker.close()
    return path


def write_gemma3(path: Path, *, blocks: int = 8, seed: int = 4) -> Path:
    """Gemma 3: a window of 8 on five layers of six, scaled and tied embeddings."""
    maker = _Maker(path, "gemma3", blocks, seed=seed)
    maker.heads()
    maker.writer.add_sliding_window(8)
    maker.ends(tied=True)
    for block in range(blocks):
        prefix = f"blk.{block}."
        maker.attention(prefix)
        maker.norm(f"{prefix}attn_q_norm", HEAD_WIDTH)
        maker.norm(f"{prefix}attn_k_norm", HEAD_WIDTH)
        maker.norm(f"{prefix}post_attention_norm")
        maker.feed_forward(prefix)
        maker.norm(f"{prefix}post_ffw_norm")
    maker.close()
    return path


def write_phi3(path: Path, *, blocks: int = 4, seed: int = 5) -> Path:
    """Phi-3: fused projections, long and short rope factors shared by all layers."""
    maker = _Maker(path, "phi3", blocks, seed=seed)
    width = WIDTH // HEADS
    maker.heads(width=width)
    maker.writer.add_rope_scaling_orig_ctx_len(CONTEXT)
    maker.ends()
    maker.vector("rope_factors_long.weight", width // 2, around=1.0)
    maker.vector("rope_factors_short.weight", width // 2, around=1.0)
    for block in range(blocks):
        prefix = f"blk.{block}."
        maker.norm(f"{prefix}attn_norm")
        maker.matrix(f"{prefix}attn_qkv", (HEADS + 2 * KV_HEADS) * width, WIDTH)
        maker.matrix(f"{prefix}attn_output", WIDTH, WIDTH)
        maker.norm(f"{prefix}ffn_norm")
        maker.matrix(f"{prefix}ffn_up", 2 * FEED_FORWARD, WIDTH)
        maker.matrix(f"{prefix}ffn_down", WIDTH, FEED_FORWARD)
    maker.close()
    return path


def write_qwen3moe(path: Path, *, blocks: int = 4, seed: int = 6) -> Path:
    """Qwen3 MoE: four experts, two of them used for each token."""
    experts = 4
    maker = _Maker(path, "qwen3moe", blocks, seed=seed)
    maker.heads()
    maker.writer.add_expert_count(experts)
    maker.writer.add_expert_used_count(2)
    maker.writer.add_expert_feed_forward_length(FEED_FORWARD)
    maker.ends()
    for block in range(blocks):
        prefix = f"blk.{block}."
        maker.attention(prefix)
        maker.norm(f"{prefix}attn_q_norm", HEAD_WIDTH)
        maker.norm(f"{prefix}attn_k_norm", HEAD_WIDTH)
        maker.norm(f"{prefix}ffn_norm")
        maker.matrix(f"{prefix}ffn_gate_inp", experts, WIDTH, kind=gguf.GGMLQuantizationType.F32)
        maker.matrix(f"{prefix}ffn_gate_exps", experts, FEED_FORWARD, WIDTH)
        maker.matrix(f"{prefix}ffn_up_exps", experts, FEED_FORWARD, WIDTH)
        maker.matrix(f"{prefix}ffn_down_exps", experts, WIDTH, FEED_FORWARD)
    maker.close()
    return path


def write_gpt_oss(path: Path, *, blocks: int = 4, seed: int = 7) -> Path:
    """gpt-oss: experts with biases, attention sinks, every second layer sliding."""
    experts = 4
    maker = _Maker(path, "gpt-oss", blocks, seed=seed)
    maker.heads()
    maker.writer.add_expert_count(experts)
    maker.writer.add_expert_used_count(2)
    maker.writer.add_expert_feed_forward_length(FEED_FORWARD)
    maker.writer.add_sliding_window(8)
    maker.ends()
    for block in range(blocks):
        prefix = f"blk.{block}."
        maker.attention(prefix)
        for name, rows in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            maker.vector(f"{prefix}attn_{name}.bias", rows * HEAD_WIDTH)
        maker.vector(f"{prefix}attn_output.bias", WIDTH)
        maker.vector(f"{prefix}attn_sinks.weight", HEADS)
        maker.norm(f"{prefix}post_attention_norm")
        maker.matrix(f"{prefix}ffn_gate_inp", experts, WIDTH, kind=gguf.GGMLQuantizationType.F32)
        maker.vector(f"{prefix}ffn_gate_inp.bias", experts)
        for name, shape in (
            ("gate", (experts, FEED_FORWARD, WIDTH)),
            ("up", (experts, FEED_FORWARD, WIDTH)),
            ("down", (experts, WIDTH, FEED_FORWARD)),
        ):
            maker.matrix(f"{prefix}ffn_{name}_exps", *shape)
            bias = np.random.default_rng(block).normal(0, 0.1, shape[:2]).astype(np.float32)
            maker.writer.add_tensor(f"{prefix}ffn_{name}_exps.bias", bias)
    maker.close()
    return path


def write_wide(path: Path, *, blocks: int = 2, seed: int = 9) -> Path:
    """Llama as wide as it takes for llama.cpp to choose kernels by the number of rows."""
    maker = _Maker(path, "llama", blocks, seed=seed, width=512)
    maker.heads(width=128)
    maker.ends()
    for block in range(blocks):
        maker.attention(f"blk.{block}.", width=128)
        maker.feed_forward(f"blk.{block}.")
    maker.close()
    return path


def write_gemma2(path: Path, *, blocks: int = 4, seed: int = 8) -> Path:
    """Gemma 2, which cannot be sliced: its graph scales whatever enters it."""
    maker = _Maker(path, "gemma2", blocks, seed=seed)
    maker.heads()
    maker.writer.add_sliding_window(8)
    maker.ends(tied=True)
    for block in range(blocks):
        prefix = f"blk.{block}."
        maker.attention(prefix)
        maker.norm(f"{prefix}post_attention_norm")
        maker.feed_forward(prefix)
        maker.norm(f"{prefix}post_ffw_norm")
    maker.close()
    return path


FAMILIES: Mapping[str, Callable[[Path], Path]] = {
    "llama": write_llama,
    "qwen2": write_qwen2,
    "qwen3": write_qwen3,
    "gemma3": write_gemma3,
    "phi3": write_phi3,
    "qwen3moe": write_qwen3moe,
    "gpt-oss": write_gpt_oss,
}
