"""How much this computer has computed for others, today and ever: DATA/served.json.

Beside the tokens it keeps what was given to others and taken from them, and how fast it goes
now. What its owner's own chats cost is in none of these; of them it keeps how often a helper
was replaced in the middle of an answer.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Final

import msgspec

from app.clock import Clock
from app.keeping import set_aside
from app.sentences import Sentence, say
from app.small_files import read_small, write_whole

logger = logging.getLogger(__name__)

SERVED_FILE: Final = "served.json"
MAX_FILE_BYTES: Final = 4096
SPEED_SECONDS: Final = 5.0
MAX_SAMPLES: Final = 512


Count = Annotated[int, msgspec.Meta(ge=0)]


class Served(msgspec.Struct, frozen=True):
    """What was counted; `day`, written "2030-01-31", is the one that "today" means.

    Tokens of others went through this computer's layers. What was given and taken is counted in
    layer-tokens, as `app/swarm/credits.py` says; repairs, by helpers that were replaced in the
    owner's own answers. Older files know of tokens alone.
    """

    day: str = ""
    tokens_today: Count = 0
    tokens_ever: Count = 0
    given_today: Count = 0
    given_ever: Count = 0
    taken_today: Count = 0
    taken_ever: Count = 0
    repairs_today: Count = 0
    repairs_ever: Count = 0

    def more(
        self, day: str, *, tokens: int = 0, given: int = 0, taken: int = 0, repairs: int = 0
    ) -> Served:
        """With so many more; a new day begins at zero."""
        same = day == self.day
        return Served(
            day=day,
            tokens_today=self.tokens_today * same + tokens,
            tokens_ever=self.tokens_ever + tokens,
            given_today=self.given_today * same + given,
            given_ever=self.given_ever + given,
            taken_today=self.taken_today * same + taken,
            taken_ever=self.taken_ever + taken,
            repairs_today=self.repairs_today * same + repairs,
            repairs_ever=self.repairs_ever + repairs,
        )


def served_so_far(folder: Path, *, clock: Clock) -> Served | None:
    """What a node of this data folder kept last, at most a minute ago while it runs; None if
    that cannot be read. It changes nothing, whatever it finds."""
    try:
        served = _read(folder / SERVED_FILE)
    except (OSError, ValueError, RecursionError):
        return None
    return served.more(_day(clock))


class Tally:
    """Counts what is served, and keeps it.

    Attributes:
        remarks: sentences for the person about a file that was damaged.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._path = folder / SERVED_FILE
        self._clock = clock
        self.remarks: list[Sentence] = []
        self._may_save = True
        self._served = self._saved = self._load()
        self._seen = (0, 0, 0, 0)
        self._samples: deque[tuple[float, int]] = deque(maxlen=MAX_SAMPLES)

    def note(self, positions: int, *, given: int, taken: int, repairs: int = 0) -> None:
        """So much was counted since the program started."""
        now = self._clock.monotonic()
        counts = (positions, given, taken, repairs)
        if counts != self._seen or not self._samples:
            more = [count - seen for count, seen in zip(counts, self._seen, strict=True)]
            self._served = self._served.more(
                _day(self._clock), tokens=more[0], given=more[1], taken=more[2], repairs=more[3]
            )
            self._seen = counts
        self._samples.append((now, positions))
        while len(self._samples) > 2 and self._samples[1][0] <= now - SPEED_SECONDS:
            self._samples.popleft()

    @property
    def served(self) -> Served:
        """The counts as of now."""
        return self._served.more(_day(self._clock))

    @property
    def tokens_per_second(self) -> float:
        """Over the last seconds."""
        if len(self._samples) < 2:
            return 0.0
        (began, before), (_, after) = self._samples[0], self._samples[-1]
        seconds = self._clock.monotonic() - began
        return (after - before) / seconds if seconds > 0 else 0.0

    def save(self) -> None:
        """Keep the counts, if there is anything new; a failure is logged.

        A file that could be neither read nor put aside is not written over.
        """
        if self._served == self._saved or not self._may_save:
            return
        try:
            write_whole(self._path, msgspec.json.encode(self._served))
            self._saved = self._served
        except OSError as error:
            logger.warning("what was served is not kept: %s", error.strerror or error)

    def _load(self) -> Served:
        """What was kept; a file that says something else is kept aside as it is."""
        try:
            return _read(self._path)
        except OSError as error:
            told = say("served_unread", file=SERVED_FILE, reason=error.strerror or str(error))
            self._may_save = False
        except (ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            try:
                aside = set_aside(self._path, self._clock.wall())
            except OSError:
                told = say("served_unread", file=SERVED_FILE, reason=reason)
                self._may_save = False
            else:
                told = say("served_damaged", reason=reason, aside=aside.name)
        self.remarks.append(told)
        logger.warning("%s", told)
        return Served()


def _read(path: Path) -> Served:
    """The counts in a file; none where there is no file yet."""
    try:
        return msgspec.json.decode(read_small(path, MAX_FILE_BYTES), type=Served)
    except FileNotFoundError:
        return Served()


def _day(clock: Clock) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(clock.wall()))
