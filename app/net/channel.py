"""One conversation with one peer: typed messages, in order, with back-pressure.

A channel is a two-way stream for one purpose ("session", "hop", "state", "directory").
It ends as a whole: when either side closes, both are closed, and what had been
sent before still arrives. The counterpart is the channel at the other end;
below it a `ChannelLink` moves bytes (`app/net/connection.py`, or memory in tests).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from app.errors import BadInput, PeerLost
from app.ids import PeerId, short_peer_text
from app.net.dht_messages import AnyMessage, decode_directory
from app.net.framing import FrameReader
from app.net.state_messages import decode_state
from app.net.windows import ReceiveWindow, SendWindow, frame_charge
from app.net.wire import (
    MAX_FRAME_BYTES,
    Credit,
    OpenChannel,
    ProtocolName,
    Step,
    decode_channel,
    encode,
)

NUMBER_BYTES = 40
"""A whole number in a list."""


class ChannelEnded(PeerLost):
    """The channel was closed in good order, by the other side or by this one."""


class ChannelOpener(Protocol):
    """The part of an endpoint that most of the program needs, and that tests replace."""

    @property
    def peer_id(self) -> PeerId:
        """This computer's own name."""
        ...

    def address_of(self, peer: PeerId) -> str | None:
        """Where a connected peer speaks from, as `HOST:PORT`; None if there is no connection."""
        ...

    async def open_channel(
        self,
        peer: PeerId,
        addresses: Sequence[str],
        protocol: ProtocolName,
        *,
        on_word_of: PeerId | None = None,
        given_by_person: bool = False,
    ) -> Channel:
        """A new channel to `peer`; PeerLost with the reason when there is none to be had.

        `on_word_of` is the stranger who named the addresses, if it was one. Names among them are
        followed only to the internet, unless a person gave them.
        """
        ...

    def report_bad_input(self, peer: PeerId, reason: str) -> None:
        """Count a rule that `peer` broke."""
        ...


class Knocker(ChannelOpener, Protocol):
    """... that can also ask whether somebody is there."""

    async def knock(self, peer: PeerId, addresses: Sequence[str]) -> None:
        """Returns when `peer` has answered; PeerLost with the reason when it will not."""
        ...


