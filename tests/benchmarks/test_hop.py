"""How the hop benchmark cuts its chains, and what it makes of its times."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from app.ids import Span
from app.swarm.local_chain import LocalChain
from app.swarm.token_chain import Candidates
from benchmarks.hop import PROMPT, Writer, report, spans_of


@pytest.mark.parametrize("blocks", [4, 8, 22])
def test_every_chain_covers_the_model_without_gap_or_overlap(blocks: int) -> None:
    for count, spans in spans_of(blocks, [1, 2, 3, 4]).items():
        assert len(spans) == count
        assert (spans[0].start, spans[-1].stop) == (0, blocks + 2)
        assert all(one.stop == other.start for one, other in itertools.pairwise(spans))


def test_short_chains_use_the_cuts_of_the_longest() -> None:
    chains = spans_of(8, [1, 2, 3, 4])
    cuts = {span.start for span in chains[4]}
    assert all(span.start in cuts for spans in chains.values() for span in spans)
    assert chains[1] == [Span(0, 10)]


def test_the_report_tells_what_each_host_adds() -> None:
    rounds = {
        0: [9.0, 0.001, 0.001],
        1: [9.0, 0.003, 0.003],
        2: [9.0, 0.005, 0.005],
    }
    assert report(rounds) == {
        "hop_ms": 2.0,
        "whole_ms": 1.0,
        "chain_ms": {"1": 3.0, "2": 5.0},
    }


class CountingChain(LocalChain):
    """Says that the next token is one more than the last; notes what it was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, list[int]]] = []

    async def step(self, position: int, tokens: object) -> Candidates:
        known = [int(token) for token in tokens]  # type: ignore[attr-defined]
        self.sent.append((position, known))
        return Candidates(np.array([[known[-1] + 1]], np.int32), np.array([[1.0]], np.float32))


async def test_the_writer_sends_the_prompt_once_and_then_each_token_it_chose() -> None:
    chain = CountingChain()
    writer = Writer(chain)
    assert await writer.write(3) > 0
    last, length = PROMPT[-1], len(PROMPT)
    assert chain.sent == [(0, list(PROMPT)), (length, [last + 1]), (length + 1, [last + 2])]
    assert writer.tokens == [*PROMPT, last + 1, last + 2, last + 3]
