"""Text comes out whole characters at a time, and never a stop string or its beginning."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.swarm.text import TextStream


def shown(pieces: Iterable[bytes], stops: Sequence[str] = ()) -> tuple[list[str], bool]:
    """What each piece brings to the screen, the end's last; and whether a stop was met."""
    stream = TextStream(stops)
    texts = [stream.feed(piece) for piece in pieces]
    return [*texts, stream.finish()], stream.stopped


def reference(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The same, looked for character by character in the whole text."""
    for end in range(1, len(text) + 1):
        begun = [end - len(stop) for stop in stops if stop and text[:end].endswith(stop)]
        if begun:
            return text[: min(begun)], True
    return text, False


def test_plain_text_is_shown_at_once() -> None:
    assert shown([b"Hello", b" world"]) == (["Hello", " world", ""], False)


def test_a_character_is_shown_when_its_last_byte_is_there() -> None:
    boat = "⛵".encode()
    assert shown([b"a" + boat[:1], boat[1:2], boat[2:] + b"b"]) == (["a", "", "⛵b", ""], False)


def test_half_a_character_at_the_end_is_shown_as_a_replacement() -> None:
    assert shown(["é".encode()[:1]]) == (["", "\ufffd"], False)


def test_bytes_that_are_no_text_are_replaced_and_harm_nothing_after_them() -> None:
    assert "".join(shown([b"a\xff", b"b"])[0]) == "a\ufffdb"


def test_a_stop_string_ends_the_text_before_it() -> None:
    assert shown([b"one\n\ntwo"], ["\n\n"]) == (["one", ""], True)


def test_a_stop_string_across_pieces_is_not_shown() -> None:
    texts, stopped = shown([b"one<", b"en", b"d>two"], ["<end>"])
    assert texts == ["one", "", "", ""]
    assert stopped


def test_what_only_looked_like_a_stop_string_is_shown_after_all() -> None:
    texts, stopped = shown([b"one<", b"em", b">two"], ["<end>"])
    assert texts == ["one", "<em", ">two", ""]
    assert not stopped


def test_the_beginning_of_a_stop_string_at_the_end_is_text() -> None:
    assert shown([b"one<en"], ["<end>"]) == (["one", "<en"], False)


def test_nothing_comes_after_a_stop_string() -> None:
    stream = TextStream(["."])
    assert stream.feed(b"a.b") == "a"
    assert stream.stopped
    assert stream.feed(b"c") == ""
    assert stream.finish() == ""


def test_the_stop_string_that_is_complete_first_counts() -> None:
    for pieces in ([b"abcd"], [b"a", b"b", b"c", b"d"], [b"ab", b"cd"]):
        assert "".join(shown(pieces, ["abcd", "bc"])[0]) == "a"


def test_of_two_that_end_together_the_longer_counts() -> None:
    for pieces in ([b"xabc"], [b"x", b"a", b"b", b"c"]):
        assert "".join(shown(pieces, ["bc", "abc"])[0]) == "x"


def test_a_stop_string_inside_a_character_is_found() -> None:
    data = "eins🙂zwei".encode()
    assert "".join(shown([data[:6], data[6:]], ["🙂"])[0]) == "eins"


def test_empty_stop_strings_are_ignored() -> None:
    assert shown([b"abc"], ["", ""]) == (["abc", ""], False)


@pytest.mark.parametrize("stops", [["aab"], ["aa", "b"], ["aaab", "ab"]])
def test_a_stop_string_that_overlaps_itself_is_found(stops: list[str]) -> None:
    text = "aaaab"
    for cut in range(len(text)):
        pieces = [text[:cut].encode(), text[cut:].encode()]
        texts, stopped = shown(pieces, stops)
        assert ("".join(texts), stopped) == reference(text, stops)


LETTERS = st.text(alphabet="abé🙂\n", max_size=30)
STOPS = st.lists(st.text(alphabet="abé🙂\n", max_size=4), max_size=3)


def cut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(at % (len(data) + 1) for at in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@settings(deadline=None, max_examples=300)
@given(LETTERS, STOPS, st.lists(st.integers(0, 200), max_size=12))
def test_the_split_makes_no_difference(text: str, stops: list[str], cuts: list[int]) -> None:
    texts, stopped = shown(cut(text.encode(), cuts), stops)
    assert ("".join(texts), stopped) == reference(text, stops)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=12))
def test_any_bytes_read_the_same_in_pieces(data: bytes, cuts: list[int]) -> None:
    texts, _ = shown(cut(data, cuts))
    assert "".join(texts) == data.decode(errors="replace")


@settings(deadline=None, max_examples=100)
@given(LETTERS, STOPS, st.lists(st.integers(0, 200), max_size=12))
def test_nothing_is_held_back_longer_than_a_stop_string_could_need(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    stream, came, out = TextStream(stops), b"", ""
    longest = max((len(stop) for stop in stops), default=1)
    for piece in cut(text.encode(), cuts):
        came += piece
        out += stream.feed(piece)
        if not stream.stopped:
            whole = came.decode(errors="ignore")
            assert len(out) > len(whole) - max(longest, 1)
