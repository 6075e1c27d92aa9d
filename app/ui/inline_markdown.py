"""One line of markdown into pieces of text, each in one style. Pure, and linear in its length.

`app/ui/markdown.py` reads the blocks; `app/ui/markdown_writer.py` draws the pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

MAX_LINK_CHARACTERS: Final = 2000
MAX_PARTS: Final = 400
"""Styles and links in one paragraph; what comes after so many is shown as it was typed."""
SAFE_SCHEMES: Final = ("http", "https", "mailto")

_TOKEN = re.compile(
    r"(?P<escape>\\[!-/:-@\[-`{-~])"
    r"|(?P<code>`+)"
    r"|(?P<mark>\*{1,3}|_{1,3}|~~)"
    r"|(?P<link>!?\[[^\[\]\n]{0,1000}\]\([^()\s]{1,2000}(?:[ \t]+\"[^\"\n]{0,200}\")?\))"
    r"|(?P<address>https?://[^\s<>\"'`\[\]{}|\\^]{3,2000})"
)
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\(([^()\s]+)")


@dataclass(frozen=True)
class Piece:
    """Text in one style; `link` is where it leads, "" for nowhere."""

    text: str
    bold: bool = False
    italic: bool = False
    struck: bool = False
    code: bool = False
    link: str = ""


@dataclass
class _Mark:
    """A run of stars, underscores or waves: open, close, or only text."""

    sign: str
    can_open: bool
    can_close: bool
    opens: bool = False
    closes: bool = False


def pieces(text: str) -> list[Piece]:
    """The pieces of a line, in order; together they hold all its text without the marks."""
    parts = _split(text)
    _pair([part for part in parts if isinstance(part, _Mark)])
    found: list[Piece] = []
    style = Piece("")
    for part in parts:
        if isinstance(part, Piece):
            found.append(replace(part, bold=style.bold, italic=style.italic, struck=style.struck))
        elif part.opens or part.closes:
            style = _styled(style, part.sign, on=part.opens)
        else:
            found.append(replace(style, text=part.sign))
    return _joined(found)


def plain(text: str) -> str:
    """The line without its marks."""
    return "".join(piece.text for piece in pieces(text))


def safe_link(target: str) -> str:
    """The address, if it is one that may be opened from an answer; else ""."""
    try:
        scheme = urlsplit(target).scheme.lower()
    except ValueError:
        return ""
    return target if scheme in SAFE_SCHEMES and len(target) <= MAX_LINK_CHARACTERS else ""


def _split(text: str) -> list[Piece | _Mark]:
    runs = _code_runs(text)
    parts: list[Piece | _Mark] = []
    at = 0
    while len(parts) < MAX_PARTS and (match := _TOKEN.search(text, at)):
        if match.start() > at:
            parts.append(Piece(text[at : match.start()]))
        at = match.end()
        kind, token = match.lastgroup, match[0]
        if kind == "escape":
            parts.append(Piece(token[1]))
        elif kind == "code":
            end = next_run(runs, len(token), at)
            if end is None:
                parts.append(Piece(token))
            else:
                inside = text[at:end]
                trimmed = inside[1:-1] if inside.strip() and _padded(inside) else inside
                parts.append(Piece(trimmed, code=True))
                at = end + len(token)
        elif kind == "link":
            parts.append(_link(token))
        elif kind == "address":
            address = token.rstrip(".,;:!?)*_~")
            parts.append(Piece(address, link=safe_link(address)))
            at = match.start() + len(address)
        else:
            parts.append(_mark(text, match))
    if at < len(text):
        parts.append(Piece(text[at:]))
    return parts


def _code_runs(text: str) -> dict[int, list[int]]:
    """Where the runs of backticks stand, by length, the last one first."""
    runs: dict[int, list[int]] = {}
    for match in re.finditer(r"`+", text):
        runs.setdefault(len(match[0]), []).append(match.start())
    return {length: places[::-1] for length, places in runs.items()}


def next_run(runs: dict[int, list[int]], length: int, after: int) -> int | None:
    """The next run of this length; earlier ones are dropped, as the reader never goes back."""
    places = runs.get(length, [])
    while places and places[-1] < after:
        places.pop()
    return places[-1] if places else None


def _padded(inside: str) -> bool:
    return len(inside) > 1 and inside[0] == " " == inside[-1]


def _link(token: str) -> Piece:
    match = _LINK.match(token)
    if match is None:
        return Piece(token)
    words, target = plain_words(match[1]), match[2].strip("<>")
    if token.startswith("!"):
        # A picture would be fetched from wherever a stranger says: its words must do.
        return Piece(words or target)
    return Piece(words or target, link=safe_link(target))


def plain_words(text: str) -> str:
    """A link's words without stars and ticks."""
    return re.sub(r"[*`]", "", text)


def _mark(text: str, match: re.Match[str]) -> _Mark:
    before = text[match.start() - 1] if match.start() else " "
    after = text[match.end()] if match.end() < len(text) else " "
    can_open, can_close = not after.isspace(), not before.isspace()
    if match[0][0] == "_":
        can_open = can_open and not before.isalnum()
        can_close = can_close and not after.isalnum()
    return _Mark(match[0], can_open, can_close)


def _pair(marks: list[_Mark]) -> None:
    """Decide which marks belong together; whatever finds no partner stays text.

    One stack for each sign; a pair drops what was opened inside it, so that styles nest.
    """
    stack: list[_Mark] = []
    depth: dict[str, int] = {}
    for mark in marks:
        if mark.can_close and depth.get(mark.sign):
            while stack:
                opener = stack.pop()
                depth[opener.sign] -= 1
                if opener.sign == mark.sign:
                    opener.opens = mark.closes = True
                    break
            continue
        if mark.can_open:
            stack.append(mark)
            depth[mark.sign] = depth.get(mark.sign, 0) + 1


def _styled(style: Piece, sign: str, *, on: bool) -> Piece:
    if sign == "~~":
        return replace(style, struck=on)
    if len(sign) == 3:
        return replace(style, bold=on, italic=on)
    return replace(style, bold=on) if len(sign) == 2 else replace(style, italic=on)


def _joined(found: list[Piece]) -> list[Piece]:
    """Neighbours of one style become one piece; empty ones go."""
    joined: list[Piece] = []
    for piece in found:
        if not piece.text:
            continue
        if joined and replace(joined[-1], text="") == replace(piece, text=""):
            joined[-1] = replace(piece, text=joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return joined
