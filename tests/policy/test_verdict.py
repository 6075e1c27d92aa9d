"""The verdict, as dialogues: this is how the computer is, so this is what holds."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy.manual import DAMAGED, HandPause, ManualState
from app.policy.readings import Readings
from app.policy.verdict import GIGABYTE, MEGABIT_BYTES, Machine, Moment, Situation, Verdict, judge
from app.preferences import Settings
from app.reasons import PauseReason
from app.schedule import LocalTime

NOW = datetime.datetime(2026, 11, 20, 15, 0, tzinfo=datetime.UTC).timestamp()  # a Friday
HOUR = 3600.0
IN_USE = Readings(
    idle_seconds=1.0,
    on_battery=False,
    metered=False,
    temperature_celsius=50.0,
    other_cpu_percent=3.0,
    full_screen=False,
    programs=frozenset(),
    disk_free_bytes=100 * GIGABYTE,
)
AWAY = dataclasses.replace(IN_USE, idle_seconds=600.0)


def utc(seconds: float) -> LocalTime:
    there = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return LocalTime(there.weekday(), there.hour, there.minute)


def ask(
    readings: Readings = AWAY,
    *,
    manual: ManualState | None = None,
    gpu: bool = True,
    month_bytes: int = 0,
    previous: PauseReason = "",
    **chosen: Any,
) -> Verdict:
    """The verdict for an owner who agreed to share, with these settings chosen."""
    return judge(
        Situation(
            settings=msgspec.structs.replace(Settings(), **chosen),
            readings=readings,
            manual=manual or ManualState(consented=True),
            moment=Moment(now=NOW, calendar=utc, month_ends=NOW + 10 * 86_400),
            machine=Machine(processors=8, gpu_usable=gpu),
            month_bytes=month_bytes,
            previous=previous,
        )
    )


def but(readings: Readings = AWAY, **changes: Any) -> Readings:
    return dataclasses.replace(readings, **changes)


# ── in use and away ──────────────────────────────────────────────────────────


def test_nobody_there_and_nothing_against_it_shares_with_the_limits_for_away() -> None:
    told = ask(AWAY, cpu_percent_away=75, upload_mbit_away=0.0)
    assert (told.state, told.reason, told.words, told.in_use) == ("sharing", "", "", False)
    assert (told.caps.cpu_fraction, told.caps.threads, told.caps.gpu) == (0.75, 6, True)
    assert told.caps.upload_bytes_per_second is None
    assert told.caps.transfers


def test_somebody_there_means_the_limits_for_in_use() -> None:
    told = ask(IN_USE, cpu_percent_in_use=25, upload_mbit_in_use=8.0, gpu_in_use=False)
    assert (told.state, told.in_use) == ("sharing", True)
    assert (told.caps.cpu_fraction, told.caps.threads, told.caps.gpu) == (0.25, 2, False)
    assert told.caps.upload_bytes_per_second == 8 * MEGABIT_BYTES


def test_away_begins_after_the_minutes_chosen() -> None:
    assert ask(but(idle_seconds=179.9)).in_use
    assert not ask(but(idle_seconds=180.0)).in_use
    assert ask(but(idle_seconds=180.0), away_after_minutes=10.0).in_use


def test_a_cap_of_five_percent_still_leaves_one_thread() -> None:
    assert ask(IN_USE, cpu_percent_in_use=5).caps.threads == 1


def test_limits_of_nothing_while_in_use_wait_for_the_owner_to_leave() -> None:
    told = ask(IN_USE, cpu_percent_in_use=0)
    assert (told.state, told.reason, told.can_override) == ("paused", "limits", True)
    assert told.words == (
        "Paused: you are using the computer (until it is left alone for 3 minutes)"
    )
    anyway = ManualState(consented=True, share_anyway_until=NOW + HOUR)
    overruled = ask(IN_USE, manual=anyway, cpu_percent_in_use=0)
    assert overruled.state == "sharing"
    assert overruled.caps.cpu
    later = anyway.under("later", frozenset({"limits"}))
    rests = ask(IN_USE, manual=later, cpu_percent_in_use=0)
    assert (rests.state, rests.reason, rests.can_override) == ("paused", "limits", True)
    assert not rests.caps.cpu


def test_limits_of_nothing_at_all_cannot_be_overruled() -> None:
    anyway = ManualState(consented=True, share_anyway_until=NOW + HOUR)
    told = ask(AWAY, manual=anyway, gpu=False, cpu_percent_in_use=0, cpu_percent_away=0)
    assert (told.state, told.reason, told.can_override) == ("paused", "limits", False)


def test_the_graphics_card_alone_gets_a_thread_to_feed_it() -> None:
    told = ask(AWAY, cpu_percent_away=0)
    assert (told.caps.cpu, told.caps.gpu, told.caps.threads) == (False, True, 1)
    assert told.caps.cpu_fraction == 1 / 8


# ── rules ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("readings", "chosen", "reason", "words"),
    [
        (but(on_battery=True), {}, "battery", "Paused: on battery (until plugged in)"),
        (
            but(metered=True),
            {"on_metered": "pause"},
            "metered",
            "Paused: on a metered network (until on another one)",
        ),
        (
            but(full_screen=True),
            {},
            "full_screen",
            "Paused: a program fills the screen (until it is closed)",
        ),
        (
            but(other_cpu_percent=26.0),
            {},
            "other_program",
            "Paused: other programs needed more than 25 % of the processor "
            "(until they need less than 15 %)",
        ),
        (
            but(programs=frozenset({"steam"})),
            {"pause_programs": ("steam",)},
            "program_list",
            "Paused: steam is running (until it is closed)",
        ),
        (
            AWAY,
            {"schedule": "mon-fri 18-8"},
            "schedule",
            "Paused: outside your hours (until 18:00)",
        ),
        (
            AWAY,
            {"schedule": "sat 9-10"},
            "schedule",
            "Paused: outside your hours (until Saturday 9:00)",
        ),
    ],
)
def test_each_rule_pauses_names_itself_and_can_be_overruled(
    readings: Readings, chosen: dict[str, Any], reason: str, words: str
) -> None:
    told = ask(readings, **chosen)
    assert (told.state, told.reason, told.words) == ("paused", reason, words)
    assert told.can_override
    anyway = ManualState(consented=True, share_anyway_until=NOW + HOUR)
    overruled = ask(readings, manual=anyway, **chosen)
    assert (overruled.state, overruled.reason, overruled.overruled) == ("sharing", reason, True)
    assert overruled.words == "Sharing anyway (until 16:00)"
    assert overruled.until == NOW + HOUR
    later = ask(readings, manual=anyway.under("later", frozenset({reason})), **chosen)
    assert (later.state, later.reason, later.words) == ("paused", reason, words)
    assert later.can_override, "it can be said again"
    other = anyway.under("later", frozenset({"budget"}))
    assert ask(readings, manual=other, **chosen).overruled


@pytest.mark.parametrize(
    ("readings", "chosen"),
    [
        (but(on_battery=True), {"pause_on_battery": False}),
        (but(metered=True), {"on_metered": "share"}),
        (but(full_screen=True), {"pause_on_full_screen": False}),
        (but(other_cpu_percent=99.0), {"pause_on_other_cpu": False}),
        (AWAY, {"schedule": "fri 15-16"}),
    ],
)
def test_a_rule_that_is_off_or_satisfied_says_nothing(
    readings: Readings, chosen: dict[str, Any]
) -> None:
    assert ask(readings, **chosen).state == "sharing"


def test_a_metered_network_moves_no_layers_but_shares() -> None:
    told = ask(but(metered=True))
    assert told.state == "sharing"
    assert not told.caps.transfers
    assert ask(but(metered=True), on_metered="share").caps.transfers


def test_a_schedule_says_when_it_allows_again() -> None:
    assert ask(AWAY, schedule="fri 18-19").until == NOW + 3 * HOUR


def test_a_months_budget_rests_until_the_next_month() -> None:
    told = ask(month_bytes=10 * GIGABYTE, monthly_budget_gb=10.0)
    assert (told.reason, told.until) == ("budget", NOW + 10 * 86_400)
    assert ask(month_bytes=10 * GIGABYTE - 1, monthly_budget_gb=10.0).state == "sharing"
    assert ask(month_bytes=10**15, monthly_budget_gb=0.0).state == "sharing"


def test_what_swings_around_a_threshold_does_not_start_and_stop_each_time() -> None:
    busy = but(other_cpu_percent=20.0)
    assert ask(busy).state == "sharing"
    assert ask(busy, previous="other_program").state == "paused"
    assert ask(but(other_cpu_percent=14.0), previous="other_program").state == "sharing"
    warm = but(temperature_celsius=87.0)
    assert ask(warm).state == "sharing"
    assert ask(warm, previous="temperature").state == "paused"
    assert ask(but(temperature_celsius=84.0), previous="temperature").state == "sharing"


# ── what cannot be overruled ─────────────────────────────────────────────────


@pytest.mark.parametrize("consented", [None, False])
def test_without_consent_nothing_is_shared_whatever_else(consented: bool | None) -> None:
    anyway = ManualState(consented=consented, share_anyway_until=NOW + HOUR)
    told = ask(AWAY, manual=anyway)
    assert (told.state, told.reason, told.can_override) == ("paused", "no_consent", False)


def test_decisions_that_could_not_be_read_are_named() -> None:
    told = ask(manual=ManualState(remark=DAMAGED.words))
    assert told.words.startswith("Not sharing: what you had decided about sharing could not be")


@pytest.mark.parametrize(
    "readings",
    [
        but(temperature_celsius=90.0),
        but(gpu_temperature_celsius=95.0),
        but(disk_free_bytes=10_000_000),
    ],
)
def test_heat_and_a_full_disk_are_not_overruled(readings: Readings) -> None:
    anyway = ManualState(consented=True, share_anyway_until=NOW + HOUR)
    told = ask(readings, manual=anyway)
    assert told.state == "paused"
    assert told.reason in ("temperature", "disk")
    assert not told.can_override


def test_a_pause_by_hand_says_until_when() -> None:
    until = ManualState(consented=True, pause=HandPause(until=NOW + 15 * 60))
    told = ask(manual=until)
    assert (told.reason, told.words, told.until) == (
        "manual",
        "Paused by you (until 15:15)",
        NOW + 15 * 60,
    )
    told = ask(manual=ManualState(consented=True, pause=HandPause()))
    assert (told.words, told.until) == ("Paused by you (until you resume)", None)


def test_processor_and_card_are_paused_apart() -> None:
    card = ask(manual=ManualState(consented=True, gpu_pause=HandPause()))
    assert (card.state, card.caps.cpu, card.caps.gpu) == ("sharing", True, False)
    processor = ask(manual=ManualState(consented=True, cpu_pause=HandPause()))
    assert (processor.state, processor.caps.cpu, processor.caps.gpu) == ("sharing", False, True)
    alone = ask(manual=ManualState(consented=True, cpu_pause=HandPause()), gpu=False)
    assert (alone.state, alone.reason) == ("paused", "manual")
    assert alone.words == "Paused by you: the processor (until you resume)"


# ── bandwidth and power ──────────────────────────────────────────────────────


def test_slow_mode_lowers_the_caps_and_never_raises_them() -> None:
    slow = ManualState(consented=True, slow_mode=True)
    told = ask(AWAY, manual=slow, slow_upload_mbit=1.0, slow_download_mbit=2.0)
    assert told.caps.upload_bytes_per_second == MEGABIT_BYTES
    assert told.caps.download_bytes_per_second == 2 * MEGABIT_BYTES
    told = ask(AWAY, manual=slow, slow_upload_mbit=9.0, upload_mbit_away=4.0)
    assert told.caps.upload_bytes_per_second == 4 * MEGABIT_BYTES


def test_a_power_cap_is_passed_on() -> None:
    assert ask(power_cap_watts=150).caps.power_watts == 150.0
    assert ask().caps.power_watts is None


# ── unknown ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("field", ["idle_seconds", "on_battery", "full_screen"])
def test_what_is_unknown_counts_as_in_use(field: str) -> None:
    unknown: dict[str, Any] = {field: None}
    assert ask(but(AWAY, **unknown)).in_use


def test_unknown_about_a_rule_that_is_off_does_not_matter() -> None:
    assert not ask(but(full_screen=None), pause_on_full_screen=False).in_use
    assert not ask(but(programs=None)).in_use
    assert ask(but(programs=None), pause_programs=("steam",)).in_use


def test_an_unknown_network_has_the_bandwidth_of_in_use_and_nothing_else() -> None:
    told = ask(but(metered=None), upload_mbit_in_use=3.0, upload_mbit_away=0.0)
    assert not told.in_use
    assert told.caps.upload_bytes_per_second == 3 * MEGABIT_BYTES
    free = ask(but(metered=None), on_metered="share", upload_mbit_away=0.0)
    assert free.caps.upload_bytes_per_second is None


def test_where_no_sensor_tells_the_heat_sharing_goes_on() -> None:
    told = ask(but(temperature_celsius=None))
    assert (told.state, told.in_use) == ("sharing", False)


# ── properties ───────────────────────────────────────────────────────────────

any_readings = st.builds(
    Readings,
    idle_seconds=st.none() | st.floats(0, 1e6),
    on_battery=st.none() | st.booleans(),
    metered=st.none() | st.booleans(),
    temperature_celsius=st.none() | st.floats(0, 130),
    gpu_temperature_celsius=st.none() | st.floats(0, 130),
    gpu_power_watts=st.none() | st.floats(0, 1000),
    other_cpu_percent=st.none() | st.floats(0, 100),
    full_screen=st.none() | st.booleans(),
    programs=st.none() | st.sampled_from([frozenset(), frozenset({"steam"})]),
    disk_free_bytes=st.none() | st.integers(0, 10**12),
)
any_settings = st.fixed_dictionaries(
    {
        "cpu_percent_in_use": st.sampled_from([0, 10, 25]),
        "cpu_percent_away": st.sampled_from([25, 75, 100]),
        "gpu_in_use": st.just(False),
        "gpu_away": st.booleans(),
        "upload_mbit_in_use": st.sampled_from([1.0, 10.0]),
        "upload_mbit_away": st.sampled_from([0.0, 10.0, 100.0]),
        "pause_on_battery": st.booleans(),
        "on_metered": st.sampled_from(["no_transfers", "pause", "share"]),
        "pause_on_other_cpu": st.booleans(),
        "pause_on_full_screen": st.booleans(),
        "pause_programs": st.sampled_from([(), ("steam",)]),
        "schedule": st.sampled_from(["", "mon 3-4", "fri 15-16"]),
    }
)
any_reason = st.sampled_from(get_args(PauseReason))


@settings(deadline=None, max_examples=120)
@given(
    any_readings,
    any_settings,
    st.none() | st.floats(1, 1e6),
    st.none() | st.floats(1, 1e6),
    any_reason,
)
def test_a_pause_by_hand_is_never_undone_by_any_reading_or_rule(
    readings: Readings,
    chosen: dict[str, Any],
    pause_seconds: float | None,
    anyway_seconds: float | None,
    previous: Any,
) -> None:
    manual = ManualState(
        consented=True,
        pause=HandPause(until=None if pause_seconds is None else NOW + pause_seconds),
        share_anyway_until=None if anyway_seconds is None else NOW + anyway_seconds,
    )
    told = ask(readings, manual=manual, previous=previous, **chosen)
    assert told.state == "paused"
    assert told.reason == "manual"
    assert not told.can_override


BEST: dict[str, Any] = {
    "idle_seconds": 1e6,
    "on_battery": False,
    "metered": False,
    "other_cpu_percent": 0.0,
    "full_screen": False,
    "programs": frozenset(),
}


def rank(told: Verdict) -> tuple[float, ...]:
    """What is allowed, larger for more."""
    if told.state == "paused":
        return (0, 0, 0, 0, 0)
    up = told.caps.upload_bytes_per_second
    return (
        1,
        told.caps.cpu_fraction,
        told.caps.gpu,
        float("inf") if up is None else up,
        told.caps.transfers,
    )


@settings(deadline=None, max_examples=150)
@given(any_readings, any_settings, st.sampled_from(sorted(BEST)), st.booleans())
def test_not_knowing_never_allows_more_than_knowing_that_nobody_is_there(
    readings: Readings,
    chosen: dict[str, Any],
    field: str,
    gpu: bool,
) -> None:
    chosen = {**chosen, "cpu_percent_away": max(25, chosen["cpu_percent_away"])}
    if 0 < chosen["upload_mbit_away"] < chosen["upload_mbit_in_use"]:
        chosen["upload_mbit_away"] = chosen["upload_mbit_in_use"]
    unknown = ask(dataclasses.replace(readings, **{field: None}), gpu=gpu, **chosen)
    known = ask(dataclasses.replace(readings, **{field: BEST[field]}), gpu=gpu, **chosen)
    for allowed, at_best in zip(rank(unknown), rank(known), strict=True):
        assert allowed <= at_best


@settings(deadline=None, max_examples=100)
@given(any_readings, any_settings, any_reason)
def test_every_pause_has_words_and_every_verdict_stays_within_the_settings(
    readings: Readings, chosen: dict[str, Any], previous: Any
) -> None:
    told = ask(readings, previous=previous, **chosen)
    if told.state == "paused":
        assert told.reason
        assert told.words.startswith(("Paused", "Not sharing"))
        assert "\n" not in told.words
    most = max(chosen["cpu_percent_in_use"], chosen["cpu_percent_away"]) / 100
    assert told.caps.cpu_fraction <= max(most, 1 / 8)
    assert told.caps.threads <= 8
