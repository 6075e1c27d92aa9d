"""How settings are said on the screen: what they mean, their values, what a field expects.

The words of a setting are declared with it (`app/preferences.py`); here is only what a
window adds. The fields themselves are made in `app/ui/setting_fields.py`.
"""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QLocale

from app.api.shapes import ErrorBody, SettingView
from app.ui import words
from app.ui.translations import LANGUAGES, counted, tr

CHOICES: Final = {
    "no_transfers": "Download nothing",
    "pause": "Pause",
    "share": "Share as always",
    "auto": "Automatic",
    "off": "Off",
    "ask": "Ask first",
    "automatic": "Automatic",
    "system": "As the system",
    "light": "Light",
    "dark": "Dark",
    **LANGUAGES,
}
"""How a choice is called on the screen; the names of languages are never translated."""

EXPECTED: Final = {
    "bootstrap": "Each line is a computer's name, an @, its address, a colon and its port. "
    "Check every line; at most 16 are taken.",
    "listen": "Write an address, a colon and a port, such as 0.0.0.0:4433.",
    "api": "Write an address, a colon and a port, such as 127.0.0.1:8423.",
    "api_key": "Write 16 to 200 letters, digits, - and _, or leave it empty.",
    "pause_programs": "Write one program per line, at most 64 lines of at most 100 letters.",
}
"""What can be typed into a field, for when something else was."""


def meaning(setting: SettingView) -> str:
    """What a setting means, without the words that only a file needs."""
    if setting.name == "schedule":
        return tr("Paint the hours in which this computer may share; arrows and Space do it too.")
    if setting.kind == "choice":
        return tr(setting.words.split(":")[0].rstrip(".") + ".")
    return tr(setting.words)


def choice_words(choice: str) -> str:
    """How one of several choices is called."""
    shown = CHOICES.get(choice, choice)
    return shown if choice in LANGUAGES else tr(shown)


def allows_no_limit(setting: SettingView) -> bool:
    """Whether zero means "no limit", which beats showing "0 Mbit/s"."""
    return setting.least == 0 and "0 sets no limit" in setting.words


def value_words(setting: SettingView, value: Any) -> str:
    """A value as a person reads it, such as "On", "25 %" or "No limit"."""
    if setting.name == "schedule":
        return tr("Always") if not value else str(value)
    if setting.kind == "switch":
        return tr("On") if value else tr("Off")
    if setting.kind == "choice":
        return choice_words(str(value))
    if setting.unit == "bytes":
        return words.size(value)
    if setting.kind in ("number", "whole number"):
        if not value and allows_no_limit(setting):
            return tr("No limit")
        number = QLocale().toString(float(value), "g", 10)
        return f"{number} {tr(setting.unit)}".strip()
    if setting.kind == "texts":
        return counted(len(value), "{n} line", "{n} lines") if value else tr("empty")
    return str(value) or tr("empty")


def refusal(setting: SettingView, error: ErrorBody, told: str) -> str:
    """Why an entry was not taken, and what holds meanwhile, in one line.

    Args:
        setting: with the value that still holds.
        told: the error's own sentence in the person's language.
    """
    wrong = error.said is not None and error.said.code == "setting_wrong"
    reason = tr(EXPECTED[setting.name]) if wrong and setting.name in EXPECTED else told
    kept = tr("Until then it stays as it was: {value}.").format(
        value=value_words(setting, setting.value)
    )
    return f"{tr('Not taken.')} {reason} {kept}"
