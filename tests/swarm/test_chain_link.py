"""A client's words to one host, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from app.ids import PeerId, Span
from app.net import wire
from app.net.channel import Channel
from app.swarm import chain_link
from app.swarm.chain_link import (
    Neighbours,
    SessionTerms,
    hand_over,
    open_session,
    relink_session,
)
from app.swarm.handover_choice import Move, replay_of
from app.swarm.route import Link, Offer
from app.swarm.token_chain import ChainBroken, MemoryLost
from tests.helpers.small_swarm import MODEL, SESSION, SmallSwarm

TERMS = SessionTerms(SESSION, MODEL, tokens=64, candidates=1)
NEXT = PeerId(b"n" * 32)
Answer = Callable[[], wire.ChannelMessage]


async def host(swarm: SmallSwarm, answer: Answer | None) -> Link:
    """A computer that says just this, or nothing."""

    async def say(channel: Channel) -> None:
        await channel.receive()
        if answer is None:
            await asyncio.sleep(60)
        else:
            await channel.send(answer())
            await asyncio.sleep(0.05)

    endpoint = await swarm.computer({"session": say})
    span = Span(0, 3)
    return Link(Offer(endpoint.peer_id, (endpoint.address,), span, 10.0, 512), span)


def neighbours() -> Neighbours:
    offer = Offer(NEXT, ("10.0.0.1:1",), Span(3, 6), 10.0, 512)
    return Neighbours(previous=None, next=offer, absorb=False)


def fault(code: str) -> wire.SessionFault:
    return wire.SessionFault(session=SESSION, epoch=1, position=0, code=code, reason="so it is")


async def broken_opening(swarm: SmallSwarm, answer: Answer | None) -> tuple[Link, ChainBroken]:
    client, link = await swarm.computer(), await host(swarm, answer)
    with pytest.raises(ChainBroken) as caught:
        await open_session(client, TERMS, link, neighbours(), epoch=0)
    return link, caught.value


async def broken_relink(swarm: SmallSwarm, answer: Answer | None) -> tuple[Link, ChainBroken]:
    client, link = await swarm.computer(), await host(swarm, answer)
    with pytest.raises(ChainBroken) as caught:
        await relink_session(
            client, TERMS, link, neighbours(), epoch=1, replay=4, patience_seconds=0.1
        )
    return link, caught.value


async def test_a_host_that_lets_us_in(swarm: SmallSwarm) -> None:
    client = await swarm.computer()
    link = await host(swarm, lambda: wire.SessionOpened(session=SESSION, tokens_left=9))
    channel = await open_session(client, TERMS, link, neighbours(), epoch=0)
    assert channel.peer == link.offer.peer
    (opening,) = [m for m in swarm.to(link.offer.peer) if isinstance(m, wire.SessionOpen)]
    assert opening.next == neighbours().hop
    assert (opening.tokens, opening.candidates) == (64, 1)


async def test_a_refusal_blames_the_host_or_the_one_after_it(swarm: SmallSwarm) -> None:
    def refusal(code: str) -> Answer:
        return lambda: wire.SessionRefused(session=SESSION, code=code, reason="no")

    link, error = await broken_opening(swarm, refusal("no_room"))
    assert error.peer == link.offer.peer
    _, error = await broken_opening(swarm, refusal("next_lost"))
    assert error.peer == NEXT


async def test_a_host_that_says_nothing_is_given_up(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_link, "OPEN_SECONDS", 0.1)
    link, error = await broken_opening(swarm, None)
    assert "does not answer" in str(error)
    link, error = await broken_relink(swarm, None)
    assert error.peer == link.offer.peer


async def test_nonsense_is_counted(swarm: SmallSwarm) -> None:
    client = await swarm.computer()
    link = await host(swarm, lambda: wire.SessionRelinked(session=SESSION, epoch=1))
    with pytest.raises(ChainBroken, match="nonsense"):
        await open_session(client, TERMS, link, neighbours(), epoch=0)
    assert client.bad_inputs[link.offer.peer] == 1
    other = await host(swarm, lambda: wire.SessionOpened(session=SESSION, tokens_left=9))
    with pytest.raises(ChainBroken, match="nonsense"):
        await relink_session(
            client, TERMS, other, neighbours(), epoch=1, replay=0, patience_seconds=1.0
        )
    assert client.bad_inputs[other.offer.peer] == 1


async def test_faults_of_a_relink(swarm: SmallSwarm) -> None:
    link, error = await broken_relink(swarm, lambda: fault("no_session"))
    assert error.peer == link.offer.peer
    _, error = await broken_relink(swarm, lambda: fault("next_lost"))
    assert error.peer == NEXT
    _, error = await broken_relink(swarm, lambda: fault("log_gone"))
    assert isinstance(error, MemoryLost)


async def handed_over(swarm: SmallSwarm, answer: Answer | None) -> tuple[int, int]:
    """How many positions an heir knows by the answer, and how often the host is blamed."""
    client, giver = await swarm.computer(), await host(swarm, answer)
    heir = Offer(NEXT, ("10.0.0.1:1",), giver.span, 1e-6, 512)
    replay = replay_of(Link(heir, giver.span), 50, row_bytes=32, head_unit=9)
    positions = await hand_over(client, TERMS, Move(giver.offer, heir, replay))
    return positions, client.bad_inputs[giver.offer.peer]


async def test_a_hand_over_is_as_much_as_the_host_says(swarm: SmallSwarm) -> None:
    for positions in (0, 30, 50):
        said = wire.SessionHandedOver(session=SESSION, positions=positions)
        assert await handed_over(swarm, lambda said=said: said) == (positions, 0)  # type: ignore[misc]


async def test_what_cannot_be_handed_over_is_nothing(
    swarm: SmallSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_link, "HANDOVER_SECONDS", 0.1)
    assert await handed_over(swarm, None) == (0, 0)
    refusal = wire.SessionRefused(session=SESSION, code="not_serving", reason="no")
    assert await handed_over(swarm, lambda: refusal) == (0, 0)


async def test_nonsense_about_a_hand_over_is_counted(swarm: SmallSwarm) -> None:
    for nonsense in (
        wire.SessionHandedOver(session=SESSION, positions=51),
        wire.SessionHandedOver(session=b"x" * 16, positions=1),
        wire.SessionRelinked(session=SESSION, epoch=1),
    ):
        assert await handed_over(swarm, lambda said=nonsense: said) == (0, 1)  # type: ignore[misc]


def test_neighbours_are_the_same_whatever_is_absorbed() -> None:
    one = neighbours()
    assert one.same_as(Neighbours(one.previous, one.next, absorb=True))
    assert not one.same_as(Neighbours(NEXT, one.next, absorb=False))
    assert not one.same_as(None)
