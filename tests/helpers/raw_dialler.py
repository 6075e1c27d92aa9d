"""A dialler that obeys nobody: real TLS and streams, and whatever bytes a test puts there.

async with RawDialler.to(host.address) as raw:
    raw.send(0, encode(Hello(...)))
    message = await raw.control()
    reason = await raw.closed()
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from app.ids import PeerId
from app.net.addresses import parse_address
from app.net.framing import FrameReader
from app.net.handshake import proof_bytes
from app.net.identity import Identity
from app.net.quic import APPLICATION_PROTOCOL
from app.net.wire import (
    MAX_FRAME_BYTES,
    PROTOCOL_VERSION,
    Challenge,
    ControlMessage,
    Goodbye,
    Hello,
    OpenChannel,
    Ping,
    Pong,
    Proof,
    Welcome,
    decode_control,
    encode,
)

SOON_SECONDS = 30.0
"""What comes for sure comes within that, however busy this computer is."""


class RawDialler(QuicConnectionProtocol):
    """One connection without any manners of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bodies: dict[int, asyncio.Queue[bytes]] = {}
        self.readers: dict[int, FrameReader] = {}
        self.resets: set[int] = set()
        self.goodbye: str | None = None
        self.changed = asyncio.Event()
        self.over = asyncio.Event()

    @staticmethod
    @asynccontextmanager
    async def to(
        address: str, *, speaks: str = APPLICATION_PROTOCOL, window_bytes: int = 8 << 20
    ) -> AsyncIterator[RawDialler]:
        """Dial an address; leaves without waiting for anybody."""
        configuration = QuicConfiguration(
            alpn_protocols=[speaks], verify_mode=ssl.CERT_NONE, max_stream_data=window_bytes
        )
        transport, raw = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: RawDialler(QuicConnection(configuration=configuration)),
            local_addr=("127.0.0.1", 0),
        )
        try:
            raw.connect(parse_address(address))
            await raw.wait_connected()
            yield raw
        finally:
            raw.close()
            transport.close()
            if raw._timer is not None:
                raw._timer.cancel()

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Put bytes on a stream."""
        self._quic.send_stream_data(stream, data, end_stream=end)
        self.transmit()

    async def body(self, stream: int) -> bytes:
        """The next frame's body on a stream."""
        return await self.bodies.setdefault(stream, asyncio.Queue()).get()

    async def control(self) -> ControlMessage:
        """The next control message, heartbeats left out."""
        while True:
            message = decode_control(await self.body(0))
            if not isinstance(message, Ping | Pong):
                return message

    async def prove(self, identity: Identity, listener: PeerId) -> ControlMessage:
        """Go through the proof as a good dialler would; the listener's last word."""
        peer = bytes(identity.peer_id)
        self.send(0, encode(Hello(version=PROTOCOL_VERSION, agent="raw", peer=peer)))
        challenge = await self.control()
        assert isinstance(challenge, Challenge)
        signed = proof_bytes(listener=listener, dialler=identity.peer_id, nonce=challenge.nonce)
        self.send(0, encode(Proof(signature=identity.sign(signed))))
        return await self.control()

    async def proven(self, identity: Identity, listener: PeerId) -> None:
        """Go through the proof and be welcome."""
        assert await self.prove(identity, listener) == Welcome()

    def open(self, stream: int) -> None:
        """Open a "hop" channel."""
        self.send(stream, encode(OpenChannel(protocol="hop")))

    async def closed(self) -> str:
        """Wait until the listener ends the connection; its goodbye, or "" without one."""
        async with asyncio.timeout(SOON_SECONDS):
            await self.over.wait()
        return self.goodbye or ""

    async def reset(self, stream: int) -> None:
        """Wait until the listener gives a stream up."""
        async with asyncio.timeout(SOON_SECONDS):
            while stream not in self.resets:
                self.changed.clear()
                await self.changed.wait()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        """Take a datagram; that the listener ended it shows now, not after QUIC's time to drain:
        three times a round trip that a busy computer may have measured in seconds."""
        super().datagram_received(data, addr)
        if self._quic._close_event is not None:
            self.over.set()

    def quic_event_received(self, event: events.QuicEvent) -> None:
        match event:
            case events.StreamDataReceived():
                reader = self.readers.setdefault(event.stream_id, FrameReader(MAX_FRAME_BYTES))
                for body in reader.feed(event.data):
                    self.bodies.setdefault(event.stream_id, asyncio.Queue()).put_nowait(body)
                    if event.stream_id == 0 and isinstance(decode_control(body), Goodbye):
                        self.goodbye = decode_control(body).reason  # type: ignore[union-attr]
            case events.StreamReset() | events.StopSendingReceived():
                self.resets.add(event.stream_id)
                self.changed.set()
            case events.ConnectionTerminated():
                self.over.set()
