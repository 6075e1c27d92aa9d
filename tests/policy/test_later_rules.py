"""Which change of a rule is a later word than "Share anyway"; see app/policy/later_rules.py."""

from __future__ import annotations

from typing import Any

import pytest

from app.policy.later_rules import RULES, rules_mark, stricter_rules
from app.preferences import RULES as RULES_SECTION
from app.preferences import Settings
from app.settings import SETTINGS


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({}, {"schedule": "never"}, "schedule"),
        ({"schedule": "mon 8-18"}, {"schedule": "mon 9-19"}, "schedule"),
        ({"pause_on_battery": False}, {"pause_on_battery": True}, "battery"),
        ({}, {"on_metered": "pause"}, "metered"),
        ({"pause_on_other_cpu": False}, {"pause_on_other_cpu": True}, "other_program"),
        ({}, {"other_cpu_percent": 10}, "other_program"),
        ({"pause_on_full_screen": False}, {"pause_on_full_screen": True}, "full_screen"),
        ({"pause_programs": ("steam",)}, {"pause_programs": ("steam", "vlc")}, "program_list"),
        ({}, {"monthly_budget_gb": 50.0}, "budget"),
        ({"monthly_budget_gb": 50.0}, {"monthly_budget_gb": 40.0}, "budget"),
        ({}, {"cpu_percent_in_use": 0}, "limits"),
        ({"gpu_in_use": True}, {"gpu_in_use": False}, "limits"),
        ({"gpu_in_use": True}, {"gpu_in_use": True, "gpu": "off"}, "limits"),
        ({}, {"away_after_minutes": 10.0}, "limits"),
    ],
)
def test_what_forbids_more_is_named_and_the_way_back_is_not(
    before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    earlier, later = Settings(**before), Settings(**after)
    assert stricter_rules(earlier, later) == {reason}
    assert rules_mark(earlier) != rules_mark(later)
    if reason != "schedule" or before == {}:
        assert stricter_rules(later, earlier) == frozenset()


def test_what_is_written_otherwise_and_what_is_no_rule_forbids_nothing_more() -> None:
    days = Settings(schedule="mon-fri 8-18", pause_programs=("Steam.exe",))
    same = Settings(schedule="mon,tue,wed-fri 8-18", pause_programs=("steam",))
    other = Settings(language="de", cpu_percent_away=10, upload_mbit_in_use=1.0, kv_tokens=512)
    assert stricter_rules(days, same) == frozenset()
    assert stricter_rules(Settings(), other) == frozenset()
    assert rules_mark(Settings()) == rules_mark(other)


def test_every_rule_of_the_settings_is_looked_at_but_those_that_nothing_overrules() -> None:
    firm = {"temperature_ceiling_celsius", "power_cap_watts"}
    declared = {setting.name for setting in SETTINGS if setting.section == RULES_SECTION}
    assert declared - firm <= set(RULES)
    assert set(RULES) <= {setting.name for setting in SETTINGS}
