"""How fast this computer was found to compute: DATA/speed.json.

So that what to expect of a model (`app/model_offers.py`) is known before anything was loaded
since the start. A file that cannot be used means that nothing is known; it is said in the log.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Final

import msgspec

from app.small_files import read_small

logger = logging.getLogger(__name__)

SPEED_FILE: Final = "speed.json"
MAX_FILE_BYTES: Final = 4096
SLOWEST: Final = 1e3
FASTEST: Final = 1e15
"""Bytes of weights in a second; what lies beyond was not measured on any computer."""
NEWS: Final = 0.05
"""A measurement is written down when it differs from what is kept by more than this part."""


class _Kept(msgspec.Struct, frozen=True):
    bytes_per_second: Annotated[float, msgspec.Meta(ge=SLOWEST, le=FASTEST)]


class MeasuredSpeed:
    """Bytes of weights this computer reads and computes in a second, as it was found last."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SPEED_FILE
        self._saved = self._bytes_per_second = _load(self._path)

    @property
    def bytes_per_second(self) -> float | None:
        """None while it was never measured."""
        return self._bytes_per_second

    def note(self, bytes_per_second: float) -> None:
        """It was measured; what cannot be is ignored."""
        if SLOWEST <= bytes_per_second <= FASTEST:
            self._bytes_per_second = bytes_per_second

    @property
    def is_news(self) -> bool:
        """Whether what was measured differs from what is kept."""
        now, kept = self._bytes_per_second, self._saved
        return now is not None and (kept is None or abs(now - kept) > NEWS * kept)

    def save(self) -> None:
        """Keep it, if it is news; a failure is logged."""
        speed = self._bytes_per_second
        if speed is None or not self.is_news:
            return
        draft = self._path.with_name(f"{self._path.name}.draft")
        try:
            draft.write_bytes(msgspec.json.encode(_Kept(speed)))
            os.replace(draft, self._path)
            self._saved = speed
        except OSError as error:
            logger.warning("the measured speed is not kept: %s", error.strerror or error)


def _load(path: Path) -> float | None:
    try:
        return msgspec.json.decode(read_small(path, MAX_FILE_BYTES), type=_Kept).bytes_per_second
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning("%s is damaged (%s); the speed is measured again.", path, error)
        return None
