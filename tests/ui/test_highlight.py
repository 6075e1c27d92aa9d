"""Colours for code."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui.highlight import MAX_CODE_CHARACTERS, tokens


def shown(language: str, text: str) -> list[tuple[str, str]]:
    return [(text[t.start : t.start + t.length], t.kind) for t in tokens(language, text)]


def test_python() -> None:
    assert shown("py", 'def f(): return "x"  # why 1') == [
        ("def", "keyword"),
        ("return", "keyword"),
        ('"x"', "string"),
        ("# why 1", "comment"),
    ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("js", "const a = `x ${1}`", ("const", "keyword")),
        ("sql", "SELECT 1 -- all", ("-- all", "comment")),
        ("bash", "echo $#  # count", ("# count", "comment")),
        ("json", '{"a": true}', ("true", "keyword")),
        ("rust", "fn main() {}", ("fn", "keyword")),
        ("html", "<b>x</b>", ("<b", "keyword")),
        ("c++", "/* a\nb */ int x = 0x1F;", ("0x1F", "number")),
    ],
)
def test_other_languages(language: str, text: str, expected: tuple[str, str]) -> None:
    assert expected in shown(language, text)


def test_an_unknown_language_and_very_long_code_stay_plain() -> None:
    assert shown("klingon", "if 1") == []
    assert shown("python", "if " * MAX_CODE_CHARACTERS) == []


def test_hostile_code_takes_no_long_time() -> None:
    began = time.process_time()
    for text in ('"' * 30000, "/*" * 15000, '"\\' * 15000, "'''" * 10000, "1e" * 15000):
        for language in ("python", "c", "js", "html"):
            list(tokens(language, text[:MAX_CODE_CHARACTERS]))
    assert time.process_time() - began < 5


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["python", "js", "c", "sh", "sql", "html"]), st.text(max_size=80))
def test_tokens_lie_in_order_inside_the_text(language: str, text: str) -> None:
    end = 0
    for token in tokens(language, text):
        assert token.start >= end
        assert token.length > 0
        end = token.start + token.length
    assert end <= len(text)
