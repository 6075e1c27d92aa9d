"""A client whose hosts have too much to do: it waits, or goes elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import numpy as np
import pytest

from app.errors import NotServed
from app.ids import PeerId
from app.net import wire
from app.swarm.chain import BUSY_SECONDS, RingChain
from app.swarm.generate import AVOID_SECONDS, LOOK_AGAIN_SECONDS, Answer, AnswerRequest, Generator
from app.swarm.sampling import SamplingOptions
from app.swarm.token_chain import Candidates, ChainBroken, ChainPart, TokenChain
from tests.helpers.answers import greedy, same, step
from tests.helpers.session_words import SOON_SECONDS
from tests.helpers.small_swarm import SmallSwarm
from tests.helpers.virtual_loop import LoopClock, run_virtual

PROMPT = [5, 17, 3, 44, 21, 8]
LONG = [n % 40 for n in range(300)]


def steps_to(swarm: SmallSwarm, peer: PeerId) -> list[wire.Step]:
    return [message for message in swarm.to(peer) if isinstance(message, wire.Step)]


@pytest.mark.parametrize("crowded", [0, 1])
async def test_a_busy_host_is_asked_again_and_the_answer_is_the_same(
    swarm: SmallSwarm, crowded: int
) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    wanted = await greedy(swarm.alone(), PROMPT, 4)
    async with swarm.ring(client, hosts) as chain:
        hosts[crowded].engine.busy = [0.01, 0.01]
        assert await greedy(chain, PROMPT, 4) == wanted
    assert [step.epoch for step in steps_to(swarm, hosts[0].peer)][:3] == sorted(
        {step.epoch for step in steps_to(swarm, hosts[0].peer)}
    )
    assert client.bad_inputs == {}


async def test_when_one_piece_of_a_prompt_is_declined_all_are_sent_again(
    swarm: SmallSwarm,
) -> None:
    client = await swarm.computer()
    hosts = [await swarm.host("0:3"), await swarm.host("3:6")]
    wanted = await step(swarm.alone(tokens=400), 0, LONG)
    async with swarm.ring(client, hosts, tokens=400) as chain:
        hosts[1].engine.busy = [0.01]
        async with asyncio.timeout(SOON_SECONDS):
            assert same(await chain.step(0, LONG), wanted)
        again = await chain.step(300, [7])
        assert again.ids.shape == (1, 1)
    # The pieces after the one that was declined were answered with gaps, which mean nothing.
    assert len(steps_to(swarm, hosts[0].peer)) == 2 * 3 + 1


async def test_a_host_that_stays_busy_is_named_with_its_time_and_the_chain_still_stands(
    swarm: SmallSwarm,
) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        hosts[1].engine.busy = [BUSY_SECONDS + 1]
        with pytest.raises(ChainBroken) as caught:
            await chain.step(6, [1])
        assert caught.value.peer == hosts[1].peer
        assert caught.value.retry_after_seconds == BUSY_SECONDS + 1
        assert not caught.value.forgotten
        await step(chain, 6, [1])


async def test_a_host_that_lets_nobody_in_says_when_it_will(swarm: SmallSwarm) -> None:
    client, host = await swarm.computer(), await swarm.host("0:6")
    host.engine.wait_seconds = 60.0
    chain: RingChain = swarm.ring(client, [host])
    with pytest.raises(ChainBroken, match="work for 60 s") as caught:
        await chain.open()
    assert (caught.value.peer, caught.value.retry_after_seconds) == (host.peer, 30.0)


async def test_a_step_says_for_how_long_it_is_wanted(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
    (first,), (second,) = (steps_to(swarm, host.peer) for host in hosts)
    assert first.deadline_seconds == second.deadline_seconds == 30.0


# ── an answer ────────────────────────────────────────────────────────────────────────────

CROWDED, FREE = PeerId(b"c" * 32), PeerId(b"f" * 32)
RETRY_SECONDS = 3.0


class Words:
    def piece(self, token: int) -> bytes:
        return b"a"

    def ends_text(self, token: int) -> bool:
        return False


class Chain:
    """Gives the same token for ever."""

    tokens = 1000

    @property
    def parts(self) -> list[ChainPart]:
        return []

    async def step(self, position: int, tokens: object) -> Candidates:
        return Candidates(np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32))

    def begin_again(self) -> None:
        raise AssertionError("nothing was forgotten")

    async def close(self) -> None:
        pass


class Town:
    """Two hosts, of which one has no room until `free_at`."""

    def __init__(self, *, free_at: float, alone: bool) -> None:
        self.free_at = free_at
        self.alone = alone
        self.asked: list[tuple[float, PeerId]] = []
        self.told: list[str | None] = []

    async def open_chain(self, avoid: Collection[PeerId], tokens: int) -> TokenChain:
        now = asyncio.get_running_loop().time()
        if CROWDED in avoid and not self.alone:
            self.asked.append((now, FREE))
            return Chain()
        self.asked.append((now, CROWDED))
        if now < self.free_at:
            raise ChainBroken("no room", peer=CROWDED, retry_after_seconds=RETRY_SECONDS)
        return Chain()

    async def mend(self, *_: object) -> None:
        raise NotServed("nobody else", missing=(1,))

    async def write(self, generator: Generator) -> Answer:
        def note() -> None:
            self.told.append(None if answer.waiting is None else answer.waiting.words)

        answer = Answer(waits=note)
        async for _ in generator.write(AnswerRequest((1, 2), SamplingOptions(), 3), answer):
            pass
        return answer


def test_where_another_host_has_room_nobody_waits() -> None:
    async def dialogue() -> None:
        town = Town(free_at=60.0, alone=False)
        generator = Generator(town.open_chain, Words(), clock=LoopClock())
        assert (await town.write(generator)).text == "aaa"
        assert town.asked == [(0.0, CROWDED), (0.0, FREE)]
        await generator.close()

    run_virtual(dialogue())


def test_where_there_is_nobody_else_it_is_asked_again_when_it_said() -> None:
    async def dialogue() -> None:
        town = Town(free_at=5.0, alone=True)
        generator = Generator(town.open_chain, Words(), clock=LoopClock())
        answer = await town.write(generator)
        assert (answer.text, answer.waiting) == ("aaa", None)
        busy = ["A helper is busy; another is asked…"]
        turn = "Every helper is busy; the answer goes on in a moment…"
        assert [words for words in town.told if words != turn] == [*busy, None]
        assert turn in town.told
        assert [at for at, _ in town.asked] == [0.0, 0.0, RETRY_SECONDS, 2 * RETRY_SECONDS]
        await generator.close()

    run_virtual(dialogue())


def test_who_was_busy_is_asked_again_soon_after_it_said() -> None:
    async def dialogue() -> None:
        town = Town(free_at=1.0, alone=False)
        generator = Generator(town.open_chain, Words(), clock=LoopClock())
        await town.write(generator)
        await generator.close()
        await asyncio.sleep(RETRY_SECONDS + LOOK_AGAIN_SECONDS)
        assert RETRY_SECONDS < AVOID_SECONDS
        await town.write(generator)
        assert town.asked[-1][1] == CROWDED
        await generator.close()

    run_virtual(dialogue())
