"""How long to rest after each piece of work, so that a mean is kept.

Pure. A duty has one bucket for each thing that is capped, processor seconds or joules,
and is charged with what was measured, not with what was meant: so the mean comes out
right whatever a batch turns out to cost. The counterpart that measures is
`app/policy/pacing.py`; the one that rests is `app/engine/supervisor.py`.
"""

from __future__ import annotations

from typing import Final

from app.policy.buckets import Bucket, RateMeter

STORE_SECONDS: Final = 0.25
"""After a quiet time this much may be caught up on, and no more: nobody feels it."""
LONGEST_DEBT_SECONDS: Final = 20.0
"""A laptop that woke up, or a meter that jumped, must not stop work for hours."""


class Duty:
    """Keeps the mean use of one thing at a cap."""

    def __init__(self, cap: float | None = None) -> None:
        self._bucket = Bucket(cap, store_seconds=STORE_SECONDS)
        self._meter = RateMeter()

    @property
    def cap(self) -> float | None:
        """Amount for each second; None without a cap."""
        return self._bucket.rate

    def set_cap(self, cap: float | None, now: float) -> None:
        """Another cap from now on."""
        self._bucket.set_rate(cap, now)

    def used(self, amount: float, now: float) -> None:
        """This was used since the last call."""
        self._meter.add(amount, now)
        self._bucket.used(amount, now)
        self._bucket.forgive(LONGEST_DEBT_SECONDS)

    def rest_seconds(self, now: float) -> float:
        """How long to use nothing, from now, until the mean is kept."""
        return self._bucket.wait_seconds(now)

    def mean(self, now: float) -> float | None:
        """Amount for each second over the last half minute; None while unknown."""
        return self._meter.mean(now)
