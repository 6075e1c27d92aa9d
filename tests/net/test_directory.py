"""The directory keeps what its writers sign; the client asks several and trusts none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random

import pytest

from app.errors import BadInput, PeerLost, Refusal
from app.ids import ModelId, PeerId, Span
from app.net.channel import Channel
from app.net.directory import MAX_MODELS_PER_WRITER, MAX_RECORDS, Directory, DirectoryClient
from app.net.endpoint import ChannelHandler
from app.net.identity import Identity, new_identity
from app.net.records import Announcement, StaleRecord, open_record, sign_announcement
from app.net.wire import (
    MAX_RECORDS_PER_ANSWER,
    Announce,
    Announced,
    Found,
    HopAttach,
    Lookup,
    Refused,
    SignedRecord,
)
from tests.helpers.memory_network import MemoryEndpoint, MemoryNetwork
from tests.helpers.virtual_clock import VirtualClock

MODEL = ModelId(b"m" * 32)
OTHER_MODEL = ModelId(b"o" * 32)
CLOCK = VirtualClock()


def offer(
    identity: Identity,
    *,
    clock: VirtualClock = CLOCK,
    sequence: int = 1,
    model: bytes = MODEL,
    span: Span | None = Span(0, 6),  # noqa: B008 - immutable
    seconds: float = 60.0,
) -> SignedRecord:
    now = clock.wall()
    return sign_announcement(
        identity,
        Announcement(
            peer=bytes(identity.peer_id),
            sequence=sequence,
            issued_at=now,
            expires_at=now + seconds,
            addresses=["192.0.2.1:4600"],
            model=model,
            span=span,
        ),
    )


# ── keeping ──────────────────────────────────────────────────────────────────


def test_what_is_kept_is_found_by_its_model() -> None:
    directory, host = Directory(CLOCK), new_identity()
    record = offer(host)
    directory.keep(record, writer=host.peer_id)
    assert directory.records(MODEL) == [record]
    assert directory.records(None) == [record]
    assert directory.records(OTHER_MODEL) == []


def test_a_newer_record_takes_the_place_of_the_older_and_not_the_reverse() -> None:
    directory, host = Directory(CLOCK), new_identity()
    new = offer(host, sequence=2)
    directory.keep(new, writer=host.peer_id)
    directory.keep(offer(host, sequence=1, span=Span(0, 3)), writer=host.peer_id)
    assert directory.records(MODEL) == [new]


def test_a_withdrawal_hides_the_offer_and_an_old_record_does_not_bring_it_back() -> None:
    directory, host = Directory(CLOCK), new_identity()
    directory.keep(offer(host, sequence=1), writer=host.peer_id)
    directory.keep(offer(host, sequence=2, span=None), writer=host.peer_id)
    directory.keep(offer(host, sequence=1), writer=host.peer_id)
    assert directory.records(MODEL) == []


def test_records_expire() -> None:
    clock = VirtualClock()
    directory, host, other = Directory(clock), new_identity(), new_identity()
    directory.keep(offer(host, clock=clock, seconds=10), writer=host.peer_id)
    clock.advance(11)
    assert directory.records(MODEL) == []
    directory.keep(offer(other, clock=clock), writer=other.peer_id)
    assert len(directory) == 1


def test_nobody_brings_the_record_of_another() -> None:
    directory, host, other = Directory(CLOCK), new_identity(), new_identity()
    with pytest.raises(BadInput, match="another computer"):
        directory.keep(offer(host), writer=other.peer_id)
    assert directory.records(None) == []


def test_an_expired_record_is_stale() -> None:
    clock = VirtualClock()
    host = new_identity()
    record = offer(host, clock=clock)
    clock.advance(100)
    with pytest.raises(StaleRecord):
        Directory(clock).keep(record, writer=host.peer_id)


def test_one_writer_has_room_for_a_few_models_and_its_oldest_makes_way() -> None:
    clock = VirtualClock()
    directory, host = Directory(clock), new_identity()
    for number in range(MAX_MODELS_PER_WRITER + 1):
        clock.advance(1)
        directory.keep(offer(host, clock=clock, model=bytes([number]) * 32), writer=host.peer_id)
    assert len(directory) == MAX_MODELS_PER_WRITER
    assert directory.records(ModelId(bytes(32))) == []


def test_a_full_directory_refuses_newcomers_until_others_expire(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.net.directory.MAX_RECORDS", 3)
    clock = VirtualClock()
    directory = Directory(clock)
    for _ in range(3):
        host = new_identity()
        directory.keep(offer(host, clock=clock), writer=host.peer_id)
    late = new_identity()
    with pytest.raises(Refusal, match="full"):
        directory.keep(offer(late, clock=clock), writer=late.peer_id)
    clock.advance(61)
    directory.keep(offer(late, clock=clock), writer=late.peer_id)
    assert len(directory) == 1
    assert MAX_RECORDS > MAX_RECORDS_PER_ANSWER


def test_too_many_are_answered_with_a_sample() -> None:
    directory = Directory(CLOCK, random=Random(1))
    for _ in range(MAX_RECORDS_PER_ANSWER + 20):
        host = new_identity()
        directory.keep(offer(host), writer=host.peer_id)
    one, other = directory.records(MODEL), directory.records(MODEL)
    assert len(one) == len(other) == MAX_RECORDS_PER_ANSWER
    assert one != other


# ── over the network ─────────────────────────────────────────────────────────


class Swarm:
    """Directories and clients on one memory network."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.network = MemoryNetwork()
        self.stack = stack

    async def serve(self, handler: ChannelHandler) -> MemoryEndpoint:
        endpoint = self.network.endpoint(handlers={"directory": handler})
        return await self.stack.enter_async_context(endpoint)

    async def enter(self, identity: Identity) -> MemoryEndpoint:
        return await self.stack.enter_async_context(self.network.endpoint(identity))


