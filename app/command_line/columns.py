"""Rows of words under each other, for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import Final

WIDTH: Final = 80


def columns(
    rows: Sequence[Sequence[str]], *, indent: str = "", right: Collection[int] = ()
) -> Iterator[str]:
    """Lines in which every column begins at the same place; the last one is wrapped.

    Args:
        rows: as many cells in each.
        right: the numbers of the columns that stand to the right, as numbers do.
    """
    widths = [max(map(len, cells)) for cells in list(zip(*rows, strict=True))[:-1]]
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        yield wrapped(row[-1], indent + "".join(f"{cell}  " for cell in cells))


def wrapped(text: str, lead: str) -> str:
    """`text` after `lead`, on as many lines as it needs; a word that is too long stays whole."""
    return (
        textwrap.fill(
            text,
            WIDTH,
            initial_indent=lead,
            subsequent_indent=" " * len(lead),
            break_long_words=False,
            break_on_hyphens=False,
        )
        or lead.rstrip()
    )


def shortened(text: str, most: int) -> str:
    """At most so many characters of a name."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
