"""The one UDP socket, and which connection each datagram on it belongs to.

A private sibling of `app/net/endpoint.py`. Both roles and all peers share the
socket; the destination connection id tells them apart. Noise costs a look at a
few bytes; a first datagram that cannot be read costs no lasting memory.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import secrets
import socket
import sys
from collections.abc import Callable
from typing import cast

from aioquic._buffer import Buffer
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE
from aioquic.quic.packet import (
    QuicPacketType,
    QuicProtocolVersion,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from app.errors import UsageError
from app.net.addresses import format_address, is_loopback, parse_address
from app.net.connection import Connection
from app.net.quic import CONNECTION_ID_BYTES, Address
from app.net.shaping import DelayLine, Shaper

logger = logging.getLogger(__name__)

SOCKET_BUFFER_BYTES = 4 << 20
"""Asked for, not demanded: room for a burst while Python is busy elsewhere."""
DATAGRAMS_PER_WAKE_UP = 32
"""How many waiting datagrams are read at once before others get a turn."""
_MAX_DATAGRAM_BYTES = 65536
_HOSTS_REMEMBERED = 1024
_VERSIONS = (int(QuicProtocolVersion.VERSION_1), int(QuicProtocolVersion.VERSION_2))

NewConnection = Callable[[Address, bytes, bytes | None], Connection | None]
"""Called with a dialler's address, the connection id it made up, and, after a retry,
the one we made up; the connection to answer with, or None to stay silent."""


class Port(asyncio.DatagramProtocol):
    """Reads datagrams and hands each to its connection.

    Args:
        shaper: counts every datagram and may hold it back; None leaves all alone.
        shape_loopback: whether the shaper sees what stays on this computer too.
    """

    def __init__(
        self,
        *,
        new_connection: NewConnection,
        wants_retry: Callable[[], bool],
        shaper: Shaper | None = None,
        shape_loopback: bool = False,
    ) -> None:
        self._new_connection = new_connection
        self._wants_retry = wants_retry
        self._connections: dict[bytes, Connection] = {}
        self._retry_tokens = QuicRetryTokenHandler()
        self._transport: asyncio.DatagramTransport | None = None
        self._socket: socket.socket | None = None
        self._address: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shaper = shaper
        self._shape_loopback = shape_loopback
        self._up: DelayLine | None = None
        self._down: DelayLine | None = None

    async def open(self, host: str, port: int) -> None:
        """Bind the socket; UsageError when the address cannot be had."""
        self._loop = asyncio.get_running_loop()
        bound = _bind(host, port)
        self._socket = bound
        name = bound.getsockname()
        self._address = format_address(name[0], name[1])
        if self._shaper is not None:
            self._up = DelayLine(self._loop, self._shaper.sending, self._put)
            self._down = DelayLine(self._loop, self._shaper.received, self._take)
        self._transport, _ = await self._loop.create_datagram_endpoint(lambda: self, sock=bound)

    def close(self) -> None:
        """Let the socket go, after the last words."""
        if self._up is not None:
            self._up.flush()
        if self._down is not None:
            self._down.close()
        if self._transport is not None:
            self._transport.close()
        self._transport = self._socket = None
        self._connections.clear()

    @property
    def address(self) -> str:
        """Where it is, or last was, really bound, as `HOST:PORT`."""
        if self._address is None:
            raise RuntimeError("the socket was never opened")
        return self._address

    async def resolve(self, text: str) -> Address:
        """Somewhere to send for `HOST:PORT`; a name is looked up off the event loop.

        Raises:
            ValueError: the text is no address.
            OSError: the name is unknown, or of a kind this socket cannot reach.
        """
        if self._socket is None or self._loop is None:
            raise OSError("the socket is closed")
        host, port = parse_address(text)
        family = self._socket.family
        if family == socket.AF_INET and _is_ip(host, version=4):
            return (host, port)
        flags = socket.AI_V4MAPPED if family == socket.AF_INET6 else 0
        found = await self._loop.getaddrinfo(
            host, port, family=family, type=socket.SOCK_DGRAM, flags=flags
        )
        return cast(Address, found[0][4])

    def send(self, data: bytes, address: Address) -> None:
        """Put a datagram on the wire, or lose it: QUIC sends again what matters."""
        if self._up is not None and self._is_shaped(address):
            self._up.put(data, address)
        else:
            self._put(data, address)

    def _put(self, data: bytes, address: Address) -> None:
        if self._transport is not None:
            self._transport.sendto(data, address)

    def adopt(self, connection: Connection, connection_id: bytes) -> None:
        """Datagrams with this destination belong to `connection`."""
        self._connections[connection_id] = connection

    def forget_id(self, connection_id: bytes) -> None:
        """This destination is used no more."""
        self._connections.pop(connection_id, None)

    def forget(self, connection: Connection) -> None:
        """Nothing belongs to this connection any more."""
        gone = [known for known, owner in self._connections.items() if owner is connection]
        for connection_id in gone:
            del self._connections[connection_id]

    # ── asyncio.DatagramProtocol ─────────────────────────────────────────────

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """A datagram came in; take what else waits in the socket in the same turn."""
        self._arrived(data, addr)
        if sys.platform == "win32":
            return  # its event loop reads ahead by itself
        for _ in range(DATAGRAMS_PER_WAKE_UP):
            if self._socket is None:
                return
            try:
                data, addr = self._socket.recvfrom(_MAX_DATAGRAM_BYTES)
            except OSError:  # nothing there, or an error that asyncio will meet and report
                return
            self._arrived(data, addr)

    def error_received(self, exc: Exception) -> None:
        """The system reports that something sent earlier went nowhere; heartbeats will tell."""
        logger.debug("the socket reports: %s", exc)

    # ── inside ───────────────────────────────────────────────────────────────

    def _arrived(self, data: bytes, address: Address) -> None:
        if self._down is not None and self._is_shaped(address):
            self._down.put(data, address)
        else:
            self._take(data, address)

    def _is_shaped(self, address: Address) -> bool:
        return self._shape_loopback or not _stays_here(address[0])

    def _take(self, data: bytes, address: Address) -> None:
        # A short header is all of a datagram in a living connection: skip the parser.
        if data and not data[0] & 0x80:
            connection = self._connections.get(data[1 : 1 + CONNECTION_ID_BYTES])
        else:
            connection = self._long_header(data, address)
        if connection is not None:
            connection.datagram(data, address)

    def _long_header(self, data: bytes, address: Address) -> Connection | None:
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=CONNECTION_ID_BYTES)
        except ValueError:
            return None
        if header.packet_type == QuicPacketType.VERSION_NEGOTIATION:
            return self._connections.get(header.destination_cid)
        if header.version not in _VERSIONS:
            # As large as a first datagram must be, or we would be an amplifier.
            if len(data) >= SMALLEST_MAX_DATAGRAM_SIZE:
                self.send(
                    encode_quic_version_negotiation(
                        source_cid=header.destination_cid,
                        destination_cid=header.source_cid,
                        supported_versions=list(_VERSIONS),
                    ),
                    address,
                )
            return None
        known = self._connections.get(header.destination_cid)
        if known is not None:
            return known
        if (
            header.packet_type != QuicPacketType.INITIAL
            or len(data) < SMALLEST_MAX_DATAGRAM_SIZE
            or len(header.destination_cid) < CONNECTION_ID_BYTES
        ):
            return None
        if header.token:
            return self._after_retry(header.token, header.destination_cid, address)
        if self._wants_retry():
            self._send_retry(header.version, header.source_cid, header.destination_cid, address)
            return None
        return self._answer(address, header.destination_cid, None)

    def _answer(
        self, address: Address, dialled_id: bytes, retry_id: bytes | None
    ) -> Connection | None:
        connection = self._new_connection(address, dialled_id, retry_id)
        if connection is not None:
            self.adopt(connection, retry_id or dialled_id)
            self.adopt(connection, connection.line.quic.host_cid)
        return connection

    def _send_retry(
        self, version: int | None, source_id: bytes, dialled_id: bytes, address: Address
    ) -> None:
        """Have the dialler show that it receives at its address, before any memory is spent."""
        if self._loop is None or version is None:
            return
        retry_id = secrets.token_bytes(CONNECTION_ID_BYTES)
        token = self._retry_tokens.create_token(
            address=address,
            original_destination_connection_id=dialled_id,
            retry_source_connection_id=retry_id,
            now=self._loop.time(),
        )
        self.send(
            encode_quic_retry(
                version=version,
                source_cid=retry_id,
                destination_cid=source_id,
                original_destination_cid=dialled_id,
                retry_token=token,
            ),
            address,
        )

    def _after_retry(self, token: bytes, retry_id: bytes, address: Address) -> Connection | None:
        if self._loop is None:
            return None
        try:
            dialled_id = self._retry_tokens.validate_token(
                address=address, destination_cid=retry_id, token=token, now=self._loop.time()
            )
        except ValueError:
            return None
        return self._answer(address, dialled_id, retry_id)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            bound.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        where = format_address(host, port)
        raise UsageError(
            f"cannot listen on {where} ({error.strerror or error}); choose another address or port"
        ) from None
    return bound


@functools.lru_cache(maxsize=_HOSTS_REMEMBERED)
def _stays_here(host: str) -> bool:
    """Remembered, because it is asked for each datagram and reading an address costs 2 us."""
    return is_loopback(host)


def _is_ip(host: str, *, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False
