"""Makes a tiny model that speaks: random weights, a real tokenizer, a chat template.

What it says makes no sense, but it is text, it is the same every time, and it goes
on for as long as it is asked to: the rows of its control tokens are nothing, so
none is ever the likeliest. For tests of everything from a prompt to an answer.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize

BLOCKS = 6
HEAD_UNIT = BLOCKS + 1
CONTEXT = 2048
WIDTH = 64
HEADS = 4
KV_HEADS = 2
HEAD_WIDTH = 16
FEED_FORWARD = 96
CONTROL = ("<|begin|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
BEGIN, END = 0, 1
MERGES = 59
VOCABULARY = len(CONTROL) + 256 + MERGES
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TEXT = (
    "ordinary computers run large language models together and everyone chats for free "
    "each computer brings some of the layers and the others bring the rest of them "
)


def write_worded(path: Path, *, seed: int = 11) -> Path:
    """A Llama of six blocks, which means units 0:8."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny Worded")
    writer.add_license("apache-2.0")
    writer.add_block_count(BLOCKS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_WIDTH)
    writer.add_value_length(HEAD_WIDTH)
    writer.add_rope_dimension_count(HEAD_WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(VOCABULARY)
    _add_tokenizer(writer)

    def matrix(name: str, rows: int, columns: int) -> None:
        values = random.normal(0, 1.4 / np.sqrt(columns), (rows, columns)).astype(np.float32)
        if name == "output.weight":
            values[: len(CONTROL)] = 0
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)

    def norm(name: str) -> None:
        writer.add_tensor(name, random.normal(1.0, 0.1, WIDTH).astype(np.float32))

    matrix("token_embd.weight", VOCABULARY, WIDTH)
    norm("output_norm.weight")
    matrix("output.weight", VOCABULARY, WIDTH)
    for block in range(BLOCKS):
        prefix = f"blk.{block}."
        norm(f"{prefix}attn_norm.weight")
        matrix(f"{prefix}attn_q.weight", HEADS * HEAD_WIDTH, WIDTH)
        matrix(f"{prefix}attn_k.weight", KV_HEADS * HEAD_WIDTH, WIDTH)
        matrix(f"{prefix}attn_v.weight", KV_HEADS * HEAD_WIDTH, WIDTH)
        matrix(f"{prefix}attn_output.weight", WIDTH, HEADS * HEAD_WIDTH)
        norm(f"{prefix}ffn_norm.weight")
        matrix(f"{prefix}ffn_gate.weight", FEED_FORWARD, WIDTH)
        matrix(f"{prefix}ffn_up.weight", FEED_FORWARD, WIDTH)
        matrix(f"{prefix}ffn_down.weight", WIDTH, FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    letters = _letters()
    merges = _learn(TEXT.replace(" ", letters[ord(" ")]), MERGES)
    tokens = [*CONTROL, *letters, *(left + right for left, right in merges)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL] * len(CONTROL)
        + [gguf.TokenType.NORMAL] * (len(tokens) - len(CONTROL))
    )
    writer.add_token_merges([f"{left} {right}" for left, right in merges])
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_eot_token_id(END)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _letters() -> list[str]:
    """The letter that stands for each byte, as GPT-2 writes them: none is a blank."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    letters, others = [], 0
    for byte in range(256):
        if byte in shown:
            letters.append(chr(byte))
        else:
            letters.append(chr(256 + others))
            others += 1
    return letters


def _learn(text: str, count: int) -> list[tuple[str, str]]:
    """The pairs that byte-pair encoding would merge first in this text."""
    words = [list(word) for word in text.replace("\u0120", " \u0120").split()]
    merges: list[tuple[str, str]] = []
    known: set[str] = set()
    while len(merges) < count:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        best = max(
            (p for p in pairs if p[0] + p[1] not in known), key=lambda pair: (pairs[pair], pair)
        )
        merges.append(best)
        known.add("".join(best))
        words = [_merged(word, best) for word in words]
    return merges


def _merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for piece in word:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged
