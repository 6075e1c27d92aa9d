"""One QUIC connection on a socket that is shared: datagrams and timers in, events out.

The private sibling of `app/net/endpoint.py` and the only other home of aioquic:
what has to reach into that library's inside is here, tested, and pinned to its
version. `app/net/connection.py` is the counterpart that listens to `LineEvents`.

What is different from aioquic's own asyncio layer, and why:

- What is written goes out at once, and several writes of one turn of the event
  loop go out together; what a datagram causes waits until its receiver had its
  turn. That is worth a millisecond for each token and hop.
- A datagram that comes alone is acknowledged late, or along with an answer. In a ring
  each step goes one way only, and acknowledgements cost as much as the steps did.
- Receive windows slide with what was delivered. The library doubles them on
  receipt, so that a stranger who leaves a gap could make it buffer without end.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Any, Protocol

from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    MAX_STREAM_DATA_FRAME_CAPACITY,
    Limit,
    QuicConnection,
)
from aioquic.quic.packet import QuicFrameType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream
from aioquic.tls import Epoch

from app.ids import PeerId
from app.net.addresses import is_loopback
from app.net.certificates import certificate_peer, self_signed_certificate
from app.net.identity import Identity
from app.net.wire import MAX_CHANNELS_PER_CONNECTION, WINDOW_BYTES

logger = logging.getLogger(__name__)

APPLICATION_PROTOCOL = "potluck/1"
CONTROL_STREAM = 0
CONNECTION_ID_BYTES = 8

DATAGRAM_BYTES = 1232
"""Fits every IPv6 path (1280 bytes less its headers), so nothing is ever too large."""
LOOPBACK_DATAGRAM_BYTES = 9000
"""Within one computer, below macOS's limit of 9216: an 8 KB message in one datagram."""
STREAM_WINDOW_BYTES = 2 * WINDOW_BYTES
"""QUIC's own window for a stream: never the one that holds an honest sender back."""
UNPROVEN_WINDOW_BYTES = 64 << 10
"""What a connection may have on its way before its dialler is proven: a few messages."""
CONNECTION_WINDOW_BYTES = 32 << 20
IDLE_SECONDS = 30.0
"""Only a backstop: heartbeats notice a lost peer long before."""

LONE_ACKNOWLEDGEMENT_SECONDS = 0.01
"""How long a datagram that came alone may wait: well below the 25 ms the library announces,
by which senders reckon before they send again."""
BURST_SECONDS = 0.005
"""Datagrams this close are a burst, whose sender may wait for word before it sends more."""
BURST_ACKNOWLEDGEMENT_SECONDS = 0.001

Address = tuple[Any, ...]
"""A socket address: (host, port), with two more fields for IPv6."""


class LineEvents(Protocol):
    """What a line tells its owner. Called in the order things happened, never re-entered."""

    def secured(self) -> None:
        """TLS is complete; `peer_key` is known to the dialler."""
        ...

    def stream_data(self, stream: int, data: bytes, *, end: bool) -> None:
        """The next bytes of a stream."""
        ...

    def stream_reset(self, stream: int) -> None:
        """The other side gave the stream up."""
        ...

    def line_ended(self, reason: str) -> None:
        """Nothing more will come or go."""
        ...

    def id_issued(self, connection_id: bytes) -> None:
        """Datagrams with this destination belong here from now on."""
        ...

    def id_retired(self, connection_id: bytes) -> None:
        """... and from now on no more."""
        ...

    def send_datagram(self, data: bytes, address: Address) -> None:
        """Put this on the socket."""
        ...


def dial_configuration(host: str) -> QuicConfiguration:
    """How to dial a numeric address. The listener's key is checked afterwards, by us."""
    configuration = _configuration(host, is_client=True)
    configuration.verify_mode = ssl.CERT_NONE
    return configuration


class ListenConfigurations:
    """How to answer, with the certificate made once."""

    def __init__(self, identity: Identity) -> None:
        self._private_key = identity.private_key
        self._certificate = self_signed_certificate(identity.private_key)

    def answer(self, host: str) -> QuicConfiguration:
        """The configuration for a dialler at a numeric address."""
        configuration = _configuration(host, is_client=False)
        configuration.certificate = self._certificate
        configuration.private_key = self._private_key
        return configuration


def _configuration(host: str, *, is_client: bool) -> QuicConfiguration:
    return QuicConfiguration(
        alpn_protocols=[APPLICATION_PROTOCOL],
        connection_id_length=CONNECTION_ID_BYTES,
        idle_timeout=IDLE_SECONDS,
        is_client=is_client,
        max_data=UNPROVEN_WINDOW_BYTES,
        max_datagram_size=LOOPBACK_DATAGRAM_BYTES if is_loopback(host) else DATAGRAM_BYTES,
        max_stream_data=STREAM_WINDOW_BYTES,
    )


