"""Holds the owner's limits: sensors -> verdict -> caps -> the node pauses or goes on.

Every two seconds, and at once when the owner decides something. The counterpart is the
node, which hands itself in as a `Workplace` and shows what the governor says.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from app.clock import Clock
from app.errors import PotluckError, UsageError
from app.policy.later_rules import rules_mark, stricter_rules
from app.policy.limits import (
    LimitState,
    card_limit,
    disk_limit,
    download_limit,
    month_limit,
    power_limit,
    processor_limit,
    upload_limit,
)
from app.policy.manual import DAMAGED, ManualState, load_manual, save_manual
from app.policy.pacing import Pacer
from app.policy.power import Cards
from app.policy.power_cap import PowerCap
from app.policy.readings import NOTHING_KNOWN, Readings
from app.policy.remarks import settings_remarks
from app.policy.sensors import Sensors
from app.policy.traffic import Traffic
from app.policy.verdict import (
    Caps,
    Machine,
    Moment,
    Situation,
    Verdict,
    judge,
)
from app.preferences import Settings
from app.reasons import Part, PauseReason
from app.schedule import LocalTime
from app.sentences import Sentence, say
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
        doubtful: a limit of the owner's could not be read; nothing is shared.
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
        doubtful: bool = False,
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
        self._doubtful = doubtful
        self._failed = False
        self._manual = ManualState()
        self._readings = NOTHING_KNOWN
        self._verdict: Verdict | None = None
        self._told: Verdict | None = None
        self._power = PowerCap(cards)
        self._reading: asyncio.Task[Readings] | None = None
        self._turn = asyncio.Lock()
        self._tasks = TaskOwner("governor")
        self._saved_at = clock.monotonic()

    async def __aenter__(self) -> Governor:
        manual = await asyncio.to_thread(load_manual, self._folder)
        manual = manual.at(self._clock.wall(), watched=False)
        self._manual = manual.begun_under(rules_mark(self._settings))
        await asyncio.to_thread(self._cards.open)
        await self._look()
        self._judge()
        await self._set_caps()
        self._tasks.start(self._keep_looking(), name="looks")
        self._tasks.start(self._power.keep_sampling(), name="power readings")
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

    def limits(self, *, disk_used_bytes: int | None = None) -> list[LimitState]:
        """The caps in force, with what was measured.

        Args:
            disk_used_bytes: what models take of the disk; None while nobody has looked.
        """
        caps, settings, traffic = self.verdict.caps, self._settings, self._traffic
        in_use, slow = self.verdict.in_use, self._manual.slow_mode
        limits = [processor_limit(caps, in_use=in_use, percent=self._pacer.cpu_percent)]
        if self._machine().gpu_usable:
            limits.append(card_limit(caps, in_use=in_use))
        if caps.power_watts is not None:
            measured = self._pacer.watts or self._readings.gpu_power_watts
            limits.append(
                power_limit(caps.power_watts, measured=measured, kept_by=self._power.kept_by)
            )
        if (cap := caps.upload_bytes_per_second) is not None:
            rate = traffic.upload_bytes_per_second
            limits.append(upload_limit(cap, measured=rate, in_use=in_use, slow=slow))
        if (cap := caps.download_bytes_per_second) is not None:
            rate = traffic.download_bytes_per_second
            limits.append(download_limit(cap, measured=rate, in_use=in_use, slow=slow))
        if settings.monthly_budget_gb:
            limits.append(month_limit(settings.monthly_budget_gb, used_bytes=traffic.month_bytes))
        limits.append(disk_limit(settings.disk_quota_bytes, used_bytes=disk_used_bytes))
        return limits

    @property
    def unknown_card_allowed(self) -> bool:
        """Whether a graphics card that nothing has shown yet may be tried."""
        cap = self._settings.power_cap_watts
        return self._manual.gpu_pause is None and (not cap or self._power.can_keep(float(cap)))

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
        """Overrule automatic pauses for so long, by the rules as they are now."""
        until, rules = self._clock.wall() + seconds, rules_mark(self._settings)
        await self._decide(lambda state: state.overruling(until, rules=rules))

    async def slow_mode(self, *, on: bool) -> None:
        """Switch the slow bandwidth caps on or off."""
        await self._decide(lambda state: state.slowed(on=on))

    async def use_settings(self, settings: Settings, *, doubtful: bool = False) -> None:
        """Judge by other settings from now on; `doubtful` as at the beginning.

        A rule that is stricter now is the owner's later wish: "Share anyway" does not
        overrule it.
        """
        async with self._turn:
            before, self._settings, self._doubtful = self._settings, settings, doubtful
            manual = self._manual.under(rules_mark(settings), stricter_rules(before, settings))
            is_other = manual != self._manual
            self._manual = manual
            try:
                if is_other:
                    await asyncio.to_thread(save_manual, self._folder, manual)
            except UsageError as error:  # harmless: at the next start the old mark ends it
                logger.warning("%s", error)
            finally:
                await self._enforce()

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
            try:
                await self._look()
                async with self._turn:
                    await self._enforce()
                await self._save()
            except Exception as error:  # noqa: BLE001 - it may not end while somebody shares
                async with self._turn:
                    await self._rest(error)

    async def _save(self) -> None:
        if self._clock.monotonic() - self._saved_at < SAVE_SECONDS:
            return
        self._saved_at = self._clock.monotonic()
        await asyncio.to_thread(self._traffic.save)
        if self._manual.clock_doubtful:
            with contextlib.suppress(UsageError):
                await asyncio.to_thread(save_manual, self._folder, self._manual)

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
                machine=self._machine_within_limits(),
                month_bytes=self._traffic.month_bytes,
                previous=previous,
                doubtful=self._doubtful,
            )
        )

    async def _enforce(self) -> None:
        """Judge, and have the node follow, or rest where that fails; under `_turn`."""
        try:
            await self._judge_and_follow()
        except Exception as error:  # noqa: BLE001 - nobody shares by rules that are not kept
            await self._rest(error)
        else:
            self._failed = False

    async def _rest(self, error: Exception) -> None:
        """Rest until the rules can be judged and kept again, and say so; under `_turn`."""
        rests_already = self._failed and self._told is not None
        if not self._failed:  # once, and not every two seconds
            logger.error("the rules could not be judged; sharing rests", exc_info=error)
        self._failed = True
        verdict = self._verdict = _resting(self.verdict)
        if rests_already:
            return
        self._told = None
        try:
            await self._workplace.pause(verdict)
        except Exception as another:  # noqa: BLE001 - it is asked again at the next look
            logger.warning("the node does not pause: %s", another)
            return
        self._told = verdict
        self._changed()

    async def _judge_and_follow(self) -> None:
        self._judge()
        told = self._told
        if self.verdict == told:
            return
        if told is None or self.verdict.caps != told.caps:
            await self._set_caps()
        verdict = self.verdict
        paused = told is None or told.state == "paused"
        try:
            self._log(verdict, told)
            if verdict.state == "paused":
                if told is None or not paused:
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

    @staticmethod
    def _log(verdict: Verdict, told: Verdict | None) -> None:
        """Write down each pause and its end. Who was not asked yet has paused nothing."""
        before = "" if told is None else told.words
        if verdict.words == before or (told is None and verdict.reason == "no_consent"):
            return
        logger.info("%s", verdict.words or "Nothing speaks against sharing any more")

    async def _set_caps(self) -> None:
        """Have the verdict's caps kept; where its power cap cannot be, judge once more."""
        await self._hold(self.verdict.caps)
        watts = self.verdict.caps.power_watts
        if self.verdict.caps.gpu and watts is not None and not self._power.can_keep(watts):
            self._judge()
            await self._hold(self.verdict.caps)

    async def _hold(self, caps: Caps) -> None:
        self._traffic.set_caps(
            upload_bytes_per_second=caps.upload_bytes_per_second,
            download_bytes_per_second=caps.download_bytes_per_second,
            transfers=caps.transfers,
        )
        by_rests = await self._power.hold(caps.power_watts if caps.gpu else None)
        self._pacer.set_caps(cpu_fraction=caps.cpu_fraction, power_watts=by_rests)

    def _machine_within_limits(self) -> Machine:
        """What there is to work with; a card whose power cap cannot be kept is not there."""
        machine, cap = self._machine(), self._settings.power_cap_watts
        if cap and not self._power.can_keep(float(cap)):
            return replace(machine, gpu_usable=False)
        return machine


