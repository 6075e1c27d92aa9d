"""What is to be said about the owner's rules themselves: those that allow no work, or never apply.

Pure. The counterpart, `app/policy/verdict.py`, judges by these rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.policy.readings import Readings, program_key
from app.preferences import Settings
from app.schedule import parse_schedule
from app.sentences import Sentence, say

ALWAYS_RUNNING: Final = frozenset(
    {"potluck", "explorer", "svchost", "systemd", "init", "finder", "launchd", "windowserver"}
)


def settings_remarks(settings: Settings, readings: Readings | None = None) -> list[Sentence]:
    """Sentences about rules that allow no work, or never apply; at best none.

    Args:
        readings: with these also what this computer cannot tell.
    """
    remarks = []
    use_rests = not settings.cpu_percent_in_use and not _gpu(settings, settings.gpu_in_use)
    away_rests = not settings.cpu_percent_away and not _gpu(settings, settings.gpu_away)
    if use_rests and away_rests:
        remarks.append(say("limits_allow_nothing"))
    if parse_schedule(settings.schedule).never:
        remarks.append(say("no_hour"))
    for program in settings.pause_programs:
        if program_key(program) in ALWAYS_RUNNING:
            remarks.append(say("always_runs", program=program))
    if readings is not None:
        remarks.extend(_unknown_remarks(settings, readings, use_rests=use_rests))
    return remarks


def _gpu(settings: Settings, allowed: object) -> bool:
    return bool(allowed) and settings.gpu != "off"


def _unknown_remarks(
    settings: Settings, readings: Readings, *, use_rests: bool
) -> Iterator[Sentence]:
    if readings.idle_seconds is None:
        yield say("away_unknown_never") if use_rests else say("away_unknown")
    else:
        if settings.pause_on_full_screen and readings.full_screen is None:
            yield say("full_screen_unknown")
        if settings.pause_on_battery and readings.on_battery is None:
            yield say("battery_unknown")
    if readings.metered is None and settings.on_metered != "share":
        yield say("metered_unknown")
