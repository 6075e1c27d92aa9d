"""The guide's network in torch: a Llama of a few million parameters, as plain functions.

Parameters are a dictionary from the tensor names of the GGUF file to tensors, so that what is
trained is what `guide_gguf.py` writes, under the same names. Rotary positions turn neighbouring
pairs (0,1), (2,3), ... of a head, which is the order llama.cpp expects of this architecture.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

from tools.guide_gguf import Shape

# torch is no dependency of the project: it is imported by name, only where it is used.
Tensor = Any
Parameters = dict[str, Tensor]


def _torch() -> Any:
    return importlib.import_module("torch")


def parameter_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor, (outputs, inputs) for matrices, by its GGUF name."""
    width, key_width = shape.width, shape.key_value_heads * shape.head_width
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (shape.vocabulary, width),
        "output_norm.weight": (width,),
    }
    for block in range(shape.blocks):
        for name, size in {
            "attn_norm": (width,),
            "attn_q": (shape.heads * shape.head_width, width),
            "attn_k": (key_width, width),
            "attn_v": (key_width, width),
            "attn_output": (width, shape.heads * shape.head_width),
            "ffn_norm": (width,),
            "ffn_gate": (shape.feed_forward, width),
            "ffn_up": (shape.feed_forward, width),
            "ffn_down": (width, shape.feed_forward),
        }.items():
            shapes[f"blk.{block}.{name}.weight"] = size
    return shapes


def new_parameters(shape: Shape, seed: int) -> Parameters:
    """Return fresh parameters: norms of ones, matrices normal, outputs of blocks smaller."""
    torch = _torch()
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for name, size in parameter_shapes(shape).items():
        if len(size) == 1:
            tensor = torch.ones(size)
        else:
            spread = 0.02 if name == "token_embd.weight" else 0.5 / math.sqrt(size[1])
            if "attn_output" in name or "ffn_down" in name:
                spread /= math.sqrt(2 * shape.blocks)
            tensor = torch.randn(size, generator=generator) * spread
        parameters[name] = tensor.requires_grad_()
    return parameters


def forward(
    parameters: Parameters, shape: Shape, tokens: Tensor, *, dropout: float = 0.0
) -> Tensor:
    """Return scores (rows, positions, vocabulary) for token ids (rows, positions).

    Rows start at position 0 and may be padded at their end: attention is causal, so what
    follows a token cannot reach it. The embedding doubles as the head. Dropout falls on the
    embedding only: in every block it cost a third of the speed on a processor.
    """
    torch = _torch()
    functional = torch.nn.functional
    cosines, sines = _rotations(torch, tokens.shape[1], shape)
    state = functional.embedding(tokens, parameters["token_embd.weight"])
    state = functional.dropout(state, dropout, dropout > 0)
    for block in range(shape.blocks):
        weights = {
            name.split(".")[2]: tensor
            for name, tensor in parameters.items()
            if name.startswith(f"blk.{block}.")
        }
        added = _attend(torch, weights, shape, state, cosines, sines)
        state = state + added
        normed = functional.rms_norm(state, (shape.width,), weights["ffn_norm"], shape.norm_epsilon)
        gate = functional.silu(functional.linear(normed, weights["ffn_gate"]))
        inner = gate * functional.linear(normed, weights["ffn_up"])
        state = state + functional.linear(inner, weights["ffn_down"])
    state = functional.rms_norm(
        state, (shape.width,), parameters["output_norm.weight"], shape.norm_epsilon
    )
    return functional.linear(state, parameters["token_embd.weight"])


def _attend(
    torch: Any,
    weights: Parameters,
    shape: Shape,
    state: Tensor,
    cosines: Tensor,
    sines: Tensor,
) -> Tensor:
    functional = torch.nn.functional
    rows, positions, width = state.shape
    normed = functional.rms_norm(state, (width,), weights["attn_norm"], shape.norm_epsilon)

    def heads(name: str) -> Tensor:
        flat = functional.linear(normed, weights[name])
        return flat.view(rows, positions, -1, shape.head_width).transpose(1, 2)

    mixed = functional.scaled_dot_product_attention(
        _rotate(torch, heads("attn_q"), cosines, sines),
        _rotate(torch, heads("attn_k"), cosines, sines),
        heads("attn_v"),
        is_causal=True,
        enable_gqa=True,
    )
    joined = mixed.transpose(1, 2).reshape(rows, positions, -1)
    return functional.linear(joined, weights["attn_output"])


def _rotations(torch: Any, positions: int, shape: Shape) -> tuple[Tensor, Tensor]:
    steps = torch.arange(0, shape.head_width, 2) / shape.head_width
    angles = torch.outer(torch.arange(positions).float(), shape.rope_base**-steps)
    return angles.cos(), angles.sin()


def _rotate(torch: Any, heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    even, odd = heads[..., 0::2], heads[..., 1::2]
    turned = torch.stack((even * cosines - odd * sines, even * sines + odd * cosines), -1)
    return turned.flatten(-2).to(heads.dtype)
