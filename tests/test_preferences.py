"""The declaration: every setting can be shown, and its default is safe."""

from __future__ import annotations

from app.preferences import SECTIONS, Settings
from app.schedule import parse_schedule
from app.settings import SETTINGS


def test_every_setting_can_be_shown() -> None:
    for setting in SETTINGS:
        assert setting.section in SECTIONS, setting.name
        assert 0 < len(setting.label) <= 40, setting.name
        assert setting.label[0].isupper()
        assert setting.expected, setting.name
    assert {setting.section for setting in SETTINGS} == set(SECTIONS), "no heading is empty"


def test_labels_are_told_apart_within_their_section() -> None:
    shown = [(setting.section, setting.label) for setting in SETTINGS]
    assert len(shown) == len(set(shown))


def test_the_defaults_put_the_owner_first() -> None:
    chosen = Settings()
    assert chosen.cpu_percent_in_use < chosen.cpu_percent_away < 100
    assert not chosen.gpu_in_use
    assert chosen.pause_on_battery
    assert chosen.pause_on_full_screen
    assert chosen.pause_on_other_cpu
    assert chosen.on_metered != "share"
    assert not chosen.start_at_login, "a box that is ticked by the person or not at all"
    assert parse_schedule(chosen.schedule).always


def test_words_of_people_only() -> None:
    for setting in SETTINGS:
        told = f"{setting.label} {setting.words}".lower()
        assert not any(word in told for word in ("shard", "dht", "kv cache"))
