"""A chain over other computers gives what the whole model gives, straight from host to host."""

from __future__ import annotations

import asyncio
import logging

import numpy as np
import pytest

from app.errors import BadInput
from app.ids import Span
from app.net import wire
from app.net.channel import Channel
from app.swarm import boundary_log, chain_link
from app.swarm.token_chain import ChainBroken, ChainPart, OwnEnds, read_candidates
from tests.helpers.answers import greedy, same, step
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.small_swarm import HostComputer, SmallSwarm, settled

PROMPT = [5, 17, 3, 44, 21, 8]
LONG = [(7 * index) % 48 for index in range(300)]
CHAINS = [["0:6"], ["0:3", "3:6"], ["0:2", "2:4", "4:6"], ["0:1", "1:5", "5:6"]]


def ends(swarm: SmallSwarm, *, embedding: bool = False, head: bool = False) -> OwnEnds:
    last = swarm.model.head_unit
    return OwnEnds(
        embedding=FakeEngine(swarm.model, Span(0, 1)).engine() if embedding else None,
        head=FakeEngine(swarm.model, Span(last, last + 1)).engine() if head else None,
    )


# ── the answer is right ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("spans", CHAINS, ids=" ".join)
async def test_a_chain_gives_what_one_computer_gives(swarm: SmallSwarm, spans: list[str]) -> None:
    client = await swarm.computer()
    wanted = await greedy(swarm.alone(), PROMPT, 12)
    async with swarm.ring(client, await swarm.hosts(*spans)) as chain:
        assert await greedy(chain, PROMPT, 12) == wanted
    assert len(set(wanted)) > 4


@pytest.mark.parametrize("spans", CHAINS, ids=" ".join)
async def test_every_candidate_is_the_same_to_the_bit(swarm: SmallSwarm, spans: list[str]) -> None:
    client = await swarm.computer()
    wanted = await step(swarm.alone(candidates=20), 0, PROMPT)
    async with swarm.ring(client, await swarm.hosts(*spans), candidates=20) as chain:
        assert same(await step(chain, 0, PROMPT), wanted)
    assert wanted.ids.shape == wanted.logits.shape == (1, 20)


@pytest.mark.parametrize(
    ("spans", "embedding", "head"),
    [(["1:3", "3:6"], True, False), (["0:3", "3:5"], False, True), (["1:5"], True, True)],
)
async def test_the_client_may_run_the_ends_itself(
    swarm: SmallSwarm, spans: list[str], embedding: bool, head: bool
) -> None:
    client = await swarm.computer()
    own = ends(swarm, embedding=embedding, head=head)
    wanted = await greedy(swarm.alone(candidates=3), LONG[:200], 8)
    hosts = await swarm.hosts(*spans)
    async with swarm.ring(client, hosts, candidates=3, tokens=256, ends=own) as chain:
        assert await greedy(chain, LONG[:200], 8) == wanted
        assert [str(part.span) for part in chain.parts] == [
            *(["0:1"] if embedding else []),
            *spans,
            *(["5:6"] if head else []),
        ]
        assert [part.peer is None for part in chain.parts].count(True) == embedding + head


async def test_who_runs_what_is_told_in_order(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts, tokens=99) as chain:
        assert chain.parts == [
            ChainPart(hosts[0].peer, Span(0, 3)),
            ChainPart(hosts[1].peer, Span(3, 6)),
        ]
        assert chain.tokens == 99


async def test_an_earlier_position_forgets_what_came_after(swarm: SmallSwarm) -> None:
    client = await swarm.computer()
    wanted = await step(swarm.alone(), 0, [*PROMPT[:3], 9, 10])
    async with swarm.ring(client, await swarm.hosts("0:3", "3:6")) as chain:
        await step(chain, 0, PROMPT)
        assert same(await step(chain, 3, [9, 10]), wanted)