class _SlidingLimit(Limit):
    """A connection's receive window: `window_bytes` beyond what was delivered."""

    def __init__(self, quic: BoundedConnection, value: int) -> None:
        self._quic = quic
        self._value = value
        self.window_bytes = value
        super().__init__(frame_type=QuicFrameType.MAX_DATA, name="max_data", value=value)

    @property
    def value(self) -> int:
        return self._value

    @value.setter
    def value(self, wanted: int) -> None:
        """aioquic asks to double; what it gets is what has room, in quarter steps."""
        allowed = min(wanted, self.used - self._quic.buffered_bytes() + self.window_bytes)
        if allowed - self._value >= self.window_bytes // 4:
            self._value = allowed

    def widen(self, window_bytes: int) -> None:
        """Open the window further."""
        self.window_bytes = window_bytes
        self._value = self.used - self._quic.buffered_bytes() + window_bytes


class BoundedConnection(QuicConnection):
    """aioquic's connection with receive windows that bound what it buffers."""

    def __init__(self, *, configuration: QuicConfiguration, **original_ids: bytes | None) -> None:
        super().__init__(configuration=configuration, **original_ids)  # type: ignore[arg-type]
        self._local_max_data: _SlidingLimit = _SlidingLimit(self, configuration.max_data)
        self._local_max_streams_bidi.value = MAX_CHANNELS_PER_CONNECTION + 1  # + control
        self._local_max_streams_bidi.sent = MAX_CHANNELS_PER_CONNECTION + 1
        self._local_max_streams_uni.value = self._local_max_streams_uni.sent = 0

    def receive_datagram(self, data: bytes, addr: Address, now: float) -> None:
        """Take a datagram; what it asks to be acknowledged may wait a little, if it is alone."""
        space = self._spaces.get(Epoch.ONE_RTT)
        due_at = None if space is None else space.ack_at
        super().receive_datagram(data, addr, now)
        if space is None or space.ack_at is None or not self._handshake_complete:
            return
        if due_at is None:
            space.ack_at = now + LONE_ACKNOWLEDGEMENT_SECONDS
        elif now - (due_at - LONE_ACKNOWLEDGEMENT_SECONDS) < BURST_SECONDS:
            space.ack_at = min(due_at, now + BURST_ACKNOWLEDGEMENT_SECONDS)

    def acknowledge_along(self, now: float) -> None:
        """Something is sent anyway: let the acknowledgement that waits go with it."""
        space = self._spaces.get(Epoch.ONE_RTT)
        if space is not None and space.ack_at is not None:
            space.ack_at = min(space.ack_at, now)

    @property
    def newest_packet(self) -> int:
        """The highest number of a packet that could be read, which only the other side can have
        sent; 0 before the first."""
        return self._spin_highest_pn

    def buffered_bytes(self) -> int:
        """Bytes of streams that were announced as sent and not delivered yet."""
        return sum(
            stream.receiver.highest_offset - stream.receiver.starting_offset()
            for stream in self._streams.values()
            if not stream.receiver.is_finished
        )

    def held_bytes(self) -> int:
        """The memory that streams take: what came out of order, and what nobody took yet."""
        return sum(
            len(stream.receiver._buffer) + len(stream.sender._buffer)
            for stream in self._streams.values()
        )

    def forget_streams(self) -> None:
        """It is over: let go of what was never taken."""
        self._streams.clear()

    def untaken_bytes(self, stream: int) -> int:
        """What was sent on a stream, or is to be, and has not been acknowledged."""
        known = self._streams.get(stream)
        return 0 if known is None else len(known.sender._buffer)

    def has_shown(self, address: Address) -> bool:
        """Whether the other side has shown that it receives at an address."""
        return any(path.is_validated and path.addr == address for path in self._network_paths)

    def widen(self) -> None:
        """The other side is proven: let it have a real window."""
        self._local_max_data.widen(CONNECTION_WINDOW_BYTES)

    @property
    def end_reason(self) -> str | None:
        """Why the connection is closing or closed; None while it is not."""
        if self._close_event is None:
            return None
        return self._close_event.reason_phrase or f"code {self._close_event.error_code}"

    @property
    def is_unopened(self) -> bool:
        """Whether not even one datagram could be read: noise on the socket."""
        return self._state.name == "FIRSTFLIGHT"

    def is_arriving(self, stream: int) -> bool:
        """Whether the other side may still send on this stream."""
        known = self._streams.get(stream)
        return known is not None and not known.receiver.is_finished

    @property
    def round_trip_seconds(self) -> float | None:
        """The smoothed round trip; None before the first measurement."""
        return self._loss._rtt_smoothed if self._loss._rtt_initialized else None

    def listener_peer(self) -> PeerId:
        """The key TLS proved the listener to hold; BadInput when it is none of ours."""
        return certificate_peer(self.tls._peer_certificate)

    def _write_stream_limits(
        self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream
    ) -> None:
        if not stream.max_stream_data_local:
            return
        slid = stream.receiver.starting_offset() + STREAM_WINDOW_BYTES
        if slid - stream.max_stream_data_local >= STREAM_WINDOW_BYTES // 4:
            stream.max_stream_data_local = slid
        if stream.max_stream_data_local_sent != stream.max_stream_data_local:
            buffer = builder.start_frame(
                QuicFrameType.MAX_STREAM_DATA,
                capacity=MAX_STREAM_DATA_FRAME_CAPACITY,
                handler=self._on_max_stream_data_delivery,
                handler_args=(stream,),
            )
            buffer.push_uint_var(stream.stream_id or 0)
            buffer.push_uint_var(stream.max_stream_data_local)
            stream.max_stream_data_local_sent = stream.max_stream_data_local


