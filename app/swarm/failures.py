"""Who failed lately in this computer's own chains, so that others are asked first.

Pure: the time is an argument. A failure counts less as time passes; nobody is condemned.
`app/swarm/chains.py` notes them, `app/swarm/route.py` weighs them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from app.ids import PeerId

HALF_LIFE_SECONDS: Final = 600.0
MOST_PEERS: Final = 1024
"""More than anybody meets in an hour; beyond it whoever failed the longest ago is forgotten."""
MOST_FAILURES: Final = 8.0
"""More count as so many, so that nobody is out of the question for long."""


class Failures:
    """How often each computer failed, failures that are long past counting less."""

    def __init__(self) -> None:
        # The count when it was noted, and when; whoever failed last stands last.
        self._noted: OrderedDict[PeerId, tuple[float, float]] = OrderedDict()

    def note(self, peer: PeerId, *, now: float, share: float = 1.0) -> None:
        """It failed; `now` in seconds of `Clock.monotonic`, `share` what of it is its own."""
        count = min(MOST_FAILURES, self.count(peer, now=now) + share)
        self._noted[peer] = (count, now)
        self._noted.move_to_end(peer)
        if len(self._noted) > MOST_PEERS:
            self._noted.popitem(last=False)

    def count(self, peer: PeerId, *, now: float) -> float:
        """How often it failed; a failure of `HALF_LIFE_SECONDS` ago counts as half a one."""
        noted = self._noted.get(peer)
        if noted is None:
            return 0.0
        count, at = noted
        return count * float(0.5 ** (max(0.0, now - at) / HALF_LIFE_SECONDS))
