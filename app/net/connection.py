"""One connection to one peer: the proof of who it is, heartbeats, and its channels.

Sits between a `QuicLine` (`app/net/quic.py`, bytes of streams) and the endpoint
(`app/net/endpoint.py`, which peers there are); its counterpart is the connection
at the other end. Stream 0 is the control channel; every other stream is a channel.

A life: dialled or answered -> TLS -> proof (`app/net/handshake.py`) -> proven ->
ended. Nothing but the proof is accepted before it holds.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Protocol

from app.clock import Clock
from app.errors import BadInput, PeerLost
from app.ids import PeerId, short_peer_text
from app.net.addresses import format_address
from app.net.channel import Channel
from app.net.framing import FrameReader
from app.net.handshake import DialHandshake, ListenHandshake
from app.net.heartbeat import Heartbeat
from app.net.identity import Identity
from app.net.quic import CONTROL_STREAM, Address, BoundedConnection, QuicLine
from app.net.wire import (
    MAX_CHANNELS_PER_CONNECTION,
    MAX_CONTROL_FRAME_BYTES,
    MAX_REASON_CHARACTERS,
    ControlMessage,
    Goodbye,
    Ping,
    Place,
    Pong,
    ProtocolName,
    decode_control,
    encode,
)

logger = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 5.0
MAX_OPENED_PER_CHECK = 4 * MAX_CHANNELS_PER_CONNECTION
"""Channels from the other side between two checks: more than anybody needs who uses them."""
MAX_UNTAKEN_BYTES = MAX_CONTROL_FRAME_BYTES
"""Words on the control channel that the other side does not take: a hundred heartbeats'."""
_GIVEN_UP = 0
_BROKE_A_RULE = 1


class ConnectionOwner(Protocol):
    """What a connection asks of, and tells, the endpoint."""

    def send_datagram(self, data: bytes, address: Address) -> None:
        """Put this on the socket."""
        ...

    def id_issued(self, connection: Connection, connection_id: bytes) -> None:
        """Datagrams with this destination belong to `connection`."""
        ...

    def id_retired(self, connection_id: bytes) -> None:
        """... and no more."""
        ...

    @property
    def told_place(self) -> Place | None:
        """What answers to heartbeats say of where this computer stands."""
        ...

    def measured(self, connection: Connection, place: Place | None, seconds: float) -> None:
        """A heartbeat went there and back in `seconds`; the peer says that it is at `place`."""
        ...

    def refusal(self, peer: PeerId, address: str | None = None) -> str | None:
        """Why a connection with this peer, from there, is not wanted now; None when it is."""
        ...

    def proven(self, connection: Connection) -> None:
        """Both sides know who the other is; channels may be opened."""
        ...

    def ended(self, connection: Connection) -> None:
        """The connection is gone; called once."""
        ...

    def channel_opened(self, channel: Channel) -> None:
        """The peer opened a channel and said what for."""
        ...

    def report_bad_input(self, peer: PeerId, reason: str) -> None:
        """The proven peer broke a rule."""
        ...


