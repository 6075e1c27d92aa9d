"""What a leaving host knows goes to its heir, which then computes nothing again; or nothing is
lost by the attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest

from app.engine.frames import Part
from app.errors import EngineFault
from app.ids import PeerId
from app.net import wire
from app.net.state_messages import StateOffer
from app.swarm import handover, handover_choice
from app.swarm.chain import RingChain
from app.swarm.repair import patched
from app.swarm.token_chain import ChainBroken
from tests.helpers.answers import same, step
from tests.helpers.session_words import SOON_SECONDS, opened, opening
from tests.helpers.small_swarm import SESSION, HostComputer, SmallSwarm, settled

SPANS = ("0:2", "2:4", "4:6")
PROMPT = [token % 48 for token in range(7, 157)]
KNOWN = len(PROMPT)

T = TypeVar("T")


async def soon(work: Awaitable[T]) -> T:
    async with asyncio.timeout(SOON_SECONDS):
        return await work


def rows(parts: Sequence[Part]) -> list[tuple[int, int]]:
    return [(part.position, part.rows) for part in parts]


@asynccontextmanager
async def conversation(swarm: SmallSwarm, hosts: list[HostComputer]) -> Any:
    """A long one, over these hosts."""
    client = await swarm.computer()
    async with swarm.ring(client, hosts, tokens=256) as chain:
        await step(chain, 0, PROMPT)
        yield chain


async def leaves(swarm: SmallSwarm, host: HostComputer) -> asyncio.Task[None]:
    """It begins to take leave, and its clients hear of it."""
    task = swarm.tasks.start(host.host.drain(2.0), name="drain")
    await settled()
    return task


async def mend(chain: RingChain, lost: HostComputer, *spare: HostComputer) -> None:
    offers = [host.offer for host in spare]
    await soon(chain.mend(patched(chain.links, [lost.peer], offers, tokens=256)))


@pytest.mark.parametrize("victim", [0, 1, 2])
async def test_the_newcomer_computes_nothing_again(swarm: SmallSwarm, victim: int) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[victim])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1, 2])
    async with conversation(swarm, hosts) as chain:
        leaving = await leaves(swarm, hosts[victim])
        before = [len(host.engine.computed) for host in hosts]
        await mend(chain, hosts[victim], spare)
        await step(chain, KNOWN, [1])
        assert same(await step(chain, KNOWN + 1, [2]), wanted)
        await soon(leaving)
    assert rows(spare.engine.computed) == [(KNOWN, 1), (KNOWN + 1, 1)]
    assert [
        len(host.engine.computed) - count for host, count in zip(hosts, before, strict=True)
    ] == [0 if index == victim else 2 for index in range(3)]
    assert hosts[victim].host.status.handed_over == 1
    assert spare.host.status.inherited == 1
    assert hosts[victim].host.tokens_free == 512


async def test_who_leaves_is_done_as_soon_as_its_memory_has_gone(swarm: SmallSwarm) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    async with conversation(swarm, hosts) as chain:
        leaving = await leaves(swarm, hosts[1])
        assert not leaving.done()
        await mend(chain, hosts[1], spare)
        await soon(leaving)  # the clock stands still: it did not wait for its time to be up


async def test_the_last_word_of_who_leaves_is_late_and_not_wrong(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[2])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    give = hosts[2].host._handover.give

    async def answers_first(asked: wire.SessionHandover, client: PeerId) -> Any:
        hosts[2].engine.go_on()
        await settled()
        return await give(asked, client)

    monkeypatch.setattr(hosts[2].host._handover, "give", answers_first)
    async with conversation(swarm, hosts) as chain:
        hosts[2].engine.hold()
        going = swarm.tasks.start(step(chain, KNOWN, [1]), name="step")
        await settled()
        await leaves(swarm, hosts[2])
        with pytest.raises(ChainBroken):
            await going
        await mend(chain, hosts[2], spare)
        assert same(await step(chain, KNOWN, [1]), wanted)
        assert not chain._opener.bad_inputs
    results = [sent for sent in swarm.sent if isinstance(sent.message, wire.StepResult)]
    assert [sent.sender for sent in results] == [hosts[2].peer, hosts[2].peer, spare.peer]
    assert rows(spare.engine.computed) == [(KNOWN, 1)]


async def test_a_beginning_is_of_use_when_time_is_up(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "PART_BYTES", 40 * 2 * 8 * 8)
    monkeypatch.setattr(handover, "PARTS_UNDERWAY", 2)
    monkeypatch.setattr(handover, "rows_in_time", lambda *words, **more: 0)
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[1])
        await mend(chain, hosts[1], spare)
        assert same(await step(chain, KNOWN, [1]), wanted)
    assert rows(spare.engine.computed) == [(80, KNOWN - 80), (KNOWN, 1)]


async def test_no_more_is_begun_than_leaves_in_time(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_bytes = 2 * 8 * 8
    monkeypatch.setattr(handover, "PART_BYTES", 20 * row_bytes)
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[1])
        # As measured before: 50 rows in the two seconds, less what the heir needs in the end.
        sending_seconds = 2.0 - handover_choice.RESTORING_SECONDS
        hosts[1].host._handover._bytes_per_second = 50.5 * row_bytes / sending_seconds
        slow = replace(spare.offer, layers_per_second=1.0)
        await soon(chain.mend(patched(chain.links, [hosts[1].peer], [slow], tokens=256)))
        assert same(await step(chain, KNOWN, [1]), wanted)
    assert rows(spare.engine.computed) == [(50, KNOWN - 50), (KNOWN, 1)]


async def test_what_leaves_at_once_takes_no_more_memory_than_one_conversation_may(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    row_bytes = 2 * 8 * 8
    monkeypatch.setattr(handover, "MOST_STATE_BYTES", 200 * row_bytes)
    hosts = await swarm.hosts(*SPANS)
    spare = [await swarm.host(SPANS[1]) for _ in range(2)]
    taken: list[int] = []
    saved = hosts[1].engine.save

    async def save(sequence: int, positions: int) -> bytes:
        taken.append(positions)
        return await saved(sequence, positions)

    monkeypatch.setattr(hosts[1].engine, "save", save)
    async with conversation(swarm, hosts) as one, conversation(swarm, hosts) as other:
        await leaves(swarm, hosts[1])
        both = zip((one, other), spare, strict=True)
        await asyncio.gather(*(mend(chain, hosts[1], heir) for chain, heir in both))
        # What the second leaves behind is computed again, and afterwards there is room anew.
        assert taken == [KNOWN, 200 - KNOWN]
        assert hosts[1].host._handover._leaving_bytes == 0
        assert same(await step(one, KNOWN, [1]), await step(other, KNOWN, [1]))


async def test_a_line_that_was_too_slow_before_is_not_tried_again(swarm: SmallSwarm) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[1])
        hosts[1].host._handover._bytes_per_second = 100.0
        await mend(chain, hosts[1], spare)
        await step(chain, KNOWN, [1])
    assert not any(isinstance(sent.message, StateOffer) for sent in swarm.sent)
    assert rows(spare.engine.computed)[0] == (0, 128)


async def test_two_that_leave_hand_over_at_once(swarm: SmallSwarm) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.hosts(*SPANS[:2])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[0])
        await leaves(swarm, hosts[1])
        offers = [host.offer for host in spare]
        lost = [host.peer for host in hosts[:2]]
        await soon(chain.mend(patched(chain.links, lost, offers, tokens=256)))
        assert same(await step(chain, KNOWN, [1]), wanted)
    for host in spare:
        assert rows(host.engine.computed) == [(KNOWN, 1)]


async def test_another_heir_is_given_it_when_the_first_is_not_to_be_had(swarm: SmallSwarm) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.hosts(SPANS[1], SPANS[1])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[1])
        swarm.cut(spare[0])
        with pytest.raises(ChainBroken):
            await mend(chain, hosts[1], spare[0])
        await mend(chain, spare[0], spare[1])
        assert same(await step(chain, KNOWN, [1]), wanted)
    assert rows(spare[1].engine.computed) == [(KNOWN, 1)]


async def test_a_short_conversation_is_not_worth_it(swarm: SmallSwarm) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    client = await swarm.computer()
    async with swarm.ring(client, hosts) as chain:
        await step(chain, 0, PROMPT[:20])
        swarm.clock.advance(1.0)
        await leaves(swarm, hosts[1])
        await mend(chain, hosts[1], spare)
        await step(chain, 20, [1])
    assert rows(spare.engine.computed) == [(0, 20), (20, 1)]
    assert spare.host.status.inherited == 0


async def test_where_replaying_is_cheaper_nothing_is_moved(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_choice, "ASKING_SECONDS", 60.0)
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[1])
        await mend(chain, hosts[1], spare)
        await step(chain, KNOWN, [1])
    assert not any(isinstance(sent.message, wire.SessionHandover) for sent in swarm.sent)
    assert rows(spare.engine.computed)[0] == (0, 128)


async def test_later_its_heir_is_sent_everything_when_the_one_after_it_is_lost(
    swarm: SmallSwarm,
) -> None:
    hosts = await swarm.hosts(*SPANS)
    heir, last = await swarm.host(SPANS[1]), await swarm.host(SPANS[2])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1, 2, 3])
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[1])
        await mend(chain, hosts[1], heir)
        await step(chain, KNOWN, [1])
        swarm.cut(hosts[2])
        await settled()
        await mend(chain, hosts[2], last)
        await step(chain, KNOWN + 1, [2])
        assert same(await step(chain, KNOWN + 2, [3]), wanted)
        assert rows(heir.engine.computed)[1] == (0, 128)
        assert rows(last.engine.computed)[0] == (0, 128)
        # Now it has handed on everything itself, and can send it again alone.
        another = await swarm.host(SPANS[2])
        count = len(heir.engine.computed)
        swarm.cut(last)
        await settled()
        await mend(chain, last, another)
        await step(chain, KNOWN + 3, [4])
        assert rows(heir.engine.computed)[count:] == [(KNOWN + 3, 1)]


# ── what can go wrong ────────────────────────────────────────────────────────────────────


async def replayed(swarm: SmallSwarm, hosts: list[HostComputer], spare: HostComputer) -> None:
    """The memory did not come, and the answer is the same."""
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[1])
        await mend(chain, hosts[1], spare)
        assert same(await step(chain, KNOWN, [1]), wanted)
    assert sum(isinstance(sent.message, wire.SessionHandover) for sent in swarm.sent) == 1
    assert rows(spare.engine.computed)[0] == (0, 128)
    assert (hosts[1].host.status.handed_over, spare.host.status.inherited) == (0, 0)


async def test_memory_of_another_form_is_declined_and_nobody_is_blamed(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    form = spare.engine.memory_form

    async def other_form(sequence: int) -> Any:
        ours = await form(sequence)
        return type(ours)(serial=0, position_bytes=ours.position_bytes, digest=b"x" * 32)

    monkeypatch.setattr(spare.engine, "memory_form", other_form)
    await replayed(swarm, hosts, spare)
    assert not spare.endpoint.bad_inputs


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
async def test_values_that_are_not_finite_are_counted(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch, spoilt: float
) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    save = hosts[1].engine.save

    async def wrong(sequence: int, positions: int) -> bytes:
        numbers = np.frombuffer(await save(sequence, positions)).copy()
        numbers[77] = spoilt
        return numbers.tobytes()

    monkeypatch.setattr(hosts[1].engine, "save", wrong)
    await replayed(swarm, hosts, spare)
    assert spare.endpoint.bad_inputs[hosts[1].peer] == 1


async def test_a_memory_that_is_not_to_be_had_is_computed_again(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])

    async def gone(sequence: int, positions: int) -> bytes:
        raise EngineFault("the worker died")

    monkeypatch.setattr(hosts[1].engine, "save", gone)
    await replayed(swarm, hosts, spare)


async def test_a_host_that_says_so_and_moves_nothing_costs_a_repair(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    wanted = await step(swarm.alone(), 0, [*PROMPT, 1])

    async def lie(asked: wire.SessionHandover, client: PeerId) -> wire.SessionHandedOver:
        return wire.SessionHandedOver(session=asked.session, positions=asked.positions)

    monkeypatch.setattr(hosts[1].host._handover, "give", lie)
    async with conversation(swarm, hosts) as chain:
        await leaves(swarm, hosts[1])
        await mend(chain, hosts[1], spare)
        with pytest.raises(ChainBroken) as caught:
            await step(chain, KNOWN, [1])
        assert caught.value.forgotten
        await soon(chain.mend(chain.links))
        assert same(await step(chain, KNOWN, [1]), wanted)
    assert rows(spare.engine.computed)[1:3] == [(0, 128), (128, KNOWN - 128)]


async def test_an_heir_that_has_no_room_for_it_computes_again(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "MOST_STATE_BYTES", 1 << 20)
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])
    spare.host._handover._arriving_bytes = 1 << 20
    await replayed(swarm, hosts, spare)
    assert not spare.endpoint.bad_inputs


async def test_who_vanishes_in_the_middle_of_it_is_replaced_all_the_same(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts, spare = await swarm.hosts(*SPANS), await swarm.host(SPANS[1])

    async def vanish(sequence: int, positions: int) -> bytes:
        swarm.cut(hosts[1])
        return await asyncio.Future()

    monkeypatch.setattr(hosts[1].engine, "save", vanish)
    await replayed(swarm, hosts, spare)


# ── who may ──────────────────────────────────────────────────────────────────────────────


async def test_a_host_hands_over_for_its_client_alone_once_and_only_when_it_leaves(
    swarm: SmallSwarm,
) -> None:
    host, spare, client = await swarm.host("2:4"), await swarm.host("2:4"), await swarm.computer()
    session = await opened(client, host, opening("2:4", tokens=256))
    hidden = np.ones((100, 8), np.float32).tobytes()
    for position in (0, 100):
        await session.send(
            wire.Step(
                session=SESSION, epoch=0, position=position, rows=100, outputs=1, hidden=hidden
            )
        )
        await soon(session.receive())
    heir = wire.SessionOpen(
        session=SESSION, epoch=0, model=b"m" * 32, span=host.engine.span, tokens=256,
        lease_seconds=60.0, inherits=host.peer,
    )  # fmt: skip
    await opened(client, spare, heir)
    wanted = wire.SessionHandover(
        session=SESSION, heir=spare.next_hop, positions=200, compute_seconds=9.0, replay_bytes=0
    )

    async def asked(who: Any) -> int:
        channel = await who.open_channel(host.peer, [host.endpoint.address], "session")
        await channel.send(wanted)
        answer = await soon(channel.receive())
        assert isinstance(answer, wire.SessionHandedOver)
        return answer.positions

    assert await asked(client) == 0  # it stays
    await leaves(swarm, host)
    assert await asked(await swarm.computer()) == 0
    assert await asked(client) == 200
    assert await asked(client) == 0
    assert spare.engine.positions(0) == 200