class QuicLine:
    """Runs one `BoundedConnection`: reads, writes, and its one timer."""

    def __init__(
        self, quic: BoundedConnection, owner: LineEvents, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.quic = quic
        self._owner = owner
        self._loop = loop
        self._flush: asyncio.Handle | None = None
        self._unsent = False
        self._receiving = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._ended = False

    def dial(self, address: Address) -> None:
        """Send the first datagram of a handshake."""
        self.quic.connect(address, now=self._loop.time())
        self._transmit()

    def datagram(self, data: bytes, address: Address) -> None:
        """A datagram for this connection came in; what to answer goes out this turn."""
        if self._ended:
            return
        try:
            self.quic.receive_datagram(data, address, now=self._loop.time())
        except Exception:  # a stranger's bytes met a mistake in the library: its end only
            logger.warning("a datagram from %s broke its connection", address, exc_info=True)
            self.quic.close(error_code=1, reason_phrase="internal error")
        # Receivers are woken before the flush is queued, so that what they answer
        # without a pause goes out with everything else, in one datagram where it fits.
        self._unsent = self._receiving = True
        self._pass_on_events()
        self._receiving = False
        self._flush_soon()

    def write(self, stream: int, data: bytes, *, end: bool) -> None:
        """Send bytes of a stream: now, or with what else this turn of the loop sends."""
        if self._ended:
            return
        self.quic.send_stream_data(stream, data, end_stream=end)
        self.quic.acknowledge_along(self._loop.time())
        self._send()

    def reset(self, stream: int, *, code: int) -> bool:
        """Give a stream up in both directions; whether more of it may still arrive."""
        if self._ended:
            return False
        self.quic.reset_stream(stream, code)
        arriving = self.quic.is_arriving(stream)
        if arriving:
            self.quic.stop_stream(stream, code)
        self._send()
        return arriving

    def next_stream(self) -> int:
        """The number of the next stream opened from this side."""
        return self.quic.get_next_available_stream_id()

    def close(self, reason: str) -> None:
        """Say what is still to say, then that this is the end. No event follows."""
        if self._ended:
            return
        if self.quic.is_unopened:
            self.drop()
            return
        self._transmit()
        self.quic.close(error_code=0, reason_phrase=reason[:200])
        self._transmit()
        self.drop()

    def drop(self) -> None:
        """Stop without a word. No event follows."""
        self._ended = True
        for handle in (self._flush, self._timer):
            if handle is not None:
                handle.cancel()
        self._flush = self._timer = None
        self.quic.forget_streams()  # whoever still has a channel need not keep its bytes

    # ── inside ───────────────────────────────────────────────────────────────

    def _send(self) -> None:
        self._unsent = True
        if self._flush is None and not self._receiving:
            self._transmit()
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flush is None and not self._ended:
            self._flush = self._loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flush = None
        if self._unsent:
            self._transmit()

    def _transmit(self) -> None:
        self._unsent = False
        for data, address in self.quic.datagrams_to_send(now=self._loop.time()):
            self._owner.send_datagram(data, address)
        timer_at = self.quic.get_timer()
        if timer_at is None or self._ended:
            return
        # A timer that is too early only looks again, so later ones need no new handle.
        if self._timer is None or timer_at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(timer_at, self._timer_fired)
            self._timer_at = timer_at

    def _timer_fired(self) -> None:
        self._timer = None
        due_at = self.quic.get_timer()
        if due_at is None:
            return
        # The loop may call a hair early, by its clock's resolution.
        now = max(self._loop.time(), self._timer_at)
        if due_at > now:
            self._timer = self._loop.call_at(due_at, self._timer_fired)
            self._timer_at = due_at
            return
        self.quic.handle_timer(now=now)
        self._pass_on_events()
        if not self._ended:
            self._transmit()

    def _pass_on_events(self) -> None:
        while not self._ended and (event := self.quic.next_event()) is not None:
            match event:
                case events.StreamDataReceived():
                    self._owner.stream_data(event.stream_id, event.data, end=event.end_stream)
                case events.HandshakeCompleted():
                    self._owner.secured()
                case events.StreamReset() | events.StopSendingReceived():
                    self._owner.stream_reset(event.stream_id)
                case events.ConnectionIdIssued():
                    self._owner.id_issued(event.connection_id)
                case events.ConnectionIdRetired():
                    self._owner.id_retired(event.connection_id)
        # The library reports an end only after its closing period; we act on it now.
        if not self._ended and self.quic.end_reason is not None:
            reason = self.quic.end_reason
            self._transmit()
            self.drop()
            self._owner.line_ended(reason)
