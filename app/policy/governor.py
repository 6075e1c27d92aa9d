"""Holds the owner's limits: sensors -> verdict -> caps -> the node pauses or goes on.

Every two seconds, and at once when the owner decides something. The counterpart is the
node, which hands itself in as a `Workplace` and shows what the governor says.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from app.clock import Clock
from app.errors import PotluckError
from app.policy.manual import DAMAGED, ManualState, load_manual, save_manual
from app.policy.pacing import Pacer
from app.policy.power import Cards
from app.policy.readings import NOTHING_KNOWN, Readings
from app.policy.remarks import settings_remarks
from app.policy.sensors import Sensors
from app.policy.traffic import Traffic
from app.policy.verdict import (
    GIGABYTE,
    MEGABIT_BYTES,
    Caps,
    Machine,
    Moment,
    Situation,
    Verdict,
    judge,
)
from app.preferences import Settings
from app.reasons import LimitName, Part, PauseReason
from app.schedule import LocalTime
from app.sentences import Sentence, say, unworded
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
READ_SECONDS: Final = 5.0
"""Sensors that take longer than this say nothing."""
SAVE_SECONDS: Final = 30.0


class Workplace(Protocol):
    """What the governor steers. Calls never overlap; a `PotluckError` is logged.

    None of them waits for long, because the owner's next wish waits for them: a pause at
    most for the sessions to drain, the others only begin what takes time.
    """

    async def pause(self, verdict: Verdict) -> None:
        """Hand back or finish the sessions, free the memory, withdraw the announcement."""
        ...

    async def resume(self, verdict: Verdict) -> None:
        """Work is allowed: load the layers and announce them, if there are any to serve."""
        ...

    async def apply(self, caps: Caps) -> None:
        """These caps hold from now on: `threads`, and whether the graphics card may compute.

        Told before each `resume`, and while working whenever they change.
        """
        ...


@dataclass(frozen=True)
class LimitState:
    """One cap as it holds now, as the API's `LimitInForce` tells it.

    `title` says what is limited and when, `means` what enforces it.
    """

    name: LimitName
    title: Sentence
    unit: str
    asked: float | None
    measured: float | None
    means: Sentence

    @property
    def words(self) -> str:
        """What is limited, in English."""
        return self.title.words

    @property
    def how(self) -> str:
        """What enforces it, in English."""
        return self.means.words


class Governor:
    """Decides and enforces. Use with `async with`, inside what it steers.

    Entering reads the sensors and judges; it does not call the workplace, which may not be
    ready. `reconsider` is called when it is; from then on it is told at once.

    Args:
        folder: the data folder.
        machine: what there is to work with now; asked each time.
        as_told: the command line said to share. For this run that is consent, it goes on
            beside other programs and on battery, and what is unknown does not count as in
            use. A pause by hand, heat, a full disk and all that the settings fix (hours,
            budget, metered networks, programs, limits) hold all the same.
        changed: called after each change of the verdict or the owner's decisions.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        workplace: Workplace,
        *,
        sensors: Sensors,
        traffic: Traffic,
        pacer: Pacer,
        cards: Cards,
        machine: Callable[[], Machine],
        clock: Clock,
        changed: Callable[[], None] = lambda: None,
        as_told: bool = False,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._workplace = workplace
        self._sensors = sensors
        self._traffic = traffic
        self._pacer = pacer
        self._cards = cards
        self._machine = machine
        self._clock = clock
        self._changed = changed
        self._as_told = as_told
        self._manual = ManualState()
        self._readings = NOTHING_KNOWN
        self._verdict: Verdict | None = None
        self._told: Verdict | None = None
        self._power_held_by_driver = False
        self._reading: asyncio.Task[Readings] | None = None
        self._turn = asyncio.Lock()
        self._tasks = TaskOwner("governor")
        self._saved_at = clock.monotonic()

    async def __aenter__(self) -> Governor:
        self._manual = load_manual(self._folder).at(self._clock.wall())
        await asyncio.to_thread(self._cards.open)
        await self._look()
        self._judge()
        await self._set_caps(self.verdict.caps)
        self._tasks.start(self._keep_looking(), name="looks")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._tasks.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._traffic.save()
        self._cards.close()
        self._sensors.close()

    # ── what holds ───────────────────────────────────────────────────────────

    @property
    def verdict(self) -> Verdict:
        """What holds now."""
        if self._verdict is None:
            raise RuntimeError("the governor was not entered")
        return self._verdict

    @property
    def readings(self) -> Readings:
        """What the sensors said last."""
        return self._readings

    @property
    def manual(self) -> ManualState:
        """What the owner decided by hand, as of now."""
        return self._manual

    def remarks(self) -> list[Sentence]:
        """What is to be said about the rules, and about the owner's decisions."""
        own = [DAMAGED] if self._manual.remark else []
        return own + settings_remarks(self._settings, self._readings)

    def limits(self) -> list[LimitState]:
        """The caps in force, with what was measured."""
        caps, settings = self.verdict.caps, self._settings
        in_use, slow = self.verdict.in_use, self._manual.slow_mode
        limits = [
            LimitState(
                name="cpu",
                title=say("cpu_in_use") if in_use else say("cpu_away"),
                unit="%",
                asked=round(100 * caps.cpu_fraction, 1),
                measured=self._pacer.cpu_percent,
                means=_how_processor(caps),
            )
        ]
        if self._machine().gpu_usable:
            title = _card_title(caps, in_use=in_use)
            limits.append(LimitState("gpu", title, "", None, None, unworded("")))
        if caps.power_watts is not None:
            limits.append(self._power_limit(caps.power_watts))
        traffic = self._traffic
        means = say("by_bucket")
        if (cap := caps.upload_bytes_per_second) is not None:
            title = say("upload_in_use") if in_use else say("upload_away")
            title = say("upload_slow") if slow else title
            measured = traffic.upload_bytes_per_second / MEGABIT_BYTES
            limits.append(LimitState("upload", title, "Mbit/s", _mbit(cap), measured, means))
        if (cap := caps.download_bytes_per_second) is not None:
            title = say("download_in_use") if in_use else say("download_away")
            title = say("download_slow") if slow else title
            measured = traffic.download_bytes_per_second / MEGABIT_BYTES
            limits.append(LimitState("download", title, "Mbit/s", _mbit(cap), measured, means))
        if settings.monthly_budget_gb:
            used, asked = traffic.month_bytes / GIGABYTE, settings.monthly_budget_gb
            means = say("by_counting")
            limits.append(LimitState("month", say("month"), "GB", asked, used, means))
        return limits

    def _power_limit(self, watts: float) -> LimitState:
        measured = self._readings.gpu_power_watts
        if self._power_held_by_driver:
            means = say("by_driver")
        elif measured is not None:
            means = say("by_duty")
        else:
            means = say("by_nothing")
        mean = self._pacer.watts
        return LimitState("power", say("power"), "W", watts, mean or measured, means)

    # ── what the owner decides ───────────────────────────────────────────────

    async def consent(self, *, share: bool) -> None:
        """The owner agreed to share, or only to chat; earlier pauses end."""
        await self._decide(lambda state: state.consenting(share=share))

    async def pause(self, what: Part = "all", *, until: float | None) -> None:
        """Pause by hand until then (seconds since 1970), or until resumed; returns when done.

        Raises:
            UsageError: it holds, but could not be kept on the disk.
        """
        await self._decide(lambda state: state.paused(what, until))

    async def resume(self, what: Part = "all") -> None:
        """End a pause by hand."""
        await self._decide(lambda state: state.resumed(what))

    async def share_anyway(self, seconds: float) -> None:
        """Overrule automatic pauses for so long."""
        until = self._clock.wall() + seconds
        await self._decide(lambda state: state.overruling(until))

    async def slow_mode(self, *, on: bool) -> None:
        """Switch the slow bandwidth caps on or off."""
        await self._decide(lambda state: state.slowed(on=on))

    async def use_settings(self, settings: Settings) -> None:
        """Judge by other settings from now on."""
        self._settings = settings
        await self.reconsider()

    async def reconsider(self) -> None:
        """Judge once more by the last readings, and return when the outcome is in force."""
        async with self._turn:
            await self._enforce()

    def tomorrow(self) -> float:
        """When tomorrow begins for "until tomorrow": at 6 in the morning, local time."""
        return next_morning(self._clock.wall())

    async def _decide(self, change: Callable[[ManualState], ManualState]) -> None:
        async with self._turn:
            self._manual = change(self._manual.at(self._clock.wall()))
            try:
                await asyncio.to_thread(save_manual, self._folder, self._manual)
            finally:
                await self._enforce()
                self._changed()

    # ── the loop ─────────────────────────────────────────────────────────────

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._look()
            async with self._turn:
                await self._enforce()
            if self._clock.monotonic() - self._saved_at >= SAVE_SECONDS:
                self._saved_at = self._clock.monotonic()
                await asyncio.to_thread(self._traffic.save)

    async def _look(self) -> None:
        programs = frozenset(self._settings.pause_programs)
        reading = self._reading or self._tasks.start(
            asyncio.to_thread(self._sensors.read, programs), name="reading"
        )
        await asyncio.wait({reading}, timeout=READ_SECONDS)
        if reading.done():
            self._reading = None
            self._readings = NOTHING_KNOWN if reading.exception() else reading.result()
        else:  # a sensor hangs; no second one is sent after it
            self._reading = reading
            self._readings = NOTHING_KNOWN
        cards = await asyncio.to_thread(self._cards.read)
        heat = [card.celsius for card in cards if card.celsius is not None]
        power = [card.watts for card in cards if card.watts is not None]
        self._readings = replace(
            self._readings,
            gpu_temperature_celsius=max(heat, default=None),
            gpu_power_watts=sum(power) if power else None,
        )
        self._pacer.measure()

    def _judge(self) -> None:
        now = self._clock.wall()
        self._manual = self._manual.at(now)
        manual, readings = self._manual, self._readings
        if self._as_told:
            manual = manual.as_told()
            readings = readings.as_told()
        previous: PauseReason = ""
        if self._verdict is not None and self._verdict.state == "paused":
            previous = self._verdict.reason
        self._verdict = judge(
            Situation(
                settings=self._settings,
                readings=readings,
                manual=manual,
                moment=Moment(now=now, calendar=local_time, month_ends=next_month(now)),
                machine=self._machine(),
                month_bytes=self._traffic.month_bytes,
                previous=previous,
            )
        )

    async def _enforce(self) -> None:
        """Judge, and have the node follow; under `_turn`."""
        self._judge()
        verdict, told = self.verdict, self._told
        if verdict == told:
            return
        if told is None or verdict.caps != told.caps:
            await self._set_caps(verdict.caps)
        paused = told is None or told.state == "paused"
        try:
            if verdict.state == "paused":
                if told is None or not paused:
                    logger.info("%s", verdict.words)
                    await self._workplace.pause(verdict)
            else:
                if told is None or paused or verdict.caps != told.caps:
                    await self._workplace.apply(verdict.caps)
                if paused:
                    await self._workplace.resume(verdict)
        except PotluckError as error:
            logger.warning("%s", error)
        self._told = verdict
        self._changed()

    async def _set_caps(self, caps: Caps) -> None:
        self._traffic.set_caps(
            upload_bytes_per_second=caps.upload_bytes_per_second,
            download_bytes_per_second=caps.download_bytes_per_second,
            transfers=caps.transfers,
        )
        watts = caps.power_watts if caps.gpu else None
        self._power_held_by_driver = await asyncio.to_thread(self._cards.limit, watts)
        self._pacer.set_caps(
            cpu_fraction=caps.cpu_fraction,
            power_watts=None if self._power_held_by_driver else watts,
        )


