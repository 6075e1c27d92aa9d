"""The owner's settings: read from their file, changed, and written back.

`app/preferences.py` declares them; `SETTINGS` is that declaration as a list, from which
the command line, the window and the documentation derive what they show. A person keeps
settings in `settings.toml` in the data folder; the counterpart is `app/node.py`, which
hands each part the values it needs.
"""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
import platformdirs

from app.errors import UsageError
from app.preferences import Settings
from app.sentences import Sentence, say, sentence_of
from app.toml_text import UnwritableText, edited

logger = logging.getLogger(__name__)

SETTINGS_FILE: Final = "settings.toml"
MAX_SETTINGS_FILE_BYTES: Final = 64 * 1024
"""A settings file is a page of text; anything larger is a mistake and not read."""


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


def load_settings(folder: Path) -> Settings:
    """The owner's settings; what is wrong in the file is logged, a line each.

    Never fails: a setting that cannot be used keeps its default, and the file is left
    exactly as it is, for the person to mend or for a newer version to read.

    Args:
        folder: the data folder, which holds `settings.toml` or does not.
    """
    settings, complaints = read_settings(folder / SETTINGS_FILE)
    for complaint in complaints:
        logger.warning("%s", complaint)
    return settings


def read_settings(path: Path) -> tuple[Settings, tuple[Sentence, ...]]:
    """As `load_settings`, with the lines handed over instead of logged."""
    defaults = Settings()
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_SETTINGS_FILE_BYTES + 1)
    except FileNotFoundError:
        return defaults, ()
    except OSError as error:
        reason = error.strerror or str(error)
        return defaults, (say("settings_unread", path=str(path), reason=reason),)
    if len(data) > MAX_SETTINGS_FILE_BYTES:
        return defaults, (say("settings_too_large", path=str(path)),)
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        why = str(error).splitlines()[0] if str(error) else say("nested_too_deeply")
        return defaults, (say("settings_damaged", path=str(path), reason=why),)
    usable: dict[str, Any] = {}
    complaints: list[Sentence] = []
    for name, value in table.items():
        try:
            changed(defaults, {name: value})
        except UsageError as error:
            complaint = sentence_of(error)
            complaints.append(say("setting_defaults", path=str(path), complaint=complaint))
        else:
            usable[name] = value
    return changed(defaults, usable), tuple(complaints)


def changed(settings: Settings, values: Mapping[str, object]) -> Settings:
    """The settings with some values replaced, each checked like one from the file.

    Raises:
        UsageError: a name is unknown or a value does not fit; one line that says which
            and what is expected.
    """
    for name, value in values.items():
        setting = _BY_NAME.get(name)
        if setting is None:
            raise UsageError(say("setting_unknown", name=repr(name[:40])))
        try:
            msgspec.convert({name: value}, Settings)
        except (msgspec.ValidationError, OverflowError):
            shown = repr(value)[:60]
            words = say("setting_wrong", name=name, value=shown, expected=setting.expected)
            raise UsageError(words) from None
    return msgspec.convert({**msgspec.structs.asdict(settings), **values}, Settings)


def save_settings(folder: Path, values: Mapping[str, object]) -> Settings:
    """Keep some settings in the owner's file; what else it says, comments too, stays.

    Args:
        folder: the data folder.
        values: the settings to change, each checked as in `changed`.

    Returns:
        The settings that hold from now on.

    Raises:
        UsageError: a value does not fit, or the file cannot be written; it is as it was.
    """
    path = folder / SETTINGS_FILE
    settings = changed(read_settings(path)[0], values)
    kept = {name: getattr(settings, name) for name in values}
    text = _text_to_edit(path)
    try:
        draft = edited(text, kept)
        _write_whole(path, draft.encode("utf-8"))
    except UnwritableText as error:
        words = say("settings_unchangeable", path=str(path), reason=str(error))
        raise UsageError(words) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(say("settings_unwritten", path=str(path), reason=reason)) from None
    return settings


def _text_to_edit(path: Path) -> str:
    """What the file says; a damaged one is put aside under another name, not lost."""
    try:
        text = path.read_text(encoding="utf-8")
        if len(text) <= MAX_SETTINGS_FILE_BYTES:
            tomllib.loads(text)
            return text
    except FileNotFoundError:
        return ""
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(say("settings_not_read", path=str(path), reason=reason)) from None
    except (ValueError, RecursionError):
        pass
    aside = path.with_name(f"{path.name}.damaged")
    try:
        os.replace(path, aside)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(say("settings_stuck", path=str(path), reason=reason)) from None
    logger.warning("%s was damaged; it is kept as %s and a new one is begun.", path, aside.name)
    return ""


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that at any moment there is the old one or the new one."""
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, path)


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

__all__ = [
    "MAX_SETTINGS_FILE_BYTES",
    "SETTINGS",
    "SETTINGS_FILE",
    "Setting",
    "Settings",
    "changed",
    "default_data_folder",
    "load_settings",
    "read_settings",
    "save_settings",
]
