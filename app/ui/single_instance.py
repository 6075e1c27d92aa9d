"""One window for each person and data folder: a second launch raises the first.

The first one listens on a local socket that only this person can open; a later one
connects, says "show" and ends.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

CONNECT_MILLISECONDS: Final = 500
MESSAGE: Final = b"show\n"


class SingleInstance(QObject):
    """The claim to be the only window; `raised` when a later launch asks for it."""

    raised = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        text = str(folder.absolute()).encode()
        self.name = f"potluck-window-{hashlib.sha256(text).hexdigest()[:16]}"
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._connected)

    def claim(self) -> bool:
        """True: this is the first. False: the first one has been asked to show itself."""
        if self._ask_first():
            return False
        if not self._server.listen(self.name):
            # Left behind by a window that crashed: nobody answered on it just now.
            QLocalServer.removeServer(self.name)
            self._server.listen(self.name)
        return True

    def release(self) -> None:
        """Let a later launch be the first again."""
        self._server.close()

    def _ask_first(self) -> bool:
        socket = QLocalSocket()
        socket.connectToServer(self.name)
        if not socket.waitForConnected(CONNECT_MILLISECONDS):
            return False
        socket.write(MESSAGE)
        socket.waitForBytesWritten(CONNECT_MILLISECONDS)
        socket.disconnectFromServer()
        return True

    def _connected(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.disconnected.connect(socket.deleteLater)
            self.raised.emit()
