"""The node's process, from the window's side: find it, start it, notice its end.

A node outlives the window, so it is started on its own and found again through the data
folder: the lock says whether one runs, `node.json` says where it listens. The counterpart
is `app/node/node.py`, which writes both.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Final

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

from app.api.shapes import NODE_FILE, TOKEN_FILE
from app.errors import UsageError
from app.process_lock import data_folder_lock
from app.small_files import read_small
from app.ui.translations import tr
from app.window_file import OUTPUT_FILE

OWN_ADDRESSES: Final = ("http://127.0.0.1:", "http://[::1]:")
"""The token goes nowhere else, whatever a file says."""
MAX_FILE_BYTES: Final = 1 << 20
START_SECONDS: Final = 45.0
LOOK_MILLISECONDS: Final = 500
"""Between two looks while a node starts; the folder's own events come sooner."""
QUICK_SECONDS: Final = 20.0
MAX_QUICK_ENDS: Final = 3
"""A node that ends this often soon after its start is not started again by itself."""


def node_command(folder: Path) -> list[str]:
    """How a node is started for this data folder, from source or packaged."""
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]
    return [*program, "node", "--api", "--data-dir", str(folder)]


class NodeProcess(QObject):
    """Keeps a node running for one data folder.

    Signals:
        ready: the node's address and token, each time one was found or started.
        restarting: a sentence; the node ended and is started again.
        failed: a sentence; there is no node, and why.
    """

    ready = Signal(str, str)
    restarting = Signal(str)
    failed = Signal(str)

    def __init__(
        self, folder: Path, command: list[str] | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._folder = folder
        self._command = command or node_command(folder)
        self._started_at = 0.0
        self._deadline = 0.0
        self._quick_ends = 0
        self._gave_up = False
        self._process: subprocess.Popen[bytes] | None = None
        self._told: tuple[str, str] | None = None
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(lambda _: self._look())
        self._timer = QTimer(self, interval=LOOK_MILLISECONDS)
        self._timer.timeout.connect(self._look)

    def start(self) -> None:
        """Join the node that runs, or start one; `ready` or `failed` follows."""
        self._gave_up = False
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            self._fail(
                tr("{folder} cannot be used: {reason}. Start Potluck with another folder.").format(
                    folder=self._folder, reason=error.strerror
                )
            )
            return
        if not self.is_running() and not self._launch():
            return
        self._deadline = time.monotonic() + START_SECONDS
        self._watcher.addPath(str(self._folder))
        self._timer.start()
        self._look()

    def try_again(self) -> None:
        """The person wants another try after `failed`; ends in quick succession count anew."""
        self._quick_ends = 0
        self.start()

    def check(self) -> None:
        """The connection was lost: look whether the node still runs; if not, start it again.

        One that runs may have moved, or want another token: then `ready` follows.
        """
        if self._timer.isActive():
            return
        if self.is_running():
            self._tell_if_new()
            return
        quick = time.monotonic() - self._started_at < QUICK_SECONDS
        self._quick_ends = self._quick_ends + 1 if quick else 1
        if self._quick_ends > MAX_QUICK_ENDS:
            self._fail(self._reason(tr("The node ended several times in a row.")))
            return
        self.restarting.emit(
            tr("Potluck's node ended unexpectedly. Your conversations are kept; it starts again.")
        )
        self.start()

    def check_again(self) -> None:
        """It is still not reached: a node that was ending has ended by now, or ends later.

        Its connections close before it is gone. What `failed` has told stays told.
        """
        if not self._gave_up:
            self.check()

    def is_running(self) -> bool:
        """Whether a node holds the data folder."""
        if self._process is not None and self._process.poll() is None:
            return True
        lock = data_folder_lock(self._folder)
        try:
            lock.acquire()
        except UsageError:
            return os.access(self._folder, os.W_OK)
        lock.release()
        return False

    def forget(self) -> None:
        """Do not look any more; the node is left as it is."""
        self._timer.stop()
        if self._watcher.directories():
            self._watcher.removePaths(self._watcher.directories())

    def kill(self) -> None:
        """End a node that does not end by itself when asked."""
        pid = self._status().get("pid")
        if isinstance(pid, int) and pid > 1 and self.is_running():
            try:
                os.kill(pid, signal.SIGTERM)
            except OSError:
                return

    # ── inside ───────────────────────────────────────────────────────────────

    def _fail(self, sentence: str) -> None:
        self._gave_up = True
        self.failed.emit(sentence)

    def _launch(self) -> bool:
        try:
            (self._folder / NODE_FILE).unlink(missing_ok=True)
            # Appended to, so that the node can begin it anew when it has become too long.
            output = (self._folder / OUTPUT_FILE).open("ab")
        except OSError as error:
            self._fail(
                tr(
                    "{file} cannot be written, so the node could not be started: {reason}. Let "
                    "Potluck write there, and try again."
                ).format(file=error.filename or self._folder, reason=error.strerror or error)
            )
            return False
        with output:
            return self._run(output)

    def _run(self, output: BinaryIO) -> bool:
        try:
            output.truncate(0)
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A session of its own: what ends the window must not end the node.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._fail(
                tr(
                    "{program} could not be started: {reason}. Look whether it may be run, or "
                    "install Potluck anew; then try again."
                ).format(program=self._command[0], reason=error.strerror or error)
            )
            return False
        self._started_at = time.monotonic()
        return True

    def _look(self) -> None:
        if not self._timer.isActive():
            return
        if self._tell_if_new(again=True):
            self.forget()
            return
        ended = self._process is not None and self._process.poll() is not None
        if (ended and not self.is_running()) or time.monotonic() > self._deadline:
            self.forget()
            words = tr("The node did not start.") if ended else tr("The node takes too long.")
            self._fail(self._reason(words))

    def _tell_if_new(self, *, again: bool = False) -> bool:
        """Say where the node listens, if that is another place than last time, or `again`."""
        address, token = self._status().get("api"), self._token()
        if not (isinstance(address, str) and address.startswith(OWN_ADDRESSES) and token):
            return False
        if again or (address, token) != self._told:
            self._told = (address, token)
            self.ready.emit(address, token)
        return True

    def _reason(self, words: str) -> str:
        """The sentence, with the last line the node printed."""
        try:
            lines = (self._folder / OUTPUT_FILE).read_bytes()[-4096:].decode(errors="replace")
        except OSError:
            return words
        said = [line for line in lines.splitlines() if line.startswith("potluck: ")]
        return f"{words} {said[-1].removeprefix('potluck: ')}" if said else words

    def _status(self) -> dict[str, Any]:
        try:
            value = json.loads(read_small(self._folder / NODE_FILE, MAX_FILE_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def _token(self) -> str:
        try:
            return read_small(self._folder / TOKEN_FILE, 4096).decode("ascii").strip()
        except (OSError, ValueError):
            return ""
