"""Whether stored units still are what they were when they came in.

A disk can lose or change what it was given. `checked.json` beside the units remembers how
each unit's file looked, its size and time, when its hash was right the last time. A file
that looks the same is believed at a start, for hashing everything would take minutes; one
that looks different is hashed, and all are when a mount has failed and something must be
wrong. Rewriting a header page is no difference: `app/engine/mount.py` puts the time back.

The counterpart that keeps the files is `app/engine/store.py`; who removes damaged units and
brings them again is `app/folder/fetching.py`. All of this blocks on the disk: call it in a thread.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from app.clock import Clock, SystemClock
from app.engine.manifest import UnitEntry
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.engine.store import UnitStore
from app.small_files import read_small

logger = logging.getLogger(__name__)

CHECKED_FILE: Final = "checked.json"
MAX_FILE_BYTES: Final = 1 << 20
"""About 10,000 units; a larger file is not ours and is as good as none."""
DOUBT_SECONDS: Final = 3600.0
"""What was hashed this lately is not hashed again, however often a mount fails."""

Looks = tuple[int, int]
"""A file's size in bytes and the time of its last change in nanoseconds."""


class Soundness:
    """Tells which units of a store are damaged."""

    def __init__(self, store: UnitStore, *, clock: Clock | None = None) -> None:
        self._store = store
        self._path = store.folder / CHECKED_FILE
        self._clock = clock or SystemClock()
        self._checked: dict[str, Looks] | None = None
        self._hashed_at: dict[bytes, float] = {}  # bounded by the units asked about
        self._guard = threading.Lock()

    def note(self, units: Iterable[UnitEntry]) -> None:
        """These have just come in and were hashed on their way."""
        with self._guard:
            checked = self._known()
            for unit in units:
                looks = self._looks(unit)
                if looks is not None and self._store.has(unit):
                    checked[unit.sha256.hex()] = looks
            self._save(checked)

    def damaged(
        self,
        units: Iterable[UnitEntry],
        *,
        doubtful: bool = False,
        stopped: Callable[[], bool] | None = None,
    ) -> list[UnitEntry]:
        """Those of the units that are here and are not what they should be.

        Args:
            doubtful: something is wrong, so those that look as before are hashed too.
            stopped: asked now and then whether to give up.

        Raises:
            InterruptedError: `stopped` said so.
        """
        with self._guard:
            checked = dict(self._known())
            before = dict(checked)
            found = []
            try:
                for sha256, unit in {unit.sha256: unit for unit in units}.items():
                    looks = self._looks(unit)
                    if looks is None:
                        checked.pop(sha256.hex(), None)
                    elif not self._is_sound(unit, looks, doubtful=doubtful, stopped=stopped):
                        found.append(unit)
                        checked.pop(sha256.hex(), None)
                    else:
                        checked[sha256.hex()] = looks
            finally:
                if checked != before:
                    self._save(checked)
            return found

    def _is_sound(
        self,
        unit: UnitEntry,
        looks: Looks,
        *,
        doubtful: bool,
        stopped: Callable[[], bool] | None,
    ) -> bool:
        if looks[0] != HEADER_ROOM_BYTES + unit.size:
            return False
        same = self._known().get(unit.sha256.hex()) == looks
        now = self._clock.monotonic()
        lately = now - self._hashed_at.get(unit.sha256, -DOUBT_SECONDS) < DOUBT_SECONDS
        if same and (lately or not doubtful):
            return True
        try:
            sound = self._store.verify(unit, stopped=stopped)
        except InterruptedError:
            raise
        except OSError as error:  # the disk cannot read its own sectors any more
            logger.warning("%s cannot be read: %s", unit.sha256.hex()[:12], error)
            return False
        self._hashed_at[unit.sha256] = now
        return sound

    def _looks(self, unit: UnitEntry) -> Looks | None:
        """How the unit's file looks; None when there is none."""
        try:
            status = self._store.path(unit.sha256).stat()
        except FileNotFoundError:
            return None
        except OSError:
            return (-1, 0)
        return (status.st_size, status.st_mtime_ns)

    def _known(self) -> dict[str, Looks]:
        if self._checked is None:
            try:
                data = read_small(self._path, MAX_FILE_BYTES)
                self._checked = msgspec.json.decode(data, type=dict[str, Looks])
            except (OSError, ValueError, RecursionError):
                self._checked = {}  # everything is hashed once more
        return self._checked

    def _save(self, checked: dict[str, Looks]) -> None:
        """Remember it, without what is gone; what cannot be kept is hashed again some day."""
        held = {sha256.hex() for sha256 in self._store.held()}
        self._checked = {name: looks for name, looks in checked.items() if name in held}
        draft = self._path.with_suffix(".draft")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(self._checked))
            os.replace(draft, self._path)
        except OSError as error:
            logger.info("%s is not kept: %s", self._path.name, error.strerror or error)
