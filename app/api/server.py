"""The HTTP server: where programs on this computer reach the node.

It binds, guards (`app/api/guard.py`) and hands on to the two halves of the API,
`app/api/control.py` and `app/api/openai.py`.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from app.api import control, openai
from app.api.connections import KEEP_SECONDS, Connections, most_connections
from app.api.control_port import NodeControl
from app.api.guard import MAX_BODY_BYTES, Admission, Denied, Handler, guard, refusal
from app.api.shapes import API_PREFIX
from app.errors import UsageError
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

PORTS_TO_TRY: Final = 20
"""How many ports after the default one are tried when it is taken."""
SHUTDOWN_SECONDS: Final = 0.2
"""How long running requests may take to end when the node does; streams end at once."""
WAITING_CONNECTIONS: Final = 512
"""Not accepted yet; of more, the system lets each wait for a second."""


class _TheirMistakes(logging.Filter):
    """Keeps out of the log what a program got wrong about HTTP: it is told, and nobody else."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


_THEIR_MISTAKES: Final = _TheirMistakes()


class ApiServer:
    """Serves the API between `async with` and its end.

    Args:
        node: who answers.
        host, port: where to listen; port 0 takes any that is free.
        may_move: whether the next free port does as well.
        admission: what lets requests in, asked at each.
        most: how many connections there may be at once.
    """

    def __init__(
        self,
        node: NodeControl,
        *,
        host: str,
        port: int,
        may_move: bool,
        admission: Callable[[], Admission],
        most: int | None = None,
    ) -> None:
        self._node = node
        self._host = host
        self._port = port
        self._may_move = may_move
        self._admission = admission
        self._most = most_connections() if most is None else most
        self._runner: web.AppRunner | None = None
        self._listening: socket.socket | None = None
        self._connections: Connections | None = None
        self._tasks = TaskOwner("API")
        self.url = ""

    async def __aenter__(self) -> ApiServer:
        """Listen.

        Raises:
            UsageError: the address cannot be had; the text says why.
        """
        listening = self._bind()
        app = web.Application(
            middlewares=[self._heard, _edge, guard(self._admission)],
            client_max_size=MAX_BODY_BYTES,
        )
        app.add_routes(control.routes(self._node))
        app.add_routes(openai.routes(self._node))
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_SECONDS,
            # A program that leaves must not go on costing helpers their time.
            handler_cancellation=True,
            keepalive_timeout=KEEP_SECONDS,
            auto_decompress=False,  # a few bytes could become many; `guard.py` refuses them
            logger=_http_logger(),
        )
        try:
            await self._runner.setup()
            listening.listen(WAITING_CONNECTIONS)
        except BaseException:
            listening.close()
            raise
        assert self._runner.server is not None
        self._listening = listening
        self._connections = Connections(listening, self._runner.server, most=self._most)
        self._tasks.start(self._connections.run(), name="connections")
        host, port = listening.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # where this computer asks
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._tasks.close()
        finally:
            if self._listening is not None:
                self._listening.close()
                self._listening = None
            if self._runner is not None:
                await self._runner.cleanup()
                self._runner = None

    @property
    def _heard(self) -> Any:
        @web.middleware
        async def heard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._connections is not None:
                self._connections.asked(request.protocol)
            return await handler(request)

        return heard

    def _bind(self) -> socket.socket:
        last = self._port + (PORTS_TO_TRY if self._may_move and self._port else 0)
        for port in range(self._port, last + 1):
            try:
                return _listening(self._host, port)
            except OSError as error:
                taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
                if not taken or port == last:
                    raise UsageError(self._why(error)) from None
                logger.warning("port %d is taken; the API takes the next that is free", port)
        raise AssertionError("the last port returns or raises")

    def _why(self, error: OSError) -> str:
        where = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            return (
                f"{where} is taken by another program, so the API cannot be served there;"
                " choose another port, or 0 for any that is free."
            )
        return f"The API cannot be served at {where}: {error.strerror or error}."


def _http_logger() -> logging.Logger:
    """Where aiohttp tells what happens below our own handlers."""
    made = logging.getLogger("aiohttp.server")
    made.addFilter(_THEIR_MISTAKES)  # the same one again changes nothing
    return made


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # on Windows this would let two programs share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


@web.middleware
async def _edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One request's failure harms no other, and is told without its insides."""
    try:
        return await handler(request)
    except Exception:
        logger.exception("%s %s failed", request.method, request.path)
        words = "This is a mistake in Potluck itself; the log says more. Nothing else stopped."
        is_control = request.path.startswith(API_PREFIX)
        return refusal(Denied(500, "mistake", words), openai=not is_control)
