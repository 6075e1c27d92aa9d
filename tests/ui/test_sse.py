"""Server-sent events, however the stream is cut up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui import sse
from app.ui.sse import EventParser, ServerEvent, TooLong


def test_an_event_has_a_name_and_data() -> None:
    parser = EventParser()
    assert parser.feed(b'event: status\ndata: {"a":1}\n\n') == [ServerEvent("status", '{"a":1}')]


def test_heartbeats_and_unknown_fields_are_passed_over() -> None:
    assert EventParser().feed(b": still here\n\nid: 7\nretry: 9\n\n") == []


def test_several_lines_of_data_are_joined() -> None:
    assert EventParser().feed(b"data: a\ndata: b\n\n") == [ServerEvent("message", "a\nb")]


def test_an_event_that_is_not_complete_is_not_given() -> None:
    parser = EventParser()
    assert parser.feed(b"event: delta\ndata: x") == []
    assert parser.feed(b"\n\n") == [ServerEvent("delta", "x")]


def test_line_ends_of_all_three_kinds_mean_the_same() -> None:
    whole = [ServerEvent("a", "1"), ServerEvent("b", "2")]
    for end in (b"\n", b"\r\n", b"\r"):
        stream = b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n".replace(b"\n", end)
        parser = EventParser()
        found = [event for byte in stream for event in parser.feed(bytes([byte]))]
        assert found == whole


def test_an_event_without_end_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    with pytest.raises(TooLong):
        EventParser().feed(b"data: " + b"x" * 200)
    with pytest.raises(TooLong):
        EventParser().feed(b"data: xxxxx\n" * 50)


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_where_the_stream_is_cut_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    whole = EventParser().feed(stream)
    parser, found, last = EventParser(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        found += parser.feed(stream[last:cut] if cut > last else b"")
        last = max(last, cut)
    assert found == whole
