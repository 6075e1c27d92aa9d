"""How fast this computer was found to compute, and its line to bring layers: DATA/speed.json.

So that what to expect of a model (`app/node/model_offers.py`) is known before anything was loaded
since the start, and what a move to other layers costs. Three things are kept: how many bytes of
weights are computed in a second, how many bytes of layers come over the line in one
(`app/node/line_speed.py`), and how fast each model wrote that ran on this computer alone, in tokens
a second by the arithmetic of a chat's own line (`app/swarm/generate.py`): all tokens but the first,
by the time between the first and the last. Each is the middle of the last few measurements,
because one alone says as much about what else the computer did. A file that cannot be used means
that nothing is known; it is said in the log.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from math import floor, log10
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import msgspec

from app.ids import ModelId
from app.small_files import read_small

logger = logging.getLogger(__name__)

SPEED_FILE: Final = "speed.json"
MAX_FILE_BYTES: Final = 16 * 1024
SLOWEST: Final = 1e3
FASTEST: Final = 1e15
"""Bytes of weights in a second; what lies beyond was not measured on any computer."""
SLOWEST_TOKENS: Final = 1e-4
FASTEST_TOKENS: Final = 1e6
NEWS: Final = 0.05
"""A measurement is written down when it differs from what is kept by more than this part."""
MEASUREMENTS: Final = 5
MOST_MODELS: Final = 32

Bytes = Annotated[float, msgspec.Meta(ge=SLOWEST, le=FASTEST)]
Tokens = Annotated[float, msgspec.Meta(ge=SLOWEST_TOKENS, le=FASTEST_TOKENS)]


class _Kept(msgspec.Struct, frozen=True):
    """`wrote` is by a model's id in hex: the block bytes of it, and its tokens a second."""

    bytes_per_second: Bytes | None = None
    line_bytes_per_second: Bytes | None = None
    wrote: Annotated[dict[str, tuple[Bytes, Tokens]], msgspec.Meta(max_length=MOST_MODELS)] = {}


class MeasuredSpeed:
    """What this computer does in a second, as it was found lately."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SPEED_FILE
        self._saved = _load(self._path)
        self._bytes = deque([self._saved.bytes_per_second or 0.0], maxlen=MEASUREMENTS)
        self._wrote = {
            model: (block_bytes, deque([tokens], maxlen=MEASUREMENTS))
            for model, (block_bytes, tokens) in self._saved.wrote.items()
        }
        if self._saved.bytes_per_second is None:
            self._bytes.clear()
        line = self._saved.line_bytes_per_second
        self._line = deque([] if line is None else [line], maxlen=MEASUREMENTS)

    @property
    def bytes_per_second(self) -> float | None:
        """None while it was never measured."""
        return median(self._bytes) if self._bytes else None

    def note(self, bytes_per_second: float) -> None:
        """It was measured; what cannot be, and the same measurement again, are ignored."""
        if self._bytes and self._bytes[-1] == bytes_per_second:
            return
        if SLOWEST <= bytes_per_second <= FASTEST:
            self._bytes.append(bytes_per_second)

    @property
    def line_bytes_per_second(self) -> float | None:
        """How fast layers come here over the network; None while none ever came."""
        return median(self._line) if self._line else None

    def note_line(self, bytes_per_second: float) -> None:
        """Layers came this fast; what cannot be is ignored."""
        if SLOWEST <= bytes_per_second <= FASTEST:
            self._line.append(bytes_per_second)

    def note_wrote(self, model: ModelId, block_bytes: int, tokens_per_second: float) -> None:
        """A model wrote this fast on this computer alone."""
        if not SLOWEST_TOKENS <= tokens_per_second <= FASTEST_TOKENS or block_bytes < SLOWEST:
            return
        _, found = self._wrote.pop(model.hex(), (0.0, deque[float](maxlen=MEASUREMENTS)))
        found.append(tokens_per_second)
        self._wrote[model.hex()] = (float(block_bytes), found)
        while len(self._wrote) > MOST_MODELS:
            del self._wrote[next(iter(self._wrote))]

    def expected(self, model: ModelId, block_bytes: int, *, whole: bool) -> float | None:
        """Tokens a second to expect of these blocks, rounded as such a guess deserves.

        A model that wrote here is expected to do so again. Of others the bytes are known, and
        what a token costs beside them: the least that any model has shown. None while too
        little was measured.
        """
        if whole and (known := self._wrote.get(model.hex())) is not None:
            return rounded(median(known[1]))
        speed = self.bytes_per_second
        if speed is None or not block_bytes:
            return None
        beside = [1 / median(found) - size / speed for size, found in self._wrote.values()]
        seconds = block_bytes / speed + max(0.0, min(beside, default=0.0))
        return rounded(1 / seconds)

    @property
    def is_news(self) -> bool:
        """Whether what was measured differs from what is kept."""
        now, kept = self._kept(), self._saved
        if now.wrote.keys() != kept.wrote.keys():
            return True
        if _differ(now.bytes_per_second, kept.bytes_per_second):
            return True
        if _differ(now.line_bytes_per_second, kept.line_bytes_per_second):
            return True
        return any(_differ(now.wrote[m][1], kept.wrote[m][1]) for m in now.wrote)

    def save(self) -> None:
        """Keep it, if it is news; a failure is logged."""
        if not self.is_news:
            return
        kept = self._kept()
        draft = self._path.with_name(f"{self._path.name}.draft")
        try:
            draft.write_bytes(msgspec.json.encode(kept))
            os.replace(draft, self._path)
            self._saved = kept
        except OSError as error:
            logger.warning("the measured speed is not kept: %s", error.strerror or error)

    def _kept(self) -> _Kept:
        wrote = {model: (size, median(found)) for model, (size, found) in self._wrote.items()}
        return _Kept(self.bytes_per_second, self.line_bytes_per_second, wrote)


def rounded(tokens_per_second: float) -> float:
    """With one digit that counts, two where the first is a 1: 14, 30, 400."""
    exponent = floor(log10(tokens_per_second))
    digits = 1 if tokens_per_second / 10**exponent < 2 else 0
    return round(tokens_per_second, digits - exponent)


def _differ(now: float | None, kept: float | None) -> bool:
    return now is not None and (kept is None or abs(now - kept) > NEWS * kept)


def _load(path: Path) -> _Kept:
    try:
        return msgspec.json.decode(read_small(path, MAX_FILE_BYTES), type=_Kept)
    except FileNotFoundError:
        return _Kept()
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s is damaged (%s); the speed is measured again.", path, error)
        return _Kept()
