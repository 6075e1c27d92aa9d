"""What the window keeps in the data folder for the node: its process, and the node's output.

`window.pid` says which process the window is, for the node to know it by. The window
(`app/ui/main.py`) writes it while it is open; the node reads it
(`app/node/own_processes.py`), so that drawing an answer is not taken for another program's work.
After a crash it is old, which whoever reads it has to see for itself.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.small_files import read_small

WINDOW_FILE: Final = "window.pid"
OUTPUT_FILE: Final = "node-output.log"
"""What a node prints that the window has started; `app/logs.py` keeps it short."""
MOST_DIGITS: Final = 10


@dataclass(frozen=True)
class WindowProcess:
    """The process's number, and when it said so, in seconds since 1970."""

    pid: int
    written_at: float


def write_window_file(folder: Path) -> None:
    """This process is the window; a folder that cannot be written costs only the knowledge."""
    with contextlib.suppress(OSError):
        (folder / WINDOW_FILE).write_text(str(os.getpid()), encoding="ascii")


def remove_window_file(folder: Path) -> None:
    """The window closes."""
    with contextlib.suppress(OSError):
        (folder / WINDOW_FILE).unlink()


def read_window_file(folder: Path) -> WindowProcess | None:
    """What the file says; None when there is none, or nothing sound in it."""
    path = folder / WINDOW_FILE
    try:
        data = read_small(path, MOST_DIGITS)
        written_at = path.stat().st_mtime
    except (OSError, ValueError):
        return None
    if not data.isdigit() or int(data) < 2:
        return None
    return WindowProcess(int(data), written_at)
