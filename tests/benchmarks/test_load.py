"""What the load benchmark makes of its measurements; see benchmarks/load.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from app.swarm.chain import RingChain
from app.swarm.token_chain import Candidates, ChainBroken
from benchmarks.load import PROMPT_ROWS, ROOM, Load, Writer, percentile, report


def load(tokens: list[int], *, elapsed: float = 2.0) -> Load:
    return Load(tokens, [0.1, 0.3], elapsed, {"nodes": 0.5})


def test_the_speedup_is_told_from_rounds_that_were_measured_together() -> None:
    loads = {1: [load([10]), load([5])], 8: [load([10] * 8), load([2] * 8)]}
    fields = report(loads)
    assert fields["speedup_8"] == 5.6  # 8 times in one round, 3.2 times in the other
    sessions = cast(dict[str, dict[str, object]], fields["sessions"])
    assert sessions["8"]["tokens_per_second"] == 24.0
    assert sessions["8"]["processor_ms_per_token"] == {"nodes": pytest.approx(10.417)}


def test_fairness_is_what_the_slowest_got_of_what_the_fastest_did() -> None:
    assert load([8, 4, 6]).fairness == 0.5
    assert load([0, 0]).fairness == 0.0


def test_so_many_of_a_hundred_stay_below_a_percentile() -> None:
    assert percentile([float(n) for n in range(100)]) == 95.0
    assert percentile([7.0]) == 7.0


class Counting:
    """Gives the position as the next token, and stumbles once."""

    links: tuple[()] = ()

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.mended = 0

    async def step(self, position: int, tokens: Sequence[int]) -> Candidates:
        if len(self.steps) == 3 and not self.mended:
            raise ChainBroken("it stands still", peer=None)
        self.steps.append((position, len(tokens)))
        following = np.array([[position + len(tokens)]], np.int32)
        return Candidates(following, np.zeros((1, 1), np.float32))

    async def mend(self, links: object) -> None:
        self.mended += 1


async def test_a_writer_goes_on_where_it_was_and_begins_again_when_its_room_is_full() -> None:
    chain = Counting()
    writer = Writer(cast(RingChain, chain), list(range(PROMPT_ROWS)))
    writer.begin_again()
    await writer.write(0.0, least=ROOM - PROMPT_ROWS)
    assert len(writer.tokens) == ROOM
    assert chain.steps[:2] == [(0, PROMPT_ROWS), (PROMPT_ROWS, 1)]
    await writer.write(0.0, least=1)
    assert chain.steps[-1] == (PROMPT_ROWS, 1)  # the prompt is known still
    assert writer.tokens == list(range(PROMPT_ROWS + 2))
    assert (writer.repairs, chain.mended) == (1, 1)
