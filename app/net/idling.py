"""Which connections nobody needs any more: a look-up opens dozens and uses each once.

Pure: time is an argument, in seconds of `Clock.monotonic`. The endpoint asks and says
goodbye in a way that tells the other end that this computer stays (`wire.Goodbye.idle`).
Only the one that dialled closes, unless its room is used up: the other may have dialled it
to notice when it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from app.ids import PeerId
from app.net.connection import Connection

IDLE_SECONDS = 60.0
"""Longer than the pauses between the questions of one look-up, or between the steps of
somebody who reads and asks again."""
CROWDED_IDLE_SECONDS = 10.0
"""... while more than `CROWDED` connections are open."""
CROWDED = 128
LEAST_IDLE_SECONDS = 2.0
"""Whoever has just come is about to say what for."""


def unneeded(
    connections: Sequence[Connection], now: float, is_kept: Callable[[PeerId], bool]
) -> list[Connection]:
    """Connections dialled from here that carry nothing and that nobody wants kept."""
    patience = CROWDED_IDLE_SECONDS if len(connections) > CROWDED else IDLE_SECONDS
    return [
        connection
        for connection in connections
        if connection.dialled
        and connection.peer is not None
        and connection.idle_seconds(now) >= patience
        and not is_kept(connection.peer)
    ]


def longest_idle(
    connections: Iterable[Connection], now: float, is_kept: Callable[[PeerId], bool]
) -> Connection | None:
    """Whom to let go when there is no room for somebody new; None when all are in use.

    Those that somebody wants kept go last: of them nobody would notice any more that they went.
    """
    idle = [
        connection
        for connection in connections
        if connection.peer is not None and connection.idle_seconds(now) >= LEAST_IDLE_SECONDS
    ]
    unkept = [one for one in idle if one.peer is not None and not is_kept(one.peer)]
    return max(unkept or idle, key=lambda one: one.idle_seconds(now), default=None)
