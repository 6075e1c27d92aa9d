"""Frames out of a stream: any pieces, any noise, never more than one held."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadInput
from app.net.framing import FrameReader
from app.net.wire import MAX_CONTROL_FRAME_BYTES, Ping, decode_control, encode


def test_frames_arrive_in_any_pieces() -> None:
    frames = [encode(Ping(serial=serial)) for serial in range(5)]
    reader = FrameReader(MAX_CONTROL_FRAME_BYTES)
    found = [
        decode_control(body) for byte in b"".join(frames) for body in reader.feed(bytes([byte]))
    ]
    assert found == [Ping(serial=serial) for serial in range(5)]
    assert reader.pending_bytes == 0


def test_several_frames_in_one_piece_are_all_found() -> None:
    data = b"".join(encode(Ping(serial=serial)) for serial in range(5))
    bodies = list(FrameReader(MAX_CONTROL_FRAME_BYTES).feed(data + data[:3]))
    assert len(bodies) == 5


def test_a_frame_over_the_limit_is_refused_by_its_prefix() -> None:
    reader = FrameReader(100)
    with pytest.raises(BadInput, match="101 bytes"):
        list(reader.feed((101).to_bytes(4, "big")))
    assert reader.pending_bytes == 0


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(BadInput):
        list(FrameReader(100).feed(bytes(4)))


@settings(deadline=None, max_examples=200)
@given(pieces=st.lists(st.binary(max_size=200), max_size=20))
def test_a_random_stream_never_holds_more_than_one_frame(pieces: list[bytes]) -> None:
    reader = FrameReader(256)
    try:
        for piece in pieces:
            for body in reader.feed(piece):
                assert 0 < len(body) <= 256
            assert reader.pending_bytes <= 260
    except BadInput:
        return
