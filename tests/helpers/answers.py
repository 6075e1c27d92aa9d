"""Short ways for tests to have a chain say something."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from app.swarm.token_chain import Candidates, TokenChain
from tests.helpers.session_words import SOON_SECONDS


async def step(chain: TokenChain, position: int, tokens: Sequence[int]) -> Candidates:
    """One step, soon."""
    async with asyncio.timeout(SOON_SECONDS):
        return await chain.step(position, tokens)


async def greedy(chain: TokenChain, prompt: Sequence[int], count: int) -> list[int]:
    """The likeliest `count` tokens after a prompt, one step each."""
    tokens = list(prompt)
    candidates = await step(chain, 0, tokens)
    for _ in range(count):
        tokens.append(int(candidates.ids[0, 0]))
        candidates = await step(chain, len(tokens) - 1, tokens[-1:])
    return tokens[len(prompt) :]


def same(one: Candidates, other: Candidates) -> bool:
    """Equal to the bit."""
    return bool(np.array_equal(one.ids, other.ids) and np.array_equal(one.logits, other.logits))
