"""Names that cross the network: what is written can be read back, and nothing else can."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import (
    MAX_UNITS,
    PEER_ID_BYTES,
    SESSION_ID_BYTES,
    PeerId,
    Span,
    new_session,
    parse_peer,
    parse_span,
    peer_text,
    short_peer_text,
)

spans = st.tuples(st.integers(0, MAX_UNITS - 1), st.integers(1, MAX_UNITS)).filter(
    lambda pair: pair[0] < pair[1]
)


@settings(deadline=None)
@given(st.binary(min_size=PEER_ID_BYTES, max_size=PEER_ID_BYTES))
def test_a_written_peer_id_is_read_back(raw: bytes) -> None:
    text = peer_text(PeerId(raw))
    assert len(text) == 52
    assert text == text.lower()
    assert parse_peer(text) == raw
    assert parse_peer(f" {text.upper()}\n") == raw
    assert text.startswith(short_peer_text(PeerId(raw)))


@settings(deadline=None)
@given(st.text(max_size=80))
def test_text_is_a_peer_id_or_a_clear_value_error(text: str) -> None:
    try:
        peer = parse_peer(text)
    except ValueError as error:
        assert "is not a peer id" in str(error)
        assert "\n" not in str(error)
    else:
        assert peer_text(peer) == text.strip().lower()


@pytest.mark.parametrize(
    "text",
    ["", "abc", "a" * 51, "a" * 53, "1" * 52, "a" * 51 + "b", "a" * 51 + "=", "ä" * 52],
    ids=["empty", "short", "one-less", "one-more", "no-base32", "spare-bits", "padding", "accent"],
)
def test_what_is_no_peer_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a peer id"):
        parse_peer(text)


def test_a_long_wrong_peer_id_is_not_repeated_whole() -> None:
    with pytest.raises(ValueError, match="is not a peer id") as caught:
        parse_peer("x" * 10_000)
    assert len(str(caught.value)) < 200


def test_sessions_have_names_of_their_own() -> None:
    names = {new_session() for _ in range(100)}
    assert len(names) == 100
    assert {len(name) for name in names} == {SESSION_ID_BYTES}


@settings(deadline=None)
@given(spans)
def test_a_written_span_is_read_back(pair: tuple[int, int]) -> None:
    span = Span(*pair)
    assert parse_span(str(span)) == span
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(span), type=Span) == span
    assert len(span) == pair[1] - pair[0]


@pytest.mark.parametrize("text", ["", "3", "3:", ":3", "3:3", "4:3", "-1:3", "0:4097", "1:2:3"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of units"):
        parse_span(text)


def test_a_span_from_the_wire_is_checked_like_any_other() -> None:
    for lie in ([5, 2], [-1, 2], [0, MAX_UNITS + 1]):
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(lie), type=Span)


def test_a_span_knows_its_units_and_the_spans_inside() -> None:
    span = Span(2, 5)
    assert [unit for unit in range(8) if unit in span] == [2, 3, 4]
    assert span.covers(Span(2, 5))
    assert span.covers(Span(3, 4))
    assert not span.covers(Span(1, 3))
    assert not span.covers(Span(4, 6))
