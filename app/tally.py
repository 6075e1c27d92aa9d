"""How much this computer has served, today and ever: DATA/served.json, and how fast now."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from app.clock import Clock

logger = logging.getLogger(__name__)

SERVED_FILE: Final = "served.json"
MAX_FILE_BYTES: Final = 4096
SPEED_SECONDS: Final = 5.0
MAX_SAMPLES: Final = 512


class Served(msgspec.Struct, frozen=True):
    """Tokens that went through this computer's layers; `day` is written "2030-01-31"."""

    day: str = ""
    tokens_today: int = 0
    tokens_ever: int = 0

    def more(self, tokens: int, day: str) -> Served:
        """With so many more; a new day begins at zero."""
        today = self.tokens_today if day == self.day else 0
        return Served(day, today + tokens, self.tokens_ever + tokens)


class Tally:
    """Counts what is served, and keeps it."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._path = folder / SERVED_FILE
        self._clock = clock
        self._served = self._saved = _load(self._path)
        self._seen = 0
        self._samples: deque[tuple[float, int]] = deque(maxlen=MAX_SAMPLES)

    def note(self, positions: int) -> None:
        """So many positions were computed since the program started."""
        now = self._clock.monotonic()
        if positions != self._seen or not self._samples:
            self._served = self._served.more(positions - self._seen, self._day())
            self._seen = positions
        self._samples.append((now, positions))
        while len(self._samples) > 2 and self._samples[1][0] <= now - SPEED_SECONDS:
            self._samples.popleft()

    @property
    def served(self) -> Served:
        """The counts as of now."""
        return self._served.more(0, self._day())

    @property
    def tokens_per_second(self) -> float:
        """Over the last seconds."""
        if len(self._samples) < 2:
            return 0.0
        (began, before), (_, after) = self._samples[0], self._samples[-1]
        seconds = self._clock.monotonic() - began
        return (after - before) / seconds if seconds > 0 else 0.0

    def save(self) -> None:
        """Keep the counts, if there is anything new; a failure is logged."""
        if self._served == self._saved:
            return
        draft = self._path.with_name(f"{self._path.name}.draft")
        try:
            draft.write_bytes(msgspec.json.encode(self._served))
            os.replace(draft, self._path)
            self._saved = self._served
        except OSError as error:
            logger.warning("what was served is not kept: %s", error.strerror or error)

    def _day(self) -> str:
        return time.strftime("%Y-%m-%d", time.localtime(self._clock.wall()))


def _load(path: Path) -> Served:
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.read(MAX_FILE_BYTES), type=Served)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        logger.warning("%s is damaged (%s); counting begins again.", path, error)
    return Served()
