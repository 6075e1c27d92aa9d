"""Chains over whoever is announced, opened and mended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from app.errors import NotServed
from app.ids import PeerId
from app.net.channel import Knocker
from app.swarm.chain import RingChain
from app.swarm.chains import FRESH_SECONDS, AloneIsFaster, Chains
from app.swarm.distances import UNKNOWN_SECONDS
from app.swarm.failures import Failures
from app.swarm.route import Offer, Route
from app.swarm.token_chain import ChainBroken, OwnEnds
from tests.helpers.answers import same, step
from tests.helpers.small_swarm import HostComputer, SmallSwarm, settled

PROMPT = [5, 17, 3, 44]
LONG = [token % 48 for token in range(150)]


class Directory:
    """Everything announced, and how often it was asked."""

    def __init__(self, swarm: SmallSwarm) -> None:
        self.swarm = swarm
        self.hosts: list[HostComputer] = []
        self.asked = 0

    async def add(self, *spans: str) -> list[HostComputer]:
        self.hosts += (fresh := await self.swarm.hosts(*spans))
        return fresh

    async def lookup(self) -> Sequence[Offer]:
        self.asked += 1
        return [host.offer for host in self.hosts]


@pytest.fixture
def directory(swarm: SmallSwarm) -> Directory:
    return Directory(swarm)


async def chains_of(
    directory: Directory, *, failures: Failures | None = None, own: PeerId | None = None
) -> Chains:
    swarm = directory.swarm
    client = await swarm.computer()

    async def opener() -> Knocker:
        return client

    async def ends(route: Route) -> OwnEnds:
        return OwnEnds()

    return Chains(
        swarm.shape,
        lookup=directory.lookup,
        opener=opener,
        ends=ends,
        clock=swarm.clock,
        failures=failures,
        own=own,
    )


@asynccontextmanager
async def chain_of(
    chains: Chains, *, avoid: Sequence[PeerId] = (), tokens: int = 64
) -> AsyncIterator[RingChain]:
    chain = await chains.open(tokens=tokens, candidates=1, avoid=avoid)
    try:
        yield chain
    finally:
        await chain.close()


async def test_whoever_takes_the_place_was_known_before(directory: Directory) -> None:
    swarm = directory.swarm
    first, second = await directory.add("0:3", "3:6")
    (spare,) = await directory.add("3:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    chains = await chains_of(directory)
    async with chain_of(chains) as chain:
        await step(chain, 0, PROMPT)
        gone = chain.links[1].offer.peer
        swarm.cut(second if gone == second.peer else spare)
        await settled()
        await chains.mend(chain, [gone], [gone])
        assert same(await step(chain, 4, [1]), wanted)
    assert directory.asked == 1
    assert len(first.engine.computed) == 2


async def test_newcomers_are_looked_up_when_they_are_needed(directory: Directory) -> None:
    swarm = directory.swarm
    _, second = await directory.add("0:3", "3:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    chains = await chains_of(directory)
    async with chain_of(chains) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(second)
        directory.hosts.remove(second)
        await settled()
        with pytest.raises(NotServed, match="layers 3 to 4 and the output"):
            await chains.mend(chain, [second.peer], [second.peer])
        (newcomer,) = await directory.add("3:6")
        await chains.mend(chain, [second.peer], [second.peer])
        assert chain.links[1].offer.peer == newcomer.peer
        assert same(await step(chain, 4, [1]), wanted)


async def test_an_old_look_up_is_not_believed(directory: Directory) -> None:
    swarm = directory.swarm
    _, second = await directory.add("0:3", "3:6")
    await directory.add("3:6")
    chains = await chains_of(directory)
    async with chain_of(chains) as chain:
        await step(chain, 0, PROMPT)
        swarm.clock.advance(FRESH_SECONDS)
        await chains.mend(chain, [second.peer], [second.peer])
    assert directory.asked == 2


async def test_a_chain_says_what_it_was_expected_to_take(directory: Directory) -> None:
    await directory.add("0:3", "3:6")
    async with chain_of(await chains_of(directory)) as chain:
        predicted = chain.predicted
        assert predicted is not None
        assert predicted.network == pytest.approx(3 * UNKNOWN_SECONDS)
        assert predicted.compute == pytest.approx(4 / 100)


async def test_whoever_is_faster_alone_hears_by_how_much(directory: Directory) -> None:
    await directory.add("0:3", "3:6")
    chains = await chains_of(directory)
    with pytest.raises(AloneIsFaster, match=r"100 tokens a second, .* computers 8\.5") as caught:
        await chains.open(tokens=64, candidates=1, alone_seconds=0.01)
    assert caught.value.remark.said.values == {"alone": 100.0, "chain": 8.5}
    await (await chains.open(tokens=64, candidates=1, alone_seconds=1.0)).close()


async def test_this_computer_as_the_only_helper_is_no_other_way_than_alone(
    directory: Directory,
) -> None:
    (own,) = await directory.add("0:6")
    chains = await chains_of(directory, own=own.peer)
    await (await chains.open(tokens=64, candidates=1, alone_seconds=0.001)).close()


async def test_who_failed_in_one_conversation_is_asked_later_in_the_next(
    directory: Directory,
) -> None:
    first, second = await directory.add("0:6", "0:6")
    failures = Failures()
    failures.note(first.peer, now=directory.swarm.clock.monotonic())
    async with chain_of(await chains_of(directory, failures=failures)) as chain:
        assert chain.links[0].offer.peer == second.peer
        gone = chain.links[0].offer.peer
        directory.swarm.cut(second)
        await settled()
        failed = await chains_of(directory, failures=failures)
        await failed.mend(chain, [gone], [gone])
    assert failures.count(second.peer, now=directory.swarm.clock.monotonic()) == 1.0


async def test_who_failed_the_longest_ago_is_asked_first(directory: Directory) -> None:
    _, second = await directory.add("0:3", "3:6")
    early, late = await directory.add("3:6", "3:6")
    chains = await chains_of(directory)
    avoided = [early.peer, late.peer]
    async with chain_of(chains, avoid=avoided) as chain:
        await step(chain, 0, PROMPT)
        await chains.mend(chain, [second.peer], [*avoided, second.peer])
        assert chain.links[1].offer.peer == early.peer


async def test_who_failed_may_take_its_own_place_when_nobody_else_is_there(
    directory: Directory,
) -> None:
    _, second = await directory.add("0:3", "3:6")
    wanted = await step(directory.swarm.alone(), 0, [*PROMPT, 1])
    chains = await chains_of(directory)
    async with chain_of(chains) as chain:
        await step(chain, 0, PROMPT)
        second.engine.die()
        with pytest.raises(ChainBroken):
            await step(chain, 4, [1])
        await chains.mend(chain, [second.peer], [second.peer])
        assert chain.links[1].offer.peer == second.peer
        assert same(await step(chain, 4, [1]), wanted)


async def test_who_leaves_is_replaced_by_somebody_new_while_it_is_there(
    directory: Directory,
) -> None:
    swarm = directory.swarm
    _, leaving = await directory.add("0:3", "3:6")
    wanted = await step(swarm.alone(), 0, [*LONG, 1])
    chains = await chains_of(directory)
    async with chain_of(chains, tokens=256) as chain:
        await step(chain, 0, LONG)
        (heir,) = await directory.add("3:6")
        swarm.tasks.start(leaving.host.drain(2.0), name="drain")
        await settled()
        await chains.mend(chain, [leaving.peer], [leaving.peer])
        assert [link.offer.peer for link in chain.links][1] == heir.peer
        assert same(await step(chain, len(LONG), [1]), wanted)
    assert heir.host.status.inherited == 1


async def test_who_leaves_goes_on_as_long_as_it_can_where_nobody_else_is(
    directory: Directory,
) -> None:
    swarm = directory.swarm
    _, leaving = await directory.add("0:3", "3:6")
    wanted = await step(swarm.alone(), 0, [*LONG, 1])
    chains = await chains_of(directory)
    async with chain_of(chains, tokens=256) as chain:
        await step(chain, 0, LONG)
        swarm.tasks.start(leaving.host.drain(2.0), name="drain")
        await settled()
        await chains.mend(chain, [leaving.peer], [leaving.peer])
        assert same(await step(chain, len(LONG), [1]), wanted)
