"""Markdown as models write it, into blocks. Pure: text in, plain values out.

The subset that answers use: headings, paragraphs, fenced code, lists, quotes, tables,
rules; inside a line code, bold, italic, struck out and links. Everything else, HTML and
pictures included, stays the text it is: an answer comes from strangers' computers.
`app/ui/markdown_writer.py` draws the blocks; `app/ui/inline_markdown.py` reads the lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 6
"""Lists and quotes nested deeper are shown as text; nobody reads them."""
MAX_COLUMNS: Final = 24
MAX_CELLS: Final = 160
"""A larger table is shown as it was typed: Qt takes 0.3 ms for each cell, every time."""
MAX_ITEM_LINES: Final = 120
"""A list goes on as another one after so many lines, so that each is written quickly."""

_FENCE = re.compile(r"( {0,3})(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r"( {0,3})([-*+]|\d{1,9}[.)])(?:([ \t]+)(.*)|$)")
_QUOTE = re.compile(r" {0,3}> ?(.*)$")
_TABLE_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")


@dataclass(frozen=True)
class Paragraph:
    """A run of lines, joined."""

    text: str


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 6."""

    level: int
    text: str


@dataclass(frozen=True)
class Code:
    """Fenced code, without its fences; `closed` once the closing fence came."""

    language: str
    text: str
    closed: bool = True


@dataclass(frozen=True)
class Rule:
    """A line across."""


