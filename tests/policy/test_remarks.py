"""Rules that allow no work say so at once; rules that cannot be judged are named."""

from __future__ import annotations

from app.policy.readings import Readings
from app.policy.remarks import settings_remarks
from app.preferences import Settings

KNOWN = Readings(
    idle_seconds=5.0, on_battery=False, metered=False, full_screen=False, other_cpu_percent=1.0
)


def test_the_defaults_need_no_remark() -> None:
    assert settings_remarks(Settings()) == []
    assert settings_remarks(Settings(), KNOWN) == []


def test_limits_that_allow_no_work_at_all_say_so() -> None:
    nothing = Settings(cpu_percent_in_use=0, cpu_percent_away=0, gpu_away=False)
    assert "allow no work at all" in settings_remarks(nothing)[0].words
    card = Settings(cpu_percent_in_use=0, cpu_percent_away=0, gpu_away=True)
    assert settings_remarks(card) == []
    off = Settings(cpu_percent_in_use=0, cpu_percent_away=0, gpu_away=True, gpu="off")
    assert len(settings_remarks(off)) == 1


def test_a_schedule_without_an_hour_says_so() -> None:
    assert "no hour of the week" in settings_remarks(Settings(schedule="never"))[0].words


def test_a_program_that_always_runs_is_named() -> None:
    remarks = settings_remarks(Settings(pause_programs=("steam.exe", "Explorer.EXE")))
    told = [remark.words for remark in remarks]
    assert told == ["Explorer.EXE always runs, so sharing would never start."]


def test_a_system_that_does_not_tell_whether_somebody_is_there_is_named() -> None:
    unknown = Readings(on_battery=False, metered=False, full_screen=False)
    assert "does not tell whether you are away" in settings_remarks(Settings(), unknown)[0].words
    never = settings_remarks(Settings(cpu_percent_in_use=0), unknown)
    assert "sharing never starts" in never[0].words


def test_a_rule_that_cannot_be_judged_is_named_with_the_way_out() -> None:
    screen = Readings(idle_seconds=5.0, on_battery=False, metered=False)
    (remark,) = settings_remarks(Settings(), screen)
    assert "about full screen" in remark.words
    assert "without that rule" in remark.words
    assert settings_remarks(Settings(pause_on_full_screen=False), screen) == []


def test_an_unknown_network_is_named() -> None:
    network = Readings(idle_seconds=5.0, on_battery=False, full_screen=False)
    (remark,) = settings_remarks(Settings(), network)
    assert "network is metered" in remark.words
    assert settings_remarks(Settings(on_metered="share"), network) == []
