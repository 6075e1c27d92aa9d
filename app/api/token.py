"""The token that control asks for, in a file of the data folder that only its owner can read.

`app/api/guard.py` compares it with what a program shows; the window reads the file
(`app/ui/node_process.py`).
"""

from __future__ import annotations

import logging
import secrets
import stat
import sys
from pathlib import Path
from typing import Final

from app.api.shapes import TOKEN_FILE
from app.errors import UsageError
from app.small_files import read_small, write_whole

logger = logging.getLogger(__name__)

TOKEN_BYTES: Final = 32
MAX_TOKEN_FILE_BYTES: Final = 4096


def load_or_create_token(folder: Path) -> str:
    """The token of a data folder; one that others could have read is replaced.

    Raises:
        UsageError: the file cannot be read or written.
    """
    path = folder / TOKEN_FILE
    try:
        token = _read(path)
        if not token:
            token = secrets.token_hex(TOKEN_BYTES)
            write_whole(path, f"{token}\n".encode())
    except OSError as error:
        raise UsageError(
            f"The token in {path} cannot be used ({error.strerror or error}); nothing was"
            " changed. Check the folder's permissions."
        ) from None
    return token


def _read(path: Path) -> str:
    """What a sound file says; "" without one."""
    try:
        text = read_small(path, MAX_TOKEN_FILE_BYTES).decode("ascii", errors="replace").strip()
        mode = path.stat().st_mode
    except (FileNotFoundError, ValueError):
        return ""
    if sys.platform != "win32" and stat.S_IMODE(mode) & 0o077:
        logger.warning("%s was open to others; it does not count any more", path)
        return ""
    return text if len(text) >= 2 * TOKEN_BYTES and text.isascii() and text.isalnum() else ""


class ApiToken:
    """The token as it stands in the file now: another one in it holds at once.

    Args:
        folder: the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = ""
        self._seen: tuple[int, ...] | None = None

    def current(self) -> str:
        """The token; asked at every request, it costs a look at the file.

        A file that was taken away is made again, with another token. One that is being
        written, or cannot be used, leaves the last token as it is.

        Raises:
            UsageError: there is none yet, and none can be made.
        """
        there = self._look()
        if self._known and there is not None and there == self._seen:
            return self._known
        try:
            is_new = not self._known or there is None
            token = load_or_create_token(self._folder) if is_new else self._read_again()
        except UsageError as error:
            if not self._known:
                raise
            logger.debug("%s", error)
        else:
            if token:
                self._known, self._seen = token, self._look()
        return self._known

    def _read_again(self) -> str:
        try:
            return _read(self._folder / TOKEN_FILE)
        except OSError:
            return ""

    def _look(self) -> tuple[int, ...] | None:
        try:
            status = (self._folder / TOKEN_FILE).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode
