"""Who makes way when this computer has no room: for connections, for newcomers, for memory.

Pure: time is an argument, in seconds of `Clock.monotonic`. Names are free, addresses are not:
what strangers take up is weighed by the group of addresses that they come from, and the largest
one makes way for a smaller one, so that nobody can shut others out by coming in numbers. The
endpoint asks; `app/net/idling.py` is about connections that are not needed though there is room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from app.ids import PeerId
from app.net.address_groups import hand_of
from app.net.connection import Connection
from app.net.idling import longest_idle

MAX_HALF_OPEN = 64
MAX_HALF_OPEN_OF_ONE = 16
"""Unfinished handshakes of one group: an address that was shown is one that can be counted."""
A_CROWD = 8
"""So many connections from one group are looked at before anybody else's."""
MOST_SHARE = 4
"""A group with more than one in so many of all connections makes way even where they are used."""
MOST_HELD_BYTES = 192 << 20
"""What all connections together may have waiting here: 48 full windows, while a computer serves
a dozen conversations. Beyond it the largest holder goes."""


def who_makes_way(
    connections: Collection[Connection],
    now: float,
    *,
    newcomer: str | None,
    is_kept: Callable[[PeerId], bool],
) -> Connection | None:
    """Which proven connection is to end for a newcomer; None when the newcomer has to go.

    Args:
        newcomer: where it comes from, as `HOST:PORT`; None when it is this computer's own.
    """
    proven = [connection for connection in connections if connection.peer is not None]
    by_hand = _by_hand(proven)
    own = len(by_hand.get(hand_of(newcomer), ())) if newcomer is not None else 0
    largest = max(by_hand.values(), key=len, default=[])
    if own >= A_CROWD and own >= len(largest):
        return longest_idle(by_hand[hand_of(newcomer or "")], now, is_kept)
    idle = longest_idle(largest, now, is_kept) if len(largest) >= A_CROWD else None
    if idle is None and len(largest) > max(A_CROWD, len(proven) // MOST_SHARE):
        return _newest(largest)
    idle = idle or longest_idle(proven, now, is_kept)
    if idle is None and len(largest) > own + 1:
        return _newest(largest)
    return idle


def may_begin(half_open: Sequence[Connection], newcomer: str) -> bool:
    """Whether one more unfinished handshake from there is taken on, for which
    `who_gives_up` may have to make way."""
    hand = hand_of(newcomer)
    return sum(hand_of(one.address) == hand for one in half_open) < MAX_HALF_OPEN_OF_ONE


def who_gives_up(half_open: Sequence[Connection], newcomer: str) -> Connection | None:
    """Which unfinished handshake is to end for another one; None when the newcomer has to wait."""
    by_hand = _by_hand(half_open)
    largest = max(by_hand.values(), key=len, default=[])
    if len(largest) <= len(by_hand.get(hand_of(newcomer), ())) + 1:
        return None
    return min(largest, key=lambda connection: connection.began_at)


def who_holds_too_much(held: Mapping[Connection, int]) -> list[Connection]:
    """Whose connections are to end so that what waits here stays within `MOST_HELD_BYTES`:
    the largest of the group that holds most, again and again.

    Args:
        held: bytes of memory by connection.
    """
    left, total = dict(held), sum(held.values())
    by_hand: Counter[str] = Counter()
    for connection, size in held.items():
        by_hand[hand_of(connection.address)] += size
    found = []
    while total > MOST_HELD_BYTES:
        hand, _ = by_hand.most_common(1)[0]
        here = [connection for connection in left if hand_of(connection.address) == hand]
        worst = max(here, key=lambda connection: left[connection])
        size = left.pop(worst)
        by_hand[hand] -= size
        total -= size
        found.append(worst)
    return found


def _by_hand(connections: Collection[Connection]) -> dict[str, list[Connection]]:
    found: dict[str, list[Connection]] = {}
    for connection in connections:
        found.setdefault(hand_of(connection.address), []).append(connection)
    return found


def _newest(connections: Collection[Connection]) -> Connection:
    return max(connections, key=lambda connection: connection.began_at)
