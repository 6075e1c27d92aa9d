"""What the owner decided by hand, and where it is kept: DATA/sharing.json.

A pause by hand survives a restart and no rule undoes it, so it lies on the disk before
it is said to hold. A file that cannot be read means: not agreed to, and say so; the
program must not share on a guess. The counterpart is `app/policy/governor.py`.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from app.errors import UsageError
from app.reasons import Part
from app.sentences import say

logger = logging.getLogger(__name__)

SHARING_FILE: Final = "sharing.json"
MAX_FILE_BYTES: Final = 16 * 1024
LONGEST_PAUSE_SECONDS: Final = 8 * 86_400.0
"""A pause that lasts longer than anybody can ask for comes from a clock that was wrong."""
DAMAGED: Final = say("decision_unread")


class HandPause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause by hand; `until` in seconds since 1970, None until the owner ends it."""

    until: float | None = None


class ManualState(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's decisions.

    Attributes:
        consented: to share (True) or only to chat (False); None until asked.
        pause, gpu_pause, cpu_pause: pauses by hand, of everything or of one part.
        share_anyway_until: until then automatic pauses are overruled.
        slow_mode: the slow bandwidth caps hold.
        noted_at: the latest time this computer's clock has shown.
        remark: the words of `DAMAGED` when the file could not be read, else "".
    """

    consented: bool | None = None
    pause: HandPause | None = None
    gpu_pause: HandPause | None = None
    cpu_pause: HandPause | None = None
    share_anyway_until: float | None = None
    slow_mode: bool = False
    noted_at: float = 0.0
    remark: str = ""

    def consenting(self, *, share: bool) -> ManualState:
        """With the answer to the first run's question; it ends every earlier pause."""
        state = self.resumed("all")
        return msgspec.structs.replace(state, consented=share, share_anyway_until=None)

    def as_told(self) -> ManualState:
        """As if the owner had just agreed, for a command that said to share; never kept."""
        return msgspec.structs.replace(self, consented=True, remark="")

    def paused(self, what: Part, until: float | None) -> ManualState:
        """With a pause of one thing; a pause of everything ends "share anyway"."""
        pause = HandPause(until=until)
        match what:
            case "all":
                return msgspec.structs.replace(self, pause=pause, share_anyway_until=None)
            case "gpu":
                return msgspec.structs.replace(self, gpu_pause=pause)
            case "cpu":
                return msgspec.structs.replace(self, cpu_pause=pause)

    def resumed(self, what: Part) -> ManualState:
        """Without a pause of one thing; "all" ends those of the parts too."""
        match what:
            case "all":
                return msgspec.structs.replace(
                    self, pause=None, gpu_pause=None, cpu_pause=None, remark=""
                )
            case "gpu":
                return msgspec.structs.replace(self, gpu_pause=None)
            case "cpu":
                return msgspec.structs.replace(self, cpu_pause=None)

    def overruling(self, until: float) -> ManualState:
        """With automatic pauses overruled until then."""
        return msgspec.structs.replace(self, share_anyway_until=until)

    def slowed(self, *, on: bool) -> ManualState:
        """With slow mode on or off."""
        return msgspec.structs.replace(self, slow_mode=on)

    def at(self, now: float) -> ManualState:
        """As it stands now: what has run out is gone, and a clock set back lengthens nothing."""
        state = self
        if now < state.noted_at - 1.0:
            state = _shifted(state, now - state.noted_at)
        return msgspec.structs.replace(
            state,
            pause=_running(state.pause, now),
            gpu_pause=_running(state.gpu_pause, now),
            cpu_pause=_running(state.cpu_pause, now),
            share_anyway_until=None
            if state.share_anyway_until is None or state.share_anyway_until <= now
            else min(state.share_anyway_until, now + LONGEST_PAUSE_SECONDS),
            noted_at=now,
        )


def _running(pause: HandPause | None, now: float) -> HandPause | None:
    if pause is None or pause.until is None:
        return pause
    if pause.until <= now:
        return None
    return HandPause(until=min(pause.until, now + LONGEST_PAUSE_SECONDS))


def _shifted(state: ManualState, seconds: float) -> ManualState:
    def moved(pause: HandPause | None) -> HandPause | None:
        if pause is None or pause.until is None:
            return pause
        return HandPause(until=pause.until + seconds)

    anyway = state.share_anyway_until
    return msgspec.structs.replace(
        state,
        pause=moved(state.pause),
        gpu_pause=moved(state.gpu_pause),
        cpu_pause=moved(state.cpu_pause),
        share_anyway_until=None if anyway is None else anyway + seconds,
    )


def load_manual(folder: Path) -> ManualState:
    """The decisions kept in a data folder; a damaged file means that nothing was agreed to."""
    path = folder / SHARING_FILE
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return ManualState()
    except OSError as error:
        logger.warning("%s cannot be read (%s); sharing rests.", path, error.strerror)
        return ManualState(remark=DAMAGED.words)
    try:
        if len(data) > MAX_FILE_BYTES:
            raise ValueError("it is too large")
        return msgspec.json.decode(data, type=ManualState)
    except (ValueError, msgspec.DecodeError) as error:
        logger.warning("%s is damaged (%s); sharing rests.", path, error)
        return ManualState(remark=DAMAGED.words)


def save_manual(folder: Path, state: ManualState) -> None:
    """Keep the decisions, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    path = folder / SHARING_FILE
    draft = path.with_name(f"{path.name}.draft")
    try:
        with draft.open("wb") as stream:
            stream.write(msgspec.json.encode(state))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(say("decision_unkept", path=str(path), reason=reason)) from None
