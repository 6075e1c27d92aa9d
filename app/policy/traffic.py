"""Caps on bandwidth, and what was sent and received: now, and this month.

Every datagram of the network's socket and every piece of a download passes here, so the
two share the caps; conversations go first and downloads take what these leave. The
month's count is kept in DATA/traffic.json. It stands where `app/net/shaping.py` expects
a shaper, and where `app/engine/download.py` expects a limit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from app.clock import Clock
from app.policy.buckets import Bucket, RateMeter
from app.small_files import read_small, write_whole

logger = logging.getLogger(__name__)

TRAFFIC_FILE: Final = "traffic.json"
MAX_FILE_BYTES: Final = 4096
HOLD_SECONDS: Final = 0.4
"""How long a datagram waits at most; a peer is given up after 3 seconds of silence."""
LEAST_HELD_BYTES: Final = 24_000
"""... but so much may always wait, or a slow cap would let no handshake through."""
STORE_SECONDS: Final = 0.05
LEAST_STORE_BYTES: Final = 4_000
LONGEST_DEBT_SECONDS: Final = 1.0
SPEED_SECONDS: Final = 3.0


class MonthCount(msgspec.Struct, frozen=True):
    """What went over the network in one month, written "2030-01"."""

    month: str
    sent: int = 0
    received: int = 0


class Traffic:
    """Holds the caps; made once and handed to the endpoint and every download.

    Args:
        month: this month as "2030-01", where the owner lives.
    """

    def __init__(self, folder: Path, *, clock: Clock, month: Callable[[], str]) -> None:
        self._path = folder / TRAFFIC_FILE
        self._clock = clock
        self._month = month
        self._count = _load(self._path, month())
        self._saved = self._count
        self._up = _bucket()
        self._down = _bucket()
        # Filled like `_down` and charged with everything: what conversations leave.
        self._down_rest = _bucket()
        self._sent_meter = RateMeter(bin_seconds=0.5)
        self._received_meter = RateMeter(bin_seconds=0.5)
        self._transfers = asyncio.Event()
        self._transfers.set()

    # ── caps ─────────────────────────────────────────────────────────────────

    def set_caps(
        self,
        *,
        upload_bytes_per_second: float | None,
        download_bytes_per_second: float | None,
        transfers: bool,
    ) -> None:
        """Other caps from now on; without `transfers` downloads stand still until there are."""
        now = self._clock.monotonic()
        if upload_bytes_per_second != self._up.rate:
            self._up.set_rate(upload_bytes_per_second, now)
        if download_bytes_per_second != self._down.rate:
            self._down.set_rate(download_bytes_per_second, now)
            self._down_rest.set_rate(download_bytes_per_second, now)
        if transfers:
            self._transfers.set()
        else:
            self._transfers.clear()

    @property
    def download_cap(self) -> float | None:
        """What the owner allows now, in bytes a second; None is everything."""
        return self._down.rate

    def sending(self, size: int) -> float | None:
        """Count a datagram to be sent: seconds it has to wait, None if it is not to go."""
        now = self._clock.monotonic()
        wait = self._up.take(size, now)
        if wait > _hold_seconds(self._up):
            self._up.give_back(size)
            return None
        self._sent(size, now)
        return wait

    def received(self, size: int) -> float | None:
        """Count a datagram received: seconds it has to wait, None if it is to be lost."""
        now = self._clock.monotonic()
        self._received(size, now)
        wait = self._down.take(size, now)
        self._down_rest.take(size, now)
        if wait > _hold_seconds(self._down):
            # It came over the line all the same and is counted; but charged it would let a
            # flood keep everything else out. An honest sender takes the hint and slows: it
            # was measured 1 to 3 % above the cap with the large datagrams of one computer,
            # where a loss weighs most.
            self._down.give_back(size)
            self._down_rest.forgive(LONGEST_DEBT_SECONDS)
            return None
        return wait

    async def limit(self, size: int) -> None:
        """Count a piece of a download, and wait until the next may be fetched."""
        now = self._clock.monotonic()
        self._received(size, now)
        wait = self._down_rest.take(size, now)
        if wait > 0:
            await asyncio.sleep(wait)
        await self._transfers.wait()

    # ── what there was ───────────────────────────────────────────────────────

    @property
    def sent_month_bytes(self) -> int:
        """Sent since the month began."""
        return self._this_month().sent

    @property
    def received_month_bytes(self) -> int:
        """Received since the month began."""
        return self._this_month().received

    @property
    def month_bytes(self) -> int:
        """Both together."""
        count = self._this_month()
        return count.sent + count.received

    @property
    def upload_bytes_per_second(self) -> float:
        """Over the last seconds."""
        return self._sent_meter.mean(self._clock.monotonic(), seconds=SPEED_SECONDS) or 0.0

    @property
    def download_bytes_per_second(self) -> float:
        """Over the last seconds."""
        return self._received_meter.mean(self._clock.monotonic(), seconds=SPEED_SECONDS) or 0.0

    def save(self) -> None:
        """Keep the month's count, if there is anything new; a failure is logged."""
        count = self._this_month()
        if count == self._saved:
            return
        try:
            write_whole(self._path, msgspec.json.encode(count), durable=False)
            self._saved = count
        except OSError as error:
            logger.warning("the month's data count is not kept: %s", error.strerror)

    # ── inside ───────────────────────────────────────────────────────────────

    def _sent(self, size: int, now: float) -> None:
        self._sent_meter.add(size, now)
        count = self._count
        self._count = MonthCount(count.month, count.sent + size, count.received)

    def _received(self, size: int, now: float) -> None:
        self._received_meter.add(size, now)
        count = self._count
        self._count = MonthCount(count.month, count.sent, count.received + size)

    def _this_month(self) -> MonthCount:
        self._count = rolled(self._count, self._month())
        return self._count


def rolled(count: MonthCount, month: str) -> MonthCount:
    """The count as of a month: a new one begins at zero, a clock set back keeps the sum."""
    if month == count.month:
        return count
    if month > count.month:
        return MonthCount(month)
    return MonthCount(month, count.sent, count.received)


def _bucket() -> Bucket:
    return Bucket(store_seconds=STORE_SECONDS, least_store=LEAST_STORE_BYTES)


def _hold_seconds(bucket: Bucket) -> float:
    return max(HOLD_SECONDS, LEAST_HELD_BYTES / (bucket.rate or LEAST_HELD_BYTES))


def _load(path: Path, month: str) -> MonthCount:
    try:
        count = msgspec.json.decode(read_small(path, MAX_FILE_BYTES), type=MonthCount)
        return rolled(MonthCount(count.month, max(0, count.sent), max(0, count.received)), month)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s is damaged (%s); the month is counted from now on.", path, error)
    return MonthCount(month)