class ChannelLink(Protocol):
    """What a channel needs from below."""

    def write(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send these bytes, and nothing after them when `end`."""
        ...

    def reset(self, stream: int) -> None:
        """Give the stream up, both ways, at once."""
        ...

    def released(self, channel: Channel) -> None:
        """Both sides are done with this channel; its place is free."""
        ...


class Channel:
    """Messages to and from one peer; made by `Endpoint.open_channel` or handed to a handler.

    Attributes:
        peer: the proven PeerId at the other end.
        protocol: what the channel is for; "" until the opener has said so.
    """

    def __init__(
        self, link: ChannelLink, *, stream: int, peer: PeerId, protocol: ProtocolName | None
    ) -> None:
        self.peer = peer
        self.stream = stream
        self._protocol = protocol
        self._link = link
        self._reader = FrameReader(MAX_FRAME_BYTES)
        self._send_window = SendWindow()
        self._receive_window = ReceiveWindow()
        # Bounded by the receive window: at most WINDOW_BYTES / MINIMUM_CHARGE messages.
        self._inbox: deque[tuple[AnyMessage, int]] = deque()
        self._arrival: asyncio.Future[None] | None = None
        # Frames that wait for credit, in order; one for each task inside `send`.
        self._waiting: deque[tuple[bytes, asyncio.Future[None]]] = deque()
        self._own_end_sent = False
        self._other_ended = False
        self._lost: PeerLost | None = None

    @property
    def protocol(self) -> str:
        """What the channel is for."""
        return self._protocol or ""

    @property
    def held_bytes(self) -> int:
        """About the memory that its messages take which nobody took yet, on either side."""
        arrived = sum(charge + _beyond(message) for message, charge in self._inbox)
        waiting = sum(len(frame) for frame, _ in self._waiting)
        return arrived + waiting + self._reader.pending_bytes

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more; what arrived before can still be received."""
        return self._own_end_sent or self._lost is not None

    async def send(self, message: AnyMessage) -> None:
        """Send one message; waits while the other side has not taken enough of the earlier ones.

        Messages arrive in the order of the calls. A cancelled call has sent
        either the whole message or nothing.

        Raises:
            ChannelEnded: either side has closed the channel.
            PeerLost: the connection is gone, or the other side gave the channel up.
            ValueError: the message breaks a limit of the wire.
        """
        self._raise_if_closed()
        frame = encode(message)
        charge = frame_charge(len(frame))
        if not self._waiting and self._send_window.has_room(charge):
            self._send_window.spend(charge)
            self._link.write(self.stream, frame)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((frame, turn))
        await turn

    async def receive(self) -> AnyMessage:
        """The next message; one task at a time. A cancelled call loses none.

        Raises:
            ChannelEnded: everything was received and the channel is closed.
            PeerLost: the connection is gone, or the other side gave the channel up.
            RuntimeError: another task is receiving already.
        """
        while not self._inbox:
            if self._lost is not None:
                raise _copy(self._lost)
            if self._other_ended or self._own_end_sent:
                raise ChannelEnded(f"{short_peer_text(self.peer)} closed the channel")
            if self._arrival is not None:
                raise RuntimeError("two tasks receive from one channel")
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        message, charge = self._inbox.popleft()
        credit = self._receive_window.taken(charge)
        if credit and not self.closed:
            self._link.write(self.stream, encode(Credit(taken=credit)))
        return message

    async def close(self) -> None:
        """Say that this is all. What was sent still arrives; what comes in is dropped."""
        if not self.closed:
            self._inbox.clear()
            self._end(ChannelEnded("the channel was closed here"))

    def abort(self) -> None:
        """Give the channel up at once, both ways; what is on its way may be lost."""
        if self._lost is None and not (self._own_end_sent and self._other_ended):
            self._link.reset(self.stream)
            self.lost(ChannelEnded("the channel was given up here"))

    # ── called by the link ───────────────────────────────────────────────────

    def opening(self, protocol: ProtocolName) -> None:
        """Tell the other side what this channel is for."""
        self._link.write(self.stream, encode(OpenChannel(protocol=protocol)))

    def arrived(self, data: bytes, *, end: bool) -> bool:
        """Take bytes of the stream; True when they said what the channel is for.

        Raises:
            BadInput: they break a rule; the caller counts it and resets the stream.
        """
        opened = False
        for body in self._reader.feed(data):
            if self._lost is not None:
                break
            message = self._read(body)
            if self._protocol is None:
                if not isinstance(message, OpenChannel):
                    raise BadInput(f"a {type(message).__name__} before the channel was opened")
                self._protocol = message.protocol
                opened = True
            else:
                self._take(message, frame_charge(len(body) + 4))
        if end:
            self._finish()
        return opened

    def lost(self, reason: PeerLost) -> None:
        """The stream is gone: whoever waits learns why, and nothing more is delivered."""
        if self._lost is None:
            self._lost = reason
            self._inbox.clear()
            self._reader = FrameReader(MAX_FRAME_BYTES)  # half a frame is never finished now
            self._wake_receiver()
            self._fail_senders(reason)
            self._link.released(self)

    # ── inside ───────────────────────────────────────────────────────────────

    def _read(self, body: bytes) -> AnyMessage:
        match self._protocol:
            case "directory":
                return decode_directory(body)
            case "state":
                return decode_state(body)
        return decode_channel(body)

    def _take(self, message: AnyMessage, charge: int) -> None:
        if isinstance(message, OpenChannel):
            raise BadInput("a channel was opened twice")
        if isinstance(message, Credit):
            self._send_window.returned(message.taken)
            self._send_waiting()
            return
        self._receive_window.arrived(charge)
        if self._own_end_sent:
            return  # sent before the other side knew that we closed
        self._inbox.append((message, charge))
        self._wake_receiver()

    def _finish(self) -> None:
        if self._reader.pending_bytes:
            raise BadInput("the channel ended inside a frame")
        if self._protocol is None:
            raise BadInput("the channel ended before it was opened")
        self._other_ended = True
        if self._own_end_sent:
            self._link.released(self)
        else:
            self._end(ChannelEnded(f"{short_peer_text(self.peer)} closed the channel"))
        self._wake_receiver()

    def _end(self, reason: PeerLost) -> None:
        self._own_end_sent = True
        self._link.write(self.stream, b"", end=True)
        self._fail_senders(reason)
        self._wake_receiver()
        if self._other_ended:
            self._link.released(self)

    def _send_waiting(self) -> None:
        while self._waiting:
            frame, turn = self._waiting[0]
            if not turn.cancelled():
                charge = frame_charge(len(frame))
                if not self._send_window.has_room(charge):
                    return
                self._send_window.spend(charge)
                self._link.write(self.stream, frame)
                turn.set_result(None)
            self._waiting.popleft()

    def _fail_senders(self, reason: PeerLost) -> None:
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(_copy(reason))

    def _wake_receiver(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _raise_if_closed(self) -> None:
        if self._lost is not None:
            raise _copy(self._lost)
        if self._own_end_sent:
            raise ChannelEnded("the channel is closed")


def _beyond(message: AnyMessage) -> int:
    """What a message takes beyond the bytes of its frame: a token takes as much as a number."""
    tokens = message.tokens if isinstance(message, Step) else None
    return 0 if tokens is None else NUMBER_BYTES * len(tokens)


def _copy(error: PeerLost) -> PeerLost:
    """A fresh exception for each raise: one object raised twice grows a tangled traceback."""
    return type(error)(*error.args)