@pytest.fixture
async def swarm() -> AsyncIterator[Swarm]:
    async with AsyncExitStack() as stack:
        yield Swarm(stack)


def at(*endpoints: MemoryEndpoint) -> list[tuple[PeerId, str]]:
    return [(endpoint.peer_id, endpoint.address) for endpoint in endpoints]


NOWHERE = (new_identity().peer_id, "10.0.0.9:1")


async def test_what_one_announces_another_finds(swarm: Swarm) -> None:
    bootstrap = await swarm.serve(Directory(CLOCK).serve)
    host, asker = new_identity(), new_identity()
    announcing = DirectoryClient(await swarm.enter(host), at(bootstrap), clock=CLOCK)
    asking = DirectoryClient(await swarm.enter(asker), at(bootstrap), clock=CLOCK)
    assert await announcing.announce(offer(host)) == 1
    (found,) = await asking.lookup(MODEL)
    assert found.peer == host.peer_id
    assert found.span == Span(0, 6)
    assert await asking.lookup(OTHER_MODEL) == []


async def test_a_bootstrap_that_is_down_does_not_matter_while_another_answers(
    swarm: Swarm,
) -> None:
    bootstrap = await swarm.serve(Directory(CLOCK).serve)
    host = new_identity()
    client = DirectoryClient(await swarm.enter(host), [NOWHERE, *at(bootstrap)], clock=CLOCK)
    assert await client.announce(offer(host)) == 1
    assert len(await client.lookup(None)) == 1


async def test_when_none_answers_the_reasons_are_told(swarm: Swarm) -> None:
    client = DirectoryClient(await swarm.enter(new_identity()), [NOWHERE], clock=CLOCK)
    with pytest.raises(PeerLost, match=r"no bootstrap answers: .*10\.0\.0\.9:1"):
        await client.lookup(None)


async def test_without_a_bootstrap_the_reason_says_so(swarm: Swarm) -> None:
    client = DirectoryClient(await swarm.enter(new_identity()), [], clock=CLOCK)
    with pytest.raises(PeerLost, match="none is given"):
        await client.lookup(None)


