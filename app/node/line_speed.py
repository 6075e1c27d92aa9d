"""How fast layers come to this computer: what its line was found to bring, or less where the
owner's cap leaves less.

What is measured, `app/folder/fetching.py` tells; it is kept in `app/folder/measured_speed.py`.
By it `app/swarm/placement.py` decides whether a move is worth its download.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.folder.measured_speed import MeasuredSpeed
from app.swarm.placement import LINE_BYTES_PER_SECOND

CAPPED: Final = 0.8
"""What came faster than this part of the owner's cap says more about the cap than the line."""


class LineSpeed:
    """This computer's line, for downloads.

    Args:
        cap: what the owner allows now, in bytes a second; None is everything.
    """

    def __init__(self, speed: MeasuredSpeed, cap: Callable[[], float | None]) -> None:
        self._speed = speed
        self._cap = cap

    def note(self, bytes_per_second: float) -> None:
        """Layers came this fast."""
        cap = self._cap()
        if cap is None or bytes_per_second < CAPPED * cap:
            self._speed.note_line(bytes_per_second)

    @property
    def bytes_per_second(self) -> float:
        """What to expect of the next download; a guess until one was measured."""
        measured = self._speed.line_bytes_per_second or LINE_BYTES_PER_SECOND
        cap = self._cap()
        return measured if cap is None else min(measured, cap)
