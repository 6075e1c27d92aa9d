"""Files of the owner's that turn out to be damaged: nothing is thrown away.

`app/folder/tally.py`, `app/settings.py` and `app/chat/conversation_file.py` put such a file beside
where it was, under a name that says when, and begin a new one.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

MOST_OF_A_SECOND: Final = 100
"""More damaged files in one second than this are not expected; the last is replaced."""


def set_aside(path: Path, seconds: float, *, endings: tuple[str, ...] = ("",)) -> Path:
    """Give a file another name in its folder, one that is free; returns it.

    Args:
        seconds: the time now, since 1970.
        endings: what belongs together: each of these after the name, "" the file itself.

    Raises:
        OSError: the folder cannot be written; the file stays where it is.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(seconds))
    for number in range(MOST_OF_A_SECOND):
        more = f"-{number}" if number else ""
        aside = path.with_name(f"{path.stem}-damaged-{stamp}{more}{path.suffix}")
        if not aside.exists():
            break
    for ending in endings:
        try:
            os.replace(f"{path}{ending}", f"{aside}{ending}")
        except FileNotFoundError:
            continue
    return aside
