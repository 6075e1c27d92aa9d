"""The log's last lines in memory, and how they are shown to others: without names.

What an owner sends to somebody for help must not tell where they live or who they
are: addresses, computers' ids, user and host names and secrets are replaced. `redact`
is pure; the handler is installed by the node.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import platform
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MAX_LINES: Final = 2000
"""About an hour of a busy node; at 500 characters a line, 1 MB."""
MAX_LINE_CHARACTERS: Final = 500

_PATTERNS: Final = (
    ("[id]", re.compile(r"\b[a-z2-7]{52}\b")),
    ("[secret]", re.compile(r"\b[0-9a-f]{32,128}\b")),
    ("[secret]", re.compile(r"(?i)\bbearer\s+\S+")),
    ("[address]", re.compile(r"\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%\w+)?\](?::\d+)?")),
    ("[address]", re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])")),
    ("[address]", re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}:?[0-9a-fA-F:]*(?![\w:])")),
    ("[address]", re.compile(r"(?<![\w:])::(?:[0-9a-fA-F]{1,4}:?){1,7}")),
    ("[mail]", re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")),
)
_CLOCK: Final = re.compile(r"\d{2}:\d{2}:\d{2}")


class RecentLines(logging.Handler):
    """Keeps the last lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line, or the first lines of a traceback."""
        try:
            self._lines.append(self.format(record)[: 8 * MAX_LINE_CHARACTERS])
        except (TypeError, ValueError):
            self.handleError(record)

    def text(self) -> str:
        """Everything that is kept, a line each."""
        return "\n".join(self._lines)


def private_words() -> tuple[str, ...]:
    """What names this computer's owner: the home folder, the user, the host."""
    words = [str(Path.home()), platform.node()]
    with contextlib.suppress(OSError, KeyError, ImportError):  # some systems have no user names
        words.append(getpass.getuser())
    return tuple(dict.fromkeys(word for word in words if len(word) > 2))


def redact(text: str, words: Sequence[str]) -> tuple[str, int]:
    """The text without addresses, ids, secrets and `words`; and how many were removed.

    Times of day stay: they look like parts of addresses and say nothing about anybody.
    """
    removed = 0
    # The longest first, so that a user's name inside the home folder does not break it up.
    for word in sorted(words, key=len, reverse=True):
        text, count = re.subn(rf"(?<!\w){re.escape(word)}(?!\w)", "[name]", text)
        removed += count
    for replacement, pattern in _PATTERNS:

        def replace(match: re.Match[str], replacement: str = replacement) -> str:
            nonlocal removed
            if _CLOCK.fullmatch(match[0]):
                return match[0]
            removed += 1
            return replacement

        text = pattern.sub(replace, text)
    return text, removed
