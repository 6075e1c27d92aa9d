"""Model units on this computer's disk: one file each, named by what is in it.

`<sha256>.gguf` is `HEADER_ROOM_BYTES` of room for a header page, which whoever
mounts the unit rewrites, and then the unit's payload, which never changes again;
the hash is over the payload alone. `<sha256>.part` is a unit on its way in, laid
out the same, so that finishing is a flush and a rename: kill the program at any
moment and a unit is either whole and right or goes on where it stopped.

The counterpart that fills it is `app/engine/download.py`; what a payload is,
`app/engine/manifest.py` says. Everything here blocks on the disk: an event loop
calls the long ones (`begin`, `write`, `finish`, `verify`) in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from app.engine.manifest import HASH_BYTES, UnitEntry
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.errors import BadInput, Refusal, UsageError
from app.process_lock import ProcessLock
from app.sentences import say

DISK_MARGIN_BYTES = 1 << 30
"""Left free for the owner: Potluck never takes the last gigabyte of a disk."""
READ_BYTES = 1 << 20
"""How much is read at a time when a file is hashed again."""
CHECK_DISK_EVERY_BYTES = 64 << 20
"""How much is written before the free space is looked at again: others write too."""

_UNIT_NAME = re.compile(r"([0-9a-f]{64})\.(gguf|part)")
_DISK_IS_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class UnitStore:
    """The units this computer holds, within a quota and the room on its disk.

    Args:
        folder: where the files lie; made when the first unit comes in.
        quota_bytes: what all files together may take; may be changed at any time.
        free_bytes: free room on the disk of a folder, in bytes.
        margin_bytes: room on the disk that is never used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        quota_bytes: int,
        free_bytes: Callable[[Path], int] | None = None,
        margin_bytes: int = DISK_MARGIN_BYTES,
    ) -> None:
        self.folder = folder
        self.quota_bytes = quota_bytes
        self._free_bytes = free_bytes or free_disk_bytes
        self._margin_bytes = margin_bytes
        self._writer_lock = ProcessLock(
            folder / "writing.lock",
            busy_text=f"Another Potluck is downloading into {folder} right now; "
            "try again when it has finished.",
        )
        self._writing: set[bytes] = set()
        self._guard = threading.Lock()

    def path(self, sha256: bytes) -> Path:
        """Where the unit's file is or will be. The name is made from the hash alone."""
        return self.folder / f"{_checked(sha256).hex()}.gguf"

    def has(self, unit: UnitEntry) -> bool:
        """Whether the unit is here, whole. Its bytes were checked when it came in."""
        try:
            return self.path(unit.sha256).stat().st_size == HEADER_ROOM_BYTES + unit.size
        except OSError:
            return False

    def held(self) -> set[bytes]:
        """The hashes of all whole units here."""
        return {sha256 for sha256, kind, _ in self._files() if kind == "gguf"}

    def used_bytes(self) -> int:
        """What all files take on the disk, unfinished ones included."""
        return sum(size for _, _, size in self._files())

    def unused_bytes(self, keep: Iterable[bytes]) -> int:
        """What would come free if only the units with the hashes `keep` stayed."""
        kept = set(keep)
        return sum(size for sha256, _, size in self._files() if sha256 not in kept)

    def partial_bytes(self, unit: UnitEntry) -> int:
        """How many bytes of an unfinished unit's payload are here; 0 if there are none."""
        return max(0, self._part_file_bytes(unit) - HEADER_ROOM_BYTES)

    def require_room(self, units: Iterable[UnitEntry]) -> None:
        """Make sure that these units fit, before anything is fetched.

        Unfinished units that nobody asks for any more make room first.

        Raises:
            Refusal: the quota ("over_quota") or the disk ("disk_full") is too small;
                the text says what is needed, what there is, and what to do.
        """
        missing = {unit.sha256: unit for unit in units if not self.has(unit)}
        needed = sum(
            HEADER_ROOM_BYTES + unit.size - self._part_file_bytes(unit) for unit in missing.values()
        )
        if not needed:
            return
        if not self._fits(needed):
            self._drop_parts(keep=set(missing))
        used = self.used_bytes()
        if used + needed > self.quota_bytes:
            words = say("over_quota", needed=needed, used=used, quota=self.quota_bytes)
            raise Refusal(words, code="over_quota")
        self._require_free(needed)

    def begin(self, unit: UnitEntry, *, stopped: Callable[[], bool] | None = None) -> PartialUnit:
        """Start or resume a unit; what an earlier attempt left is hashed again first.

        That reads up to the whole unit; `stopped` is asked now and then whether to
        give up.

        Raises:
            InterruptedError: `stopped` said so.
            UsageError: another process is downloading into this folder.
            ValueError: this process is writing the same unit already.
            Refusal: the disk is full ("disk_full").
        """
        sha256 = _checked(unit.sha256)
        with self._guard:
            if sha256 in self._writing:
                raise ValueError(f"unit {sha256.hex()[:12]} is being written already")
            if not self._writing:
                self._writer_lock.acquire()
            self._writing.add(sha256)
        try:
            return PartialUnit(self, unit, *_open_part(self._part_path(sha256), unit.size, stopped))
        except BaseException as error:
            self._writing_ended(sha256)
            if isinstance(error, OSError) and not isinstance(error, InterruptedError):
                raise self._disk_trouble(error) from error
            raise

    def remove(self, sha256: bytes) -> bool:
        """Delete a unit and what is left of an attempt at it; whether there was any.

        Raises:
            Refusal: the file is in use ("in_use"), as Windows says of a mounted one.
        """
        found = False
        for path in (self.path(sha256), self._part_path(sha256)):
            try:
                path.unlink()
                found = True
            except FileNotFoundError:
                continue
            except PermissionError as error:
                raise Refusal(say("file_in_use", file=path.name), code="in_use") from error
        return found

    def verify(self, unit: UnitEntry, *, stopped: Callable[[], bool] | None = None) -> bool:
        """Hash the whole payload again: whether it still is what the manifest says.

        Reads the whole file; `stopped` is asked now and then whether to give up. A
        missing unit is not right.

        Raises:
            InterruptedError: `stopped` said so.
        """
        if not self.has(unit):
            return False
        with open(self.path(unit.sha256), "rb") as file:
            return _hash_payload(file, stopped).digest() == unit.sha256

    # ── what PartialUnit needs ───────────────────────────────────────────────

    def _part_path(self, sha256: bytes) -> Path:
        return self.folder / f"{_checked(sha256).hex()}.part"

    def _part_file_bytes(self, unit: UnitEntry) -> int:
        try:
            size = self._part_path(unit.sha256).stat().st_size
        except OSError:
            return 0
        return min(size, HEADER_ROOM_BYTES + unit.size)

    def _writing_ended(self, sha256: bytes) -> None:
        with self._guard:
            self._writing.discard(sha256)
            if not self._writing:
                self._writer_lock.release()

    def _require_free(self, needed_bytes: int) -> None:
        free = self._free_bytes(self.folder)
        if needed_bytes + self._margin_bytes > free:
            words = say(
                "disk_too_full",
                needed=needed_bytes,
                free=free,
                margin=self._margin_bytes,
                folder=str(self.folder),
            )
            raise Refusal(words, code="disk_full")

    def _disk_trouble(self, error: OSError) -> Refusal | UsageError:
        if error.errno in _DISK_IS_FULL:
            free = self._free_bytes(self.folder)
            return Refusal(say("disk_full", free=free, folder=str(self.folder)), code="disk_full")
        reason = error.strerror or str(error)
        return UsageError(say("folder_unwritable", folder=str(self.folder), reason=reason))

    # ── inside ───────────────────────────────────────────────────────────────

    def _fits(self, needed_bytes: int) -> bool:
        return (
            self.used_bytes() + needed_bytes <= self.quota_bytes
            and self._free_bytes(self.folder) >= needed_bytes + self._margin_bytes
        )

    def _drop_parts(self, *, keep: set[bytes]) -> None:
        with self._guard:
            busy = keep | self._writing
            if not self._writing:
                # Only whoever may write may clear up: the part could be another process's.
                try:
                    self._writer_lock.acquire()
                except UsageError:
                    return
            try:
                for sha256, kind, _ in list(self._files()):
                    if kind == "part" and sha256 not in busy:
                        self._part_path(sha256).unlink(missing_ok=True)
            finally:
                if not self._writing:
                    self._writer_lock.release()

    def _files(self) -> Iterator[tuple[bytes, str, int]]:
        """Hash, kind ("gguf" or "part") and size of each file that has a name of ours."""
        try:
            entries = list(os.scandir(self.folder))
        except FileNotFoundError:
            return
        for entry in entries:
            match = _UNIT_NAME.fullmatch(entry.name)
            if match is None or not entry.is_file(follow_symlinks=False):
                continue
            with contextlib.suppress(FileNotFoundError):  # it was removed since we looked
                yield bytes.fromhex(match[1]), match[2], entry.stat(follow_symlinks=False).st_size


