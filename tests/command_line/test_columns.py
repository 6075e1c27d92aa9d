"""Rows under each other; see app/command_line/columns.py."""

from __future__ import annotations

from app.command_line.columns import WIDTH, columns, shortened, wrapped


def test_every_column_begins_at_the_same_place() -> None:
    rows = [("name", "9", "first"), ("a longer name", "10", "second")]
    assert list(columns(rows, indent="  ", right=[1])) == [
        "  name            9  first",
        "  a longer name  10  second",
    ]


def test_the_last_column_is_wrapped_beneath_itself() -> None:
    (text,) = columns([("name", "word " * 40)])
    lines = text.splitlines()
    assert len(lines) > 2
    assert lines[0].startswith("name  word word")
    assert all(line.startswith("      word") for line in lines[1:])
    assert max(map(len, lines)) <= WIDTH


def test_a_word_that_is_too_long_stays_whole() -> None:
    assert wrapped("x" * 100, "  ").split() == ["x" * 100]


def test_no_rows_are_no_lines() -> None:
    assert list(columns([])) == []


def test_nothing_leaves_the_lead_alone() -> None:
    assert list(columns([("name", "")])) == ["name"]


def test_a_long_name_is_shortened() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 10) == "abcdefg..."