class Connection:
    """One connection; made by the endpoint, for a dial or for an unknown dialler.

    Attributes:
        peer: who is at the other end; None until that is proven.
        wanted: who was dialled; None when the other side dialled.
        ready: done when the proof holds, or failed with the reason (PeerLost).
        ended_idle: whether it ended because it was not needed; then the peer is not gone.
    """

    def __init__(
        self,
        quic: BoundedConnection,
        *,
        owner: ConnectionOwner,
        identity: Identity,
        agent: str,
        address: Address,
        wanted: PeerId | None,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.peer: PeerId | None = None
        self.wanted = wanted
        self.remote = address
        self.began_at = clock.monotonic()
        self.ended_idle = False
        self.bytes_sent = 0
        self.bytes_received = 0
        self.channels: dict[int, Channel] = {}
        self.ready: asyncio.Future[None] = loop.create_future()
        # An answered connection's failure is of interest to nobody; a dial awaits it.
        self.ready.add_done_callback(_retrieve)
        self.line = QuicLine(quic, self, loop)
        self._owner = owner
        self._identity = identity
        self._agent = agent
        self._clock = clock
        self._reader = FrameReader(MAX_CONTROL_FRAME_BYTES)
        self._dial: DialHandshake | None = None
        self._listen: ListenHandshake | None = None
        self._unopened: dict[int, float] = {}
        # Streams given up here that the other side has not ended yet; QUIC's limit
        # on open streams bounds them.
        self._given_up: set[int] = set()
        self._heart = Heartbeat(self.began_at)
        self._quiet_since = self.began_at
        self._opened_since_check = 0
        # Who waits for the next answered heartbeat, or the end.
        self._knocks: list[asyncio.Future[None]] = []
        self._spoken = False
        self._end: str | None = None

    @property
    def dialled(self) -> bool:
        """Whether this side dialled."""
        return self.wanted is not None

    @property
    def address(self) -> str:
        """Where the other end is, as `HOST:PORT`."""
        return format_address(self.remote[0], self.remote[1])

    @property
    def observed(self) -> str | None:
        """The address the listener sees this side at."""
        return self._dial.observed if self._dial is not None else None

    @property
    def round_trip_seconds(self) -> float | None:
        """The latest heartbeat's round trip, or QUIC's own estimate before the first."""
        return self._heart.round_trip_seconds or self.line.quic.round_trip_seconds

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come or go."""
        return self._end is not None

    @property
    def held_bytes(self) -> int:
        """About the memory that what waits here takes, in bytes."""
        channels = sum(channel.held_bytes for channel in self.channels.values())
        return channels + self.line.quic.held_bytes()

    def idle_seconds(self, now: float) -> float:
        """For how long it has carried no channel."""
        return 0.0 if self.channels else now - self._quiet_since

    def datagram(self, data: bytes, address: Address) -> None:
        """A datagram for this connection came in."""
        self.bytes_received += len(data)
        newest = self.line.quic.newest_packet
        self.line.datagram(data, address)
        if self.line.quic.newest_packet != newest:
            self._heart.heard(self._clock.monotonic())  # an acknowledgement is an answer too
        if not self.dialled and self.line.quic.is_unopened:
            self.lost("noise")  # not even the first datagram could be read

    def open_channel(self, protocol: ProtocolName) -> Channel:
        """Open a channel from this side.

        Raises:
            PeerLost: the connection is gone, or has as many channels as it may.
        """
        peer = self.peer
        if peer is None or self._end is not None:
            raise PeerLost(self._end or "the connection is not proven yet")
        own = sum(1 for stream in self.channels if (stream % 2 == 0) == self.dialled)
        if own >= MAX_CHANNELS_PER_CONNECTION:
            raise PeerLost(f"{short_peer_text(peer)} has {own} channels from here already")
        stream = self.line.next_stream()
        channel = Channel(self, stream=stream, peer=peer, protocol=protocol)
        self.channels[stream] = channel
        channel.opening(protocol)
        return channel

    async def knock(self) -> None:
        """Ask whether the peer is there; returns when it has answered, or the connection ended."""
        if self._end is None and self.peer is not None:
            now = self._clock.monotonic()
            self._heart.is_busy(now)
            answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._knocks = [knock for knock in self._knocks if not knock.done()] + [answered]
            self._tell(self._heart.ping(now))
            await answered

    def check(self, now: float) -> None:
        """Heartbeat and patience; called every `heartbeat.CHECK_SECONDS` of `clock.monotonic`."""
        self._heart.check(now)
        self._opened_since_check = 0
        if self.peer is None:
            if now - self.began_at >= HANDSHAKE_SECONDS:
                self.end(f"no proof within {HANDSHAKE_SECONDS:g} seconds")
            return
        if self._heart.is_lost(now):
            self.lost(f"{short_peer_text(self.peer)} stopped answering")
            return
        if self.line.quic.untaken_bytes(CONTROL_STREAM) > MAX_UNTAKEN_BYTES:
            self.end("it takes nothing of what it is told")
            return
        for stream, since in list(self._unopened.items()):
            if now - since >= HANDSHAKE_SECONDS:
                self._broken(stream, "a channel that nobody says the purpose of")
        if self._heart.is_due(now) and self._end is None:
            self._tell(self._heart.ping(now))

    def end(self, reason: str, *, idle: bool = False) -> None:
        """Say goodbye with a reason and close; every channel ends with PeerLost."""
        if self._end is None:
            self.ended_idle = idle
            if self._spoken:
                self._tell(Goodbye(reason=reason[:MAX_REASON_CHARACTERS], idle=idle))
            self.line.close(reason)
            self.lost(reason)

    def lost(self, reason: str) -> None:
        """The other end is gone: stop at once, without a word."""
        if self._end is not None:
            return
        self._end = reason
        self.line.drop()
        self._answer_knocks()
        if not self.ready.done():
            self.ready.set_exception(PeerLost(reason))
        for channel in list(self.channels.values()):
            channel.lost(PeerLost(reason))
        self._owner.ended(self)

    # ── ChannelLink: what channels ask for ───────────────────────────────────

    def write(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send these bytes of a channel."""
        self._heart.is_busy(self._clock.monotonic())
        self.line.write(stream, data, end=end)

    def reset(self, stream: int) -> None:
        """Give a channel's stream up."""
        self._reset(stream, code=_GIVEN_UP)

    def released(self, channel: Channel) -> None:
        """A channel is done with."""
        self.channels.pop(channel.stream, None)
        self._quiet_since = self._clock.monotonic()
        self._unopened.pop(channel.stream, None)

    # ── LineEvents: what comes from the other end ────────────────────────────

    def secured(self) -> None:
        """TLS is done: the dialler checks the listener's key, then says hello."""
        if self.wanted is None:
            self._listen = ListenHandshake(
                self._identity,
                agent=self._agent,
                observed=self.address,
                nonce=secrets.token_bytes(32),
            )
            return
        try:
            found = self.line.quic.listener_peer()
        except BadInput as error:
            self.end(f"{self.address} is no Potluck computer: {error}")
            return
        if found != self.wanted:
            # Nothing has been sent to it but the TLS handshake, and nothing will be.
            self.line.close("another computer was wanted")
            self.lost(
                f"{self.address} is answered by {short_peer_text(found)}, "
                f"not by {short_peer_text(self.wanted)}"
            )
            return
        self._dial = DialHandshake(self._identity, listener=found, agent=self._agent)
        self._tell(self._dial.begin())

    def stream_data(self, stream: int, data: bytes, *, end: bool) -> None:
        """Bytes of the control channel or of another one."""
        self._heart.heard(self._clock.monotonic())
        if stream == CONTROL_STREAM:
            self._control_data(data, end=end)
            return
        self._heart.is_busy(self._clock.monotonic())
        channel = self.channels.get(stream)
        if channel is None:
            channel = self._accept(stream)
        if end:
            self._given_up.discard(stream)
        if channel is None:
            return
        try:
            if channel.arrived(data, end=end):
                # It may have been released already, when its end came along with its opening.
                self._unopened.pop(stream, None)
                self._owner.channel_opened(channel)
        except BadInput as error:
            self._broken(stream, str(error))

    def stream_reset(self, stream: int) -> None:
        """The other side gave a stream up."""
        if stream == CONTROL_STREAM:
            self.end("the control channel was closed")
            return
        self._given_up.discard(stream)
        channel = self.channels.get(stream)
        if channel is not None:
            self._reset(stream, code=_GIVEN_UP)
            channel.lost(PeerLost(f"{short_peer_text(channel.peer)} gave the channel up"))

    def line_ended(self, reason: str) -> None:
        """The other side, or QUIC itself, closed the connection."""
        self.lost(f"{self._who()} closed the connection ({reason})")

    def id_issued(self, connection_id: bytes) -> None:
        """Pass on which datagrams belong here."""
        self._owner.id_issued(self, connection_id)

    def id_retired(self, connection_id: bytes) -> None:
        """... and which no more."""
        self._owner.id_retired(connection_id)

    def send_datagram(self, data: bytes, address: Address) -> None:
        """Count it and put it on the socket."""
        self.bytes_sent += len(data)
        if address != self.remote and self.line.quic.has_shown(address):
            self.remote = address  # a datagram alone shows nothing: anybody's address fits on it
        self._owner.send_datagram(data, address)

    # ── the control channel ──────────────────────────────────────────────────

    def _control_data(self, data: bytes, *, end: bool) -> None:
        self._spoken = True
        try:
            for body in self._reader.feed(data):
                if self._end is None:
                    self._control_message(decode_control(body))
            if end:
                raise BadInput("the control channel was closed")
        except BadInput as error:
            self._control_broken(str(error))

    def _control_broken(self, reason: str) -> None:
        if self._end is None:
            peer = self.peer
            self.end(f"bad input: {reason}")
            if peer is not None:
                self._owner.report_bad_input(peer, reason)
            else:
                logger.info("%s was dropped before its proof: %s", self.address, reason)

    def _control_message(self, message: ControlMessage) -> None:
        match message:
            case Goodbye():
                who = self._who()
                self.ended_idle = message.idle
                self.line.close("goodbye")
                self.lost(f"{who} said goodbye: {message.reason}")
            case Ping() if self.peer is not None:
                self._heart.asked()
                self._tell(Pong(serial=message.serial, place=self._owner.told_place))
            case Pong() if self.peer is not None:
                seconds = self._heart.answered(message, self._clock.monotonic())
                if seconds is not None:
                    self._owner.measured(self, message.place, seconds)
                self._answer_knocks()
            case _:
                self._prove(message)

    def _prove(self, message: ControlMessage) -> None:
        if self._dial is not None:
            reply = self._dial.receive(message)
            if reply is not None:
                self._tell(reply)
            if self._dial.done:
                self._proven(self._dial.peer)
        elif self._listen is not None:
            reply = self._listen.receive(message)
            peer = self._listen.peer
            if self._listen.done and peer is not None:
                refusal = self._owner.refusal(peer, self.address)
                if refusal is not None:
                    self.end(refusal)
                    return
            self._tell(reply)
            if self._listen.done and peer is not None:
                self._proven(peer)

    def _proven(self, peer: PeerId) -> None:
        self.peer = peer
        self.line.quic.widen()
        self._owner.proven(self)
        if self._end is None:
            # Who has just come wants to know where it is.
            self._tell(self._heart.ping(self._clock.monotonic()))
        if not self.ready.done() and self._end is None:
            self.ready.set_result(None)

    def _answer_knocks(self) -> None:
        for knock in self._knocks:
            if not knock.done():
                knock.set_result(None)
        self._knocks.clear()

    def _tell(self, message: ControlMessage) -> None:
        self._spoken = True
        self.line.write(CONTROL_STREAM, encode(message), end=False)

    # ── channels the other side opens ────────────────────────────────────────

    def _accept(self, stream: int) -> Channel | None:
        """A channel for a stream that is new here; None for the rest of one given up."""
        opened_here = (stream % 2 == 0) == self.dialled  # QUIC's numbering of streams
        if opened_here or stream in self._given_up:
            return None
        # The listener may open one as soon as it has our proof; its welcome can be late.
        peer = self.peer
        if peer is None and self._dial is not None and self._dial.proof_sent:
            peer = self._dial.peer
        if peer is None:
            self._control_broken("a channel before the proof")
            return None
        channel = Channel(self, stream=stream, peer=peer, protocol=None)
        self.channels[stream] = channel
        self._unopened[stream] = self._clock.monotonic()
        self._opened_since_check += 1
        if self._opened_since_check > MAX_OPENED_PER_CHECK:
            self._broken(stream, "a flood of channels")
            return None
        return channel

    def _broken(self, stream: int, reason: str) -> None:
        channel = self.channels.get(stream)
        self._reset(stream, code=_BROKE_A_RULE)
        if channel is not None:
            channel.lost(PeerLost(f"{short_peer_text(channel.peer)} broke a rule: {reason}"))
            self._owner.report_bad_input(channel.peer, reason)

    def _reset(self, stream: int, *, code: int) -> None:
        if self.line.reset(stream, code=code):
            self._given_up.add(stream)

    def _who(self) -> str:
        if self.peer is not None:
            return short_peer_text(self.peer)
        return self.address


def _retrieve(ready: asyncio.Future[None]) -> None:
    if not ready.cancelled():
        ready.exception()
