"""What a client says to one host of its chain: open, take other neighbours, goodbye.

`app/swarm/chain.py` decides when; the counterpart is `app/swarm/host.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import PeerLost
from app.ids import ModelId, PeerId, SessionId, short_peer_text
from app.net import wire
from app.net.channel import Channel, ChannelOpener
from app.net.dht_messages import AnyMessage
from app.sentences import say, sentence_of
from app.swarm.handover_choice import Move
from app.swarm.route import Link, Offer
from app.swarm.token_chain import ChainBroken, MemoryLost

logger = logging.getLogger(__name__)

OPEN_SECONDS: Final = 10.0
"""Two round trips around the world, the dial included, fit many times."""
SOON_SECONDS: Final = 2.0
"""So long a computer is waited for at first: others may be quicker, and somebody waits for the
next word. Who is asked again because nobody else is there has all of `OPEN_SECONDS`."""
NEXT_SOON_SECONDS: Final = 0.5
"""... and so much longer who has to reach a next one first, so that the silent one is blamed."""
LEASE_SECONDS: Final = 120.0
HANDOVER_SECONDS: Final = 2.5
"""Whoever leaves has gone by then."""


@dataclass(frozen=True)
class SessionTerms:
    """What is the same for every host of a chain."""

    session: SessionId
    model: ModelId
    tokens: int
    candidates: int


@dataclass(frozen=True)
class Neighbours:
    """Who feeds a host, and whom it feeds; `absorb` as in `wire.SessionOpen`."""

    previous: PeerId | None
    next: Offer | None
    absorb: bool

    @property
    def hop(self) -> wire.NextHop | None:
        """The next host, as a message names it."""
        if self.next is None:
            return None
        return wire.NextHop(peer=self.next.peer, addresses=list(self.next.addresses))

    def same_as(self, other: Neighbours | None) -> bool:
        """Whether these are the same computers."""
        return other is not None and (self.previous, self.hop) == (other.previous, other.hop)


def neighbours_of(link: Link, links: Sequence[Link], empty: Collection[PeerId]) -> Neighbours:
    """Who stands before and after a link in a chain; `empty` know nothing of it yet."""
    index = links.index(link)
    previous = links[index - 1] if index else None
    following = links[index + 1] if index + 1 < len(links) else None
    return Neighbours(
        previous=None if previous is None else previous.offer.peer,
        next=None if following is None else following.offer,
        absorb=following is not None and following.offer.peer not in empty,
    )


async def open_session(
    opener: ChannelOpener,
    terms: SessionTerms,
    link: Link,
    neighbours: Neighbours,
    *,
    epoch: int,
    patient: bool = True,
    inherits: PeerId | None = None,
) -> Channel:
    """Open the session on one host; steps may be sent on the channel that comes back.

    Args:
        inherits: who may hand over to it what it knows of the session.
        patient: whether to wait for `OPEN_SECONDS`, as for one that nobody can replace.

    Raises:
        ChainBroken: it is unreachable or declines; the text says why.
    """
    offer = link.offer
    opening = wire.SessionOpen(
        session=terms.session,
        epoch=epoch,
        model=terms.model,
        span=link.span,
        tokens=terms.tokens,
        lease_seconds=LEASE_SECONDS,
        candidates=terms.candidates,
        previous=neighbours.previous,
        next=neighbours.hop,
        absorb=neighbours.absorb,
        inherits=inherits,
    )
    soon = SOON_SECONDS + (0 if neighbours.next is None else NEXT_SOON_SECONDS)
    seconds = OPEN_SECONDS if patient else soon
    channel, answer = await _ask(opener, offer, opening, seconds=seconds)
    if isinstance(answer, wire.SessionOpened) and answer.session == terms.session:
        return channel
    await leave_session(channel, terms.session)
    name = short_peer_text(offer.peer)
    match answer:
        case wire.SessionRefused() if answer.session == terms.session:
            culprit = _culprit(offer, neighbours, answer.code)
            raise ChainBroken(
                say("helper_declines", helper=name, reason=answer.reason),
                peer=culprit,
                retry_after_seconds=answer.retry_after_seconds,
            )
        case wire.Refused():
            raise ChainBroken(
                say("helper_declines", helper=name, reason=answer.reason), peer=offer.peer
            )
    opener.report_bad_input(offer.peer, "a wrong answer to the opening of a session")
    raise ChainBroken(say("helper_nonsense", helper=name), peer=offer.peer)


async def relink_session(
    opener: ChannelOpener,
    terms: SessionTerms,
    link: Link,
    neighbours: Neighbours,
    *,
    epoch: int,
    replay: int,
    replay_from: int = 0,
    patience_seconds: float,
) -> None:
    """Give a host other neighbours; it sends the next one positions `replay_from` .. `replay`
    again.

    Raises:
        ChainBroken: it, or its new neighbour, cannot go on.
        MemoryLost: it does not have what is to be sent again.
    """
    offer = link.offer
    relink = wire.SessionRelink(
        session=terms.session,
        epoch=epoch,
        previous=neighbours.previous,
        next=neighbours.hop,
        absorb=neighbours.absorb,
        replay=replay,
        replay_from=replay_from,
    )
    channel, answer = await _ask(opener, offer, relink, seconds=OPEN_SECONDS + patience_seconds)
    await channel.close()
    name = short_peer_text(offer.peer)
    match answer:
        case wire.SessionRelinked() if answer.session == terms.session:
            return
        case wire.SessionFault(code="log_gone") if answer.session == terms.session:
            raise MemoryLost(say("helper_says", helper=name, reason=answer.reason))
        case wire.SessionFault() if answer.session == terms.session:
            culprit = _culprit(offer, neighbours, answer.code)
            raise ChainBroken(
                say("helper_unusable", helper=name, reason=answer.reason), peer=culprit
            )
        case wire.SessionRefused() | wire.Refused():
            raise ChainBroken(
                say("helper_declines", helper=name, reason=answer.reason), peer=offer.peer
            )
    opener.report_bad_input(offer.peer, "a wrong answer to new neighbours")
    raise ChainBroken(say("helper_nonsense", helper=name), peer=offer.peer)


async def withdraw_steps(
    opener: ChannelOpener, terms: SessionTerms, link: Link, neighbours: Neighbours, *, epoch: int
) -> None:
    """Have a host drop the steps before `epoch` that it has not computed yet.

    They lie in its channel before anything that could be said there. A host that does not
    hear it has only worked in vain.
    """
    with contextlib.suppress(ChainBroken):
        await relink_session(
            opener, terms, link, neighbours, epoch=epoch, replay=0, patience_seconds=0.0
        )


async def hand_over(opener: ChannelOpener, terms: SessionTerms, move: Move) -> int:
    """Have a host that is leaving hand over what it knows to its heir; how many positions the
    heir knows then. 0 when it would take longer than replaying, or does not work."""
    wanted = wire.SessionHandover(
        session=terms.session,
        heir=wire.NextHop(peer=move.heir.peer, addresses=list(move.heir.addresses)),
        positions=move.replay.positions,
        compute_seconds=min(move.replay.compute_seconds, wire.MAX_COMPUTE_SECONDS),
        replay_bytes=move.replay.sent_bytes,
    )
    try:
        channel, answer = await _ask(opener, move.giver, wanted, seconds=HANDOVER_SECONDS)
    except ChainBroken:
        return 0
    await channel.close()
    if isinstance(answer, wire.SessionHandedOver) and answer.session == terms.session:
        if answer.positions <= move.replay.positions:
            return answer.positions
    elif isinstance(answer, wire.SessionRefused | wire.Refused):
        return 0
    opener.report_bad_input(move.giver.peer, "a wrong answer to a hand-over")
    return 0


async def leave_session(channel: Channel, session: SessionId) -> None:
    """Tell a host that it is over, without waiting for one that takes nothing."""
    try:
        async with asyncio.timeout(0):
            await channel.send(wire.SessionClose(session=session))
        await channel.close()
    except (PeerLost, TimeoutError):
        channel.abort()


async def _ask(
    opener: ChannelOpener,
    offer: Offer,
    words: wire.SessionOpen | wire.SessionRelink | wire.SessionHandover,
    *,
    seconds: float,
) -> tuple[Channel, AnyMessage]:
    """Say it on a channel of its own; the answer. A channel without one is given up."""
    name = short_peer_text(offer.peer)
    channel: Channel | None = None
    try:
        async with asyncio.timeout(seconds):
            channel = await opener.open_channel(offer.peer, offer.addresses, "session")
            await channel.send(words)
            answer = await channel.receive()
            logger.debug("%s: %s, %s", name, type(words).__name__, type(answer).__name__)
            return channel, answer
    except (PeerLost, TimeoutError) as error:
        if channel is not None:
            channel.abort()
        reason = sentence_of(error) if str(error) else say("no_answer")
        logger.debug("%s: %s, %s", name, type(words).__name__, reason)
        broken = say("helper_unusable", helper=name, reason=reason)
        raise ChainBroken(broken, peer=offer.peer) from None
    except BaseException:
        if channel is not None:
            await leave_session(channel, SessionId(words.session))
        raise


def _culprit(offer: Offer, neighbours: Neighbours, code: str) -> PeerId:
    """Who is to be avoided: the one that was asked, or the one it could not reach."""
    if code == "next_lost" and neighbours.next is not None:
        return neighbours.next.peer
    return offer.peer
