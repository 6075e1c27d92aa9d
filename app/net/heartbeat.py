"""One connection's heartbeats: when to send one, what an answer measures, who is silent too long.

Pure: time is an argument, in seconds of `Clock.monotonic`. `app/net/connection.py` sends and
hears; the counterpart is the heart at the other end.
"""

from __future__ import annotations

from app.errors import BadInput
from app.net.wire import (
    BUSY_HEARTBEAT_SECONDS,
    BUSY_LOST_AFTER_SECONDS,
    BUSY_SECONDS,
    HEARTBEAT_SECONDS,
    LOST_AFTER_SECONDS,
    Ping,
    Pong,
)

CHECK_SECONDS = BUSY_HEARTBEAT_SECONDS
"""How often is looked what is due; a lost peer is noticed at most this much later than it
could be, so the threshold is that much lower than the promise."""
AWAKE_SECONDS = BUSY_LOST_AFTER_SECONDS
"""After this computer stood still for longer than the other end is patient, that has most likely
given it up, and cannot say so: it has so long, and two round trips, to say anything."""
MAX_PINGS_PER_CHECK = 16
MAX_PINGS_UNDERWAY = 8
"""More than there are in `LOST_AFTER_SECONDS`; an answer to an older one measures nothing."""


class Heartbeat:
    """What one end knows of the other's heart.

    Attributes:
        round_trip_seconds: the latest one's; None before the first.
    """

    def __init__(self, now: float) -> None:
        self.round_trip_seconds: float | None = None
        self._heard_at = self._checked_at = now
        self._busy_since = self._busy_until = float("-inf")
        self._pinged_at = 0.0
        self._serial = 0
        self._underway: dict[int, float] = {}  # when each that is not answered was sent
        self._since_check = 0
        self._doubted_until: float | None = None

    def heard(self, now: float) -> None:
        """Something came from the other side."""
        self._heard_at = now
        self._doubted_until = None

    def is_busy(self, now: float) -> None:
        """Something is asked or answered: silence means more now."""
        if now >= self._busy_until:
            self._busy_since = now
        self._busy_until = now + BUSY_SECONDS

    def check(self, now: float) -> None:
        """Called every `CHECK_SECONDS`.

        When this computer itself stood still (sleep, a long computation), what the others
        said meanwhile is still in the socket: silence counts only while awake. But then
        they may have given it up, so they are asked at once.
        """
        if now - self._checked_at > self._patience(now):
            self._doubted_until = now + AWAKE_SECONDS + 2 * (self.round_trip_seconds or 0.0)
            self._pinged_at = 0.0
        self._heard_at += max(0.0, now - self._checked_at - 2 * CHECK_SECONDS)
        self._checked_at = now
        self._since_check = 0

    def is_lost(self, now: float) -> bool:
        """Whether the other side has been silent for too long."""
        if self._doubted_until is not None and now >= self._doubted_until:
            return True
        busy = now < self._busy_until
        # What was said before it was busy was not to be expected more often.
        silent = now - max(self._heard_at, self._busy_since if busy else self._heard_at)
        return silent >= self._patience(now) - CHECK_SECONDS

    def _patience(self, now: float) -> float:
        return BUSY_LOST_AFTER_SECONDS if now < self._busy_until else LOST_AFTER_SECONDS

    def is_due(self, now: float) -> bool:
        """Whether it is time for a heartbeat: one a second to measure the way, and while it is
        busy more of them, unless the other side is heard anyway."""
        # Half a check early: a timer that fires a moment too soon must not cost a whole one.
        early = CHECK_SECONDS / 2
        if now - self._pinged_at >= HEARTBEAT_SECONDS - early:
            return True
        if now >= self._busy_until:
            return False
        # The silence before it was busy is none of somebody who has to answer now.
        silent_since = max(self._heard_at, self._pinged_at)
        return now - silent_since >= BUSY_HEARTBEAT_SECONDS - early

    def ping(self, now: float) -> Ping:
        """The next heartbeat, to be sent at once."""
        self._pinged_at = now
        self._serial += 1
        self._underway[self._serial] = now
        if len(self._underway) > MAX_PINGS_UNDERWAY:
            del self._underway[next(iter(self._underway))]
        return Ping(serial=self._serial)

    def asked(self) -> None:
        """The other side's heart beat; BadInput when it does so far too often."""
        self._since_check += 1
        if self._since_check > MAX_PINGS_PER_CHECK:
            raise BadInput("a flood of pings")

    def answered(self, pong: Pong, now: float) -> float | None:
        """The round trip in seconds that an answer shows; None when it is too late to show one.

        Raises:
            BadInput: it answers what was never sent.
        """
        if not 0 < pong.serial <= self._serial:
            raise BadInput("an answer to a ping that was never sent")
        sent_at = self._underway.pop(pong.serial, None)
        if sent_at is None:
            return None
        self.round_trip_seconds = now - sent_at
        return self.round_trip_seconds
