"""How announcements get to those that keep them; see app/net/dht_writing.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from app.errors import BadInput, PeerLost
from app.ids import Span
from app.net.channel import Channel
from app.net.dht import UNWATCHED_SECONDS
from app.net.dht_messages import Store
from app.net.kademlia_keys import Shelf
from tests.helpers.directory_swarm import MODEL, Swarm, who


@pytest.fixture
async def swarm() -> AsyncIterator[Swarm]:
    async with AsyncExitStack() as stack:
        yield Swarm(stack)


async def test_an_offer_that_was_withdrawn_is_not_found(swarm: Swarm) -> None:
    await swarm.grow(10)
    host, asker = swarm.nodes[3], swarm.nodes[8]
    await host.dht.announce(host.offer())
    await host.dht.announce(host.offer(sequence=2, span=None))
    assert await asker.dht.lookup(MODEL) == []
    assert await asker.dht.lookup(None) == []


async def test_a_record_dies_when_its_writer_does_not_write_again(swarm: Swarm) -> None:
    await swarm.grow(4)
    host, asker = swarm.nodes[1], swarm.nodes[2]
    await host.dht.announce(host.offer())
    swarm.clock.advance(601)
    assert await asker.dht.lookup(MODEL) == []


async def test_offers_of_a_crowded_model_are_written_to_their_groups_too(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dht_writing.CROWDED", 2)
    await swarm.grow(6)
    one, two, asker = swarm.nodes[1], swarm.nodes[2], swarm.nodes[5]
    await one.dht.announce(one.offer())
    await two.dht.announce(two.offer(span=Span(30, 40)))
    await two.dht.announce(two.offer(span=Span(30, 40), sequence=2))
    search = await asker.dht._search(Shelf("group", MODEL, 2), set())
    assert who(search.found) == {two.endpoint.peer_id}
    await two.dht.announce(two.offer(span=None, sequence=3))
    assert (await asker.dht._search(Shelf("group", MODEL, 2), set())).found == []


async def test_this_computer_announces_only_its_own(swarm: Swarm) -> None:
    first = await swarm.start()
    other = await swarm.start([first])
    with pytest.raises(BadInput, match="another computer"):
        await other.dht.announce(first.offer())


async def test_writers_and_keepers_need_their_connection_and_nobody_else_does(
    swarm: Swarm,
) -> None:
    first = await swarm.start()
    host = await swarm.start([first], public=False)
    asker = await swarm.start([first], public=False)
    await host.dht.announce(host.offer())
    await asker.dht.lookup(MODEL)
    assert host.dht.needs(first.endpoint.peer_id)
    assert first.dht.needs(host.endpoint.peer_id)
    assert not first.dht.needs(asker.endpoint.peer_id)
    assert not asker.dht.needs(first.endpoint.peer_id)


async def test_an_offer_is_taken_back_without_looking_around_first(swarm: Swarm) -> None:
    first = await swarm.start()
    host = await swarm.start([first], public=False)
    await host.dht.announce(host.offer())
    swarm.clock.advance(300.0)  # by now the keepers would be sought again
    questions: list[object] = []

    async def listen(channel: Channel) -> None:
        questions.append(type(await channel.receive()))

    first.endpoint._handlers["directory"] = listen
    with pytest.raises(PeerLost):
        await host.dht.announce(host.offer(sequence=2, span=None))
    assert questions == [Store, Store]


async def test_a_writer_out_of_sight_is_told_until_it_should_have_written_again(
    swarm: Swarm,
) -> None:
    first = await swarm.start()
    living, gone = [await swarm.start([first], public=False) for _ in range(2)]
    for host in (living, gone):
        await host.dht.announce(host.offer())
        first.dht.lost_sight(host.endpoint.peer_id)  # its connection was let go, unused
    swarm.clock.advance(UNWATCHED_SECONDS - 1)
    assert who(await living.dht.lookup(MODEL)) == {
        living.endpoint.peer_id,
        gone.endpoint.peer_id,
    }
    await living.dht.announce(living.offer(sequence=2))
    swarm.clock.advance(2)
    assert who(await living.dht.lookup(MODEL)) == {living.endpoint.peer_id}
