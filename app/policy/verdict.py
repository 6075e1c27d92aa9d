"""May this computer work for others now, and how hard?

Pure: settings, readings, what the owner decided by hand and the time come in; whether
it may work, the reason if not, and the caps come out. The counterparts are
`app/policy/governor.py`, which asks every two seconds, and `app/policy/sensors.py`.

What is unknown counts as in use:

- When it is not known whether somebody sits at the computer, the limits for "while I
  use the computer" hold. The same goes for a rule that is on and cannot be judged.
- When it is not known whether the network is metered, the bandwidth limits for "while
  I use the computer" hold.
- Only heat is different: where no sensor tells, the hardware looks after itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from app.policy.manual import HandPause, ManualState
from app.policy.readings import Readings
from app.preferences import Settings
from app.reasons import PauseReason
from app.schedule import Calendar, Schedule, parse_schedule
from app.sentences import At, Sentence, say

GIGABYTE: Final = 10**9
MEGABIT_BYTES: Final = 125_000
COOLER_CELSIUS: Final = 5
"""How far below the ceiling it has to be before work goes on."""
CALMER: Final = 0.6
"""Of the threshold: how little others have to use before work goes on."""
DISK_RESERVE_BYTES: Final = 500_000_000
DISK_ENOUGH_BYTES: Final = 1_000_000_000
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Moment:
    """When it is: seconds since 1970, the owner's calendar, and the next month's beginning."""

    now: float
    calendar: Calendar
    month_ends: float

    def until(self, until: float) -> Sentence:
        """A later moment as "until 15:40" or "until Monday 8:00"."""
        here, there = self.calendar(self.now), self.calendar(until)
        clock = f"{there.hour}:{there.minute:02}"
        if until - self.now >= 86_400 or there.weekday != here.weekday:
            clock = f"{_DAYS[there.weekday]} {clock}"
        return say("until", time=At(until, clock))


@dataclass(frozen=True)
class Machine:
    """What there is to work with: logical processors, and whether a graphics card computes."""

    processors: int
    gpu_usable: bool = False


@dataclass(frozen=True, kw_only=True)
class Caps:
    """How hard this computer may work.

    Attributes:
        cpu: whether the processor may compute; without, it only feeds the graphics card.
        gpu: whether the graphics card may compute.
        cpu_fraction: of all processors together, a mean over time.
        threads: at most so many compute at once.
        power_watts: of the graphics card; None without a cap.
        upload_bytes_per_second, download_bytes_per_second: None without a cap.
        transfers: whether layers may be downloaded or sent.
    """

    cpu: bool
    gpu: bool
    cpu_fraction: float
    threads: int
    power_watts: float | None
    upload_bytes_per_second: float | None
    download_bytes_per_second: float | None
    transfers: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What holds now.

    Attributes:
        state: "sharing" when work is allowed.
        reason: why not; when `overruled`, what would be the reason.
        sentence: the whole line for people; None while sharing as usual.
        ending: when "Share anyway" ends, as a piece of a sentence; None unless `overruled`.
        until: when it ends by itself, in seconds since 1970; None if that is not known.
        can_override: whether "Share anyway" may be offered.
        overruled: "Share anyway" holds until `until`.
        in_use: whether the limits for "while I use the computer" hold.
    """

    state: Literal["sharing", "paused"]
    reason: PauseReason
    sentence: Sentence | None
    until: float | None
    can_override: bool
    overruled: bool
    in_use: bool
    caps: Caps
    ending: Sentence | None = None

    @property
    def words(self) -> str:
        """The line in English, empty while sharing as usual."""
        return "" if self.sentence is None else self.sentence.words


@dataclass(frozen=True)
class Cause:
    """One thing that speaks against working."""

    reason: PauseReason
    sentence: Sentence
    until: float | None = None
    can_override: bool = True


@dataclass(frozen=True)
class Situation:
    """Everything a verdict depends on.

    Attributes:
        month_bytes: sent and received this month.
        previous: the reason that held before, so that what swings around a threshold
            does not start and stop work each time.
        doubtful: a limit of the owner's could not be read, so the settings may be too loose.
    """

    settings: Settings
    readings: Readings
    manual: ManualState
    moment: Moment
    machine: Machine
    month_bytes: int = 0
    previous: PauseReason = ""
    doubtful: bool = False


