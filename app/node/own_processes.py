"""Which processes are Potluck's, so that its own work is not taken for another program's.

The node itself aside: its workers, whoever they compute for and those being mounted
included, and the window. The counterpart is `app/policy/sensors.py`, which takes what these
use off what the whole processor does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from app.engine.child import running_workers
from app.window_file import read_window_file

CLOCK_SECONDS: Final = 2.0
"""A process's beginning and a file's time come from different clocks of one system."""


class OwnProcesses:
    """Lists them. Costs a look at one small file, so it may be asked often.

    Args:
        folder: the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pids(self) -> list[int]:
        """Their numbers, as of now."""
        window = self._window()
        return running_workers() + ([] if window is None else [window])

    def _window(self) -> int | None:
        """The window's number; None without one, or when the number is another program's now."""
        told = read_window_file(self._folder)
        if told is None:
            return None
        try:
            began_at = psutil.Process(told.pid).create_time()
        except (psutil.Error, OverflowError):
            return None
        return told.pid if began_at <= told.written_at + CLOCK_SECONDS else None
