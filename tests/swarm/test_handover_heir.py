"""What an heir takes of a conversation's memory, and whom it blames; see app/swarm/handover.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.errors import PeerLost
from app.ids import PeerId
from app.net import wire
from app.net.channel import Channel
from app.net.dht_messages import AnyMessage
from app.net.state_messages import StateOffer, StatePart, StateTaken
from tests.helpers.session_words import SOON_SECONDS, opened, opening
from tests.helpers.small_swarm import SESSION, HostComputer, SmallSwarm, settled


async def heir_of(swarm: SmallSwarm, giver: PeerId | None) -> tuple[HostComputer, Channel]:
    """A host with an empty session that `giver` may fill, and its client's channel."""
    host, client = await swarm.host("2:4"), await swarm.computer()
    words = opening("2:4", tokens=64)
    return host, await opened(client, host, wire.SessionOpen(
        **{name: getattr(words, name) for name in words.__struct_fields__ if name != "inherits"},
        inherits=giver,
    ))  # fmt: skip


Words = Callable[[StateOffer], list[StateOffer | StatePart]]


async def offered(
    swarm: SmallSwarm, words: Words, *, invited: bool = True
) -> tuple[AnyMessage | None, int]:
    """The heir's last answer to what somebody brings, and how often he is blamed."""
    giver = await swarm.computer()
    host, _ = await heir_of(swarm, giver.peer_id if invited else None)
    form = await host.engine.memory_form(0)
    offer = StateOffer(
        session=SESSION, positions=4, row_bytes=form.position_bytes, form=form.digest
    )
    channel = await giver.open_channel(host.peer, [host.endpoint.address], "state")
    answer: AnyMessage | None = None
    try:
        for word in words(offer):
            await channel.send(word)
        async with asyncio.timeout(SOON_SECONDS):
            while True:
                answer = await channel.receive()
    except PeerLost:
        pass  # it said what it had to say
    await settled()
    return answer, host.endpoint.bad_inputs[giver.peer_id]


def changed(offer: StateOffer, **other: Any) -> StateOffer:
    fields = {name: getattr(offer, name) for name in offer.__struct_fields__}
    return StateOffer(**{**fields, **other})


def part(offer: StateOffer, count: int) -> StatePart:
    return StatePart(rows=bytes(count * offer.row_bytes))


LAST = StatePart(last=True)


async def test_what_was_asked_for_is_taken(swarm: SmallSwarm) -> None:
    answer = await offered(swarm, lambda offer: [offer, part(offer, 3), part(offer, 1), LAST])
    assert answer == (StateTaken(positions=4), 0)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (lambda offer: [changed(offer, session=b"x" * 16)], "unasked"),
        (lambda offer: [changed(offer, form=b"x" * 32)], "other_form"),
        (lambda offer: [changed(offer, row_bytes=7)], "other_form"),
        (lambda offer: [changed(offer, positions=65)], "no_room"),
    ],
)
async def test_what_its_client_may_be_to_blame_for_is_declined(
    swarm: SmallSwarm, words: Words, code: str
) -> None:
    answer, blamed = await offered(swarm, words)
    assert isinstance(answer, wire.Refused)
    assert (answer.code, blamed) == (code, 0)


async def test_a_stranger_hands_nothing_over(swarm: SmallSwarm) -> None:
    answer, _ = await offered(swarm, lambda offer: [offer, part(offer, 4), LAST], invited=False)
    assert isinstance(answer, wire.Refused)
    assert answer.code == "unasked"


@pytest.mark.parametrize(
    "words",
    [
        lambda offer: [part(offer, 1)],
        lambda offer: [offer, offer],
        lambda offer: [offer, LAST],
        lambda offer: [offer, StatePart(rows=bytes(offer.row_bytes + 1))],
        lambda offer: [offer, part(offer, 3), part(offer, 2)],
    ],
)
async def test_what_only_the_sender_can_be_to_blame_for_is_counted(
    swarm: SmallSwarm, words: Words
) -> None:
    _, blamed = await offered(swarm, words)
    assert blamed == 1


async def test_it_is_taken_once_and_not_after_a_step(swarm: SmallSwarm) -> None:
    giver = await swarm.computer()
    host, session = await heir_of(swarm, giver.peer_id)
    hidden = np.ones((1, 8), np.float32).tobytes()
    await session.send(
        wire.Step(session=SESSION, epoch=0, position=0, rows=1, outputs=1, hidden=hidden)
    )
    await asyncio.wait_for(session.receive(), SOON_SECONDS)
    form = await host.engine.memory_form(0)
    channel = await giver.open_channel(host.peer, [host.endpoint.address], "state")
    await channel.send(
        StateOffer(session=SESSION, positions=4, row_bytes=form.position_bytes, form=form.digest)
    )
    answer = await asyncio.wait_for(channel.receive(), SOON_SECONDS)
    assert isinstance(answer, wire.Refused)
    assert host.engine.positions(0) == 1
