"""What the owner decided by hand, and where it is kept: DATA/sharing.json.

A pause by hand survives a restart and no rule undoes it, so it lies on the disk before
it is said to hold. A file that cannot be read means: not agreed to, and say so; the
program must not share on a guess. The counterpart is `app/policy/governor.py`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import msgspec

from app.errors import UsageError
from app.reasons import Part
from app.sentences import say
from app.small_files import read_small, write_whole

logger = logging.getLogger(__name__)

SHARING_FILE: Final = "sharing.json"
MAX_FILE_BYTES: Final = 16 * 1024
LONGEST_PAUSE_SECONDS: Final = 8 * 86_400.0
"""A pause that lasts longer than anybody can ask for comes from a clock that was wrong."""
DAMAGED: Final = say("decision_unread")


WATCHED_SECONDS: Final = 60.0
"""Two looks at the clock are seconds apart; more between them is sleep, or a wrong clock."""


class HandPause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause by hand.

    Attributes:
        until: when it ends by the clock of now, in seconds since 1970; None until the
            owner ends it.
        promised: when it ends by the clock that the owner saw; None before the first look.
        left_seconds: what is left of it, by the time that passed while somebody looked.
    """

    until: float | None = None
    promised: float | None = None
    left_seconds: float | None = None


class ManualState(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's decisions.

    Attributes:
        consented: to share (True) or only to chat (False); None until asked.
        pause, gpu_pause, cpu_pause: pauses by hand, of everything or of one part.
        share_anyway_until: until then automatic pauses are overruled.
        anyway_rules: the rules' `rules_mark` that this was last squared with; "" in a file
            of an earlier version.
        stricter_since: the reasons whose rules became stricter since; it overrules none of them.
        slow_mode: the slow bandwidth caps hold.
        noted_at: the latest time this computer's clock has shown.
        remark: the words of `DAMAGED` when the file could not be read, else "".
    """

    consented: bool | None = None
    pause: HandPause | None = None
    gpu_pause: HandPause | None = None
    cpu_pause: HandPause | None = None
    share_anyway_until: float | None = None
    anyway_rules: str = ""
    stricter_since: frozenset[str] = frozenset()
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
        """With a pause of one thing. "Share anyway" goes on after it, if its time is not over."""
        pause = HandPause(until=until)
        match what:
            case "all":
                return msgspec.structs.replace(self, pause=pause)
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

    def overruling(self, until: float, *, rules: str = "") -> ManualState:
        """With automatic pauses by the rules of this `rules_mark` overruled until then."""
        return msgspec.structs.replace(
            self, share_anyway_until=until, anyway_rules=rules, stricter_since=frozenset()
        )

    def under(self, rules: str, stricter: frozenset[str]) -> ManualState:
        """With other rules: "Share anyway" does not overrule those that became stricter."""
        if self.share_anyway_until is None or self.anyway_rules == rules:
            return self
        return msgspec.structs.replace(
            self, anyway_rules=rules, stricter_since=self.stricter_since | stricter
        )

    def begun_under(self, rules: str) -> ManualState:
        """At a start: rules that were changed while nobody looked end "Share anyway"."""
        if self.anyway_rules in ("", rules):
            return self
        return msgspec.structs.replace(self, share_anyway_until=None)

    def slowed(self, *, on: bool) -> ManualState:
        """With slow mode on or off."""
        return msgspec.structs.replace(self, slow_mode=on)

    def at(self, now: float, *, watched: bool = True) -> ManualState:
        """As it stands now: what has run out is gone.

        A clock set back makes nothing longer, and one set right, or wild for a moment,
        ends no pause before its time.

        Args:
            watched: the last look was seconds ago, so that a leap of days is the clock's.
        """
        before = self.noted_at
        anyway = self.share_anyway_until
        if anyway is not None and now < before - 1.0:
            anyway += now - before
        return msgspec.structs.replace(
            self,
            pause=_running(self.pause, before, now, watched=watched),
            gpu_pause=_running(self.gpu_pause, before, now, watched=watched),
            cpu_pause=_running(self.cpu_pause, before, now, watched=watched),
            share_anyway_until=None
            if anyway is None or anyway <= now
            else min(anyway, now + LONGEST_PAUSE_SECONDS),
            noted_at=now,
        )

    @property
    def clock_doubtful(self) -> bool:
        """Whether a pause ends by the time that passes, because the clock was set meanwhile."""
        pauses = (self.pause, self.gpu_pause, self.cpu_pause)
        return any(pause is not None and pause.until != pause.promised for pause in pauses)


def _running(
    pause: HandPause | None, before: float, now: float, *, watched: bool
) -> HandPause | None:
    """The pause as of now; None when it is over.

    It is over when its time has come by the clock that the owner saw, or when so much
    time has passed under our eyes. The first fails when the clock was ahead and is set
    back, the second while the computer sleeps or is off: it takes both to fail to rest
    for too long, and neither shares too soon.
    """
    if pause is None or pause.until is None:
        return pause
    promised = pause.until if pause.promised is None else pause.promised
    passed = now - before
    if pause.left_seconds is None:
        left = promised - max(now, before)
    else:
        left = pause.left_seconds - (passed if 0 < passed <= WATCHED_SECONDS else 0.0)
        if watched and now >= promised and passed > LONGEST_PAUSE_SECONDS:
            promised += passed
    left = min(left, LONGEST_PAUSE_SECONDS)
    if now >= promised or left <= 0:
        return None
    return HandPause(until=min(promised, now + left), promised=promised, left_seconds=left)


def load_manual(folder: Path) -> ManualState:
    """The decisions kept in a data folder; a damaged file means that nothing was agreed to."""
    path = folder / SHARING_FILE
    try:
        return msgspec.json.decode(read_small(path, MAX_FILE_BYTES), type=ManualState)
    except FileNotFoundError:
        return ManualState()
    except OSError as error:
        logger.warning("%s cannot be read (%s); sharing rests.", path, error.strerror)
        return ManualState(remark=DAMAGED.words)
    except (ValueError, RecursionError) as error:
        logger.warning("%s is damaged (%s); sharing rests.", path, error)
        return ManualState(remark=DAMAGED.words)


def save_manual(folder: Path, state: ManualState) -> None:
    """Keep the decisions, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    path = folder / SHARING_FILE
    try:
        write_whole(path, msgspec.json.encode(state))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(say("decision_unkept", path=str(path), reason=reason)) from None
