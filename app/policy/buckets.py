"""A token bucket and a rate meter: how a cap is kept, and how it is shown to be.

Pure: the time is an argument, in seconds that never go back. Amounts are bytes,
processor seconds or joules; a bucket may be overdrawn, and what it then tells is how
long to wait until it is not.
"""

from __future__ import annotations

from collections import deque
from typing import Final


class Bucket:
    """Fills at a rate up to a little store; `take` tells how long to wait.

    Args:
        rate: amount for each second; None for no limit.
        store_seconds: how much that was not used may be caught up on.
        least_store: ... and at least this amount, so that a slow rate still lets one
            piece through at once.
    """

    def __init__(
        self, rate: float | None = None, *, store_seconds: float, least_store: float = 0.0
    ) -> None:
        self._store_seconds = store_seconds
        self._least_store = least_store
        self._balance = 0.0
        self._at: float | None = None
        self._rate = rate

    @property
    def rate(self) -> float | None:
        """Amount for each second; None for no limit."""
        return self._rate

    def set_rate(self, rate: float | None, now: float) -> None:
        """Fill at another rate from now on; what is owed stays owed, in amounts."""
        self._fill(now)
        if rate is None or self._rate is None:
            self._balance = 0.0
        self._rate = rate

    def take(self, amount: float, now: float) -> float:
        """Take an amount, owing what is not there; seconds until nothing is owed."""
        if self._rate is None:
            return 0.0
        self._fill(now)
        self._balance -= amount
        return self._wait()

    def used(self, amount: float, now: float) -> None:
        """Take an amount that was used evenly since the last call, not just now.

        So what flowed in meanwhile counts in full, however large the store is.
        """
        if self._rate is None:
            return
        elapsed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._balance = min(self._balance + elapsed * self._rate - amount, self._store())
        self._at = now if self._at is None else max(now, self._at)

    def wait_seconds(self, now: float) -> float:
        """Seconds until nothing is owed."""
        if self._rate is None:
            return 0.0
        self._fill(now)
        return self._wait()

    def give_back(self, amount: float) -> None:
        """What was taken was not used after all."""
        self._balance += amount

    def forgive(self, most_seconds: float) -> None:
        """Owe at most so many seconds' worth."""
        if self._rate is not None:
            self._balance = max(self._balance, -most_seconds * self._rate)

    def _wait(self) -> float:
        if self._balance >= 0 or self._rate is None:
            return 0.0
        return -self._balance / self._rate if self._rate > 0 else float("inf")

    def _fill(self, now: float) -> None:
        if self._at is not None and self._rate is not None and now > self._at:
            self._balance = min(self._balance + (now - self._at) * self._rate, self._store())
        self._at = now if self._at is None else max(now, self._at)

    def _store(self) -> float:
        return max((self._rate or 0.0) * self._store_seconds, self._least_store)


BINS: Final = 30


class RateMeter:
    """The mean rate over the last `BINS` slots of time; never holds more numbers than that."""

    def __init__(self, *, bin_seconds: float = 1.0) -> None:
        self._bin_seconds = bin_seconds
        self._bins: deque[tuple[int, float]] = deque(maxlen=BINS)
        self._began: float | None = None

    def add(self, amount: float, now: float) -> None:
        """Count an amount."""
        if self._began is None:
            self._began = now
        slot = int(now // self._bin_seconds)
        if self._bins and self._bins[-1][0] >= slot:
            self._bins[-1] = (self._bins[-1][0], self._bins[-1][1] + amount)
        else:
            self._bins.append((slot, amount))

    def mean(self, now: float, *, seconds: float | None = None) -> float | None:
        """Amount for each second over the time remembered, or the last `seconds` of it.

        None before there was time to measure anything.
        """
        if self._began is None:
            return None
        window = min(seconds or BINS * self._bin_seconds, BINS * self._bin_seconds)
        length = min(window, now - self._began)
        if length < self._bin_seconds / 2:
            return None
        # Whole slots that lie in the window; the oldest counts by the part that does.
        first = (now - length) / self._bin_seconds
        total = 0.0
        for slot, amount in self._bins:
            total += amount * min(1.0, max(0.0, slot + 1 - first))
        return total / length
