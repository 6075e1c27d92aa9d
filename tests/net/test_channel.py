"""A channel by itself, with a link that only writes down what it is asked."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import BadInput, PeerLost
from app.ids import PeerId
from app.net.channel import Channel, ChannelEnded
from app.net.framing import FrameReader
from app.net.windows import CREDIT_STEP_BYTES, frame_charge
from app.net.wire import (
    MAX_FRAME_BYTES,
    WINDOW_BYTES,
    Credit,
    OpenChannel,
    ProtocolName,
    SessionClose,
    SessionRenew,
    Step,
    decode_channel,
    encode,
)

ASKED = SessionClose(session=bytes(16))
DONE = SessionRenew(session=bytes(16))

PEER = PeerId(b"p" * 32)


class Link:
    """Remembers what a channel sent, and how it ended."""

    def __init__(self) -> None:
        self.sent: list[object] = []
        self.ended = 0
        self.reset_streams: list[int] = []
        self.released_channels: list[Channel] = []

    def write(self, stream: int, data: bytes, *, end: bool = False) -> None:
        self.sent += [decode_channel(body) for body in FrameReader(MAX_FRAME_BYTES).feed(data)]
        self.ended += end

    def reset(self, stream: int) -> None:
        self.reset_streams.append(stream)

    def released(self, channel: Channel) -> None:
        self.released_channels.append(channel)


def channel(protocol: ProtocolName | None = "hop") -> tuple[Channel, Link]:
    link = Link()
    return Channel(link, stream=4, peer=PEER, protocol=protocol), link


def step(size: int) -> Step:
    rows = max(1, size // 65536)
    return Step(session=bytes(16), epoch=0, position=0, rows=rows, hidden=bytes(size))


async def test_the_first_frame_says_what_the_channel_is_for() -> None:
    accepted, _ = channel(None)
    assert accepted.protocol == ""
    assert accepted.arrived(encode(OpenChannel(protocol="session")), end=False)
    assert accepted.protocol == "session"
    assert not accepted.arrived(encode(ASKED), end=False)
    assert await accepted.receive() == ASKED


async def test_a_message_is_written_at_once() -> None:
    open_channel, link = channel()
    await open_channel.send(ASKED)
    assert link.sent == [ASKED]


async def test_senders_without_credit_wait_their_turn() -> None:
    open_channel, link = channel()
    message = step(1 << 20)
    charge = frame_charge(len(encode(message)))
    for _ in range(WINDOW_BYTES // charge):
        await open_channel.send(message)
    full = len(link.sent)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(open_channel.send(message))
        await asyncio.sleep(0)
        tasks.create_task(open_channel.send(ASKED))  # small, but not allowed past
        await asyncio.sleep(0)
        assert len(link.sent) == full
        open_channel.arrived(encode(Credit(taken=2 * charge)), end=False)
        assert [type(sent) for sent in link.sent[full:]] == [Step, SessionClose]


async def test_a_cancelled_sender_leaves_its_turn_to_the_next() -> None:
    open_channel, link = channel()
    message = step(1 << 20)
    while len(link.sent) < WINDOW_BYTES // frame_charge(len(encode(message))):
        await open_channel.send(message)
    full = len(link.sent)
    async with asyncio.TaskGroup() as tasks:
        hasty = tasks.create_task(open_channel.send(message))
        await asyncio.sleep(0)
        tasks.create_task(open_channel.send(ASKED))
        await asyncio.sleep(0)
        hasty.cancel()
        await asyncio.sleep(0)
        open_channel.arrived(encode(Credit(taken=1 << 20)), end=False)
        assert link.sent[full:] == [ASKED]


async def test_credit_is_given_back_when_messages_are_taken_not_when_they_arrive() -> None:
    open_channel, link = channel()
    message = step(1 << 20)
    open_channel.arrived(encode(message), end=False)
    assert link.sent == []
    await open_channel.receive()
    assert link.sent == [Credit(taken=frame_charge(len(encode(message))))]
    assert frame_charge(len(encode(message))) >= CREDIT_STEP_BYTES


async def test_two_receivers_are_a_mistake() -> None:
    open_channel, _ = channel()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(open_channel.receive())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="two tasks"):
            await open_channel.receive()
        open_channel.arrived(encode(ASKED), end=False)
    assert first.result() == ASKED


async def test_when_the_other_side_ends_this_one_ends_too() -> None:
    open_channel, link = channel()
    open_channel.arrived(encode(ASKED), end=True)
    assert open_channel.closed
    assert link.ended == 1
    assert link.released_channels == [open_channel]
    assert await open_channel.receive() == ASKED
    with pytest.raises(ChannelEnded):
        await open_channel.receive()


async def test_what_comes_after_our_own_close_is_dropped_until_the_other_side_ends() -> None:
    open_channel, link = channel()
    await open_channel.close()
    open_channel.arrived(encode(ASKED), end=False)
    with pytest.raises(ChannelEnded):
        await open_channel.receive()
    assert link.released_channels == []
    open_channel.arrived(b"", end=True)
    assert link.released_channels == [open_channel]
    assert link.ended == 1


async def test_closing_twice_ends_once() -> None:
    open_channel, link = channel()
    await open_channel.close()
    await open_channel.close()
    assert link.ended == 1


async def test_everybody_who_waits_learns_of_a_loss() -> None:
    open_channel, _ = channel()
    message = step(1 << 20)
    for _ in range(WINDOW_BYTES // frame_charge(len(encode(message)))):
        await open_channel.send(message)
    outcomes = asyncio.gather(
        open_channel.send(message), open_channel.receive(), return_exceptions=True
    )
    await asyncio.sleep(0)
    open_channel.lost(PeerLost("gone"))
    assert [str(outcome) for outcome in await outcomes] == ["gone", "gone"]
    assert open_channel.closed


async def test_what_a_lost_peer_said_last_is_not_delivered() -> None:
    open_channel, _ = channel()
    open_channel.arrived(encode(ASKED), end=False)
    open_channel.lost(PeerLost("gone"))
    with pytest.raises(PeerLost, match="gone"):
        await open_channel.receive()


async def test_an_abort_resets_the_stream_once() -> None:
    open_channel, link = channel()
    open_channel.abort()
    open_channel.abort()
    assert link.reset_streams == [4]
    with pytest.raises(PeerLost):
        await open_channel.send(DONE)


async def test_an_abort_after_both_sides_ended_does_nothing() -> None:
    open_channel, link = channel()
    open_channel.arrived(b"", end=True)
    open_channel.abort()
    assert link.reset_streams == []


@pytest.mark.parametrize(
    ("protocol", "data", "end"),
    [
        (None, encode(ASKED), False),
        (None, b"", True),
        ("hop", encode(OpenChannel(protocol="hop")), False),
        ("hop", b"\0\0\0\x05abc", True),
        ("hop", encode(Credit(taken=1)), False),
    ],
)
async def test_a_broken_rule_is_bad_input(
    protocol: ProtocolName | None, data: bytes, end: bool
) -> None:
    broken, _ = channel(protocol)
    with pytest.raises(BadInput):
        broken.arrived(data, end=end)
