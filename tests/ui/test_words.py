"""Numbers as people read them."""

from __future__ import annotations

import time

import msgspec
import pytest

from app.api.shapes import MessageView
from app.ui import words
from tests.helpers.fake_node_data import model_at_rest, snapshot_at_rest


@pytest.mark.parametrize(
    ("count", "shown"),
    [(1, "1 byte"), (0, "0 bytes"), (999_000, "1.0 MB"), (4_100_000_000, "4.1 GB")],
)
def test_sizes(count: int, shown: str) -> None:
    assert words.size(count) == shown


def test_numbers_have_only_the_decimals_they_need() -> None:
    shown = [words.number(value) for value in (3, 3.0, 2.5, 0.25, 1200)]
    assert shown == ["3", "3", "2.5", "0.25", "1,200"]


def test_speeds_delays_and_the_unknown() -> None:
    assert words.network_speed(1_250_000) == "10.0 Mbit/s"
    assert words.network_speed(12_500) == "100 kbit/s"
    assert words.latency(0.0184) == "18 ms"
    assert words.latency(None) == words.token_speed(None) == words.UNKNOWN
    assert words.whole(1_903_221) == "1,903,221"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (1, "1 second"),
        (300, "5 minutes"),
        (7500, "2 hours 5 minutes"),
        (7200, "2 hours"),
        (3 * 86400, "3 days"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


def test_time_left_is_said_only_when_it_is_known() -> None:
    assert words.time_left(None, 100) == words.time_left(90, 100) == ""
    assert words.time_left(1000, 100) == "15 minutes left"


def test_how_often_units_are_served() -> None:
    model = snapshot_at_rest().model
    assert model is not None
    assert words.replicas(model) == [1, *[2] * 11, *[3] * 3, *[2] * 21, 1, 1]
    coming = [msgspec.structs.replace(holder, ready=False) for holder in model.holders[1:]]
    alone = msgspec.structs.replace(model, holders=[model.holders[0], *coming])
    assert words.replicas(alone) == [0, *[1] * 14, *[0] * 23]


@pytest.mark.parametrize(
    ("counts", "joins", "said"),
    [
        ([1, 2, 2, 2, 1], True, "every layer is served by two or more"),
        ([2, 2, 1, 2, 2], True, "every layer is served, 1 layer by one computer only"),
        ([1, 1, 1, 1, 1], True, "every layer is served, 3 layers by one computer only"),
        ([2, 2, 2, 2, 2], False, "every layer is served, but the parts do not meet"),
        ([2, 2, 0, 2, 2], False, "1 layer is served by nobody"),
    ],
)
def test_what_hangs_on_one_computer_is_said(counts: list[int], joins: bool, said: str) -> None:
    assert words.coverage_words(counts, joins=joins) == said


def test_only_who_serves_something_has_a_place() -> None:
    places = [words.place_words(place) for place in ("none", "only", "second", "spare")]
    assert places[0] == ""
    assert len({*places}) == 4


def answer(**fields: object) -> MessageView:
    base = MessageView(id=1, role="assistant", content="x", created_at=time.time())
    return msgspec.structs.replace(base, **fields)


def test_the_line_under_an_answer_says_who_how_fast_and_who_could_read() -> None:
    line = words.answer_line(
        answer(chain=["kq3vtz7m", "p5ad2wxe"], readers=["kq3vtz7m"], tokens=12, tokens_per_second=4)
    )
    assert line == (
        "Answered by kq3vtz7m, p5ad2wxe · 12 tokens · 4.0 tokens/s · could be read by kq3vtz7m"
    )


def test_an_answer_of_this_computer_could_be_read_by_nobody_else() -> None:
    line = words.answer_line(answer(chain=["this computer"], readers=[], repairs=1))
    assert line == ("Answered by this computer · 1 helper was replaced · nobody else could read it")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("# What is **this**?", "What is this?"),
        ("- `ls` and [docs](https://example.org)", "ls and docs"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("", "New chat"),
        ("**", "**"),
    ],
)
def test_a_chats_name_has_no_marks(raw: str, shown: str) -> None:
    assert words.chat_title(raw) == shown


@pytest.mark.parametrize(
    ("start", "stop", "said"),
    [
        (0, 38, "every layer is served, 36 layers by one computer only"),
        (0, 0, "nobody serves it at the moment"),
        (1, 38, "the input is served by nobody"),
        (0, 36, "1 layer is served by nobody, the output is served by nobody"),
        (
            3,
            37,
            "2 layers are served by nobody, the input is served by nobody, "
            "the output is served by nobody",
        ),
    ],
)
def test_the_ends_of_a_model_are_not_counted_as_layers(start: int, stop: int, said: str) -> None:
    model = model_at_rest()
    one = msgspec.structs.replace(model.holders[1], start=start, stop=stop)
    counts = words.replicas(msgspec.structs.replace(model, holders=[one]))
    assert words.coverage_words(counts) == said


def test_layers_are_counted_without_the_ends() -> None:
    assert [words.layer_count(*span, 10) for span in ((0, 10), (1, 9), (0, 1), (9, 10))] == [
        *(8, 8, 0, 0)
    ]


def test_licences_are_written_as_people_write_them() -> None:
    assert [words.licence(name) for name in ("apache-2.0", "Llama 3.3", "")] == [
        *("Apache 2.0", "Llama 3.3", "")
    ]
