"""A file that one process at a time can hold.

The operating system lets go of it when the process ends, however it ends, so
nothing has to be cleaned up after a crash. `app/engine/store.py` keeps two
processes from downloading into one folder with it, the node keeps its data folder.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from app.errors import UsageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class ProcessLock:
    """Held from `acquire` to `release`, or inside a `with`.

    Args:
        path: the lock's file; it stays when the lock is released.
        busy_text: what a person reads when another process holds it.
    """

    def __init__(self, path: Path, *, busy_text: str) -> None:
        self._path = path
        self._busy_text = busy_text
        self._file: BinaryIO | None = None

    @property
    def path(self) -> Path:
        """The lock's file."""
        return self._path

    def acquire(self) -> None:
        """Take the lock, or say who has it.

        Raises:
            UsageError: it is held already (the text is `busy_text`), or its file
                cannot be made.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = _opened(self._path)
        except OSError as error:
            raise UsageError(
                f"Cannot write in {self._path.parent}: {error.strerror}. Choose another folder."
            ) from error
        try:
            _lock(file)
        except OSError:
            file.close()
            raise UsageError(self._busy_text) from None
        self._file = file

    def is_held(self) -> bool:
        """Whether what is held is still the file at its place: that may have been removed."""
        if self._file is None:
            return False
        held = os.fstat(self._file.fileno())
        try:
            there = self._path.stat()
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)

    def hold_again(self) -> None:
        """Take the file that is at its place now, and let go of the one that is not any more.

        Raises:
            UsageError: another process has it, or it cannot be made; the old one stays held.
        """
        before = self._file
        self.acquire()
        if before is not None:
            before.close()

    def release(self) -> None:
        """Let go; nothing happens if it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> ProcessLock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def data_folder_lock(folder: Path) -> ProcessLock:
    """The lock that keeps two nodes from sharing one data folder by accident."""
    return ProcessLock(
        folder / "node.lock",
        busy_text=f"Another Potluck is already running with the folder {folder}; "
        "stop it first, or give this one a folder of its own with --data-dir.",
    )


def _opened(path: Path) -> BinaryIO:
    """The lock's file, made if there is none; a pipe in its place does not hold us up."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, f"{path.name} is no ordinary file")
    return os.fdopen(handle, "r+b", buffering=0)


def _lock(file: BinaryIO) -> None:
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
