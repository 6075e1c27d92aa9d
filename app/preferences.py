"""Every setting, declared once: its type, its default, its bounds and the words for it.

`Settings` is the declaration; its counterpart is `app/settings.py`, which reads and
writes the owner's file and from which the command line, the window and the
documentation derive what they show.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from app.setting_patterns import BOOTSTRAP, HOST_AND_PORT, SCHEDULE

IN_USE: Final = "While I use the computer"
AWAY: Final = "While I am away"
RULES: Final = "Rules"
NETWORK: Final = "Network"
DISK: Final = "Disk and memory"
MODELS: Final = "Models"
PRIVACY: Final = "Privacy"
START: Final = "Start"
NOTICES: Final = "Notifications"
LOOKS: Final = "Looks"

SECTIONS: Final = (IN_USE, AWAY, RULES, NETWORK, DISK, MODELS, PRIVACY, START, NOTICES, LOOKS)
"""In the order they are shown."""


def words(
    label: str,
    description: str,
    section: str,
    *,
    unit: str = "",
    expected: str = "",
    least: float | None = None,
    most: float | None = None,
    pattern: str | None = None,
    longest: int | None = None,
) -> Meta:
    """What is told about a setting: a label, a sentence, where it stands, and its bounds.

    `expected` ends the sentence "it must be ..." where the type alone does not say it.
    """
    bounds = {"ge": least, "le": most, "pattern": pattern, "max_length": longest}
    told: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
    extra = {"section": section, "unit": unit, "expected": expected}
    return Meta(title=label, description=description, extra=extra, **told)


def switch(label: str, description: str, section: str) -> Meta:
    """As `words`, for what is on or off."""
    return words(label, description, section)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the owner of a computer may decide; every field has a default that is safe."""

    # ── limits ───────────────────────────────────────────────────────────────

    cpu_percent_in_use: Annotated[
        int,
        words(
            "Processor",
            "How much of the processor may work for others while you use the computer.",
            IN_USE,
            unit="%",
            least=0,
            most=100,
        ),
    ] = 25

    gpu_in_use: Annotated[
        bool,
        switch(
            "Graphics card",
            "Whether the graphics card may work for others while you use the computer.",
            IN_USE,
        ),
    ] = False

    upload_mbit_in_use: Annotated[
        float,
        words(
            "Upload",
            "How fast may be sent while you use the computer; 0 sets no limit.",
            IN_USE,
            unit="Mbit/s",
            least=0.0,
            most=100_000.0,
        ),
    ] = 10.0

    download_mbit_in_use: Annotated[
        float,
        words(
            "Download",
            "How fast may be received while you use the computer; 0 sets no limit.",
            IN_USE,
            unit="Mbit/s",
            least=0.0,
            most=100_000.0,
        ),
    ] = 50.0

    away_after_minutes: Annotated[
        float,
        words(
            "Away after",
            "How long without mouse or keyboard means that you are away.",
            AWAY,
            unit="minutes",
            least=0.5,
            most=240.0,
        ),
    ] = 3.0

    cpu_percent_away: Annotated[
        int,
        words(
            "Processor",
            "How much of the processor may work for others while you are away.",
            AWAY,
            unit="%",
            least=0,
            most=100,
        ),
    ] = 75

    gpu_away: Annotated[
        bool,
        switch(
            "Graphics card",
            "Whether the graphics card may work for others while you are away.",
            AWAY,
        ),
    ] = True

    upload_mbit_away: Annotated[
        float,
        words(
            "Upload",
            "How fast may be sent while you are away; 0 sets no limit.",
            AWAY,
            unit="Mbit/s",
            least=0.0,
            most=100_000.0,
        ),
    ] = 0.0

    download_mbit_away: Annotated[
        float,
        words(
            "Download",
            "How fast may be received while you are away; 0 sets no limit.",
            AWAY,
            unit="Mbit/s",
            least=0.0,
            most=100_000.0,
        ),
    ] = 0.0

    # ── rules ────────────────────────────────────────────────────────────────

    schedule: Annotated[
        str,
        words(
            "Hours",
            "When this computer may share, such as 'mon-fri 18-8; sat,sun 0-24'; "
            "empty means always.",
            RULES,
            expected="days and hours such as 'mon-fri 18-8; sat,sun 0-24', 'never', or empty",
            pattern=SCHEDULE,
            longest=1000,
        ),
    ] = ""

    pause_on_battery: Annotated[
        bool,
        switch(
            "Pause on battery", "Whether sharing rests while the computer is on battery.", RULES
        ),
    ] = True

    on_metered: Annotated[
        Literal["no_transfers", "pause", "share"],
        words(
            "On a metered network",
            "What happens where data is paid for: no_transfers shares but downloads no layers, "
            "pause rests, share takes no notice.",
            RULES,
        ),
    ] = "no_transfers"

    pause_on_other_cpu: Annotated[
        bool,
        switch(
            "Pause when busy",
            "Whether sharing rests while other programs need the processor.",
            RULES,
        ),
    ] = True

    other_cpu_percent: Annotated[
        int,
        words(
            "Busy from",
            "How much of the processor other programs use before sharing rests; it goes on when "
            "they use three fifths of that, so that it does not start and stop all the time.",
            RULES,
            unit="%",
            least=5,
            most=100,
        ),
    ] = 25

    pause_on_full_screen: Annotated[
        bool,
        switch(
            "Pause for full screen",
            "Whether sharing rests while a program fills the screen, such as a game or a film.",
            RULES,
        ),
    ] = True

    temperature_ceiling_celsius: Annotated[
        int,
        words(
            "Pause when hotter than",
            "How hot the processor or graphics card may be before sharing rests.",
            RULES,
            unit="°C",
            least=40,
            most=110,
        ),
    ] = 90

    pause_programs: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...],
        words(
            "Pause for programs",
            "Programs that make sharing rest while they run, by the name of their file.",
            RULES,
            expected="at most 64 names of programs",
            longest=64,
        ),
    ] = ()

    power_cap_watts: Annotated[
        int,
        words(
            "Power",
            "How much power the graphics card may draw; 0 sets no limit.",
            RULES,
            unit="W",
            least=0,
            most=5000,
        ),
    ] = 0

    # ── network ──────────────────────────────────────────────────────────────

    monthly_budget_gb: Annotated[
        float,
        words(
            "Monthly budget",
            "How much may be sent and received in a month before sharing rests; 0 sets no limit.",
            NETWORK,
            unit="GB",
            least=0.0,
            most=1_000_000.0,
        ),
    ] = 0.0

    slow_upload_mbit: Annotated[
        float,
        words(
            "Upload in slow mode",
            "How fast may be sent while slow mode is on.",
            NETWORK,
            unit="Mbit/s",
            least=0.25,
            most=100_000.0,
        ),
    ] = 1.0

    slow_download_mbit: Annotated[
        float,
        words(
            "Download in slow mode",
            "How fast may be received while slow mode is on.",
            NETWORK,
            unit="Mbit/s",
            least=0.25,
            most=100_000.0,
        ),
    ] = 2.0

    listen: Annotated[
        str,
        words(
            "Address and port",
            "Where other computers reach this one, as ADDRESS:PORT; 0.0.0.0 means every network "
            "it is in, and port 0 any that is free.",
            NETWORK,
            expected="HOST:PORT",
            pattern=HOST_AND_PORT,
        ),
    ] = "0.0.0.0:0"

    public: Annotated[
        bool,
        switch(
            "Help others find helpers",
            "Whether others can reach this computer from outside, so that it may "
            "keep the list of who serves what for them.",
            NETWORK,
        ),
    ] = False

    bootstrap: Annotated[
        tuple[Annotated[str, Meta(pattern=BOOTSTRAP)], ...],
        words(
            "Computers to ask first",
            "Computers that are asked first who else takes part, each as NAME@ADDRESS:PORT. "
            "Whoever runs one finds its name under About.",
            NETWORK,
            expected="at most 16 texts, each PEERID@HOST:PORT",
            longest=16,
        ),
    ] = ()

    api: Annotated[
        str,
        words(
            "Programs on this computer",
            "Where programs on this computer reach Potluck, as ADDRESS:PORT; the next "
            "free port is taken when this one is not.",
            NETWORK,
            expected="HOST:PORT",
            pattern=HOST_AND_PORT,
        ),
    ] = "127.0.0.1:8423"

    api_key: Annotated[
        str,
        words(
            "Key for other computers",
            "What programs on other computers must show to ask models here, 16 characters or "
            "more; without it only this computer's own may.",
            PRIVACY,
            expected="empty, or 16 to 200 letters, digits, - and _",
            pattern=r"^([A-Za-z0-9_-]{16,200})?$",
        ),
    ] = ""

    origin_timeout_seconds: Annotated[
        float,
        words(
            "Give up a source after",
            "How long a download may stand still before it is tried from somewhere else.",
            NETWORK,
            unit="seconds",
            least=1.0,
            most=600.0,
        ),
    ] = 30.0

    # ── disk, memory, models ─────────────────────────────────────────────────

    disk_quota_bytes: Annotated[
        int,
        words(
            "Disk for models",
            "How much of the disk models may take.",
            DISK,
            unit="bytes",
            least=0,
            most=2**50,
        ),
    ] = 20 * 10**9

    stand_by: Annotated[
        bool,
        switch(
            "Stand by for others",
            "Whether memory and disk that are left keep layers ready that others may soon lack, "
            "and serve them too while they do.",
            DISK,
        ),
    ] = True

    kv_tokens: Annotated[
        int,
        words(
            "Room for conversations",
            "Room for conversations, in tokens over all of them together; more "
            "room takes more memory.",
            DISK,
            unit="tokens",
            least=256,
            most=4_194_304,
        ),
    ] = 8192

    max_sessions: Annotated[
        int,
        words(
            "Conversations at once",
            "How many conversations may be served at the same time.",
            MODELS,
            least=1,
            most=256,
        ),
    ] = 8

    threads: Annotated[
        int,
        words(
            "Threads",
            "How many processor threads compute; 0 takes as many as there are cores.",
            MODELS,
            least=0,
            most=512,
        ),
    ] = 0

    gpu: Annotated[
        Literal["auto", "off"],
        words(
            "Graphics card",
            "Whether a graphics card computes where one works: auto or off.",
            MODELS,
        ),
    ] = "auto"

    # ── the rest ─────────────────────────────────────────────────────────────

    keyring: Annotated[
        bool,
        switch(
            "Keep the identity in the keyring",
            "Whether this computer's identity is kept in the system's keyring where "
            "there is one, instead of in a file only you can read.",
            PRIVACY,
        ),
    ] = True

    start_at_login: Annotated[
        bool,
        switch("Start at login", "Whether Potluck starts when you log in.", START),
    ] = False

    notify_pauses: Annotated[
        bool,
        switch("Pauses", "Whether a notification says that sharing rests, and why.", NOTICES),
    ] = False

    notify_problems: Annotated[
        bool,
        switch("Problems", "Whether a notification says that something needs you.", NOTICES),
    ] = True

    notify_downloads: Annotated[
        bool,
        switch("Downloads", "Whether a notification says that layers have arrived.", NOTICES),
    ] = False

    language: Annotated[
        Literal["system", "en", "de"],
        words("Language", "The language of the window: system, en or de.", LOOKS),
    ] = "system"

    theme: Annotated[
        Literal["system", "light", "dark"],
        words("Theme", "Whether the window is light or dark: system, light or dark.", LOOKS),
    ] = "system"
