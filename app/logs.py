"""The log's last lines in memory, and how they are shown to others: without names.

What an owner sends to somebody for help must not tell where they live or who they
are: addresses, computers' ids, user and host names and secrets are replaced. `redact`
is pure; the handler is installed by the node.
"""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
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
    ("[secret]", re.compile(r"(?i)\bbearer\s+[\w.~+/=-]+")),
    ("[mail]", re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")),
)
_MAYBE_ADDRESS: Final = re.compile(
    r"(?<![\w:.])(\[)?([0-9a-fA-F]{0,4}(?:[:.][0-9a-fA-F]{0,5})+)(?:%\w+)?(?(1)\](?::\d+)?)(?!\w)"
)
"""What looks like an address, with or without a port; times of day do too, and stay."""


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
    """The text without addresses, ids, secrets and `words`; and how many were removed."""
    removed = 0
    # The longest first, so that a user's name inside the home folder does not break it up.
    for word in sorted(words, key=len, reverse=True):
        text, count = re.subn(rf"(?<!\w){re.escape(word)}(?!\w)", "[name]", text)
        removed += count
    for replacement, pattern in _PATTERNS:
        text, count = pattern.subn(replacement, text)
        removed += count

    def replaced(match: re.Match[str]) -> str:
        nonlocal removed
        shown = match[2].rstrip(".")
        if not (_is_address(shown) or _is_address(shown.rpartition(":")[0])):
            return match[0]
        removed += 1
        return "[address]" + "." * (len(match[2]) - len(shown))

    return _MAYBE_ADDRESS.sub(replaced, text), removed


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