def judge(situation: Situation) -> Verdict:
    """The verdict. What cannot be overruled is named first."""
    anyway = situation.manual.share_anyway_until
    in_use = _in_use(situation)
    caps = _caps(situation, in_use=in_use)
    causes = [*_firm_causes(situation), *_causes(situation)]
    if not (caps.cpu or caps.gpu):
        away = _caps(situation, in_use=False)
        causes.append(_limits_cause(situation, in_use=in_use, away=away))
        if _is_overruled(causes[-1], situation):
            caps = away
    first = next((cause for cause in causes if not _is_overruled(cause, situation)), None)
    if first is not None:
        return Verdict(
            state="paused",
            reason=first.reason,
            sentence=first.sentence,
            until=first.until,
            can_override=first.can_override,
            overruled=False,
            in_use=in_use,
            caps=caps,
        )
    overruled = causes[0] if causes else None
    assert anyway is not None or overruled is None
    ending = None if overruled is None or anyway is None else situation.moment.until(anyway)
    return Verdict(
        state="sharing",
        reason="" if overruled is None else overruled.reason,
        sentence=None if ending is None else say("anyway", when=ending),
        ending=ending,
        until=None if overruled is None else anyway,
        can_override=False,
        overruled=overruled is not None,
        in_use=in_use,
        caps=caps,
    )


# ── what speaks against working ──────────────────────────────────────────────


def _is_overruled(cause: Cause, situation: Situation) -> bool:
    """Whether "Share anyway" was said about it, and not before its rule became stricter."""
    manual = situation.manual
    until = manual.share_anyway_until
    return (
        cause.can_override
        and until is not None
        and until > situation.moment.now
        and cause.reason not in manual.stricter_since
    )


def _firm_causes(situation: Situation) -> Iterator[Cause]:
    """What "Share anyway" does not touch: consent, limits, the owner's own pause, disk, heat."""
    settings, readings, manual = situation.settings, situation.readings, situation.manual
    if manual.remark and manual.consented is None:
        yield Cause("no_consent", say("rests_unread"), None, False)
    elif manual.consented is None:
        yield Cause("no_consent", say("not_asked"), None, False)
    elif not manual.consented:
        yield Cause("no_consent", say("only_chat"), None, False)
    if situation.doubtful:
        yield Cause("problem", say("limits_unread"), None, False)
    if manual.pause is not None:
        when = _ending(manual.pause, situation.moment)
        yield Cause("manual", say("by_hand", when=when), manual.pause.until, False)
    free = readings.disk_free_bytes
    needed = DISK_ENOUGH_BYTES if situation.previous == "disk" else DISK_RESERVE_BYTES
    if free is not None and free < needed:
        yield Cause("disk", say("disk"), None, False)
    ceiling = settings.temperature_ceiling_celsius
    cool = ceiling - COOLER_CELSIUS
    hot_from = cool if situation.previous == "temperature" else ceiling
    known = (readings.temperature_celsius, readings.gpu_temperature_celsius)
    if any(celsius is not None and celsius >= hot_from for celsius in known):
        yield Cause("temperature", say("heat", celsius=cool), None, False)


def _causes(situation: Situation) -> Iterator[Cause]:
    """What "Share anyway" overrules, by rules that stand in `app.policy.later_rules.RULES`."""
    settings, readings, moment = situation.settings, situation.readings, situation.moment
    if settings.pause_on_battery and readings.on_battery:
        yield Cause("battery", say("battery"))
    if settings.on_metered == "pause" and readings.metered:
        yield Cause("metered", say("metered"))
    if readings.programs:
        yield Cause("program_list", say("program", program=min(readings.programs)))
    if settings.pause_on_full_screen and readings.full_screen:
        yield Cause("full_screen", say("full_screen"))
    if settings.pause_on_other_cpu and readings.other_cpu_percent is not None:
        most = float(settings.other_cpu_percent)
        calm = most * CALMER
        if readings.other_cpu_percent > (calm if situation.previous == "other_program" else most):
            yield Cause("other_program", say("other_programs", limit=most, percent=round(calm)))
    schedule = parse_schedule(settings.schedule)
    if not schedule.allows(moment.calendar(moment.now)):
        yield _outside_hours(schedule, moment)
    budget = settings.monthly_budget_gb * GIGABYTE
    if budget and situation.month_bytes >= budget:
        yield Cause("budget", say("month_used"), moment.month_ends)


