"""How many questions one computer may ask here, so that none keeps this one busy.

Pure: time is an argument, in seconds of `Clock.monotonic`. `app/net/dht.py` declines what
goes beyond; that is no offence, because a computer with much to look up means no harm.
"""

from __future__ import annotations

from collections import OrderedDict

from app.ids import PeerId

QUESTIONS_AT_ONCE = 128.0
"""A list of all models asks one computer 33 times, a crowded one's groups 16 times more."""
QUESTIONS_PER_SECOND = 8.0
MAX_ASKERS = 1024
"""Peers remembered; the one that asked longest ago is forgotten first."""


class Allowances:
    """What each peer has left, bounded."""

    def __init__(self) -> None:
        self._left: OrderedDict[PeerId, tuple[float, float]] = OrderedDict()

    def take(self, peer: PeerId, now: float) -> bool:
        """Whether this peer may ask one more."""
        left, since = self._left.pop(peer, (QUESTIONS_AT_ONCE, now))
        left = min(QUESTIONS_AT_ONCE, left + (now - since) * QUESTIONS_PER_SECOND)
        allowed = left >= 1.0
        self._left[peer] = (left - 1.0 if allowed else left, now)
        while len(self._left) > MAX_ASKERS:
            self._left.popitem(last=False)
        return allowed
