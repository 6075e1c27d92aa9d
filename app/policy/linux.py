"""What Linux tells about its user and its network.

On Wayland only the compositor knows when somebody last touched the computer, and of
those GNOME's tells; the X server that runs beside it would lie. Whether the network is
metered is known to NetworkManager. Both are asked over D-Bus.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar

from app.policy.x11 import XServer

try:
    from jeepney import DBusAddress, DBusErrorResponse, HeaderFields, MessageType, Properties
    from jeepney.auth import AuthenticationError
    from jeepney.io.blocking import open_dbus_connection
    from jeepney.low_level import Message
    from jeepney.wrappers import new_method_call

    HAS_DBUS = True
except ImportError:  # it comes with the keyring, on Linux
    HAS_DBUS = False

T = TypeVar("T")

logger = logging.getLogger(__name__)

ASK_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 30.0
"""What is not there is looked for again this much later: a desktop starts, or is left."""

METERED_WORDS: Final = {1: True, 2: False, 3: True, 4: False}
"""NetworkManager's NMMetered: yes, no, and two guesses; 0 is unknown."""


class Bus:
    """One of D-Bus's two buses; asked again later when it does not answer."""

    def __init__(
        self, kind: Literal["SESSION", "SYSTEM"], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._kind = kind
        self._now = now
        self._connection: Any = None
        self._not_before = float("-inf")

    def ask(
        self, name: str, path: str, interface: str, method: str, *arguments: str
    ) -> tuple[Any, ...] | None:
        """Call a method; what it returns, or None when nobody answers.

        Args:
            arguments: texts, handed to the method in order.
        """
        if not HAS_DBUS or self._now() < self._not_before:
            return None
        address = DBusAddress(path, bus_name=name, interface=interface)
        if arguments:
            message = new_method_call(address, method, "s" * len(arguments), arguments)
        else:
            message = new_method_call(address, method)
        return self._send(message)

    def property(self, name: str, path: str, interface: str, key: str) -> Any:
        """Read a property; None when nobody answers."""
        if not HAS_DBUS or self._now() < self._not_before:
            return None
        address = DBusAddress(path, bus_name=name, interface=interface)
        answer = self._send(Properties(address).get(key))
        # A property comes as a pair of its type and its value.
        return answer[0][1] if answer and isinstance(answer[0], tuple) else None

    def close(self) -> None:
        """Leave the bus."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, message: Message) -> tuple[Any, ...] | None:
        try:
            if self._connection is None:
                self._connection = open_dbus_connection(self._kind)
            reply = self._connection.send_and_get_reply(message, timeout=ASK_SECONDS)
        except (
            *(OSError, KeyError, ValueError, RuntimeError, EOFError),
            *(AuthenticationError, DBusErrorResponse),
        ) as error:
            logger.debug("the %s bus does not answer: %s", self._kind.lower(), error)
            self.close()
            self._not_before = self._now() + RETRY_SECONDS
            return None
        if reply.header.message_type == MessageType.error:
            logger.debug("refused: %s", reply.header.fields.get(HeaderFields.error_name))
            self._not_before = self._now() + RETRY_SECONDS
            return None
        return tuple(reply.body)


class LinuxSystem:
    """Linux, with whatever desktop there is."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = environment
        self._now = now
        self._session = Bus("SESSION", now=now)
        self._network = Bus("SYSTEM", now=now)
        self._x: XServer | None = None
        self._x_not_before = float("-inf")

    @property
    def wayland(self) -> bool:
        """Whether the desktop is one where an X server knows only a part."""
        kind = self._environment.get("XDG_SESSION_TYPE", "").lower()
        return kind == "wayland" or bool(self._environment.get("WAYLAND_DISPLAY"))

    def idle_seconds(self) -> float | None:
        """Since the last touch of mouse or keyboard."""
        if not self.wayland:
            return self._asked_x(XServer.idle_seconds)
        answer = self._session.ask(
            "org.gnome.Mutter.IdleMonitor",
            "/org/gnome/Mutter/IdleMonitor/Core",
            "org.gnome.Mutter.IdleMonitor",
            "GetIdletime",
        )
        if not answer or not isinstance(answer[0], int):
            return None
        return answer[0] / 1000

    def metered(self) -> bool | None:
        """As NetworkManager says or guesses."""
        value = self._network.property(
            "org.freedesktop.NetworkManager",
            "/org/freedesktop/NetworkManager",
            "org.freedesktop.NetworkManager",
            "Metered",
        )
        return METERED_WORDS.get(value) if isinstance(value, int) else None

    def full_screen(self) -> bool | None:
        """As the window manager says on X11; Wayland keeps it to itself."""
        return None if self.wayland else self._asked_x(XServer.full_screen)

    def close(self) -> None:
        """Let go of the buses and the X server."""
        self._session.close()
        self._network.close()
        self._close_x()

    def _asked_x(self, question: Callable[[XServer], T]) -> T | None:
        if self._now() < self._x_not_before:
            return None
        try:
            if self._x is None:
                self._x = XServer(self._environment)
            return question(self._x)
        except OSError as error:
            logger.debug("the X server does not answer: %s", error)
            self._close_x()
            self._x_not_before = self._now() + RETRY_SECONDS
            return None

    def _close_x(self) -> None:
        if self._x is not None:
            self._x.close()
            self._x = None
