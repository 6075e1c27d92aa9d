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
    def expected(self) -> str:
        """What a value has to be, as it ends the sentence "it must be ..."."""
        match self.kind:
            case "switch":
                return "true or false"
            case "choice":
                return " or ".join(f'"{choice}"' for choice in self.choices)
            case "number" | "whole number":
                return f"a {self.kind} from {self.least:,} to {self.most:,}"
            case _:
                return self.told or "a text"


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


def read_settings(path: Path) -> tuple[Settings, tuple[str, ...]]:
    """As `load_settings`, with the lines handed over instead of logged."""
    defaults = Settings()
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_SETTINGS_FILE_BYTES + 1)
    except FileNotFoundError:
        return defaults, ()
    except OSError as error:
        return defaults, (f"{path} cannot be read ({error.strerror}); the defaults hold.",)
    if len(data) > MAX_SETTINGS_FILE_BYTES:
        return defaults, (f"{path} is too large for a settings file; the defaults hold.",)
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "nested too deeply"
        return defaults, (f"{path} is damaged ({reason}); the defaults hold until it is mended.",)
    usable: dict[str, Any] = {}
    complaints: list[str] = []
    for name, value in table.items():
        try:
            changed(defaults, {name: value})
        except UsageError as error:
            complaints.append(f"{path}: {error} The default holds.")
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
            raise UsageError(f"{name[:40]!r} is not a setting of this version.")
        try:
            msgspec.convert({name: value}, Settings)
        except (msgspec.ValidationError, OverflowError):
            shown = repr(value)[:60]
            raise UsageError(f"{name} cannot be {shown}; it must be {setting.expected}.") from None
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
        raise UsageError(f"{path} could not be changed ({error}); mend it by hand.") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror or error}); the settings stay as they were."
        ) from None
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
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); the settings stay as they were."
        ) from None
    except (ValueError, RecursionError):
        pass
    aside = path.with_name(f"{path.name}.damaged")
    try:
        os.replace(path, aside)
    except OSError as error:
        raise UsageError(
            f"{path} is damaged and cannot be put aside ({error.strerror}); mend it by hand."
        ) from None
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
