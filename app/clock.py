"""Time as a collaborator, so that tests can own it.

Everything in Potluck counts seconds as floats. Durations come from `monotonic`,
which never jumps; what is compared between computers comes from `wall`.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where a part reads the time."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, as this computer believes it."""
        ...


class SystemClock:
    """The computer's own clock."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970, as this computer believes it."""
        return time.time()
