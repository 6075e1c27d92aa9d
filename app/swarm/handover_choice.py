"""Whether what a leaving host knows is moved to its heir, or computed there again.

Pure. The client says what computing it again takes (`replay_of`); the leaving host knows how
large the memory is and measures how fast it leaves (`app/swarm/handover.py`). A row of memory
has the keys and values of every block and a row that is replayed one hidden state, so the more
blocks a host has, the more often replaying is the cheaper way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from app.ids import PeerId
from app.swarm.route import PROMPT_GAIN, UPLINK_BYTES_PER_SECOND, Link, Offer
from app.swarm.token_chain import ModelShape

ASKING_SECONDS: Final = 0.1
"""What a hand-over costs besides its bytes: some round trips, and a memory out of one worker and
into another. What is replayed sooner is not moved."""
RESTORING_SECONDS: Final = 0.25
"""So long before a host has to be gone nothing more is sent: the heir takes the memory in, and
says so."""


@dataclass(frozen=True)
class Replay:
    """What it takes to have an heir compute again what it could be given.

    Attributes:
        positions: how many there are.
        compute_seconds: the heir's layers.
        sent_bytes: the rows that the computer before it sends again.
    """

    positions: int
    compute_seconds: float
    sent_bytes: int

    def seconds(self, bytes_per_second: float) -> float:
        """All of it, over such a line."""
        return self.compute_seconds + self.sent_bytes / max(1.0, bytes_per_second)


@dataclass(frozen=True)
class Move:
    """What one that leaves knows may be given to a newcomer with the same units.

    `replay` is what it takes to send it there again instead.
    """

    giver: Offer
    heir: Offer
    replay: Replay


def moves(
    leaving: Collection[Link],
    fresh: Sequence[Link],
    known: Collection[PeerId],
    *,
    positions: int,
    shape: ModelShape,
    sends_tokens: bool,
) -> list[Move]:
    """What to have moved when a chain goes on over other computers, where replaying takes long.

    Who takes a part of the units, or more, has memory of another form.

    Args:
        leaving: those that are there still, though not for long, and what they run.
        fresh: the chain as it shall be.
        known: those that have the session open already.
        positions: how many are known.
        sends_tokens: whether the first computer is sent tokens and not hidden states.
    """
    staying = {link.offer.peer for link in fresh}
    places = {link.span: link for link in leaving if link.offer.peer not in staying}
    found = []
    for link in fresh:
        giver = places.get(link.span)
        if giver is None or link.offer.peer in known:
            continue
        size = 0 if sends_tokens and link is fresh[0] else 4 * shape.width
        replay = replay_of(link, positions, row_bytes=size, head_unit=shape.head_unit)
        if is_worth_asking(replay):
            found.append(Move(giver.offer, link.offer, replay))
    return found


def replay_of(heir: Link, positions: int, *, row_bytes: int, head_unit: int) -> Replay:
    """What computing so many positions again takes.

    Args:
        row_bytes: how large what travels for each is: a hidden state, or 0 for a token.
    """
    compute = heir.offer.compute_seconds(heir.span, head_unit) * positions / PROMPT_GAIN
    return Replay(positions, compute, positions * row_bytes)


def is_worth_asking(replay: Replay) -> bool:
    """Whether replaying takes long enough to think of anything else."""
    return replay.seconds(UPLINK_BYTES_PER_SECOND) > ASKING_SECONDS


def is_cheaper(row_bytes: int, replay: Replay, *, bytes_per_second: float) -> bool:
    """Whether memory of `row_bytes` for each position goes over the line sooner than the replay
    is over."""
    moving = replay.positions * row_bytes / max(1.0, bytes_per_second)
    return moving < replay.seconds(bytes_per_second)


def rows_in_time(row_bytes: int, seconds: float, *, bytes_per_second: float) -> int:
    """How many rows leave in so much time."""
    return max(0, int((seconds - RESTORING_SECONDS) * bytes_per_second / row_bytes))
