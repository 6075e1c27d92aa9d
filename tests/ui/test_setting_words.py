"""How settings are said on the screen."""

from __future__ import annotations

import pytest

from app.api.shapes import ErrorBody, SettingView
from app.sentences import Said
from app.settings import SETTINGS
from app.ui.setting_words import EXPECTED, meaning, refusal, value_words


def view(name: str, value: object = None) -> SettingView:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    return SettingView(
        name=name,
        label=setting.label,
        words=setting.words,
        section=setting.section,
        kind=setting.kind,
        unit=setting.unit,
        value=setting.default if value is None else value,
        default=setting.default,
        least=setting.least,
        most=setting.most,
        choices=list(setting.choices),
    )


def test_words_leave_out_what_only_a_file_needs() -> None:
    assert meaning(view("theme")) == "Whether the window is light or dark."
    assert meaning(view("schedule")).startswith("Paint the hours")
    assert meaning(view("threads")) == view("threads").words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("schedule", "", "Always"),
        ("schedule", "never", "never"),
        ("pause_on_battery", True, "On"),
        ("on_metered", "no_transfers", "Download nothing"),
        ("disk_quota_bytes", 20_000_000_000, "20.0 GB"),
        ("upload_mbit_away", 0.0, "No limit"),
        ("upload_mbit_away", 2.5, "2.5 Mbit/s"),
        ("cpu_percent_away", 75, "75 %"),
        ("pause_programs", (), "empty"),
        ("pause_programs", ["game", "film"], "2 lines"),
        ("api_key", "", "empty"),
        ("listen", "0.0.0.0:0", "0.0.0.0:0"),
    ],
)
def test_values_are_said_as_people_read_them(name: str, value: object, words: str) -> None:
    assert value_words(view(name), value) == words


def test_a_refusal_says_what_can_be_typed_and_what_holds() -> None:
    error = ErrorBody(code="invalid_value", words="raw", said=Said("setting_wrong"))
    said = refusal(view("api"), error, "raw")
    assert "such as 127.0.0.1:8423" in said
    assert said.endswith("stays as it was: 127.0.0.1:8423.")


def test_what_is_not_the_entrys_fault_is_told_as_it_is() -> None:
    error = ErrorBody(code="invalid_value", words="raw", said=Said("settings_unwritten"))
    assert "The disk is full." in refusal(view("api"), error, "The disk is full.")


def test_every_setting_that_is_typed_says_what_it_expects() -> None:
    typed = {setting.name for setting in SETTINGS if setting.kind in ("text", "texts")}
    assert set(EXPECTED) == typed - {"schedule"}