@dataclass(frozen=True)
class Quote:
    """Quoted blocks."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Items:
    """A list; `first` is the first number, None where the items are only dots."""

    first: int | None
    items: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table; `alignments` are "left", "center" or "right", one for each column."""

    alignments: tuple[str, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Paragraph | Heading | Code | Rule | Quote | Items | Table


@dataclass(frozen=True)
class Placed:
    """A block and the line of the text in which it begins, counted from 0."""

    line: int
    block: Block


def parse(text: str) -> list[Block]:
    """The blocks of a text, in order."""
    return [placed.block for placed in parse_placed(text.split("\n"))]


def parse_placed(lines: list[str], depth: int = 0) -> list[Placed]:
    """The blocks of some lines, each with where it begins."""
    return _Reader(lines, depth).read()


class _Reader:
    """Walks down the lines once; lists and quotes hand their insides to another one."""

    def __init__(self, lines: list[str], depth: int) -> None:
        self._lines = lines
        self._depth = depth
        self._at = 0
        self._placed: list[Placed] = []

    def read(self) -> list[Placed]:
        while self._at < len(self._lines):
            if not self._lines[self._at].strip():
                self._at += 1
                continue
            begin = self._at
            block = self._block(self._lines[begin])
            self._placed.append(Placed(begin, block))
        return self._placed

    def _block(self, line: str) -> Block:
        if match := _FENCE.match(line):
            return self._code(match)
        if match := _HEADING.match(line):
            self._at += 1
            return Heading(len(match[1]), (match[2] or "").strip())
        if _RULE.match(line):
            self._at += 1
            return Rule()
        if self._depth < MAX_DEPTH:
            if _QUOTE.match(line):
                return self._quote()
            if match := _ITEM.match(line):
                return self._items(match)
        if self._table_begins():
            return self._table()
        return self._paragraph()

    def _code(self, fence: re.Match[str]) -> Code:
        indent, mark, language = len(fence[1]), fence[2], fence[3].strip().split(" ")[0]
        body: list[str] = []
        self._at += 1
        closed = False
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            end = line.strip()
            if len(end) >= len(mark) and set(end) == {mark[0]}:
                closed = True
                break
            body.append(line[min(indent, len(line) - len(line.lstrip(" "))) :])
        return Code(language.lower()[:32], "\n".join(body), closed)

    def _quote(self) -> Quote:
        inside: list[str] = []
        while self._at < len(self._lines) and self._lines[self._at].strip():
            line = self._lines[self._at]
            match = _QUOTE.match(line)
            if match is None and self._interrupts(line):
                break
            inside.append(match[1] if match else line)
            self._at += 1
        return Quote(tuple(p.block for p in parse_placed(inside, self._depth + 1)))

    def _items(self, first: re.Match[str]) -> Items:
        ordered = first[2][-1] in ".)"
        sign = first[2][-1]
        items: list[tuple[Block, ...]] = []
        end = self._at + MAX_ITEM_LINES
        while self._at < min(end, len(self._lines)):
            match = _ITEM.match(self._lines[self._at])
            if match is None or match[2][-1] != sign or _RULE.match(self._lines[self._at]):
                break
            items.append(self._item(match))
        start = int(first[2][:-1]) if ordered else None
        return Items(start, tuple(items))

    def _item(self, match: re.Match[str]) -> tuple[Block, ...]:
        """One item: its first line, and what is indented under it."""
        space = match[3] or " "
        # More than four blanks after the mark begin indented code, which nobody means.
        width = len(match[1]) + len(match[2]) + (len(space) if len(space) <= 4 else 1)
        inside = [match[4] or ""]
        self._at += 1
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip():
                if not self._goes_on_after_blank(width):
                    break
                inside.append("")
            elif len(line) - len(line.lstrip(" ")) >= width:
                inside.append(line[width:])
            elif line.startswith((" ", "\t")) and len(line) - len(line.lstrip()) >= 2:
                # Models indent by less than the rules ask; they mean a nested item.
                inside.append(line.strip())
            elif self._interrupts(line):
                break
            elif inside[-1]:
                inside.append(line)
            else:
                break
            self._at += 1
        return tuple(p.block for p in parse_placed(inside, self._depth + 1))

    def _goes_on_after_blank(self, width: int) -> bool:
        for ahead in range(self._at + 1, len(self._lines)):
            line = self._lines[ahead]
            if line.strip():
                indent = len(line) - len(line.lstrip(" "))
                if indent >= min(width, 2):
                    return True
                # The next item of the same list: the blank lines belong to neither.
                if _ITEM.match(line) and not _RULE.match(line):
                    self._at = ahead
                return False
        return False

    def _table_begins(self) -> bool:
        if self._at + 1 >= len(self._lines) or "|" not in self._lines[self._at]:
            return False
        below = self._lines[self._at + 1]
        if "-" not in below or not _TABLE_RULE.match(below):
            return False
        return len(_cells(below)) == len(_cells(self._lines[self._at]))

    def _table(self) -> Table | Code:
        begin = self._at
        head = _cells(self._lines[self._at])[:MAX_COLUMNS]
        alignments = tuple(_alignment(c) for c in _cells(self._lines[self._at + 1])[:MAX_COLUMNS])
        self._at += 2
        rows = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or "|" not in line:
                break
            cells = _cells(line)[: len(head)]
            rows.append(tuple(cells + [""] * (len(head) - len(cells))))
            self._at += 1
        if (len(rows) + 1) * len(head) > MAX_CELLS:
            return Code("", "\n".join(self._lines[begin : self._at]))
        return Table(alignments, tuple(head), tuple(rows))

    def _paragraph(self) -> Paragraph:
        lines: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or (lines and (self._interrupts(line) or self._table_begins())):
                break
            hard = line.endswith("  ") or line.endswith("\\")
            lines.append(line.strip().removesuffix("\\") + ("\n" if hard else " "))
            self._at += 1
        return Paragraph("".join(lines).strip())

    def _interrupts(self, line: str) -> bool:
        """Whether a line begins something else in the middle of a paragraph."""
        if _FENCE.match(line) or _HEADING.match(line) or _RULE.match(line):
            return True
        if self._depth >= MAX_DEPTH:
            return False
        item = _ITEM.match(line)
        return bool(_QUOTE.match(line) or (item and item[4]))


def _cells(line: str) -> list[str]:
    """The cells of a row; a bar behind a backslash or inside code does not part them."""
    text = line.strip().removeprefix("|")
    if text.endswith("|") and not text.endswith("\\|"):
        text = text[:-1]
    cells, cell, code, escaped = [], "", False, False
    for sign in text:
        if escaped:
            cell += sign if sign == "|" else f"\\{sign}"
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == "|" and not code:
            cells.append(cell.strip())
            cell = ""
        else:
            code ^= sign == "`"
            cell += sign
    return [*cells, (cell + "\\" * escaped).strip()]


def _alignment(cell: str) -> str:
    if cell.endswith(":"):
        return "center" if cell.startswith(":") else "right"
    return "left"
