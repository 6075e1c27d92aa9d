"""How much others may ask of this computer, so that none keeps it busy.

Pure: time is an argument, in seconds of `Clock.monotonic`. `app/net/dht.py` declines questions
that go beyond; that is no offence, because a computer with much to look up means no harm.
`app/net/dialling.py` counts dials on strangers' word.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

QUESTIONS_AT_ONCE = 128.0
"""A list of all models asks one computer 33 times, a crowded one's groups 16 times more."""
QUESTIONS_PER_SECOND = 8.0
QUESTIONS_OF_ONE_HAND = 1024.0
ANSWERS_FOR_ONE_HAND = 64.0
"""A second, to all who come from one address group: eight computers' share."""
MAX_ASKERS = 1024
"""Names remembered; the one that asked longest ago is forgotten first."""

NameT = TypeVar("NameT", bound=Hashable)


class Allowances(Generic[NameT]):
    """What each has left, bounded.

    Args:
        at_once: how much may be asked after a long pause; None is what suits questions.
        per_second: how much of that comes back, likewise.
    """

    def __init__(self, at_once: float | None = None, per_second: float | None = None) -> None:
        self._at_once = QUESTIONS_AT_ONCE if at_once is None else at_once
        self._per_second = QUESTIONS_PER_SECOND if per_second is None else per_second
        self._left: OrderedDict[NameT, tuple[float, float]] = OrderedDict()

    def take(self, name: NameT, now: float, cost: float = 1.0) -> bool:
        """Whether this one may ask once more, for something that costs so much."""
        left, since = self._left.pop(name, (self._at_once, now))
        left = min(self._at_once, left + (now - since) * self._per_second)
        allowed = left >= cost
        self._left[name] = (left - cost if allowed else left, now)
        while len(self._left) > MAX_ASKERS:
            self._left.popitem(last=False)
        return allowed

    def give_back(self, name: NameT) -> None:
        """What this one asked last was no burden."""
        known = self._left.get(name)
        if known is not None:
            left, since = known
            self._left[name] = (left + 1.0, since)