def _outside_hours(schedule: Schedule, moment: Moment) -> Cause:
    until = schedule.next_change(moment.now, moment.calendar)
    if until is None:
        return Cause("schedule", say("no_hours"))
    return Cause("schedule", say("outside_hours", when=moment.until(until)), until)


def _ending(pause: HandPause, moment: Moment) -> Sentence:
    return say("until_resumed") if pause.until is None else moment.until(pause.until)


def _limits_cause(situation: Situation, *, in_use: bool, away: Caps) -> Cause:
    """Why neither processor nor graphics card may compute."""
    manual = situation.manual
    if (pause := manual.cpu_pause) is not None:
        when = _ending(pause, situation.moment)
        return Cause("manual", say("by_hand_cpu", when=when), pause.until, False)
    if (pause := manual.gpu_pause) is not None:
        when = _ending(pause, situation.moment)
        return Cause("manual", say("by_hand_gpu", when=when), pause.until, False)
    if in_use and (away.cpu or away.gpu):
        return Cause("limits", say("in_use", minutes=situation.settings.away_after_minutes))
    return Cause("limits", say("no_work"), None, False)


# ── how hard ─────────────────────────────────────────────────────────────────


def _in_use(situation: Situation) -> bool:
    """Whether somebody may be there: only what is known to be away is away."""
    settings, readings = situation.settings, situation.readings
    idle = readings.idle_seconds
    if idle is None or not idle >= 60 * settings.away_after_minutes:
        return True
    return (
        (settings.pause_on_full_screen and readings.full_screen is None)
        or (settings.pause_on_other_cpu and readings.other_cpu_percent is None)
        or (settings.pause_on_battery and readings.on_battery is None)
        or (bool(settings.pause_programs) and readings.programs is None)
    )


def _caps(situation: Situation, *, in_use: bool) -> Caps:
    settings, manual, machine = situation.settings, situation.manual, situation.machine
    percent = settings.cpu_percent_in_use if in_use else settings.cpu_percent_away
    cpu = percent > 0 and manual.cpu_pause is None
    gpu = (
        (settings.gpu_in_use if in_use else settings.gpu_away)
        and settings.gpu != "off"
        and manual.gpu_pause is None
        and machine.gpu_usable
    )
    processors = max(1, machine.processors)
    # A graphics card needs one thread that feeds it, even where the processor rests.
    fraction = percent / 100 if cpu else (1 / processors if gpu else 0.0)
    up, down = _bandwidth(situation, in_use=in_use)
    return Caps(
        cpu=cpu,
        gpu=gpu,
        cpu_fraction=fraction,
        threads=max(1, math.ceil(fraction * processors - 1e-9)),
        power_watts=float(settings.power_cap_watts) if settings.power_cap_watts else None,
        upload_bytes_per_second=up,
        download_bytes_per_second=down,
        transfers=not (situation.readings.metered and settings.on_metered != "share"),
    )


def _bandwidth(situation: Situation, *, in_use: bool) -> tuple[float | None, float | None]:
    settings = situation.settings
    judged = settings.on_metered == "share" or situation.readings.metered is not None
    up, down = (
        (settings.upload_mbit_in_use, settings.download_mbit_in_use)
        if in_use or not judged
        else (settings.upload_mbit_away, settings.download_mbit_away)
    )
    caps = (up * MEGABIT_BYTES or None, down * MEGABIT_BYTES or None)
    if situation.manual.slow_mode:
        slow = (settings.slow_upload_mbit, settings.slow_download_mbit)
        return _lower(caps[0], slow[0] * MEGABIT_BYTES), _lower(caps[1], slow[1] * MEGABIT_BYTES)
    return caps


def _lower(cap: float | None, other: float) -> float:
    return other if cap is None else min(cap, other)
