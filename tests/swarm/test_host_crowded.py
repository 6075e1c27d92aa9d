"""A host with too much work: who goes first, who is declined, what is dropped."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
import pytest

from app.engine import queueing
from app.errors import NoRoom
from app.net import wire
from app.swarm.host_session import LONGEST_WAIT_SECONDS, check_wait
from tests.helpers.session_words import (
    fault,
    hidden_step,
    opened,
    opening,
    refused,
    result,
    tokens_step,
)
from tests.helpers.small_swarm import SESSION, SmallSwarm, settled

LONG = [n % 40 for n in range(60)]
MessageT = TypeVar("MessageT", wire.Step, wire.SessionOpen)


def within(message: MessageT, seconds: float) -> MessageT:
    """The same with a deadline."""
    return msgspec.structs.replace(message, deadline_seconds=seconds)


async def test_with_much_work_waiting_no_session_is_let_in(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    host.engine.wait_seconds = 24.0
    answer = await refused(client, host, opening("0:6"))
    assert (answer.code, answer.retry_after_seconds) == ("no_room", 12.0)
    assert "work for 24 s" in answer.reason
    host.engine.wait_seconds = LONGEST_WAIT_SECONDS
    await opened(client, host, opening("0:6"))


def test_the_time_to_come_back_follows_from_the_work_that_waits() -> None:
    check_wait(0.0, stalled=False)
    with pytest.raises(NoRoom) as refusal:
        check_wait(60.0, stalled=False)
    assert refusal.value.retry_after_seconds == 30.0


async def test_one_client_s_steps_do_not_crowd_out_another_s(swarm: SmallSwarm) -> None:
    host = await swarm.host("0:6")
    greedy, modest = await swarm.computer(), await swarm.computer()
    host.engine.hold()
    for number in range(4):
        session = bytes([number]) * 16
        channel = await opened(greedy, host, opening("0:6", session=session, tokens=100))
        await channel.send(tokens_step(0, LONG, session=session))
    theirs = await opened(modest, host, opening("0:6", session=b"m" * 16))
    await theirs.send(tokens_step(0, LONG, session=b"m" * 16))
    await settled()
    host.engine.go_on()
    await result(theirs)
    # Half of the first decode is theirs, the other half is all that four sessions get.
    first = host.engine.computed[: host.engine.decodes[0]]
    assert [(part.sequence, part.rows) for part in first] == [(0, 60), (4, 60), (1, 8)]


async def test_a_step_that_finds_too_much_waiting_is_told_when_to_come_back(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "MOST_ROWS_OF_ONE", 70)
    host, client = await swarm.host("0:6"), await swarm.computer()
    first = await opened(client, host, opening("0:6"))
    second = await opened(client, host, opening("0:6", session=b"2" * 16))
    host.engine.hold()
    await first.send(tokens_step(0, LONG))
    await settled()
    await second.send(tokens_step(0, LONG, session=b"2" * 16))
    told = await fault(second)
    assert (told.code, told.position, told.retry_after_seconds) == ("busy", 0, 0.5)
    host.engine.go_on()
    assert (await result(first)).rows == 60
    await second.send(tokens_step(0, LONG, session=b"2" * 16))
    assert (await result(second)).rows == 60
    assert host.endpoint.bad_inputs == {}


async def test_a_step_whose_deadline_passes_while_it_waits_is_not_computed(
    swarm: SmallSwarm,
) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    channel = await opened(client, host, opening("0:6"))
    host.engine.hold()
    step = tokens_step(0, LONG)
    await channel.send(within(step, 0.01))
    await settled()
    await asyncio.sleep(0.02)
    host.engine.go_on()
    assert (await fault(channel)).code == "late"
    assert host.engine.computed == []
    await channel.send(step)
    assert (await result(channel)).rows == 60


async def test_a_session_may_name_a_deadline_for_all_its_steps(swarm: SmallSwarm) -> None:
    host, client = await swarm.host("0:6"), await swarm.computer()
    words = opening("0:6")
    channel = await opened(client, host, within(words, 0))
    await channel.send(tokens_step(0, LONG))
    assert (await fault(channel)).code == "late"
    await channel.send(within(tokens_step(0, LONG), 9.0))
    assert (await result(channel)).rows == 60


async def test_what_is_left_of_a_deadline_goes_on_to_the_next_host(swarm: SmallSwarm) -> None:
    first, second = await swarm.hosts("0:3", "3:6")
    client = await swarm.computer()
    await opened(client, second, opening("3:6", previous=first.peer))
    channel = await opened(client, first, opening("0:3", following=second.next_hop))
    step = within(tokens_step(0, [1, 2]), 9.0)
    first.engine.hold()
    await channel.send(step)
    await settled()
    swarm.clock.advance(4.0)
    first.engine.go_on()
    await settled()
    (handed,) = [words for words in swarm.to(second.peer) if isinstance(words, wire.Step)]
    assert handed.deadline_seconds == pytest.approx(5.0)


async def test_a_step_of_an_earlier_epoch_that_waits_is_dropped_at_once(swarm: SmallSwarm) -> None:
    host, client, before = await swarm.host("3:6"), await swarm.computer(), await swarm.computer()
    channel = await opened(client, host, opening("3:6", previous=before.peer_id))
    hop = await before.open_channel(host.peer, [host.endpoint.address], "hop")
    await hop.send(wire.HopAttach(session=SESSION, epoch=0))
    host.engine.hold()
    await hop.send(hidden_step(0, swarm.model.embed([1, 2]).tobytes(), rows=2))
    await settled()
    word = await client.open_channel(host.peer, [host.endpoint.address], "session")
    await word.send(wire.SessionRelink(session=SESSION, epoch=3, previous=before.peer_id))
    await settled()
    host.engine.go_on()
    assert isinstance(await word.receive(), wire.SessionRelinked)
    assert host.engine.computed == []
    await channel.send(hidden_step(0, swarm.model.embed([1, 2]).tobytes(), rows=2, epoch=3))
    assert (await result(channel)).rows == 2
