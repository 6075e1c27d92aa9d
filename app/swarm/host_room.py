"""Who makes way on a host whose room for conversations is used up.

Time is an argument, in seconds of `Clock.monotonic`. Names are free, addresses are not: a
few names of one computer must not hold all the room there is. So whoever comes from the group of
addresses that holds most makes way for somebody who would hold less: a conversation that rests,
if there is one, because it loses nothing but its memory. `app/swarm/host.py` asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from app.engine.ledger import KvLedger
from app.ids import PeerId
from app.net import wire
from app.net.address_groups import hand_of
from app.net.channel import ChannelOpener
from app.swarm.host_session import Session, dismiss

RESTING_SECONDS: Final = 0.5
"""A session without a step for so long is between two answers, and nothing is finishing."""


def rests(session: Session, now: float) -> bool:
    """Whether nobody waits for an answer just now."""
    return resting_seconds(session, now) >= RESTING_SECONDS


def resting_seconds(session: Session, now: float) -> float:
    """For how long no step has come."""
    return now - (session.expires - session.opening.lease_seconds)


def hand_of_client(opener: ChannelOpener, client: PeerId) -> str:
    """Which group of addresses a client comes from."""
    address = opener.address_of(client)
    return client.hex() if address is None else hand_of(address)


def who_has_to_go(
    sessions: Iterable[Session],
    opening: wire.SessionOpen,
    ledger: KvLedger,
    *,
    hand: str,
    now: float,
) -> Session | None:
    """Which session is to end for a newcomer; None when there is room or the newcomer has to go.

    Args:
        sessions: the oldest first.
        hand: where the newcomer comes from.
    """
    if not ledger.lacks(opening.tokens):
        return None
    by_hand: defaultdict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        by_hand[session.hand].append(session)

    def held(hand: str) -> float:
        return sum(ledger.share(session.opening.tokens) for session in by_hand[hand])

    largest = max(list(by_hand), key=held, default=hand)
    several = len(by_hand[largest]) > 1
    if not several or held(largest) <= held(hand) + ledger.share(opening.tokens):
        return None
    resting = [session for session in by_hand[largest] if rests(session, now)]
    if resting:
        return max(resting, key=lambda session: resting_seconds(session, now))
    return by_hand[largest][-1]


async def make_way(session: Session, now: float) -> None:
    """Tell its client, and end its channel: whoever rests begins anew when it goes on, and
    others go elsewhere at once."""
    code = "lease_over" if rests(session, now) else "leaving"
    await dismiss(session, code, "others need the room as well")
