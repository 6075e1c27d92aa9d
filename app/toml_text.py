"""Changes values in the text of a TOML file and leaves the rest as a person wrote it.

Pure. Only what stands before the first table can be changed, and only values of the
kinds settings have. The standard library reads TOML and does not write it; the
counterpart is `app/settings.py`, which does both with the owner's file.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from typing import Final

LONGEST_STATEMENT_LINES: Final = 32
"""A list of programs is written over several lines; more than this is not looked for."""
MOST_TRIES: Final = 1000
"""Lines that may go on are tried with those after them, all in all so often: a second."""
_TABOO: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What TOML allows nowhere, not even in a comment."""


class UnwritableText(ValueError):
    """The text is laid out in a way that cannot be changed safely."""


def edited(text: str, values: Mapping[str, object]) -> str:
    """The text with these values; names it does not have yet are added.

    Args:
        text: a sound TOML document.
        values: switches, numbers, texts, or sequences of texts.

    Raises:
        UnwritableText: it cannot be done without touching something else.
    """
    # Not `splitlines`: it also breaks at characters that TOML takes for text.
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    top, rest = _split_at_first_table(lines)
    missing = dict(values)
    kept: list[str] = []
    index = 0
    while index < len(top):
        name, length = _statement(top, index)
        if name in missing:
            comment = _comment_after(top[index]) if length == 1 else ""
            kept.append(f"{name} = {value_text(missing.pop(name))}{comment}")
        else:
            kept.extend(top[index : index + length])
        index += length
    while kept and not kept[-1].strip() and missing:
        kept.pop()
    kept += [f"{name} = {value_text(value)}" for name, value in missing.items()]
    if rest and kept and kept[-1].strip():
        kept.append("")
    result = "\n".join([*kept, *rest]) + "\n"
    _check(text, result, values)
    return result


def value_text(value: object) -> str:
    """One value as TOML writes it.

    Raises:
        UnwritableText: it is of no kind that a setting has.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # JSON's escapes are TOML's too; JSON leaves only this control character alone.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case tuple() | list():
            return f"[{', '.join(value_text(item) for item in value)}]"
        case _:
            raise UnwritableText(f"{type(value).__name__} is no kind of setting")


def salvaged(text: str) -> str:
    """What is sound in a damaged document: every statement that stands for itself.

    What is not understood, and what says a name again, becomes a comment. Tables are left
    out with all that follows, because what follows would else stand in another place.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept: list[str] = []
    seen: set[str] = set()
    index = tries = 0
    while index < len(lines) and not lines[index].lstrip().startswith("["):
        longest = LONGEST_STATEMENT_LINES if tries < MOST_TRIES else 1
        names, length = _sound_statement(lines, index, longest)
        tries += (longest if names is None else length) - 1
        if names is None or names & seen:
            kept.append(f"# {_TABOO.sub('?', lines[index])}")
            length = 1
        else:
            kept.extend(lines[index : index + length])
            seen |= names
        index += length
    while kept and not kept[-1].strip():
        kept.pop()
    result = "\n".join([*kept, ""]) if kept else ""
    return "" if _parsed(result) is None else result


def _sound_statement(lines: list[str], start: int, longest: int) -> tuple[set[str] | None, int]:
    """The names that one statement sets, and how many lines it takes; None without a sound one."""
    for length in range(1, min(longest, len(lines) - start) + 1):
        # What could not be read was replaced by this mark, so the line says something else.
        if "\ufffd" in lines[start + length - 1]:
            break
        table = _parsed("\n".join(lines[start : start + length]))
        if table is not None:
            return set(table), length
    return None, 1


def _split_at_first_table(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines before the first `[table]`, and the rest.

    A line that looks like a table may stand inside a list or a long text; then what is
    before it is not sound on its own.
    """
    for index, line in enumerate(lines):
        if line.lstrip().startswith("[") and _parsed("\n".join(lines[:index])) is not None:
            return lines[:index], lines[index:]
    return lines, []


def _statement(lines: list[str], start: int) -> tuple[str, int]:
    """The name that a statement sets, empty for a comment, and how many lines it takes."""
    for length in range(1, len(lines) - start + 1):
        table = _parsed("\n".join(lines[start : start + length]))
        if table is not None:
            return next(iter(table), ""), length
    raise UnwritableText(f"line {start + 1} is not understood")


def _comment_after(line: str) -> str:
    """The comment at the end of a statement of one line, with the space before it."""
    whole = _parsed(line)
    for index, letter in enumerate(line):
        if letter == "#" and _parsed(line[:index]) == whole:
            bare = line[:index].rstrip()
            return line[len(bare) :]
    return ""


def _parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _check(before: str, after: str, values: Mapping[str, object]) -> None:
    """Nothing else may have changed: a person's file is not for experiments."""
    wanted = _parsed(before) or {}
    for name, value in values.items():
        wanted[name] = list(value) if isinstance(value, tuple) else value
    result = _parsed(after)
    if result is None or not _same(result, wanted):
        raise UnwritableText("its layout is unusual")


def _same(one: object, other: object) -> bool:
    """Whether two values are the same to TOML, where nan is itself and 1 is not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=True) if len(one) == len(other) else None
        return pairs is not None and all(_same(*pair) for pair in pairs)
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other
