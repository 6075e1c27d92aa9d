"""The hours of a week: as text, as a grid, and through the changes of the clocks."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import UsageError
from app.preferences import Settings
from app.schedule import (
    ALWAYS,
    NEVER,
    Calendar,
    LocalTime,
    Schedule,
    parse_schedule,
    schedule_text,
)
from app.settings import changed

BERLIN = ZoneInfo("Europe/Berlin")
KATHMANDU = ZoneInfo("Asia/Kathmandu")


def calendar(zone: ZoneInfo) -> Calendar:
    def local(seconds: float) -> LocalTime:
        there = datetime.datetime.fromtimestamp(seconds, zone)
        return LocalTime(there.weekday(), there.hour, there.minute)

    return local


def moment(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def clock(seconds: float, zone: ZoneInfo = BERLIN) -> str:
    return datetime.datetime.fromtimestamp(seconds, zone).strftime("%a %H:%M")


def test_nothing_written_is_always_and_never_is_never() -> None:
    assert parse_schedule("") == parse_schedule("  ") == ALWAYS
    assert parse_schedule("never") == NEVER
    assert ALWAYS.always
    assert NEVER.never


def test_days_and_hours_are_read_as_people_write_them() -> None:
    evening = parse_schedule("mon-fri 18-22; Sat,Sun 0-24")
    assert len(evening.hours) == 5 * 4 + 48
    assert evening.allows(LocalTime(0, 18, 0))
    assert evening.allows(LocalTime(4, 21, 59))
    assert not evening.allows(LocalTime(4, 22, 0))
    assert evening.allows(LocalTime(6, 3, 0))


def test_a_night_goes_on_into_the_next_day() -> None:
    night = parse_schedule("fri 22-6")
    assert night.allows(LocalTime(4, 23, 0))
    assert night.allows(LocalTime(5, 5, 59))
    assert not night.allows(LocalTime(5, 6, 0))
    assert parse_schedule("sun 22-2").allows(LocalTime(0, 1, 0)), "Sunday's night ends on Monday"


def test_days_may_go_around_the_week() -> None:
    assert parse_schedule("sat-mon 8-9").hours == {8, 5 * 24 + 8, 6 * 24 + 8}


@pytest.mark.parametrize(
    "text",
    ["monday 8-9", "mon", "mon 8", "mon 8-25", "mon 24-3", "mon x-9", "mon 8-9;", "8-9", "mon ²-9"],
)
def test_what_is_no_schedule_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"write (it|them) like"):
        parse_schedule(text)
    with pytest.raises(UsageError, match="schedule cannot be"):
        changed(Settings(), {"schedule": text})


@settings(deadline=None, max_examples=200)
@given(st.frozensets(st.integers(0, 167)))
def test_every_grid_can_be_written_and_read_again(hours: frozenset[int]) -> None:
    text = schedule_text(Schedule(hours))
    assert parse_schedule(text).hours == hours
    assert changed(Settings(), {"schedule": text}).schedule == text, "the settings take it"


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="montuewdhfrisa 0123456789-,;", max_size=40))
def test_what_the_settings_take_has_a_meaning(text: str) -> None:
    try:
        kept = changed(Settings(), {"schedule": text}).schedule
    except UsageError:
        return
    parse_schedule(kept)


def test_the_next_change_is_told() -> None:
    evening = parse_schedule("mon-fri 18-22")
    now = moment("2026-11-20 12:34:56")  # a Friday
    opens = evening.next_change(now, calendar(BERLIN))
    assert opens == moment("2026-11-20 18:00")
    closes = evening.next_change(opens, calendar(BERLIN))
    assert closes == moment("2026-11-20 22:00")
    assert evening.next_change(closes, calendar(BERLIN)) == moment("2026-11-23 18:00")


def test_always_and_never_have_no_change() -> None:
    assert ALWAYS.next_change(0.0, calendar(BERLIN)) is None
    assert NEVER.next_change(0.0, calendar(BERLIN)) is None


def test_one_hour_a_week_is_found_from_just_after_it() -> None:
    rare = parse_schedule("tue 3-4")
    after = moment("2026-11-24 04:00")
    found = rare.next_change(after, calendar(BERLIN))
    assert found == moment("2026-12-01 03:00")


def test_in_spring_an_hour_that_is_skipped_is_not_waited_for() -> None:
    # On 29 March 2026 the clocks in Berlin go from 1:59 to 3:00.
    early = parse_schedule("sun 2-4")
    opens = early.next_change(moment("2026-03-29 01:30"), calendar(BERLIN))
    assert opens is not None
    assert clock(opens) == "Sun 03:00"
    assert opens - moment("2026-03-29 01:30") == 1800


def test_in_autumn_an_hour_that_comes_twice_counts_twice() -> None:
    # On 25 October 2026 the clocks in Berlin go from 2:59 back to 2:00.
    early = parse_schedule("sun 2-3")
    opens = early.next_change(moment("2026-10-25 01:00"), calendar(BERLIN))
    assert opens is not None
    closes = early.next_change(opens, calendar(BERLIN))
    assert closes is not None
    assert closes - opens == 2 * 3600
    assert clock(closes) == "Sun 03:00"


def test_hours_begin_on_the_hour_where_the_zone_lies_a_quarter_off() -> None:
    morning = parse_schedule("mon 8-9")
    now = moment("2026-11-23 07:50", KATHMANDU)
    assert morning.next_change(now, calendar(KATHMANDU)) == moment("2026-11-23 08:00", KATHMANDU)


def test_a_clock_set_back_only_changes_the_answer() -> None:
    evening = parse_schedule("mon-fri 18-22")
    local = calendar(BERLIN)
    assert evening.allows(local(moment("2026-11-20 19:00")))
    assert not evening.allows(local(moment("2026-11-20 11:00")))
    assert evening.allows(local(moment("2026-11-20 19:00")))