async def test_answers_are_merged_and_the_newest_wins(swarm: Swarm) -> None:
    behind, ahead = Directory(CLOCK), Directory(CLOCK)
    host, second = new_identity(), new_identity()
    behind.keep(offer(host, sequence=1), writer=host.peer_id)
    ahead.keep(offer(host, sequence=2, span=Span(2, 4)), writer=host.peer_id)
    behind.keep(offer(second), writer=second.peer_id)
    bootstraps = at(await swarm.serve(behind.serve), await swarm.serve(ahead.serve))
    client = DirectoryClient(await swarm.enter(new_identity()), bootstraps, clock=CLOCK)
    spans = {found.peer: found.span for found in await client.lookup(MODEL)}
    assert spans == {host.peer_id: Span(2, 4), second.peer_id: Span(0, 6)}


async def test_a_computer_with_its_own_directory_needs_no_other(swarm: Swarm) -> None:
    own, host = Directory(CLOCK), new_identity()
    client = DirectoryClient(await swarm.enter(host), [], clock=CLOCK, local=own)
    assert await client.announce(offer(host)) == 1
    (found,) = await client.lookup(MODEL)
    assert found.peer == host.peer_id


async def test_a_record_of_another_is_not_kept_and_is_counted(swarm: Swarm) -> None:
    directory = Directory(CLOCK)
    bootstrap = await swarm.serve(directory.serve)
    thief, host = new_identity(), new_identity()
    client = DirectoryClient(await swarm.enter(thief), at(bootstrap), clock=CLOCK)
    with pytest.raises(PeerLost):
        await client.announce(offer(host))
    assert len(directory) == 0
    assert bootstrap.bad_inputs[thief.peer_id] == 1


async def test_a_wrong_clock_is_told_and_not_held_against_anybody(swarm: Swarm) -> None:
    bootstrap = await swarm.serve(Directory(CLOCK).serve)
    host, slow = new_identity(), VirtualClock(wall=CLOCK.wall() - 7200)
    client = DirectoryClient(await swarm.enter(host), at(bootstrap), clock=slow)
    with pytest.raises(Refusal, match="clock"):
        await client.announce(offer(host, clock=slow))
    assert bootstrap.bad_inputs == {}


async def test_a_directory_that_makes_records_up_is_not_believed(swarm: Swarm) -> None:
    host = new_identity()
    forged = SignedRecord(body=offer(host).body, signature=bytes(64))

    async def lie(channel: Channel) -> None:
        await channel.receive()
        await channel.send(Found(records=[forged]))

    liar = await swarm.serve(lie)
    honest = await swarm.serve(Directory(CLOCK).serve)
    asker = await swarm.enter(new_identity())
    client = DirectoryClient(asker, at(liar, honest), clock=CLOCK)
    assert await client.lookup(MODEL) == []
    assert asker.bad_inputs[liar.peer_id] == 1
    assert open_record(offer(host), now_wall=CLOCK.wall()).peer == host.peer_id


async def test_an_answer_about_another_model_is_not_believed(swarm: Swarm) -> None:
    record = offer(new_identity(), model=OTHER_MODEL)

    async def mislead(channel: Channel) -> None:
        await channel.receive()
        await channel.send(Found(records=[record]))

    asker = await swarm.enter(new_identity())
    client = DirectoryClient(asker, at(await swarm.serve(mislead)), clock=CLOCK)
    with pytest.raises(PeerLost, match="nonsense"):
        await client.lookup(MODEL)


async def test_an_answer_of_another_kind_is_not_believed(swarm: Swarm) -> None:
    async def confuse(channel: Channel) -> None:
        await channel.receive()
        await channel.send(Announced())

    asker = await swarm.enter(new_identity())
    client = DirectoryClient(asker, at(await swarm.serve(confuse)), clock=CLOCK)
    with pytest.raises(PeerLost, match="nonsense"):
        await client.lookup(MODEL)


