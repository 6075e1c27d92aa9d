"""Readings: nothing known is not nothing there."""

from __future__ import annotations

import math

import pytest

from app.policy.readings import NOTHING_KNOWN, Readings, program_key


def test_what_was_not_read_is_unknown() -> None:
    assert set(vars(NOTHING_KNOWN).values()) == {None}


@pytest.mark.parametrize("name", ["Steam.exe", "steam", " STEAM ", "Steam.app"])
def test_a_program_is_known_by_its_name_however_it_is_written(name: str) -> None:
    assert program_key(name) == "steam"


def test_a_command_to_share_sets_aside_what_is_unknown_and_what_is_busy() -> None:
    told = Readings(on_battery=True, other_cpu_percent=90.0, full_screen=True).as_told()
    assert (told.on_battery, told.other_cpu_percent, told.full_screen) == (False, 0.0, False)
    assert (told.idle_seconds, told.metered, told.programs) == (math.inf, False, frozenset())


def test_a_command_to_share_leaves_what_the_owner_has_fixed() -> None:
    read = Readings(
        idle_seconds=3.0,
        metered=True,
        programs=frozenset({"steam"}),
        temperature_celsius=95.0,
        disk_free_bytes=5,
    )
    told = read.as_told()
    assert (told.idle_seconds, told.metered, told.programs) == (3.0, True, frozenset({"steam"}))
    assert (told.temperature_celsius, told.disk_free_bytes) == (95.0, 5)