class PartialUnit:
    """A unit on its way in; `UnitStore.begin` makes it, one thread at a time uses it.

    Leaving it as a context manager keeps what has arrived.
    """

    def __init__(
        self,
        store: UnitStore,
        unit: UnitEntry,
        file: BinaryIO,
        hasher: hashlib._Hash,
        received: int,
    ) -> None:
        self._store = store
        self._unit = unit
        self._file = file
        self._hasher = hasher
        self._received = received
        self._unchecked = CHECK_DISK_EVERY_BYTES
        self._open = True

    @property
    def received_bytes(self) -> int:
        """How much of the payload is here, from its beginning."""
        return self._received

    @property
    def missing_bytes(self) -> int:
        """How much of the payload is still to come."""
        return self._unit.size - self._received

    def write(self, data: bytes) -> None:
        """Add the payload's next bytes.

        Raises:
            BadInput: there are more bytes than the unit has.
            Refusal: the disk is full ("disk_full"); what was there before is kept.
            UsageError: the disk refuses for another reason.
        """
        if len(data) > self.missing_bytes:
            raise BadInput(f"unit {self._unit.sha256.hex()[:12]} got more bytes than it has")
        self._unchecked += len(data)
        if self._unchecked > CHECK_DISK_EVERY_BYTES:
            self._unchecked = 0
            self._store._require_free(self.missing_bytes)
        try:
            _write_all(self._file, data)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._cut(self._received)
            raise self._store._disk_trouble(error) from error
        self._hasher.update(data)
        self._received += len(data)

    def restart(self) -> None:
        """Throw away what has arrived and begin again."""
        self._cut(0)
        self._received = 0
        self._hasher = hashlib.sha256()

    def finish(self) -> Path:
        """Check the payload and put the unit in its place, safe against power loss.

        Raises:
            ValueError: bytes are missing still.
            BadInput: the bytes are not the unit; they are thrown away, and writing
                may begin again.
            Refusal: the disk is full ("disk_full"); what has arrived is kept.
        """
        if self.missing_bytes:
            raise ValueError(f"{self.missing_bytes} bytes of the unit are missing")
        if self._hasher.digest() != self._unit.sha256:
            self.restart()
            raise BadInput(f"the bytes of unit {self._unit.sha256.hex()[:12]} are wrong")
        path = self._store.path(self._unit.sha256)
        try:
            os.fsync(self._file.fileno())
            self._file.close()  # Windows renames no open file
            os.replace(self._store._part_path(self._unit.sha256), path)
            _flush_folder(path.parent)
        except OSError as error:
            raise self._store._disk_trouble(error) from error
        self.close()
        return path

    def close(self) -> None:
        """Stop writing; what has arrived stays for the next attempt. May be called twice."""
        self._file.close()
        if self._open:
            self._open = False
            self._store._writing_ended(self._unit.sha256)

    def __enter__(self) -> PartialUnit:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _cut(self, payload_bytes: int) -> None:
        self._file.truncate(HEADER_ROOM_BYTES + payload_bytes)
        self._file.seek(HEADER_ROOM_BYTES + payload_bytes)


