"""A word in a terminal that vanishes again: why an answer stands still for a moment.

It stands in the line below the text and leaves the text and the cursor where they are. The
counterpart is `app/command_line/terminal.py`, which writes the answer.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable
from typing import Final, TextIO, TypeVar

from app.sentences import Sentence

LONG_SECONDS: Final = 1.5
"""A person who sees nothing for longer thinks that nothing happens."""

T = TypeVar("T")

MAKE_ROOM: Final = "\x1bD\x1b[A"
"""Down, which scrolls at the bottom, and up again: there is a line below the cursor then."""
ASIDE: Final = "\x1b7\x1b[E"
"""Remember where the cursor is, and go to the beginning of the next line."""
BACK: Final = "\x1b[K\x1b8"
"""Clear what is left of the line, and go back."""
FAINT, PLAIN = "\x1b[2m", "\x1b[22m"


async def said_if_long(
    words: str,
    work: Awaitable[T],
    *,
    screen: TextIO | None = None,
    long_seconds: float = LONG_SECONDS,
) -> T:
    """Do `work`; while it takes long, a person at a terminal is told what is done.

    Args:
        screen: where it is told; None is where errors go.
    """
    shown = sys.stderr if screen is None else screen
    if not shown.isatty():
        return await work
    timer = asyncio.get_running_loop().call_later(
        long_seconds, lambda: print(f"({words} ...)", file=shown, flush=True)
    )
    try:
        return await work
    finally:
        timer.cancel()


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
