"""A word in a terminal that vanishes again: why an answer stands still for a moment.

It stands in the line below the text and leaves the text and the cursor where they are. The
counterpart is `app/command_line/terminal.py`, which writes the answer.
"""

from __future__ import annotations

import os
import shutil
from typing import Final, TextIO

from app.sentences import Sentence

MAKE_ROOM: Final = "\x1bD\x1b[A"
"""Down, which scrolls at the bottom, and up again: there is a line below the cursor then."""
ASIDE: Final = "\x1b7\x1b[E"
"""Remember where the cursor is, and go to the beginning of the next line."""
BACK: Final = "\x1b[K\x1b8"
"""Clear what is left of the line, and go back."""
FAINT, PLAIN = "\x1b[2m", "\x1b[22m"


class PassingWord:
    """Shows one word at a time; nothing where the screen is no terminal. Use with `with`.

    On a terminal that cannot be steered each word is a line of its own, and stays.
    """

    def __init__(self, screen: TextIO) -> None:
        self._screen = screen
        self._shows = screen.isatty()
        self._steers = os.environ.get("TERM", "dumb") != "dumb"
        self._is_there = False

    def __enter__(self) -> PassingWord:
        return self

    def __exit__(self, *exc: object) -> None:
        """Take away what still stands there."""
        self.show(None)

    def show(self, what: Sentence | None) -> None:
        """This one from now on; None: none."""
        if not self._shows or (what is None and not self._is_there):
            return
        if self._steers:
            self._screen.write(self._aside(what))
        elif what is not None:
            self._screen.write(f"\n({what.words})\n")
        self._screen.flush()
        self._is_there = what is not None

    def _aside(self, what: Sentence | None) -> str:
        if what is None:
            return f"{ASIDE}{BACK}"
        columns = shutil.get_terminal_size().columns
        return f"{MAKE_ROOM}{ASIDE}{FAINT}{what.words[: columns - 1]}{PLAIN}{BACK}"