def free_disk_bytes(folder: Path) -> int:
    """Free room on the disk where `folder` is or will be, in bytes."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def gigabytes(count_bytes: int) -> str:
    """A size as people read it: `4.1 GB`, or `12 MB` when that says more."""
    if count_bytes < 100_000_000:
        return f"{max(1, round(count_bytes / 1e6))} MB" if count_bytes > 0 else "0 MB"
    return f"{count_bytes / 1e9:.1f} GB"


def _checked(sha256: bytes) -> bytes:
    if len(sha256) != HASH_BYTES:
        raise ValueError(f"a unit is named by {HASH_BYTES} bytes, not {len(sha256)}")
    return sha256


def _open_part(
    path: Path, unit_bytes: int, stopped: Callable[[], bool] | None
) -> tuple[BinaryIO, hashlib._Hash, int]:
    """The part's file at its end, the hash of its payload so far, and that payload's size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    file: BinaryIO = open(path, "r+b", buffering=0)  # noqa: SIM115 - PartialUnit closes it
    try:
        received = os.fstat(file.fileno()).st_size - HEADER_ROOM_BYTES
        if not 0 <= received <= unit_bytes:
            received = 0
            file.truncate(HEADER_ROOM_BYTES)
        hasher = _hash_payload(file, stopped)
        file.seek(HEADER_ROOM_BYTES + received)
    except BaseException:
        file.close()
        raise
    return file, hasher, received


def _hash_payload(file: BinaryIO, stopped: Callable[[], bool] | None) -> hashlib._Hash:
    hasher = hashlib.sha256()
    file.seek(HEADER_ROOM_BYTES)
    while block := file.read(READ_BYTES):
        if stopped is not None and stopped():
            raise InterruptedError("hashing was stopped")
        hasher.update(block)
    return hasher


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _flush_folder(folder: Path) -> None:
    """Make a rename survive power loss; Windows has no such call and needs none."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