# ── how a cap is told ────────────────────────────────────────────────────────


def _how_processor(caps: Caps) -> Sentence:
    if caps.cpu_fraction >= 1:
        return say("by_priority")
    return say("by_threads", threads=caps.threads) if caps.threads > 1 else say("by_thread")


def _card_title(caps: Caps, *, in_use: bool) -> Sentence:
    if caps.gpu:
        return say("gpu_works_in_use") if in_use else say("gpu_works_away")
    return say("gpu_rests_in_use") if in_use else say("gpu_rests_away")


def _mbit(bytes_per_second: float) -> float:
    return round(bytes_per_second / MEGABIT_BYTES, 3)


# ── the owner's calendar ─────────────────────────────────────────────────────


def local_time(seconds: float) -> LocalTime:
    """A moment where the owner lives, by the system's time zone, read afresh."""
    local = time.localtime(seconds)
    return LocalTime(local.tm_wday, local.tm_hour, local.tm_min)


def month_name(seconds: float) -> str:
    """The month as "2030-01"."""
    return time.strftime("%Y-%m", time.localtime(seconds))


def next_month(seconds: float) -> float:
    """When the next month begins."""
    local = time.localtime(seconds)
    year, month = (local.tm_year, local.tm_mon + 1) if local.tm_mon < 12 else (local.tm_year + 1, 1)
    return datetime.datetime(year, month, 1).timestamp()


def next_morning(seconds: float) -> float:
    """Six o'clock of the next day."""
    local = time.localtime(seconds)
    day = datetime.date(local.tm_year, local.tm_mon, local.tm_mday) + datetime.timedelta(days=1)
    return datetime.datetime.combine(day, datetime.time(6)).timestamp()
