"""The small files of the data folder: read with a bound, written whole and for the owner alone.

What lies in the folder may have been put there by anybody: a pipe that never ends or a
device is not opened, and nothing is read beyond what a sound file can hold. The counterpart
for files that turn out to be damaged is `app/keeping.py`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

DRAFT_ENDING: Final = ".draft"
_OPEN: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe put in the file's place between look and opening does not hold us up either."""


def read_small(path: Path, most_bytes: int) -> bytes:
    """All of an ordinary file; links are followed.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, or is a folder, a pipe or a device.
        ValueError: it is larger than `most_bytes`; no more than that was read.
    """
    _require_ordinary(os.stat(path))
    with os.fdopen(os.open(path, _OPEN), "rb") as stream:
        _require_ordinary(os.fstat(stream.fileno()))
        data = stream.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"it is larger than {most_bytes:,} bytes")
    return data


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that at any moment there is the old one or the new one.

    Only the owner of the computer can read it. A link stays a link: what it names is
    written. Every call has a draft of its own, so calls that overlap harm nothing: one of
    them comes last.

    Args:
        durable: also after the computer loses its power; False for what is written often.

    Raises:
        OSError: it cannot be written; the old one is as it was.
    """
    target = Path(os.path.realpath(path))
    handle, draft = tempfile.mkstemp(DRAFT_ENDING, f"{target.name}.", target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:  # mkstemp makes it for its owner alone
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def remove_drafts(folder: Path) -> None:
    """Remove what a program that was killed while writing left behind; nobody may write now."""
    with contextlib.suppress(OSError):
        for draft in folder.glob(f"*{DRAFT_ENDING}"):
            draft.unlink()


def make_private(path: Path) -> bool:
    """Take away what others may do with a file; whether there was anything to take away.

    Raises:
        OSError: it cannot be changed.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name != "posix" or not mode & 0o077:
        return False
    path.chmod(mode & 0o700)
    return True


def _require_ordinary(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file")
