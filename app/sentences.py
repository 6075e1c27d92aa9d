"""Sentences that a program can tell apart and a window can say in another language.

What the node tells people is a `Sentence`: the English words, and beside them a code
with typed values, from which another language is made. The templates stand in
`app/wordings.py`; the counterpart that translates is `app/ui/sentences.py`.

    say("always_runs", program="systemd").words
        "systemd always runs, so sharing would never start."

A template's open places may say how a value is shown:

    {name}              as it is
    {needed:size}       bytes, as "4.1 GB"
    {tokens:count}      a whole number, as "4,096"
    {minutes:number}    a number without needless zeros
    {until:time}        a moment, given as `At`
    {label:own}         words of Potluck's own, translated by themselves: a setting's label
    {labels:own}        ... or several
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from app.wordings import WORDINGS


class Said(msgspec.Struct, frozen=True):
    """A sentence without its language; `code` "" is one that has only its English words.

    A value may be a piece of a sentence, itself `Said`; a moment is seconds since 1970.
    """

    code: str = ""
    values: dict[str, str | int | float | list[str] | Said] = {}


@dataclass(frozen=True)
class Sentence:
    """English words, and what they were made from."""

    words: str
    said: Said = field(default_factory=Said)

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class At:
    """A moment: seconds since 1970, and how it is said in English where the owner lives."""

    seconds: float
    words: str


Given = str | int | float | list[str] | At | Sentence
"""What an open place of a template may be filled with."""


def say(code: str, /, **values: Given) -> Sentence:
    """The sentence of `app/wordings.py` with this code, its open places filled.

    Raises:
        KeyError: there is no such code, or an open place was given nothing.
    """
    words = IN_ENGLISH.fill(WORDINGS[code], values)
    return Sentence(words, Said(code, {name: _plain(value) for name, value in values.items()}))


def unworded(words: str) -> Sentence:
    """A sentence that has no code: somebody else's words, shown as they are."""
    return Sentence(words)


def said_of(error: BaseException) -> Said | None:
    """What an error that was raised with a `Sentence` says in any language, else None."""
    first = error.args[0] if error.args else None
    return first.said if isinstance(first, Sentence) else None


def sentence_of(error: BaseException) -> Sentence:
    """An error's text as a sentence, to be a piece of another one."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, Sentence) else unworded(str(error))


class Filler(string.Formatter):
    """Fills templates; one for each way to show numbers, sizes and times.

    Args:
        shown: how a value is shown for each kind of open place ("" without one).
    """

    def __init__(self, shown: Mapping[str, Callable[[Any], str]]) -> None:
        self._shown = shown

    def fill(self, template: str, values: Mapping[str, object]) -> str:
        """The template with its open places filled.

        Raises:
            KeyError: an open place was given nothing, or is of an unknown kind.
        """
        return self.vformat(template, (), values)

    def format_field(self, value: Any, format_spec: str) -> str:
        """One value as its open place wants it."""
        return self._shown[format_spec](value)


def size_words(count_bytes: float) -> str:
    """A size as English shows it: `4.1 GB`, or `12 MB` when that says more."""
    if count_bytes < 100_000_000:
        return f"{max(1, round(count_bytes / 1e6))} MB" if count_bytes > 0 else "0 MB"
    return f"{count_bytes / 1e9:.1f} GB"


def _own(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _time(value: At) -> str:
    return value.words


IN_ENGLISH: Final = Filler(
    {
        "": str,
        "size": size_words,
        "count": "{:,}".format,
        "number": "{:g}".format,
        "time": _time,
        "own": _own,
    }
)


def _plain(value: Given) -> str | int | float | list[str] | Said:
    """A value as it travels. A piece without a code travels as its words."""
    if isinstance(value, At):
        return value.seconds
    if isinstance(value, Sentence):
        return value.said if value.said.code else value.words
    return value
