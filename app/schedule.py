"""The hours of a week in which this computer may share.

Pure: what time it is where the owner lives comes in as an argument. A schedule is kept
as text that a person can write, and shown by the window as a grid of seven days by
twenty-four hours. It keeps no state, so a clock set back or forward, or the hour that
is skipped or doubled in spring and autumn, changes nothing but the answer to "now?".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS_A_DAY: Final = 24
QUARTER_SECONDS: Final = 900.0
"""Local hours begin on a quarter of an hour everywhere: some zones lie 30 or 45 minutes off."""
LONGEST_LOOK_SECONDS: Final = 8 * 86_400.0
"""A week and the hours a change of the clocks may add."""


@dataclass(frozen=True)
class LocalTime:
    """A moment as the owner's clock on the wall shows it; `weekday` 0 is Monday."""

    weekday: int
    hour: int
    minute: int


Calendar = Callable[[float], LocalTime]
"""Seconds since 1970 to the owner's local time."""


@dataclass(frozen=True)
class Schedule:
    """The hours allowed, each as `24 * weekday + hour`."""

    hours: frozenset[int]

    @property
    def always(self) -> bool:
        """Whether it forbids nothing."""
        return len(self.hours) == len(DAYS) * HOURS_A_DAY

    @property
    def never(self) -> bool:
        """Whether it allows nothing."""
        return not self.hours

    def allows(self, time: LocalTime) -> bool:
        """Whether this hour is one of them."""
        return HOURS_A_DAY * time.weekday + time.hour in self.hours

    def next_change(self, now: float, calendar: Calendar) -> float | None:
        """When the answer of `allows` is another one, in seconds since 1970; None if never.

        The hours are looked at one after the other as they will be lived, so that days
        of 23 or 25 hours come out right.
        """
        if self.always or self.never:
            return None
        current = self.allows(calendar(now))
        moment = (now // QUARTER_SECONDS + 1) * QUARTER_SECONDS
        while moment <= now + LONGEST_LOOK_SECONDS:
            if self.allows(calendar(moment)) != current:
                return moment
            moment += QUARTER_SECONDS
        return None


ALWAYS: Final = Schedule(frozenset(range(len(DAYS) * HOURS_A_DAY)))
NEVER: Final = Schedule(frozenset())


def parse_schedule(text: str) -> Schedule:
    """Read a schedule such as "mon-fri 18-8; sat,sun 0-24".

    Hours go from the first up to the second; where the second is not the larger one they
    go on into the next day. An empty text is always, "never" is never.

    Raises:
        ValueError: it is none; the message says which part and what is expected.
    """
    text = " ".join(text.lower().split())
    if not text:
        return ALWAYS
    if text == "never":
        return NEVER
    hours: set[int] = set()
    for part in text.split(";"):
        days_text, _, spans_text = part.strip().partition(" ")
        for day in _days(days_text):
            for span in spans_text.split(","):
                first, last = _span(span.strip(), part.strip())
                hours.update(
                    (HOURS_A_DAY * day + hour) % (len(DAYS) * HOURS_A_DAY)
                    for hour in range(first, last)
                )
    return Schedule(frozenset(hours))


def schedule_text(schedule: Schedule) -> str:
    """Write a schedule so that `parse_schedule` reads the same: days alike stand together."""
    if schedule.always:
        return ""
    if schedule.never:
        return "never"
    days_of: dict[str, list[int]] = {}
    for day in range(len(DAYS)):
        spans = _spans(
            hour for hour in range(HOURS_A_DAY) if HOURS_A_DAY * day + hour in schedule.hours
        )
        if spans:
            days_of.setdefault(spans, []).append(day)
    return "; ".join(f"{_days_text(days)} {spans}" for spans, days in days_of.items())


def _days(text: str) -> Iterable[int]:
    for piece in text.split(","):
        first, dash, last = piece.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{piece[:20]!r} is not a day; write it like mon, or mon-fri")
        begin = DAYS.index(first)
        length = (DAYS.index(last) - begin) % len(DAYS) if dash else 0
        yield from ((begin + step) % len(DAYS) for step in range(length + 1))


def _span(text: str, part: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not (_is_hour(first, most=23) and _is_hour(last, most=24)):
        raise ValueError(f"{part[:40]!r} holds no hours; write them like 'mon 8-18'")
    begin, end = int(first), int(last)
    return begin, end if end > begin else end + HOURS_A_DAY


def _is_hour(text: str, *, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= most


def _spans(hours: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for hour in hours:
        if runs and runs[-1][1] == hour:
            runs[-1][1] = hour + 1
        else:
            runs.append([hour, hour + 1])
    return ",".join(f"{first}-{last}" for first, last in runs)


def _days_text(days: list[int]) -> str:
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][1] + 1 == day:
            runs[-1][1] = day
        else:
            runs.append([day, day])
    return ",".join(
        DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}" for first, last in runs
    )