async def test_a_bootstrap_that_never_answers_is_not_waited_for(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.directory.REQUEST_SECONDS", 0.01)

    async def stall(channel: Channel) -> None:
        await asyncio.Event().wait()

    asker = await swarm.enter(new_identity())
    client = DirectoryClient(asker, at(await swarm.serve(stall)), clock=CLOCK)
    with pytest.raises(PeerLost, match="does not answer"):
        await client.lookup(MODEL)


async def test_a_look_up_waits_for_the_rest_only_a_little_when_half_have_answered(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.directory.REQUEST_SECONDS", 60.0)
    monkeypatch.setattr("app.net.directory.LATE_SECONDS", 0.01)
    knowing, host = Directory(CLOCK), new_identity()
    knowing.keep(offer(host), writer=host.peer_id)

    async def stall(channel: Channel) -> None:
        await asyncio.Event().wait()

    quick, slow = await swarm.serve(knowing.serve), await swarm.serve(stall)
    asker = await swarm.enter(new_identity())
    client = DirectoryClient(asker, at(slow, quick), clock=CLOCK)
    async with asyncio.timeout(5):
        (found,) = await client.lookup(MODEL)
    assert found.peer == host.peer_id
    assert client.answered == frozenset([quick.peer_id])
    await asyncio.sleep(0)
    assert all(status.channels == 0 for status in asker.connections())


async def test_while_most_are_silent_or_know_nobody_all_are_waited_for(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.directory.LATE_SECONDS", 0.0)
    knowing, host, asked = Directory(CLOCK), new_identity(), asyncio.Event()
    knowing.keep(offer(host), writer=host.peer_id)

    async def later(channel: Channel) -> None:
        asked.set()
        await asyncio.sleep(0.02)
        await knowing.serve(channel)

    empty = await swarm.serve(Directory(CLOCK).serve)  # it has just started
    slow = await swarm.serve(later)
    client = DirectoryClient(await swarm.enter(new_identity()), at(empty, slow), clock=CLOCK)
    (found,) = await client.lookup(MODEL)
    assert (found.peer, asked.is_set()) == (host.peer_id, True)


async def test_a_directory_answers_one_request_after_another(swarm: Swarm) -> None:
    bootstrap = await swarm.serve(Directory(CLOCK).serve)
    host = new_identity()
    endpoint = await swarm.enter(host)
    channel = await endpoint.open_channel(bootstrap.peer_id, [bootstrap.address], "directory")
    await channel.send(Announce(record=offer(host)))
    await channel.send(Lookup(model=MODEL))
    assert await channel.receive() == Announced()
    assert isinstance(await channel.receive(), Found)


async def test_other_messages_on_a_directory_channel_are_bad_input(swarm: Swarm) -> None:
    bootstrap = await swarm.serve(Directory(CLOCK).serve)
    endpoint = await swarm.enter(new_identity())
    channel = await endpoint.open_channel(bootstrap.peer_id, [bootstrap.address], "directory")
    await channel.send(HopAttach(session=bytes(16), epoch=0))
    with pytest.raises(PeerLost):
        await channel.receive()
    assert bootstrap.bad_inputs[endpoint.peer_id] == 1


async def test_a_full_directory_says_so(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.net.directory.MAX_RECORDS", 0)
    bootstrap = await swarm.serve(Directory(CLOCK).serve)
    host = new_identity()
    endpoint = await swarm.enter(host)
    channel = await endpoint.open_channel(bootstrap.peer_id, [bootstrap.address], "directory")
    await channel.send(Announce(record=offer(host)))
    answer = await channel.receive()
    assert isinstance(answer, Refused)
    assert answer.code == "full"


def test_what_a_computer_that_left_announced_is_dropped_and_may_come_back() -> None:
    directory = Directory(CLOCK)
    leaver, stayer = new_identity(), new_identity()
    directory.keep(offer(leaver), writer=leaver.peer_id)
    directory.keep(offer(stayer), writer=stayer.peer_id)
    directory.forget(leaver.peer_id)
    left = [open_record(r, now_wall=CLOCK.wall()).peer for r in directory.records(MODEL)]
    assert left == [stayer.peer_id]
    directory.keep(offer(leaver, sequence=2), writer=leaver.peer_id)
    assert len(directory.records(MODEL)) == 2
