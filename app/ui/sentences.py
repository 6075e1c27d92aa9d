"""What the node says, in the person's language: made anew from codes and values.

The counterpart is `app/sentences.py`: the templates of `app/wordings.py` are translated
like every other text of the window, and their open places are filled with numbers, sizes
and times as the person's country writes them. What has no code, a code that this window
does not know, or values that do not fit, is shown in the node's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.api.shapes import ErrorBody, Snapshot
from app.ids import Span
from app.layer_words import layers_of
from app.sentences import Filler, Said
from app.ui import words
from app.ui.translations import speaks_english, tr
from app.wordings import WORDINGS

DEEPEST: Final = 6
"""Pieces within pieces; what the node says has two."""


def told(english: str, said: Said | None) -> str:
    """A sentence of the node: in English as it said it, else translated."""
    if said is None or speaks_english():
        return english
    try:
        return _translated(said, DEEPEST)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, OSError):
        return english


def told_all(english: Sequence[str], said: Sequence[Said]) -> list[str]:
    """Several sentences; where the codes are not as many, all in the node's words."""
    if len(said) != len(english):
        return list(english)
    return [told(words, one) for words, one in zip(english, said, strict=True)]


def error_words(error: ErrorBody) -> str:
    """What went wrong, as it is shown."""
    return told(error.words, error.said)


def headline(snapshot: Snapshot) -> str:
    """The first line of the tray menu and of the overview."""
    return told(snapshot.headline, snapshot.headline_said)


def layers(start: int, stop: int, units: int) -> str:
    """Which layers of a model that has so many units; what lies outside is left out."""
    start, stop = max(0, start), min(stop, units)
    if start >= stop:
        return tr("no layers")
    which = layers_of(Span(start, stop), units - 1)
    return told(which.words, which.said)


def _translated(said: Said, depth: int) -> str:
    if not depth:
        raise ValueError("pieces within pieces without end")
    values = {
        name: _translated(value, depth - 1) if isinstance(value, Said) else value
        for name, value in said.values.items()
    }
    return _IN_WINDOW.fill(tr(WORDINGS[said.code]), values)


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else words.number(value)


def _own(value: str | list[str]) -> str:
    return tr(value) if isinstance(value, str) else ", ".join(tr(text) for text in value)


_IN_WINDOW: Final = Filler(
    {
        "": _plain,
        "size": words.size,
        "count": words.number,
        "number": words.number,
        "time": words.moment,
        "own": _own,
    }
)
