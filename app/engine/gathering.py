"""Whether a decode should wait a moment for others who are about to come.

Pure. A decode reads all weights once, however few rows it has, and somebody whose token has
just gone out sends the next step after about as long as the last time. When a decode ends, half
of those who write stand in line and the others come moments later: without waiting, the two
halves take turns for ever, each in decodes half as full as they could be, and along a chain
it is the same on every computer. Waiting once joins them, and joined they stay. The counterpart
that asks is `app/engine/queueing.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

PAUSE_SECONDS: Final = 5.0
"""Who stays away for longer is not in the middle of an answer."""
MOST_OF_A_READING: Final = 0.5
"""Nobody waits for others longer than this share of what reading the weights takes."""
TIMES_KEPT: Final = 6
"""How often somebody was away so long that it is still thought of."""
OLD_DECODES: Final = 0.95
"""How much a decode counts that is one older."""
DOUBTFUL_ROWS: Final = 1.0
"""The rows of decodes have to vary so much (as a variance, over all that count) until what was
measured of them says more than what is taken for granted: that half a decode is the reading."""


@dataclass
class _Writer:
    """When a sequence's last token went out, and after how long the last few steps came."""

    left_at: float
    away: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES_KEPT))

    @property
    def expected(self) -> float | None:
        """When it will surely be here, on the clock of `left_at`; None while nothing tells.

        The longest time but one, for one of them may have been somebody's pause, and half of how
        far they vary: who comes right after a decode has begun waits for all of it.
        """
        if not self.away:
            return None
        times = sorted(self.away)
        usual = times[max(0, len(times) - 2)]
        return self.left_at + usual + (usual - times[0]) / 2


@dataclass
class Decodes:
    """What decodes of short steps take: a reading of the weights, and each row's own share.

    A straight line through the last few dozen, found by least squares.
    """

    count: float = 0.0
    rows: float = 0.0
    seconds: float = 0.0
    rows_rows: float = 0.0
    rows_seconds: float = 0.0

    def measured(self, rows: int, seconds: float) -> None:
        """Take in one."""
        self.count = OLD_DECODES * self.count + 1
        self.rows = OLD_DECODES * self.rows + rows
        self.seconds = OLD_DECODES * self.seconds + seconds
        self.rows_rows = OLD_DECODES * self.rows_rows + rows * rows
        self.rows_seconds = OLD_DECODES * self.rows_seconds + rows * seconds

    @property
    def reading_seconds(self) -> float:
        """What a decode takes however few rows it has; 0.0 before the first."""
        if not self.count:
            return 0.0
        rows, seconds = self.rows / self.count, self.seconds / self.count
        spread = self.rows_rows - self.count * rows * rows
        slope = self.rows_seconds - self.count * rows * seconds
        presumed = seconds / rows / 2
        slope = (slope + DOUBTFUL_ROWS * presumed) / (spread + DOUBTFUL_ROWS)
        return min(max(seconds - rows * slope, 0.0), seconds)


@dataclass
class Gathering:
    """Who writes here, and when each will be back. Bounded by the sequences there are."""

    decodes: Decodes = field(default_factory=Decodes)
    _writers: dict[int, _Writer] = field(default_factory=dict)
    _since: float | None = None

    def came(self, sequence: int, now: float) -> None:
        """A short step of a sequence is here."""
        writer = self._writers.get(sequence)
        if writer is None:
            return
        if now - writer.left_at > PAUSE_SECONDS:
            del self._writers[sequence]
        else:
            writer.away.append(now - writer.left_at)

    def left(self, sequence: int, now: float) -> None:
        """The result of a short step goes out."""
        writer = self._writers.setdefault(sequence, _Writer(now))
        writer.left_at = now

    def forget(self, sequence: int) -> None:
        """It does not write any more."""
        self._writers.pop(sequence, None)

    def began(self) -> None:
        """A decode begins: whoever waits from now on waits anew."""
        self._since = None

    def hold_seconds(self, here: Collection[int], now: float) -> float:
        """How long the sequences that are here should wait for others; 0.0 is not at all.

        Those who come save a reading of the weights, which the others would have to wait for
        as well; that has to be worth more than what all of them wait.
        """
        if not here:
            return 0.0
        reading = self.decodes.reading_seconds
        since = self._since = now if self._since is None else self._since
        latest = since + MOST_OF_A_READING * reading
        hold = 0.0
        for others, expected in enumerate(self._expected(here, now), start=1):
            wait = expected - now
            if expected <= latest and wait * (len(here) + others) < reading * others:
                hold = wait
        return hold

    def _expected(self, here: Collection[int], now: float) -> list[float]:
        """When others will be here, the next one first; who is overdue is not waited for."""
        self._writers = {
            sequence: writer
            for sequence, writer in self._writers.items()
            if now - writer.left_at <= PAUSE_SECONDS
        }
        times = [w.expected for sequence, w in self._writers.items() if sequence not in here]
        return sorted(each for each in times if each is not None and each > now)