def _resting(verdict: Verdict) -> Verdict:
    """What holds while nothing can be judged."""
    return replace(
        verdict,
        state="paused",
        reason="problem",
        sentence=say("rules_failed"),
        until=None,
        can_override=False,
        overruled=False,
        ending=None,
    )


# ── the owner's calendar ─────────────────────────────────────────────────────

EARLIEST: Final = 86_400.0
LATEST: Final = 253_370_764_800.0
"""Calendars of computers know no day outside 1970 to 9999; a clock may be anywhere."""


def local_time(seconds: float) -> LocalTime:
    """A moment where the owner lives, by the system's time zone, read afresh."""
    local = _local(seconds)
    return LocalTime(local.tm_wday, local.tm_hour, local.tm_min)


def month_name(seconds: float) -> str:
    """The month as "2030-01"."""
    return time.strftime("%Y-%m", _local(seconds))


def next_month(seconds: float) -> float:
    """When the next month begins."""
    local = _local(seconds)
    year, month = (local.tm_year, local.tm_mon + 1) if local.tm_mon < 12 else (local.tm_year + 1, 1)
    return datetime.datetime(year, month, 1).timestamp()


def next_morning(seconds: float) -> float:
    """Six o'clock of the next day."""
    local = _local(seconds)
    day = datetime.date(local.tm_year, local.tm_mon, local.tm_mday) + datetime.timedelta(days=1)
    morning = datetime.datetime.combine(day, datetime.time(6)).timestamp()
    return morning if morning > seconds else seconds + 86_400


def _local(seconds: float) -> time.struct_time:
    return time.localtime(min(max(seconds, EARLIEST), LATEST))
