"""Sentences with a code: their English, what travels beside it, and errors that carry them."""

from __future__ import annotations

import msgspec
import pytest

from app.errors import NoRoom, UsageError
from app.sentences import At, Said, say, sentence_of, size_words, unworded


def test_a_sentence_has_its_english_its_code_and_its_values() -> None:
    told = say("always_runs", program="systemd")
    assert told.words == str(told) == "systemd always runs, so sharing would never start."
    assert told.said == Said("always_runs", {"program": "systemd"})


def test_values_are_shown_by_their_kind_and_travel_as_they_are() -> None:
    told = say("over_quota", needed=4_100_000_000, used=12_000_000, quota=0)
    assert "4.1 GB more are needed, and 12 MB of the 0 MB" in told.words
    assert told.said.values == {"needed": 4_100_000_000, "used": 12_000_000, "quota": 0}
    assert "4,096 tokens of room" in say("nobody_has_room", units="1", tokens=4096).words
    assert "for 2.5 minutes" in say("in_use", minutes=2.5).words


def test_a_moment_is_said_where_the_owner_lives_and_travels_as_seconds() -> None:
    told = say("until", time=At(1_893_456_000.0, "Monday 8:00"))
    assert told.words == "until Monday 8:00"
    assert told.said.values == {"time": 1_893_456_000.0}


def test_a_piece_travels_with_its_own_code() -> None:
    told = say("by_hand", when=say("until_resumed"))
    assert told.words == "Paused by you (until you resume)"
    assert told.said.values == {"when": Said("until_resumed")}
    assert say("not_sharing", problem=unworded("no luck")).said.values == {"problem": "no luck"}


def test_several_words_of_our_own_are_listed() -> None:
    assert say("next_start", labels=["Listen on", "API"]).words.endswith(": Listen on, API.")


def test_a_code_that_is_not_there_or_a_place_left_open_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        say("no_such_code")
    with pytest.raises(KeyError):
        say("always_runs")


def test_what_is_said_crosses_the_api_unchanged() -> None:
    said = say("sharing", layers=say("all_layers", count=4), model="Guide").said
    assert msgspec.json.decode(msgspec.json.encode(said), type=Said) == said


def test_an_error_raised_with_a_sentence_can_be_told_in_any_language() -> None:
    error = NoRoom(say("many_answers", count=8))
    assert str(error) == error.reason == "8 answers are being written already; wait for one to end."
    assert error.said == Said("many_answers", {"count": 8})
    assert sentence_of(error) == say("many_answers", count=8)


def test_an_error_raised_with_words_has_only_these() -> None:
    assert UsageError("So it is.").said is None
    assert sentence_of(UsageError("So it is.")) == unworded("So it is.")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 MB"), (5, "1 MB"), (99_999_999, "100 MB"), (10**9, "1.0 GB")]
)
def test_sizes(count: int, words: str) -> None:
    assert size_words(count) == words
