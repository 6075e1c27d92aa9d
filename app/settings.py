"""The owner's settings: read from their file, changed, and written back.

`app/preferences.py` declares them; `SETTINGS` is that declaration as a list, from which
the command line, the window and the documentation derive what they show. A person keeps
settings in `settings.toml` in the data folder; the counterpart is `app/node/node.py`, which
hands each part the values it needs.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
import platformdirs

from app.errors import UsageError
from app.keeping import set_aside
from app.preferences import AWAY, IN_USE, RULES, Settings
from app.sentences import Sentence, say, sentence_of
from app.small_files import read_small, write_whole
from app.toml_text import UnwritableText, edited, salvaged

logger = logging.getLogger(__name__)

SETTINGS_FILE: Final = "settings.toml"
MAX_SETTINGS_FILE_BYTES: Final = 64 * 1024
"""A settings file is a page of text; anything larger is a mistake and not read."""
MOST_NAMED: Final = 8
MOST_CHARACTERS: Final = 40
"""A file of a far newer version must not fill the window with names."""
DEFAULTS: Final = Settings()


@dataclass(frozen=True)
class Setting:
    """One setting, for those who show it.

    Attributes:
        name: as in the file.
        label: two or three words before the field.
        words: a sentence for people.
        section: under which heading it stands, one of `app.preferences.SECTIONS`.
        unit: what stands behind the field; empty without.
        kind: "text", "texts", "number", "whole number", "switch" or "choice".
        default: what holds when nothing is set.
        least, most: bounds of a number, both allowed; None without.
        choices: what a choice offers.
    """

    name: str
    label: str
    words: str
    section: str
    kind: str
    unit: str
    default: object
    least: float | None
    most: float | None
    choices: tuple[str, ...]
    told: str = ""

    @property
    def expected(self) -> Sentence:
        """What a value has to be, as it ends the sentence "it must be ..."."""
        bounds = {"least": self.least or 0, "most": self.most or 0}
        match self.kind:
            case "switch":
                return say("true_or_false")
            case "choice":
                return say("one_of", choices=" or ".join(f'"{choice}"' for choice in self.choices))
            case "number":
                return say("number_between", **bounds)
            case "whole number":
                return say("whole_between", **bounds)
            case _:
                return say("as_told", told=self.told) if self.told else say("a_text")


def default_data_folder() -> Path:
    """Where this system wants a program's data to lie; it need not exist yet."""
    return Path(platformdirs.user_data_dir("potluck", appauthor=False))


@dataclass(frozen=True)
class FoundSettings:
    """What a settings file says.

    Attributes:
        settings: what can be used of it; the defaults for the rest.
        complaints: what is wrong in it, a line each.
        doubtful: whether one of the owner's limits may be among what is wrong, so that
            nothing may be shared.
        aside: the name under which a damaged file was just kept, "" without one.
    """

    settings: Settings = DEFAULTS
    complaints: tuple[Sentence, ...] = ()
    doubtful: bool = False
    aside: str = ""


def load_settings(folder: Path) -> FoundSettings:
    """The owner's settings; what is wrong in the file is logged, a line each.

    Never fails: a setting that cannot be used keeps its default, and the file is left
    exactly as it is, for the person to mend or for a newer version to read.

    Args:
        folder: the data folder, which holds `settings.toml` or does not.
    """
    found = read_settings(folder / SETTINGS_FILE)
    for complaint in found.complaints:
        logger.warning("%s", complaint)
    return found


def read_settings(path: Path) -> FoundSettings:
    """As `load_settings`, with the lines handed over instead of logged."""
    try:
        data = read_small(path, MAX_SETTINGS_FILE_BYTES)
    except FileNotFoundError:
        return FoundSettings()
    except OSError as error:
        reason = error.strerror or str(error)
        complaint = say("settings_unread", path=str(path), reason=reason)
        return FoundSettings(complaints=(complaint,), doubtful=True)
    except ValueError:
        complaint = say("settings_too_large", path=str(path))
        return FoundSettings(complaints=(complaint,), doubtful=True)
    try:
        return _found(path, tomllib.loads(data.decode("utf-8")))
    except UnicodeDecodeError:
        why: str | Sentence = say("no_text")
    except (ValueError, RecursionError) as error:
        why = str(error).splitlines()[0] if str(error) else say("nested_too_deeply")
    found = _found(path, tomllib.loads(salvaged(data.decode("utf-8", errors="replace"))))
    damage = say("settings_damaged", path=str(path), reason=why)
    return FoundSettings(found.settings, (damage, *found.complaints), doubtful=True)


