"""Who broke rules how often, and who is therefore not listened to for a while.

Pure: time is an argument, in seconds of `Clock.monotonic`. The endpoint asks.
One mistake costs a stranger one message or channel; `MAX_BAD_INPUTS` of them cost
the connection, and `REFUSED_SECONDS` pass before it may come back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType

from app.ids import PeerId

MAX_BAD_INPUTS = 8
REFUSED_SECONDS = 60.0
MAX_OFFENDERS = 1024
"""Peers remembered; the one that misbehaved longest ago is forgotten first."""


class Offences:
    """Counts of bad input by peer, bounded."""

    def __init__(self) -> None:
        self._counts: OrderedDict[PeerId, int] = OrderedDict()
        self._refused_until: OrderedDict[PeerId, float] = OrderedDict()

    @property
    def counts(self) -> Mapping[PeerId, int]:
        """How often each peer broke a rule, since it was last let in."""
        return MappingProxyType(self._counts)

    def count(self, peer: PeerId, now: float) -> bool:
        """One more; True when it is one too many and the peer is refused from now on."""
        self._counts[peer] = self._counts.pop(peer, 0) + 1
        _keep_newest(self._counts)
        if self._counts[peer] < MAX_BAD_INPUTS:
            return False
        self._refused_until[peer] = now + REFUSED_SECONDS
        _keep_newest(self._refused_until)
        return True

    def refused_seconds(self, peer: PeerId, now: float) -> float:
        """For how long the peer is still refused; 0 when it may come in."""
        until = self._refused_until.get(peer)
        if until is None:
            return 0.0
        if until <= now:
            del self._refused_until[peer]
            self._counts.pop(peer, None)
            return 0.0
        return until - now


def _keep_newest(table: OrderedDict[PeerId, int] | OrderedDict[PeerId, float]) -> None:
    while len(table) > MAX_OFFENDERS:
        table.popitem(last=False)