async def test_two_conversations_over_the_same_hosts_do_not_mix(swarm: SmallSwarm) -> None:
    hosts, other = await swarm.hosts("0:3", "3:6"), list(reversed(PROMPT))
    wanted = [await greedy(swarm.alone(), prompt, 8) for prompt in (PROMPT, other)]
    async with (
        swarm.ring(await swarm.computer(), hosts) as one,
        swarm.ring(await swarm.computer(), hosts) as two,
    ):
        answers = await asyncio.gather(greedy(one, PROMPT, 8), greedy(two, other, 8))
    assert list(answers) == wanted


# ── straight on, side by side ────────────────────────────────────────────────────────────


async def test_hosts_hand_on_to_each_other_and_only_results_come_back(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:2", "2:4", "4:6")
    async with swarm.ring(client, hosts) as chain:
        swarm.sent.clear()
        await greedy(chain, PROMPT, 5)
        first, second, third = (host.peer for host in hosts)
        assert {(sent.sender, sent.receiver, type(sent.message)) for sent in swarm.sent} == {
            (client.peer_id, first, wire.Step),
            (first, second, wire.Step),
            (second, third, wire.Step),
            (third, client.peer_id, wire.StepResult),
        }
        assert len(swarm.sent) == 4 * 6


async def test_a_long_prompt_travels_in_steps(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    wanted = await step(swarm.alone(tokens=400), 0, LONG)
    async with swarm.ring(client, hosts, tokens=400) as chain:
        swarm.sent.clear()
        assert same(await step(chain, 0, LONG), wanted)
    steps = [message for message in swarm.to(hosts[1].peer) if isinstance(message, wire.Step)]
    assert [(s.position, s.rows, s.outputs) for s in steps] == [
        (0, 128, 0),
        (128, 128, 0),
        (256, 44, 1),
    ]
    assert sum(isinstance(m, wire.StepResult) for m in swarm.to(client.peer_id)) == 1


async def test_hosts_work_on_a_long_prompt_side_by_side(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    async with swarm.ring(client, hosts, tokens=400) as chain, asyncio.TaskGroup() as tasks:
        hosts[1].engine.hold()
        answer = tasks.create_task(step(chain, 0, LONG))
        await settled()
        assert len(hosts[0].engine.computed) == 3  # the first is done before the second begins
        assert hosts[1].engine.computed == []
        hosts[1].engine.go_on()
        await answer


async def test_wide_rows_travel_in_smaller_steps(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundary_log, "STEP_BYTES", 5 * 4 * swarm.model.width)
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    wanted = await step(swarm.alone(), 0, LONG[:12])
    async with swarm.ring(client, hosts) as chain:
        assert same(await step(chain, 0, LONG[:12]), wanted)
    assert [part.rows for part in hosts[0].engine.computed] == [5, 5, 2]


# ── opening and closing ──────────────────────────────────────────────────────────────────


async def test_closing_gives_the_room_back_everywhere(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:2", "2:4", "4:6")
    chain = swarm.ring(client, hosts, tokens=100)
    await chain.open()
    assert [host.host.tokens_free for host in hosts] == [412] * 3
    await step(chain, 0, PROMPT)
    await chain.close()
    await chain.close()
    await settled()
    assert [host.host.tokens_free for host in hosts] == [512] * 3
    assert all(host.endpoint.bad_inputs == {} for host in hosts)
    assert all(status.channels == 0 for status in client.connections())


async def test_when_one_declines_the_others_get_their_room_back(
    swarm: SmallSwarm, caplog: pytest.LogCaptureFixture
) -> None:
    client = await swarm.computer()
    hosts = [await swarm.host("0:3"), await swarm.host("3:6", kv_tokens=50)]
    chain = swarm.ring(client, hosts, tokens=100)
    with pytest.raises(ChainBroken, match=r"declines: .*50") as caught:
        await chain.open()
    assert caught.value.peer == hosts[1].peer
    assert not caught.value.forgotten
    await settled()
    assert [host.host.tokens_free for host in hosts] == [512, 50]
    # It was told to whoever asked; nobody else need read it.
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_a_host_that_is_gone_is_named(swarm: SmallSwarm) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    chain = swarm.ring(client, hosts)
    swarm.cut(hosts[1])
    with pytest.raises(ChainBroken) as caught:
        await chain.open()
    # Either the client finds out, or the first host, which is not to blame.
    assert caught.value.peer == hosts[1].peer
    await settled()
    assert hosts[0].host.tokens_free == 512


async def test_a_computer_that_serves_no_sessions_is_not_blamed(swarm: SmallSwarm) -> None:
    client, host, idle = await swarm.computer(), await swarm.host("0:6"), await swarm.computer()
    chain = swarm.ring(client, [HostComputer(host.engine, host.host, idle)])
    with pytest.raises(ChainBroken, match="declines") as caught:
        await chain.open()
    assert caught.value.peer == idle.peer_id
    assert client.bad_inputs == {}


async def test_a_host_that_says_nothing_is_given_up(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_link, "OPEN_SECONDS", 0.2)
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    silence = asyncio.Event()

    async def say_nothing(channel: object) -> None:
        await silence.wait()

    mute = await swarm.computer({"session": say_nothing, "hop": say_nothing})
    chain = swarm.ring(client, [hosts[0], HostComputer(hosts[1].engine, hosts[1].host, mute)])
    with pytest.raises(ChainBroken, match="does not answer") as caught:
        await chain.open()
    assert caught.value.peer == mute.peer_id
    silence.set()
    await settled()
    assert hosts[0].host.tokens_free == 512
    assert all(status.channels == 0 for status in client.connections())


async def test_whom_others_could_replace_is_not_waited_for_long(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_link, "SOON_SECONDS", 0.02)
    monkeypatch.setattr(chain_link, "NEXT_SOON_SECONDS", 0.2)
    monkeypatch.setattr(chain_link, "OPEN_SECONDS", 1.0)
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    clock = asyncio.get_running_loop().time

    async def think(channel: Channel) -> None:
        await asyncio.sleep(0.1)
        await hosts[1].host.serve_session(channel)

    slow = await swarm.computer({"session": think, "hop": hosts[1].host.serve_hop})
    computers = [hosts[0], HostComputer(hosts[1].engine, hosts[1].host, slow)]
    hasty = swarm.ring(client, computers)
    with pytest.raises(ChainBroken, match="does not answer") as caught:
        await hasty.open(waited_for=())
    assert caught.value.peer == slow.peer_id
    patient = swarm.ring(client, computers)
    started = clock()
    await patient.open(waited_for=[slow.peer_id])
    assert clock() - started >= 0.1
    await patient.close()


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_opening_leaves_nothing_behind(swarm: SmallSwarm, turns: int) -> None:
    client, hosts = await swarm.computer(), await swarm.hosts("0:3", "3:6")
    chain = swarm.ring(client, hosts)
    opening = swarm.tasks.start(chain.open(), name="open")
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    if not opening.cancelled():
        await chain.close()  # it was open before it could be cancelled
    await settled()
    assert [host.host.tokens_free for host in hosts] == [512, 512]
    assert all(status.channels == 0 for status in client.connections())


# ── candidates ───────────────────────────────────────────────────────────────────────────


def test_candidates_are_read_as_rows() -> None:
    ids = np.array([[3, 1], [2, 0]], "<i4")
    logits = np.array([[5, 4], [3, 2]], "<f4")
    read = read_candidates(ids.tobytes(), logits.tobytes(), rows=2)
    assert np.array_equal(read.ids, ids)
    assert np.array_equal(read.logits, logits)


@pytest.mark.parametrize(
    ("ids", "logits", "rows"),
    [(b"", b"", 1), (bytes(4), b"", 1), (bytes(4), bytes(8), 1), (bytes(12), bytes(12), 2)],
)
def test_candidates_that_do_not_add_up_are_refused(ids: bytes, logits: bytes, rows: int) -> None:
    with pytest.raises(BadInput):
        read_candidates(ids, logits, rows=rows)
