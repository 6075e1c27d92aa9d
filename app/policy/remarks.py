"""What is to be said about the owner's rules themselves: those that allow no work, or never apply.

Pure. The counterpart, `app/policy/verdict.py`, judges by these rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from app.policy.readings import Readings, program_key
from app.preferences import Settings
from app.schedule import parse_schedule

ALWAYS_RUNNING: Final = frozenset(
    {"potluck", "explorer", "svchost", "systemd", "init", "finder", "launchd", "windowserver"}
)


def settings_remarks(settings: Settings, readings: Readings | None = None) -> list[str]:
    """Sentences about rules that allow no work, or never apply; at best none.

    Args:
        readings: with these also what this computer cannot tell.
    """
    remarks = []
    use_rests = not settings.cpu_percent_in_use and not _gpu(settings, settings.gpu_in_use)
    away_rests = not settings.cpu_percent_away and not _gpu(settings, settings.gpu_away)
    if use_rests and away_rests:
        remarks.append(
            "Your limits allow no work at all: give the processor or the graphics card a share."
        )
    if parse_schedule(settings.schedule).never:
        remarks.append("Your schedule allows no hour of the week, so sharing never starts.")
    for program in settings.pause_programs:
        if program_key(program) in ALWAYS_RUNNING:
            remarks.append(f"{program} always runs, so sharing would never start.")
    if readings is not None:
        remarks.extend(_unknown_remarks(settings, readings, use_rests=use_rests))
    return remarks


def _gpu(settings: Settings, allowed: object) -> bool:
    return bool(allowed) and settings.gpu != "off"


def _unknown_remarks(settings: Settings, readings: Readings, *, use_rests: bool) -> Iterator[str]:
    holds = "so the limits for while you use the computer hold all the time"
    if use_rests and readings.idle_seconds is None:
        yield (
            "This system does not tell whether you are away, and while you use the computer "
            "your limits allow no work: sharing never starts."
        )
    elif readings.idle_seconds is None:
        yield f"This system does not tell whether you are away, {holds}."
    checks: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: settings.pause_on_full_screen and readings.full_screen is None, "full screen"),
        (lambda: settings.pause_on_battery and readings.on_battery is None, "battery"),
    )
    for unknown, rule in checks:
        if readings.idle_seconds is not None and unknown():
            yield (
                f"This system does not tell about {rule}, {holds}; without that rule the others "
                "hold while you are away."
            )
    if readings.metered is None and settings.on_metered != "share":
        yield (
            "This system does not tell whether the network is metered, so the bandwidth limits "
            "for while you use the computer hold all the time."
        )
