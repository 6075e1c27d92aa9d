"""Connections to the API: let in one after another, and never more than there is room for.

A program that opens connections and says nothing must not keep others out, nor use up what
the node needs to open files. The counterpart that answers on them is `app/api/server.py`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from typing import Final

from aiohttp import web

logger = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 256
"""A window uses five; every event stream and every answer being written is one."""
HEADER_SECONDS: Final = 10.0
"""Until its first request is there; later ones have `KEEP_SECONDS`."""
KEEP_SECONDS: Final = 75.0
"""How long a connection may lie idle between two requests."""
PAUSE_SECONDS: Final = 0.5
"""Before the next try, when the system has nothing left to accept a connection with."""
QUIET_SECONDS: Final = 60.0
"""Between two lines of the log about the same trouble."""

_SHORTAGES: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def most_connections() -> int:
    """As many as we want, or half of the files that the system lets this process open."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft < 0 else min(MOST_CONNECTIONS, soft // 2)


class Connections:
    """Accepts connections for a server, as long as `run` runs.

    Args:
        listening: a socket that listens and does not block; it is not closed here.
        server: who answers on each connection.
        most: how many there may be at once.
        header_seconds: after how long one that has asked nothing is closed.
    """

    def __init__(
        self,
        listening: socket.socket,
        server: web.Server,
        *,
        most: int,
        header_seconds: float = HEADER_SECONDS,
    ) -> None:
        self._listening = listening
        self._server = server
        self._most = most
        self._header_seconds = header_seconds
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._said_at = -QUIET_SECONDS

    async def run(self) -> None:
        """Accept until cancelled; then those that asked nothing yet are closed."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._listening)
                except OSError as error:
                    await self._rest(error)
                else:
                    await self._let_in(connection)
        finally:
            while self._close_oldest():
                pass

    def asked(self, handler: web.RequestHandler) -> None:
        """A request has come on this connection: it is not silent any more."""
        timer = self._silent.pop(handler, None)
        if timer is not None:
            timer.cancel()

    async def _let_in(self, connection: socket.socket) -> None:
        if len(self._silent) >= self._most:
            self._forget_ended()
        if len(self._server.connections) >= self._most and not self._close_oldest():
            self._say(f"all {self._most} connections to the API are in use; one is turned away")
            connection.close()
            return
        loop = asyncio.get_running_loop()
        handler = self._server()
        try:
            await loop.connect_accepted_socket(lambda: handler, connection)
        except OSError as error:  # it was gone again before it could be used
            logger.debug("a connection could not be used: %s", error)
            connection.close()
            return
        self._silent[handler] = loop.call_later(self._header_seconds, self._close, handler)

    async def _rest(self, error: OSError) -> None:
        """After a connection could not be accepted."""
        if isinstance(error, ConnectionError):
            return  # that one has gone; the next may stay
        if error.errno in _SHORTAGES:
            self._close_oldest()
        self._say(f"the API cannot accept connections ({error.strerror}); it tries again")
        await asyncio.sleep(PAUSE_SECONDS)

    def _close_oldest(self) -> bool:
        """Close the connection that has been silent longest; whether there was one."""
        self._forget_ended()
        oldest = next(iter(self._silent), None)
        if oldest is not None:
            self._close(oldest)
        return oldest is not None

    def _forget_ended(self) -> None:
        """Those that went away by themselves; so there are never many of them."""
        for handler in [handler for handler in self._silent if handler.transport is None]:
            self.asked(handler)

    def _close(self, handler: web.RequestHandler) -> None:
        self.asked(handler)
        handler.force_close()

    def _say(self, words: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._said_at >= QUIET_SECONDS:
            self._said_at = now
            logger.warning("%s", words)