def _found(path: Path, table: Mapping[str, Any]) -> FoundSettings:
    """What a sound table says, each setting judged by itself."""
    usable: dict[str, Any] = {}
    complaints: list[Sentence] = []
    doubtful = False
    unknown = [ascii(name)[:MOST_CHARACTERS] for name in table if name not in _BY_NAME]
    for name in (name for name in table if name in _BY_NAME):
        try:
            changed(DEFAULTS, {name: table[name]})
        except UsageError as error:
            doubtful |= name in _LIMITS
            complaints.append(
                say(
                    "setting_rests" if name in _LIMITS else "setting_defaults",
                    path=str(path),
                    complaint=sentence_of(error),
                )
            )
        else:
            usable[name] = table[name]
    if unknown:
        names = ", ".join([*unknown[:MOST_NAMED], *(["..."] if unknown[MOST_NAMED:] else [])])
        complaints.append(say("settings_unknown", path=str(path), names=names))
    return FoundSettings(changed(DEFAULTS, usable), tuple(complaints), doubtful=doubtful)


def changed(settings: Settings, values: Mapping[str, object]) -> Settings:
    """The settings with some values replaced, each checked like one from the file.

    Raises:
        UsageError: a name is unknown or a value does not fit; one line that says which
            and what is expected.
    """
    for name, value in values.items():
        setting = _BY_NAME.get(name)
        if setting is None:
            raise UsageError(say("setting_unknown", name=repr(name[:MOST_CHARACTERS])))
        try:
            msgspec.convert({name: value}, Settings)
        except (msgspec.ValidationError, OverflowError):
            shown = repr(value)[:60]
            words = say("setting_wrong", name=name, value=shown, expected=setting.expected)
            raise UsageError(words) from None
    return msgspec.convert({**msgspec.structs.asdict(settings), **values}, Settings)


def save_settings(folder: Path, values: Mapping[str, object]) -> FoundSettings:
    """Keep some settings in the owner's file; what else it says, comments too, stays.

    Calls may overlap: each begins with what the one before has kept. Without a value
    nothing is written, and a damaged file stays where it is.

    Args:
        folder: the data folder.
        values: the settings to change, each checked as in `changed`.

    Returns:
        What the file says from now on.

    Raises:
        UsageError: a value does not fit, or the file cannot be written; it is as it was.
    """
    path = folder / SETTINGS_FILE
    with _CHANGING:
        if not values:
            return read_settings(path)
        settings = changed(read_settings(path).settings, values)
        kept = {name: getattr(settings, name) for name in values}
        text, aside = _text_to_edit(path)
        try:
            write_whole(path, edited(text, kept).encode("utf-8"))
        except UnwritableText as error:
            words = say("settings_unchangeable", path=str(path), reason=str(error))
            raise UsageError(words) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(say("settings_unwritten", path=str(path), reason=reason)) from None
        return replace(read_settings(path), aside=aside)


def _text_to_edit(path: Path) -> tuple[str, str]:
    """What the file says; of a damaged one what is sound, and under which name it was kept."""
    text = ""
    try:
        data = read_small(path, MAX_SETTINGS_FILE_BYTES)
        text = data.decode("utf-8", errors="replace")
        tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        return "", ""
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(say("settings_not_read", path=str(path), reason=reason)) from None
    except (ValueError, RecursionError):
        pass
    else:
        return text, ""
    try:
        # Of a link, what it names goes aside: the link is the owner's and stays.
        aside = set_aside(Path(os.path.realpath(path)), time.time())
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(say("settings_stuck", path=str(path), reason=reason)) from None
    logger.warning("%s was damaged; it is kept as %s.", path, aside.name)
    return salvaged(text), aside.name


def _declared() -> tuple[Setting, ...]:
    """Read the list of settings off the declaration."""
    hints = get_type_hints(Settings, include_extras=True)
    found = []
    for field in msgspec.structs.fields(Settings):
        type_, meta = get_args(hints[field.name])[:2]
        if type_ is bool:
            kind = "switch"
        elif type_ in (int, float):
            kind = "whole number" if type_ is int else "number"
        elif get_origin(type_) is Literal:
            kind = "choice"
        else:
            kind = "text" if type_ is str else "texts"
        found.append(
            Setting(
                name=field.name,
                label=meta.title,
                words=meta.description,
                section=meta.extra["section"],
                kind=kind,
                unit=meta.extra["unit"],
                default=field.default,
                least=meta.ge,
                most=meta.le,
                choices=get_args(type_) if kind == "choice" else (),
                told=meta.extra["expected"],
            )
        )
    return tuple(found)


SETTINGS: Final = _declared()
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_LIMITS: Final = {
    *(setting.name for setting in SETTINGS if setting.section in (IN_USE, AWAY, RULES)),
    *("monthly_budget_gb", "slow_upload_mbit", "slow_download_mbit"),
    *("disk_quota_bytes", "stand_by", "gpu", "threads"),
}
"""What the owner's computer is not to exceed: one that is not understood is not guessed."""
_CHANGING: Final = threading.Lock()
"""Held from reading to writing, so that no change is lost to another one."""

__all__ = [
    "MAX_SETTINGS_FILE_BYTES",
    "SETTINGS",
    "SETTINGS_FILE",
    "FoundSettings",
    "Setting",
    "Settings",
    "changed",
    "default_data_folder",
    "load_settings",
    "read_settings",
    "save_settings",
]
