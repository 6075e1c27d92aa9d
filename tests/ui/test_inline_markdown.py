"""The styles inside a line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui.inline_markdown import MAX_PARTS, Piece, pieces, plain, safe_link


def test_bold_italic_struck_and_code() -> None:
    assert pieces("a **b** *c* ~~d~~ `e*f*`") == [
        Piece("a "),
        Piece("b", bold=True),
        Piece(" "),
        Piece("c", italic=True),
        Piece(" "),
        Piece("d", struck=True),
        Piece(" "),
        Piece("e*f*", code=True),
    ]


def test_styles_nest() -> None:
    assert Piece("b", bold=True, italic=True) in pieces("*a **b** c*")


@pytest.mark.parametrize("text", ["2 * 3 * 4", "snake_case_name", "**open", "a*", "`tick", "~~"])
def test_marks_without_a_partner_stay_text(text: str) -> None:
    assert pieces(text) == [Piece(text)]


def test_a_backslash_takes_a_mark_its_meaning() -> None:
    assert pieces(r"\*a\*") == [Piece("*a*")]


def test_links_lead_to_the_web_only() -> None:
    assert pieces("[a](https://b.c)") == [Piece("a", link="https://b.c")]
    assert pieces("[a](javascript:x)") == [Piece("a")]
    assert pieces("[a](file:///etc/passwd)") == [Piece("a")]
    assert safe_link("HTTPS://x.y")
    assert not safe_link("http://[")
    assert not safe_link("x")


def test_an_address_is_a_link_without_the_full_stop_behind_it() -> None:
    assert pieces("see https://a.b/c.") == [
        Piece("see "),
        Piece("https://a.b/c", link="https://a.b/c"),
        Piece("."),
    ]


def test_a_picture_is_only_its_words() -> None:
    assert pieces("![a cat](https://spy.example/x.png)") == [Piece("a cat")]


def test_hostile_lines_take_no_long_time() -> None:
    began = time.process_time()
    for text in ("*" * 20000, "**a" * 5000, "_a_ " * 5000, "[" * 9000, "`a" * 9000, "[a](" * 5000):
        pieces(text)
    assert time.process_time() - began < 3


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="ab *_~`\\[]()!:/.h", max_size=80))
def test_no_letter_is_lost(text: str) -> None:
    assert plain(text).count("b") <= text.count("b")
    if "(" not in text:
        assert plain(text).count("b") == text.count("b")


def test_after_many_styles_the_rest_stands_as_it_was_typed() -> None:
    for text in ("_a_ " * 7500, "`a``b" * 6000, "*a " * 10_000, "\\\\" * 15_000):
        found = pieces(text)
        assert len(found) <= MAX_PARTS + 2
        assert found[-1].text.endswith(text[-400:])
