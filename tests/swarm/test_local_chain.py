"""The whole model on one computer behaves like a chain: see app/swarm/local_chain.py."""

from __future__ import annotations

import pytest

from app.errors import NoRoom
from app.ids import Span
from app.swarm.local_chain import LocalChain
from app.swarm.token_chain import ChainBroken, ChainPart, OwnEnds
from tests.helpers.answers import same, step
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.small_swarm import SmallSwarm

PROMPT = [5, 17, 3, 44, 21, 8]
LONG = [(7 * index) % 48 for index in range(300)]
CHAINS = [["0:6"], ["0:3", "3:6"], ["0:2", "2:4", "4:6"], ["0:1", "1:5", "5:6"]]


def ends(swarm: SmallSwarm, *, embedding: bool = False, head: bool = False) -> OwnEnds:
    last = swarm.model.head_unit
    return OwnEnds(
        embedding=FakeEngine(swarm.model, Span(0, 1)).engine() if embedding else None,
        head=FakeEngine(swarm.model, Span(last, last + 1)).engine() if head else None,
    )


async def test_one_computer_takes_room_and_gives_it_back(swarm: SmallSwarm) -> None:
    engine = FakeEngine(swarm.model, swarm.model.whole)
    chain = LocalChain(engine.engine(), tokens=400, candidates=1)
    assert (chain.parts, chain.tokens) == ([ChainPart(None, Span(0, 6))], 400)
    with pytest.raises(NoRoom):
        LocalChain(engine.engine(), tokens=113, candidates=1)
    await step(chain, 0, LONG)
    await chain.close()
    await chain.close()
    assert engine.ledger.tokens_free == 512
    assert engine.positions(0) == 0


async def test_one_computer_reads_a_long_prompt_in_batches(swarm: SmallSwarm) -> None:
    engine = FakeEngine(swarm.model, swarm.model.whole)
    chain = LocalChain(engine.engine(), tokens=400, candidates=2)
    at_once = await step(chain, 0, LONG)
    assert [(p.position, p.rows, p.outputs) for p in engine.computed] == [
        (0, 128, 0),
        (128, 128, 0),
        (256, 44, 1),
    ]
    for position, token in enumerate(LONG):
        one_by_one = await step(chain, position, [token])
    assert same(at_once, one_by_one)


async def test_one_computer_says_when_it_has_to_start_over(swarm: SmallSwarm) -> None:
    engine = FakeEngine(swarm.model, swarm.model.whole)
    chain = LocalChain(engine.engine(), tokens=100, candidates=1)
    before = await step(chain, 0, PROMPT)
    engine.die()
    with pytest.raises(ChainBroken, match="does not follow") as caught:
        await step(chain, 6, [1])
    assert caught.value.forgotten
    assert caught.value.peer is None
    chain.begin_again()
    assert same(await step(chain, 0, PROMPT), before)


async def test_an_own_engine_that_fails_is_started_over(swarm: SmallSwarm) -> None:
    engine = FakeEngine(swarm.model, swarm.model.whole)
    engine.fail("the worker ended in the middle of a step")
    chain = LocalChain(engine.engine(), tokens=100, candidates=1)
    with pytest.raises(ChainBroken, match="in the middle") as caught:
        await step(chain, 0, PROMPT)
    assert caught.value.forgotten


async def test_what_cannot_be_computed_here_is_not_tried_again(swarm: SmallSwarm) -> None:
    chain = swarm.alone()
    with pytest.raises(ChainBroken) as caught:
        await step(chain, 0, [swarm.model.vocabulary_size])
    assert not caught.value.forgotten
