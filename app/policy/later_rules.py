"""Which rules of the owner's forbid more than before: a later wish than "Share anyway".

Pure. "Share anyway" overrules the rules as they stood when it was said. What the owner
makes stricter afterwards is the later word and holds; what is made looser, or has nothing
to do with it, changes nothing. The counterparts are `app/policy/manual.py`, which keeps
what it finds, and `app/policy/verdict.py`, which judges by it.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from app.policy.readings import program_key
from app.preferences import Settings
from app.reasons import PauseReason
from app.schedule import parse_schedule

RULES: Final = (
    "schedule",
    "pause_on_battery",
    "on_metered",
    "pause_on_other_cpu",
    "other_cpu_percent",
    "pause_on_full_screen",
    "pause_programs",
    "monthly_budget_gb",
    "cpu_percent_in_use",
    "gpu_in_use",
    "gpu",
    "away_after_minutes",
)
"""The settings from which the causes come that "Share anyway" overrules."""


def stricter_rules(before: Settings, after: Settings) -> frozenset[str]:
    """The reasons to rest, of `PauseReason`, that `after` gives in more cases than `before`."""
    stricter: dict[PauseReason, bool] = {
        "schedule": not _hours(before) <= _hours(after),
        "battery": after.pause_on_battery and not before.pause_on_battery,
        "metered": after.on_metered == "pause" != before.on_metered,
        "other_program": _busy_from(after) < _busy_from(before),
        "full_screen": after.pause_on_full_screen and not before.pause_on_full_screen,
        "program_list": not _programs(after) <= _programs(before),
        "budget": _budget(after) < _budget(before),
        "limits": _is_less_in_use(before, after),
    }
    return frozenset(reason for reason, is_so in stricter.items() if is_so)


def rules_mark(settings: Settings) -> str:
    """What the rules say, in a few letters: another one when any of them is different."""
    values = [getattr(settings, name) for name in RULES]
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()[:16]


def _hours(settings: Settings) -> frozenset[int]:
    return parse_schedule(settings.schedule).hours


def _busy_from(settings: Settings) -> float:
    return settings.other_cpu_percent if settings.pause_on_other_cpu else float("inf")


def _programs(settings: Settings) -> frozenset[str]:
    return frozenset(program_key(program) for program in settings.pause_programs)


def _budget(settings: Settings) -> float:
    return settings.monthly_budget_gb or float("inf")


def _is_less_in_use(before: Settings, after: Settings) -> bool:
    """Whether somebody at the computer leaves nothing to compute with, or counts for longer."""
    return (
        (before.cpu_percent_in_use > 0 and after.cpu_percent_in_use == 0)
        or (_card_in_use(before) and not _card_in_use(after))
        or after.away_after_minutes > before.away_after_minutes
    )


def _card_in_use(settings: Settings) -> bool:
    return settings.gpu_in_use and settings.gpu != "off"
