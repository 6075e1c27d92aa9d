"""A few questions to an X server: how long nobody touched it, and what fills the screen.

Spoken directly over the server's local socket, because the usual library ends the whole
process when the server goes away. Only a display of this computer is asked: one that is
forwarded from elsewhere says nothing about who sits here. The protocol:
https://www.x.org/releases/current/doc/xproto/x11protocol.html
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

TIMEOUT_SECONDS: Final = 0.5
MAX_REPLY_BYTES: Final = 1 << 20
MAX_AUTHORITY_BYTES: Final = 1 << 20
_COOKIE: Final = b"MIT-MAGIC-COOKIE-1"
_DISPLAY: Final = re.compile(r"(?:unix)?:(\d{1,5})(?:\.\d+)?")
_REPLY, _GENERIC_EVENT = 1, 35
_INTERN_ATOM, _GET_PROPERTY, _QUERY_EXTENSION, _QUERY_SCREEN_SAVER = 16, 20, 98, 1
_ANY_TYPE: Final = 0
_MOST_WORDS: Final = 1024


class XError(OSError):
    """The server does not answer, or not as it should."""


class XServer:
    """A connection to a local X server.

    Args:
        environment: where DISPLAY and XAUTHORITY stand.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Connect.

        Raises:
            OSError: there is no local server, or it does not let us in.
        """
        display = _DISPLAY.fullmatch(environment.get("DISPLAY", ""))
        if display is None:
            raise XError("no display of this computer is named")
        number = display[1]
        self._socket = _connect(number)
        try:
            self._socket.settimeout(TIMEOUT_SECONDS)
            self.root = self._greet(_cookie(environment, number))
            self._saver = self._extension(b"MIT-SCREEN-SAVER")
            self._atoms: dict[str, int] = {}
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Leave. A second call does nothing."""
        self._socket.close()

    def idle_seconds(self) -> float | None:
        """Since the last touch of mouse or keyboard; None if the server does not tell.

        Raises:
            OSError: the server is gone.
        """
        if self._saver is None:
            return None
        request = struct.pack("<BBHI", self._saver, _QUERY_SCREEN_SAVER, 2, self.root)
        reply = self._ask(request)
        return None if reply is None else int(struct.unpack_from("<I", reply, 16)[0]) / 1000

    def full_screen(self) -> bool | None:
        """Whether the active window fills the screen; None if no window manager tells.

        Raises:
            OSError: the server is gone.
        """
        if not self._numbers(self.root, "_NET_SUPPORTING_WM_CHECK"):
            return None
        active = next(iter(self._numbers(self.root, "_NET_ACTIVE_WINDOW")), 0)
        if not active:
            return False
        return self.atom("_NET_WM_STATE_FULLSCREEN") in self._numbers(active, "_NET_WM_STATE")

    def atom(self, name: str) -> int:
        """The server's number for a name.

        Raises:
            OSError: the server is gone, or gives none.
        """
        known = self._atoms.get(name)
        if known is None:
            text = name.encode()
            padded = text + bytes(-len(text) % 4)
            words = 2 + len(padded) // 4
            reply = self._ask(struct.pack("<BBHHH", _INTERN_ATOM, 0, words, len(text), 0) + padded)
            if reply is None:
                raise XError("the server gives no number for a name")
            known = self._atoms[name] = int(struct.unpack_from("<I", reply, 8)[0])
        return known

    def _numbers(self, window: int, name: str) -> tuple[int, ...]:
        """A property of 32-bit numbers; empty when the window has none, or is gone."""
        reply = self._ask(
            struct.pack(
                "<BBHIIIII",
                *(_GET_PROPERTY, 0, 6, window, self.atom(name), _ANY_TYPE, 0, _MOST_WORDS),
            )
        )
        if reply is None or reply[1] != 32:
            return ()
        count = min(int(struct.unpack_from("<I", reply, 16)[0]), (len(reply) - 32) // 4)
        return struct.unpack_from(f"<{count}I", reply, 32)

    def _extension(self, name: bytes) -> int | None:
        padded = name + bytes(-len(name) % 4)
        request = struct.pack("<BBHHH", _QUERY_EXTENSION, 0, 2 + len(padded) // 4, len(name), 0)
        reply = self._ask(request + padded)
        return int(reply[9]) if reply is not None and reply[8] else None

    # ── the wire ─────────────────────────────────────────────────────────────

    def _greet(self, cookie: bytes) -> int:
        """Open the conversation; the number of the root window."""
        name = _COOKIE if cookie else b""
        self._socket.sendall(
            struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie))
            + name
            + bytes(-len(name) % 4)
            + cookie
            + bytes(-len(cookie) % 4)
        )
        head = self._exactly(8)
        body = self._exactly(4 * struct.unpack_from("<H", head, 6)[0])
        if head[0] != 1 or len(body) < 32:
            raise XError("the X server does not let us in")
        vendor, formats = struct.unpack_from("<H", body, 16)[0], body[21]
        screen = 32 + vendor + (-vendor % 4) + 8 * formats
        if len(body) < screen + 4:
            raise XError("the X server has no screen")
        return int(struct.unpack_from("<I", body, screen)[0])

    def _ask(self, request: bytes) -> bytes | None:
        """Send a request; its reply, or None when the server refuses it."""
        self._socket.sendall(request)
        while True:
            packet = self._exactly(32)
            kind = packet[0]
            if kind in (_REPLY, _GENERIC_EVENT):
                more = 4 * int(struct.unpack_from("<I", packet, 4)[0])
                if more > MAX_REPLY_BYTES:
                    raise XError("the X server's answer is too long")
                packet += self._exactly(more)
            if kind == _REPLY:
                return packet
            if kind == 0:
                return None  # such as: the window is gone already

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise XError("the X server is gone")
            parts += part
        return bytes(parts)


def _connect(number: str) -> socket.socket:
    path = f"/tmp/.X11-unix/X{number}"
    failure: OSError = XError("there is no X server")
    for address in (f"\0{path}", path):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT_SECONDS)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _cookie(environment: Mapping[str, str], number: str) -> bytes:
    """The secret that lets this user in; empty where there is none."""
    named = environment.get("XAUTHORITY")
    path = Path(named) if named else Path(environment.get("HOME", "/")) / ".Xauthority"
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_AUTHORITY_BYTES)
    except OSError:
        return b""
    return next(cookies(data, number, os.uname().nodename), b"")


def cookies(data: bytes, number: str, host: str) -> Iterator[bytes]:
    """The secrets for a display in the text of an authority file, this host's own first."""
    found: list[tuple[bool, bytes]] = []
    place = 0
    while place + 2 <= len(data):
        place += 2  # the family: what the address says is told by the address
        fields = []
        for _ in range(4):
            if place + 2 > len(data):
                break
            length = struct.unpack_from(">H", data, place)[0]
            fields.append(data[place + 2 : place + 2 + length])
            place += 2 + length
        if len(fields) < 4:
            break
        address, display, name, secret = fields
        if name == _COOKIE and display in (b"", number.encode()):
            found.append((address == host.encode(), secret))
    yield from (secret for own, secret in found if own)
    yield from (secret for own, secret in found if not own)
