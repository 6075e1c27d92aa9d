"""The node as the window sees it: requests, answers and a stream of events.

Speaks the control API of `app/api/control.py` in the shapes of `app/api/shapes.py`, over
loopback HTTP with a token; `app/ui/requests.py` names the requests. Nothing here waits: every
answer arrives in a callback or a signal, in the order in which the node sent it. What does
not have the agreed shape is an error like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from PySide6.QtCore import QByteArray, QObject, QTimer, QUrl, Signal
from PySide6.QtNetwork import QNetworkAccessManager, QNetworkReply, QNetworkRequest

from app.api.shapes import (
    API_PREFIX,
    ErrorBody,
    Snapshot,
    WarningTold,
)
from app.ui.requests import Failed, Requests, RequestsOf
from app.ui.sentences import told
from app.ui.sse import EventParser, TooLong
from app.ui.translations import tr

ANSWER_MILLISECONDS: Final = 20_000
SILENCE_MILLISECONDS: Final = 45_000
"""The node says something every 15 seconds; after this long the stream is taken as lost."""
RETRY_MILLISECONDS: Final = (200, 500, 1000, 2000, 4000)
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024


class Stream(QObject):
    """One stream of events; `ended` comes exactly once, with None or with what went wrong."""

    event = Signal(str, str)
    alive = Signal()
    ended = Signal(object)

    def __init__(self, reply: QNetworkReply, parent: QObject) -> None:
        super().__init__(parent)
        reply.setParent(self)  # whoever follows and is gone has hung up
        self._reply = reply
        self._parser = EventParser()
        self._over = False
        reply.readyRead.connect(self._read)
        reply.finished.connect(self._finish)

    def stop(self) -> None:
        """Hang up; `ended` does not come any more."""
        self._over = True
        self._reply.abort()
        self._reply.deleteLater()

    def _read(self) -> None:
        if self._over or _status(self._reply) != 200:
            return
        self.alive.emit()
        try:
            events = self._parser.feed(bytes(self._reply.readAll().data()))
        except TooLong:
            self._end(ErrorBody(code="unreadable", words=unreadable()))
            self._reply.abort()
            return
        for event in events:
            self.event.emit(event.name, event.data)

    def _finish(self) -> None:
        if self._over:
            return
        self._read()
        failed = self._reply.error() != QNetworkReply.NetworkError.NoError
        self._end(_error(self._reply) if failed else None)

    def _end(self, error: ErrorBody | None) -> None:
        if not self._over:
            self._over = True
            self._reply.deleteLater()
            self.ended.emit(error)


class Backend(QObject, Requests):
    """The control API. `open` follows a node's events until `close`, through its restarts."""

    snapshot = Signal(object)
    download = Signal(object)
    warning = Signal(str)
    connected = Signal()
    lost = Signal()
    still_lost = Signal()
    """Another try was in vain; `lost` came before the first of them."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._network = QNetworkAccessManager(self)
        self._network.setAutoDeleteReplies(False)
        self._base = ""
        self._token = ""
        self._events: Stream | None = None
        self._tries = 0
        self._retry = QTimer(self, singleShot=True)
        self._retry.timeout.connect(self._follow)
        self._silence = QTimer(self, singleShot=True, interval=SILENCE_MILLISECONDS)
        self._silence.timeout.connect(self._gone)
        self.is_connected = False
        self.last: Snapshot | None = None

    # ── following ────────────────────────────────────────────────────────────

    def open(self, base: str, token: str) -> None:
        """Follow the node at `base`, such as "http://127.0.0.1:4711", from now on."""
        self.close()
        self._base, self._token, self._tries = base.rstrip("/"), token, 0
        self._follow()

    def close(self) -> None:
        """Stop following; requests under way still get their answer."""
        self._retry.stop()
        self._silence.stop()
        if self._events is not None:
            self._events.stop()
            self._events = None
        self._base = ""
        self.is_connected = False

    def _follow(self) -> None:
        if not self._base:
            return
        self._events = self.stream("GET", "/events")
        self._events.event.connect(self._heard)
        self._events.alive.connect(self._silence.start)
        self._events.ended.connect(lambda _: self._gone())
        self._silence.start()

    def _heard(self, name: str, data: str) -> None:
        self._tries = 0
        if name == "status":
            snapshot = _decoded(data, Snapshot)
            if snapshot is not None:
                self.last = snapshot
                if not self.is_connected:
                    self.is_connected = True
                    self.connected.emit()
                self.snapshot.emit(snapshot)
        elif name == "warning":
            self.warning.emit(_sentence(data))

    def _gone(self) -> None:
        """The stream ended: say so once, and try again soon."""
        if self._events is not None:
            self._events.stop()
            self._events = None
        self._silence.stop()
        if not self._base:
            return
        self._retry.start(RETRY_MILLISECONDS[min(self._tries, len(RETRY_MILLISECONDS) - 1)])
        self._tries += 1
        was = self.is_connected
        self.is_connected = False
        (self.lost if was or self._tries == 1 else self.still_lost).emit()

    # ── asking ───────────────────────────────────────────────────────────────

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        shape: Any = None,
        done: Callable[[Any], object] | None = None,
        failed: Failed | None = None,
    ) -> None:
        """Send one request; `done` gets its answer in `shape` (bytes without one)."""
        request = self._request(path)
        request.setTransferTimeout(ANSWER_MILLISECONDS)
        reply = self._send(method, request, body)
        reply.finished.connect(lambda: self._answered(reply, shape, done, failed))

    def stream(
        self, method: str, path: str, body: object = None, *, owner: QObject | None = None
    ) -> Stream:
        """Send a request whose answer is a stream of events; it ends with its owner."""
        return Stream(self._send(method, self._request(path), body), owner or self)

    def asked_by(self, owner: QObject) -> Requests:
        """The same requests, for a page or a part of one: answers come while it is there."""
        return RequestsOf(owner, self)

    def _answered(
        self,
        reply: QNetworkReply,
        shape: Any,
        done: Callable[[Any], object] | None,
        failed: Failed | None,
    ) -> None:
        reply.deleteLater()
        if reply.error() != QNetworkReply.NetworkError.NoError:
            if reply.error() == QNetworkReply.NetworkError.AuthenticationRequiredError:
                self.lost.emit()  # somebody has changed the token: whoever hears it looks for it
            if failed is not None:
                failed(_error(reply))
            return
        data = bytes(reply.read(MAX_ANSWER_BYTES).data())
        answer: Any = data
        if shape is not None:
            answer = _decoded(data, shape)
            if answer is None:
                if failed is not None:
                    failed(ErrorBody(code="unreadable", words=unreadable()))
                return
        if done is not None:
            done(answer)

    def _request(self, path: str) -> QNetworkRequest:
        request = QNetworkRequest(QUrl(f"{self._base}{API_PREFIX}{path}"))
        request.setRawHeader(b"Authorization", f"Bearer {self._token}".encode())
        request.setHeader(QNetworkRequest.KnownHeaders.ContentTypeHeader, "application/json")
        # The node is on this computer: a proxy or a redirect has no business here.
        request.setAttribute(
            QNetworkRequest.Attribute.RedirectPolicyAttribute,
            QNetworkRequest.RedirectPolicy.ManualRedirectPolicy,
        )
        return request

    def _send(self, method: str, request: QNetworkRequest, body: object) -> QNetworkReply:
        data = b"" if body is None and method == "GET" else msgspec.json.encode(body or {})
        return self._network.sendCustomRequest(request, method.encode(), QByteArray(data))


def unreadable() -> str:
    """What is said when the node's answer cannot be understood."""
    return tr(
        "The answer of Potluck's node could not be read; nothing was changed."
        " If this stays, quit Potluck and start it again."
    )


def _status(reply: QNetworkReply) -> int:
    return int(reply.attribute(QNetworkRequest.Attribute.HttpStatusCodeAttribute) or 0)


def _error(reply: QNetworkReply) -> ErrorBody:
    """What went wrong, in the node's words where it said any."""
    if _status(reply):
        body = _decoded(bytes(reply.read(1 << 16).data()), ErrorBody)
        if body is not None and body.words:
            return body
    return ErrorBody(
        code="unreachable",
        words=tr("Potluck's node does not answer; nothing was changed. It is started again."),
    )


def _decoded(data: bytes | str, shape: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _sentence(data: str) -> str:
    """A warning in the person's language, whether it comes in the agreed shape or not."""
    warning = _decoded(data, WarningTold)
    if warning is None:
        return data[:500]
    return told(warning.words, warning.said)[:500]
