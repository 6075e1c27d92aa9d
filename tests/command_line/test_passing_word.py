"""A word that vanishes again, on a small terminal made for it: app/command_line/passing_word.py."""

from __future__ import annotations

import asyncio
import io
import re

import pytest

from app.command_line.passing_word import PassingWord, said_if_long
from app.sentences import say

ROWS, COLUMNS = 4, 30
PIECES = re.compile(r"\x1b\[?[0-9]*[A-Za-z78]|.|\n")
TAKES_OVER = say("another_takes_over")
LAYERS = say("waiting_for_layers", layers=say("layer_range", first=4, last=6))


class Terminal(io.StringIO):
    """Keeps what is seen: text, line feeds, and the few steering marks a word needs."""

    def __init__(self, *, tty: bool = True) -> None:
        super().__init__()
        self._tty = tty
        self.grid = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self.kept = (0, 0)

    def isatty(self) -> bool:
        return self._tty

    def write(self, text: str) -> int:
        for piece in PIECES.findall(text):
            self._take(piece)
        return len(text)

    def _take(self, piece: str) -> None:
        if piece == "\n":
            self._down()
            self.column = 0
        elif piece == "\x1bD":
            self._down()
        elif piece == "\x1b[A":
            self.row = max(0, self.row - 1)
        elif piece == "\x1b[E":
            self.row, self.column = min(ROWS - 1, self.row + 1), 0
        elif piece == "\x1b7":
            self.kept = (self.row, self.column)
        elif piece == "\x1b8":
            self.row, self.column = self.kept
        elif piece == "\x1b[K":
            self.grid[self.row][self.column :] = [" "] * (COLUMNS - self.column)
        elif not piece.startswith("\x1b"):
            self.grid[self.row][self.column] = piece
            self.column += 1

    def _down(self) -> None:
        if self.row == ROWS - 1:
            self.grid = [*self.grid[1:], [" "] * COLUMNS]
        else:
            self.row += 1

    @property
    def seen(self) -> list[str]:
        """The lines without what is empty at their ends."""
        return ["".join(line).rstrip() for line in self.grid]


@pytest.fixture(autouse=True)
def _steerable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(COLUMNS))


@pytest.mark.parametrize("lines_before", [0, 1, 3])
def test_a_word_stands_below_the_text_and_vanishes_without_a_trace(lines_before: int) -> None:
    terminal = Terminal()
    terminal.write("above\n" * lines_before + "A chain of")
    word = PassingWord(terminal)
    word.show(TAKES_OVER)
    text = terminal.seen.index("A chain of")
    assert terminal.seen[text + 1] == TAKES_OVER.words[: COLUMNS - 1].rstrip()
    word.show(LAYERS)
    assert terminal.seen[terminal.seen.index("A chain of") + 1].startswith("Waiting for somebody")
    word.show(None)
    terminal.write(" helpers")
    assert [line for line in terminal.seen if line] == [
        *["above"] * min(lines_before, ROWS - 2),
        "A chain of helpers",
    ]


def test_a_file_gets_no_words() -> None:
    file = Terminal(tty=False)
    PassingWord(file).show(TAKES_OVER)
    assert not any(file.seen)


def test_a_terminal_that_cannot_be_steered_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    word = PassingWord(terminal)
    word.show(TAKES_OVER)
    word.show(None)
    assert terminal.getvalue() == f"\n({TAKES_OVER.words})\n"


async def done_after(spoken: asyncio.Event) -> str:
    """Work that lasts until somebody has spoken."""
    await spoken.wait()
    return "done"


class Listener(io.StringIO):
    """A terminal that tells when something was written."""

    def __init__(self, *, tty: bool = True) -> None:
        super().__init__()
        self._tty = tty
        self.spoken = asyncio.Event()

    def isatty(self) -> bool:
        return self._tty

    def flush(self) -> None:
        self.spoken.set()


async def test_what_takes_long_is_said_and_done() -> None:
    screen = Listener()
    work = done_after(screen.spoken)
    assert await said_if_long("asking", work, screen=screen, long_seconds=0) == "done"
    assert screen.getvalue() == "(asking ...)\n"


@pytest.mark.parametrize("tty", [True, False])
async def test_what_takes_no_time_is_not_said(*, tty: bool) -> None:
    screen = Listener(tty=tty)
    screen.spoken.set()
    work = done_after(screen.spoken)
    assert await said_if_long("asking", work, screen=screen, long_seconds=0) == "done"
    await asyncio.sleep(0)
    assert screen.getvalue() == ""


async def test_what_fails_is_not_said_later() -> None:
    async def fails() -> str:
        raise ValueError("no")

    screen = Listener()
    with pytest.raises(ValueError, match="no"):
        await said_if_long("asking", fails(), screen=screen, long_seconds=0)
    await asyncio.sleep(0)
    assert screen.getvalue() == ""
