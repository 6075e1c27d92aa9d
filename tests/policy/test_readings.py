"""Readings: nothing known is not nothing there."""

from __future__ import annotations

import pytest

from app.policy.readings import NOTHING_KNOWN, program_key


def test_what_was_not_read_is_unknown() -> None:
    assert set(vars(NOTHING_KNOWN).values()) == {None}


@pytest.mark.parametrize("name", ["Steam.exe", "steam", " STEAM ", "Steam.app"])
def test_a_program_is_known_by_its_name_however_it_is_written(name: str) -> None:
    assert program_key(name) == "steam"
