"""A chain in trouble: who is named, what is forgotten, and what is never believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import numpy as np
import pytest

from app.engine.frames import PartResult
from app.engine.mounting import BATCH_ROWS
from app.errors import PeerLost
from app.ids import Span
from app.net import wire
from app.net.channel import Channel
from app.swarm import chain as chain_module
from app.swarm import host as host_module
from app.swarm.chain import RingChain
from app.swarm.chain_link import LEASE_SECONDS
from app.swarm.token_chain import ChainBroken, OwnEnds, TokenChain
from tests.helpers.answers import greedy, same, step
from tests.helpers.fake_engine import FakeEngine, ToyModel
from tests.helpers.session_words import SOON_SECONDS
from tests.helpers.small_swarm import HostComputer, SmallSwarm, settled

PROMPT = [5, 17, 3, 44, 21, 8]


async def broken(work: Awaitable[object]) -> ChainBroken:
    with pytest.raises(ChainBroken) as caught:
        async with asyncio.timeout(SOON_SECONDS):
            await work
    return caught.value


async def interrupted(swarm: SmallSwarm, chain: TokenChain, position: int, *tokens: int) -> None:
    """A step that is cancelled while hosts are at it."""
    task = swarm.tasks.start(chain.step(position, tokens), name="step")
    await settled()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


def pretender(
    swarm: SmallSwarm, host: HostComputer, answer: Callable[[wire.Step], wire.ChannelMessage]
) -> Callable[[], Awaitable[HostComputer]]:
    """A host that lets everybody in and answers every step as it likes."""

    async def pretend(channel: Channel) -> None:
        words = await channel.receive()
        assert isinstance(words, wire.SessionOpen)
        await channel.send(wire.SessionOpened(session=words.session, tokens_left=0))
        while True:
            message = await channel.receive()
            if isinstance(message, wire.Step):
                await channel.send(answer(message))

    async def start() -> HostComputer:
        endpoint = await swarm.computer({"session": pretend})
        return HostComputer(host.engine, host.host, endpoint)

    return start


# ── computers that fail ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("victim", [0, 1, 2])
async def test_a_host_that_vanishes_is_named(swarm: SmallSwarm, victim: int) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:2", "2:4", "4:6")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        hosts[victim].engine.hold()
        task = swarm.tasks.start(step(chain, 6, [1]), name="step")
        await settled()
        swarm.cut(hosts[victim])
        with pytest.raises(ChainBroken) as caught:
            await task
        assert caught.value.peer == hosts[victim].peer
        assert not caught.value.forgotten
        again = await broken(chain.step(6, [1]))
        assert again.peer == hosts[victim].peer


async def test_a_host_that_vanishes_between_steps_is_named_at_the_next(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        swarm.cut(hosts[0])
        assert (await broken(chain.step(6, [1]))).peer == hosts[0].peer


async def test_hosts_that_lose_each_other_blame_the_next(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        for session in hosts[0].host._sessions.values():
            assert session.next is not None
            session.next.abort()
        error = await broken(chain.step(6, [1]))
        assert error.peer == hosts[1].peer


@pytest.mark.parametrize("victim", [0, 1])
async def test_a_worker_that_dies_costs_only_what_it_remembered(
    swarm: SmallSwarm, victim: int
) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        hosts[victim].engine.die()
        error = await broken(chain.step(6, [1]))
        assert error.forgotten
        assert error.peer == hosts[victim].endpoint.peer_id
        chain.begin_again()
        assert same(await step(chain, 0, [*PROMPT, 1]), wanted)


async def test_a_worker_that_dies_in_the_middle_of_a_step_is_told(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts) as chain:
        wanted = await step(chain, 0, PROMPT)
        hosts[1].engine.hold()
        task = swarm.tasks.start(step(chain, 6, [1]), name="step")
        await settled()
        hosts[1].engine.die()
        hosts[1].engine.go_on()
        with pytest.raises(ChainBroken) as caught:
            await task
        assert caught.value.forgotten
        chain.begin_again()
        assert same(await step(chain, 0, PROMPT), wanted)


async def test_faults_of_a_long_prompt_do_not_spoil_its_second_try(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    tokens = [(5 * index) % 48 for index in range(390)]
    wanted = await step(swarm.alone(tokens=400), 0, tokens)
    async with swarm.ring(client, hosts, tokens=400) as chain:
        await step(chain, 0, tokens[:4])
        hosts[1].engine.die()
        assert (await broken(chain.step(4, tokens[4:]))).forgotten  # four gaps come back
        chain.begin_again()
        assert same(await step(chain, 0, tokens), wanted)
        await settled()
        assert client.bad_inputs == {}


async def test_a_chain_that_does_not_answer_is_given_up(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        monkeypatch.setattr(chain_module, "STEP_SECONDS", 0.005)
        hosts[1].engine.hold()
        error = await broken(chain.step(6, [1]))
        assert "does not answer" in str(error)
        # Nobody can tell which of them is silent, so all of them are avoided.
        assert set(error.suspects) == {host.endpoint.peer_id for host in hosts}


async def test_a_host_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def take_nothing(channel: Channel) -> None:
        words = await channel.receive()
        assert isinstance(words, wire.SessionOpen)
        await channel.send(wire.SessionOpened(session=words.session, tokens_left=0))
        await asyncio.Event().wait()

    async with SmallSwarm(monkeypatch, model=ToyModel(width=8192)) as swarm:
        client, host = await swarm.computer(), await swarm.host("5:6")
        deaf = await swarm.computer({"session": take_nothing})
        own = OwnEnds(embedding=FakeEngine(swarm.model, Span(0, 1)).engine())
        liar = HostComputer(host.engine, host.host, deaf)
        async with swarm.ring(client, [liar], ends=own) as chain:
            monkeypatch.setattr(chain_module, "STEP_SECONDS", 0.02)
            window_and_more = 5 * 32
            error = await broken(chain.step(0, [1] * window_and_more))
            assert "does not answer" in str(error)
            steps = sum(isinstance(message, wire.Step) for message in swarm.to(deaf.peer_id))
            assert steps < 6  # the last of them is still waiting, and closing does not wait


async def test_more_positions_than_were_asked_for_are_nobodys_fault(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts, tokens=5) as chain:
        error = await broken(chain.step(0, PROMPT))
        assert error.peer is None
        assert not error.forgotten


async def test_a_lease_that_ran_out_is_nobodys_fault(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "SWEEP_SECONDS", 0)
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT)
        chain.begin_again()  # the hosts do not know of the new epoch
        for host in hosts:
            swarm.tasks.start(host.host.sweep(), name="sweep")
        swarm.clock.advance(LEASE_SECONDS + 1)
        await settled()
        error = await broken(chain.step(0, PROMPT))
        assert error.peer is None
        assert not error.forgotten
        assert "went back" in str(error)


# ── cancelling ───────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_step_leaves_the_chain_usable(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    wanted = await step(swarm.alone(candidates=5), 0, [*PROMPT, 30])
    async with swarm.ring(client, hosts, candidates=5) as chain:
        await step(chain, 0, PROMPT)
        hosts[1].engine.hold()
        await interrupted(swarm, chain, 6, 29)
        # The answer to 29 is still under way when 30 is asked for at the same position.
        task = swarm.tasks.start(step(chain, 6, [30]), name="step")
        await settled()
        hosts[1].engine.go_on()
        assert same(await task, wanted)


async def test_what_lies_there_of_a_long_question_that_was_stopped_is_not_computed(
    swarm: SmallSwarm,
) -> None:
    wanted = await step(swarm.alone(candidates=5), 0, [*PROMPT, 30])
    client = await swarm.computer()
    hosts = [
        await swarm.host(span, kv_tokens=2048, tokens_per_sequence=2048) for span in ("0:3", "3:6")
    ]
    pieces = 6
    async with swarm.ring(client, hosts, tokens=1024, candidates=5) as chain:
        await step(chain, 0, PROMPT)
        for host in hosts:
            host.engine.hold()
            host.engine.computed.clear()
        await interrupted(swarm, chain, len(PROMPT), *([7] * pieces * BATCH_ROWS))
        await settled()
        for host in hosts:
            host.engine.go_on()
        await settled()
        assert [sum(part.rows for part in host.engine.computed) for host in hosts] == [0, 0]
        assert same(await step(chain, len(PROMPT), [30]), wanted)


async def test_closing_ends_a_step_that_waits(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    chain = swarm.ring(client, hosts)
    await chain.open()
    hosts[1].engine.hold()
    task = swarm.tasks.start(step(chain, 0, PROMPT), name="step")
    await settled()
    await chain.close()
    with pytest.raises(ChainBroken):
        await task


# ── computers that lie ───────────────────────────────────────────────────────────────────


def spoilt(name: str) -> Callable[[PartResult], PartResult]:
    """Ways in which a head can return nonsense."""

    def spoil(result: PartResult) -> PartResult:
        ids = np.frombuffer(result.ids, "<i4").copy()
        logits = np.frombuffer(result.logits, "<f4").copy()
        match name:
            case "a logit that is no number":
                logits[1] = np.nan
            case "an infinite logit":
                logits[0] = np.inf
            case "a token outside the vocabulary":
                ids[2] = 48
            case "a negative token":
                ids[0] = -1
            case "out of order":
                logits = logits[::-1].copy()
            case "too many":
                ids, logits = np.repeat(ids, 2), np.repeat(logits, 2)
            case "none":
                ids, logits = ids[:0], logits[:0]
            case "hidden states instead":
                return PartResult(hidden=bytes(32 * 6))
        return PartResult(ids=ids.tobytes(), logits=logits.tobytes())

    return spoil


@pytest.mark.parametrize(
    "lie",
    [
        *("a logit that is no number", "an infinite logit", "a token outside the vocabulary"),
        *("a negative token", "out of order", "too many", "none", "hidden states instead"),
    ],
)
async def test_nonsense_from_the_head_is_counted_and_its_host_named(
    swarm: SmallSwarm, lie: str
) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts, candidates=4) as chain:
        hosts[1].engine.spoil = spoilt(lie)
        error = await broken(chain.step(0, PROMPT))
    assert error.peer == hosts[1].peer
    assert client.bad_inputs == {hosts[1].peer: 1}


@pytest.mark.parametrize("hidden", [b"", bytes(28), bytes(64), np.full(8, np.nan, "<f4").tobytes()])
async def test_nonsense_for_the_own_head_is_counted_and_its_host_named(
    swarm: SmallSwarm, hidden: bytes
) -> None:
    client, host = await swarm.computer(), await swarm.host("0:5")
    own = OwnEnds(head=FakeEngine(swarm.model, Span(5, 6)).engine())

    def lie(asked: wire.Step) -> wire.StepResult:
        return wire.StepResult(
            session=asked.session,
            epoch=asked.epoch,
            position=asked.position,
            rows=asked.rows,
            outputs=1,
            hidden=hidden,
        )

    liar = await pretender(swarm, host, lie)()
    async with swarm.ring(client, [liar], ends=own) as chain:
        error = await broken(chain.step(0, PROMPT))
    assert error.peer == liar.peer
    assert client.bad_inputs == {liar.peer: 1}


Lie = Callable[[wire.Step], wire.ChannelMessage]
LIES: dict[str, Lie] = {
    "somebody else's session": lambda asked: wire.StepResult(
        session=b"?" * 16, epoch=0, position=0, rows=1
    ),
    "somebody else's fault": lambda asked: wire.SessionFault(
        session=b"?" * 16, epoch=0, position=0, code="gap", reason=""
    ),
    "a step back": lambda asked: asked,
    "an answer to no question": lambda asked: wire.SessionOpened(
        session=asked.session, tokens_left=1
    ),
    "two rows for one": lambda asked: wire.StepResult(
        session=asked.session,
        epoch=asked.epoch,
        position=asked.position,
        rows=asked.rows,
        outputs=2,
        ids=bytes(16),
        logits=bytes(16),
    ),
}


@pytest.mark.parametrize("name", LIES)
async def test_words_that_have_no_place_are_counted_and_break_the_chain(
    swarm: SmallSwarm, name: str
) -> None:
    client, host = await swarm.computer(), await swarm.host("0:6")
    liar = await pretender(swarm, host, LIES[name])()
    async with swarm.ring(client, [liar], candidates=4) as chain:
        error = await broken(chain.step(0, PROMPT))
    assert error.peer == liar.peer
    assert client.bad_inputs == {liar.peer: 1}


async def test_results_from_the_middle_of_the_chain_are_counted(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    liar = await pretender(
        swarm,
        hosts[0],
        lambda asked: wire.StepResult(
            session=asked.session,
            epoch=asked.epoch,
            position=asked.position,
            rows=asked.rows,
            outputs=1,
            ids=bytes(4),
            logits=bytes(4),
        ),
    )()
    async with swarm.ring(client, [liar, hosts[1]]) as chain:
        assert (await broken(chain.step(0, PROMPT))).peer == liar.peer
    assert client.bad_inputs == {liar.peer: 1}


async def test_a_fault_of_the_input_names_who_fed_it(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts) as chain:
        bad = np.full((6, 8), np.nan, np.float32).tobytes()
        hosts[0].engine.spoil = lambda result: msgspec.structs.replace(result, hidden=bad)
        error = await broken(chain.step(0, PROMPT))
    assert error.peer == hosts[0].peer
    assert hosts[1].endpoint.bad_inputs == {hosts[0].peer: 1}


@pytest.mark.parametrize("code", ["no_room", "engine", "a word nobody knows"])
async def test_another_fault_breaks_the_chain_and_names_its_host(
    swarm: SmallSwarm, code: str
) -> None:
    client, host = await swarm.computer(), await swarm.host("0:6")

    def complain(asked: wire.Step) -> wire.SessionFault:
        return wire.SessionFault(
            session=asked.session, epoch=asked.epoch, position=0, code=code, reason="alas"
        )

    liar = await pretender(swarm, host, complain)()
    async with swarm.ring(client, [liar]) as chain:
        error = await broken(chain.step(0, PROMPT))
    assert error.peer == liar.peer
    assert "alas" in str(error)
    assert client.bad_inputs == {}


async def test_late_results_and_old_faults_are_not_taken_for_new_ones(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    channels: list[Channel] = []
    async with swarm.ring(client, hosts) as chain:
        wanted = await step(chain, 0, PROMPT)
        channels += [session.channel for session in hosts[1].host._sessions.values()]
        chain.begin_again()
        result = next(m for m in swarm.to(client.peer_id) if isinstance(m, wire.StepResult))
        old = msgspec.structs.replace(result, ids=bytes(4), logits=bytes(4))
        await channels[0].send(old)
        await channels[0].send(
            wire.SessionFault(
                session=result.session, epoch=0, position=0, code="engine", reason="long ago"
            )
        )
        assert same(await step(chain, 0, PROMPT), wanted)
        assert await greedy(chain, PROMPT, 3) == await greedy(swarm.alone(), PROMPT, 3)
    assert client.bad_inputs == {}


async def test_nonsense_at_the_opening_is_counted(swarm: SmallSwarm) -> None:
    client, host = await swarm.computer(), await swarm.host("0:6")

    async def babble(channel: Channel) -> None:
        await channel.receive()
        await channel.send(wire.SessionRenew(session=bytes(16)))

    liar = HostComputer(host.engine, host.host, await swarm.computer({"session": babble}))
    chain: RingChain = swarm.ring(client, [liar])
    error = await broken(chain.open())
    assert error.peer == liar.peer
    assert client.bad_inputs == {liar.peer: 1}
    with pytest.raises(PeerLost):
        await chain.step(0, PROMPT)
