"""A person's file is changed where it was asked for, and nowhere else."""

from __future__ import annotations

import time
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.toml_text import UnwritableText, edited, salvaged, value_text


def test_a_value_changes_and_its_comment_stays() -> None:
    text = "# my settings\nthreads = 4  # four # of eight\npublic = true\n"
    changed = edited(text, {"threads": 2})
    assert changed == "# my settings\nthreads = 2  # four # of eight\npublic = true\n"


def test_a_new_name_comes_last_and_an_empty_file_begins_with_it() -> None:
    assert edited("a = 1\n\n\n", {"b": "x"}) == 'a = 1\nb = "x"\n'
    assert edited("", {"b": False}) == "b = false\n"


def test_a_list_over_several_lines_is_replaced_whole() -> None:
    text = 'a = [\n  "x", # why\n  "[y]",\n]\nb = 1\n'
    assert edited(text, {"a": ("z",)}) == 'a = ["z"]\nb = 1\n'


def test_what_belongs_to_a_newer_version_stays() -> None:
    text = "a = 1\nmood = {today = 'good'}\n\n[later]\na = 5\n"
    assert edited(text, {"a": 2, "c": 3}) == (
        "a = 2\nmood = {today = 'good'}\nc = 3\n\n[later]\na = 5\n"
    )


def test_a_hash_in_a_text_is_no_comment() -> None:
    assert edited('a = "x # y"\n', {"a": "z"}) == 'a = "z"\n'
    assert edited('a = "x # y" # z\n', {"a": "1"}) == 'a = "1" # z\n'


def test_a_text_over_several_lines_that_looks_like_a_table_is_one_value() -> None:
    text = 'a = """\n[table]\n"""\nb = 1\n'
    assert edited(text, {"b": 2}) == 'a = """\n[table]\n"""\nb = 2\n'


def test_lines_that_end_the_windows_way_are_understood() -> None:
    assert tomllib.loads(edited("a = 1\r\nb = 2\r\n", {"b": 3})) == {"a": 1, "b": 3}


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2\n", "x.y = 1\nx.z = 2\n"])
def test_what_cannot_be_changed_safely_is_left_alone(text: str) -> None:
    try:
        result = edited(text, {"x": 1})
    except UnwritableText:
        return
    assert tomllib.loads(result) == {**tomllib.loads(text), "x": 1}


def test_a_value_of_another_kind_is_refused() -> None:
    with pytest.raises(UnwritableText, match="no kind of setting"):
        value_text(None)


values = st.one_of(
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=4),
)
tables = st.dictionaries(st.sampled_from("abcdef"), values, max_size=5)


@settings(deadline=None, max_examples=100)
@given(tables, tables)
def test_any_values_are_written_and_read_again(
    before: dict[str, object], new: dict[str, object]
) -> None:
    text = edited("", before)
    assert tomllib.loads(edited(text, new)) == {**before, **new}


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="ab=1\"[]\n#.' ", max_size=40))
def test_any_sound_text_keeps_what_it_said(text: str) -> None:
    try:
        meant = tomllib.loads(text)
    except ValueError:
        return
    try:
        result = edited(text, {"z": 1})
    except UnwritableText:
        return
    assert tomllib.loads(result) == {**meant, "z": 1}


def test_what_is_no_number_stays_as_it_is() -> None:
    text = "a = nan\nb = [1.0, nan]\nc = { d = -nan }\n"
    assert edited(text, {"e": 1}) == text + "e = 1\n"
    assert edited("a = nan\n", {"a": 2.0}) == "a = 2.0\n"


# ── damaged texts ────────────────────────────────────────────────────────────


def test_what_is_sound_is_saved_and_the_rest_becomes_comments() -> None:
    text = "# mine\na = 1\noops\nb = [\n  'x',\n]\nc = \n"
    assert salvaged(text) == "# mine\na = 1\n# oops\nb = [\n  'x',\n]\n# c = \n"


def test_a_name_that_is_said_twice_counts_once() -> None:
    assert salvaged("a = 1\na = 2\n") == "a = 1\n# a = 2\n"


def test_tables_and_what_follows_are_left_out() -> None:
    assert salvaged("a = 1\noops\n[table]\nb = 2\n") == "a = 1\n# oops\n"


def test_what_was_not_text_does_not_count() -> None:
    assert salvaged("a = 1\nb = '\ufffd'\n") == "a = 1\n# b = '\ufffd'\n"


def test_nothing_sound_is_nothing() -> None:
    assert tomllib.loads(salvaged("= = =\n\x00")) == {}
    assert salvaged("") == ""


@settings(deadline=None, max_examples=80)
@given(st.text(max_size=200) | st.lists(st.sampled_from("ab=1 \n[]\"'#,.{}")).map("".join))
def test_whatever_is_damaged_the_rest_is_sound_and_was_there_before(text: str) -> None:
    kept = tomllib.loads(salvaged(text))
    for name in kept:
        assert name in text or "\\" in text


def test_a_long_damaged_text_takes_no_long_time() -> None:
    lines = 64 * 1024 // 6
    began = time.thread_time()
    assert salvaged("a = [\n" * lines + "b = 1\n").endswith("# a = [\nb = 1\n")
    assert time.thread_time() - began < 3.0
