"""Every setting, declared once: its type, its default, its bounds and the words for it.

`Settings` is the declaration; `SETTINGS` is the same as a list, from which the command
line, the window and the documentation derive what they show. A person keeps settings in
`settings.toml` in the data folder; its counterpart is `app/node.py`, which hands each
part the values it needs.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
import platformdirs
from msgspec import Meta

from app.errors import UsageError

logger = logging.getLogger(__name__)

SETTINGS_FILE: Final = "settings.toml"
MAX_SETTINGS_FILE_BYTES: Final = 64 * 1024
"""A settings file is a page of text; anything larger is a mistake and not read."""

_ADDRESS: Final = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$"
_BOOTSTRAP: Final = r"^[a-z2-7]{52}@(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the owner of a computer may decide; every field has a default that is safe."""

    listen: Annotated[
        str,
        Meta(
            pattern=_ADDRESS,
            description="Address and UDP port for other computers, as HOST:PORT; "
            "port 0 takes any that is free.",
        ),
    ] = "0.0.0.0:0"

    public: Annotated[
        bool,
        Meta(
            description="Whether others can reach this computer from outside, so that it may "
            "keep the list of who serves what for them."
        ),
    ] = False

    bootstrap: Annotated[
        tuple[Annotated[str, Meta(pattern=_BOOTSTRAP)], ...],
        Meta(
            max_length=16,
            description="Computers to ask first who serves a model, each as PEERID@HOST:PORT.",
        ),
    ] = ()

    kv_tokens: Annotated[
        int,
        Meta(
            ge=256,
            le=4_194_304,
            description="Room for conversations, in tokens over all of them together; more "
            "room takes more memory.",
        ),
    ] = 8192

    max_sessions: Annotated[
        int,
        Meta(ge=1, le=256, description="How many conversations may be served at the same time."),
    ] = 8

    disk_quota_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=2**50,
            description="How much of the disk models may take, in bytes.",
        ),
    ] = 20 * 1024**3

    threads: Annotated[
        int,
        Meta(
            ge=0,
            le=512,
            description="How many processor threads compute; 0 takes as many as there are cores.",
        ),
    ] = 0

    gpu: Annotated[
        Literal["auto", "off"],
        Meta(description="Whether a graphics card computes where one works: auto or off."),
    ] = "auto"

    keyring: Annotated[
        bool,
        Meta(
            description="Whether this computer's identity is kept in the system's keyring where "
            "there is one, instead of in a file only you can read."
        ),
    ] = True

    origin_timeout_seconds: Annotated[
        float,
        Meta(
            ge=1.0,
            le=600.0,
            description="How long a download may stand still before another origin is tried, "
            "in seconds.",
        ),
    ] = 30.0


@dataclass(frozen=True)
class Setting:
    """One setting, for those who show it.

    Attributes:
        name: as in the file.
        words: a sentence for people.
        kind: "text", "texts", "number", "whole number", "switch" or "choice".
        default: what holds when nothing is set.
        least, most: bounds of a number, both allowed; None without.
        choices: what a choice offers.
    """

    name: str
    words: str
    kind: str
    default: object
    least: float | None
    most: float | None
    choices: tuple[str, ...]

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
            case _ if self.name == "bootstrap":
                return "at most 16 texts, each PEERID@HOST:PORT"
            case _:
                return "HOST:PORT"


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
                words=meta.description,
                kind=kind,
                default=field.default,
                least=meta.ge,
                most=meta.le,
                choices=get_args(type_) if kind == "choice" else (),
            )
        )
    return tuple(found)


SETTINGS: Final = _declared()
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
