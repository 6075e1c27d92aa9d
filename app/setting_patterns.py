"""What the texts among the settings have to look like, as regular expressions.

Counterpart: `app/preferences.py`, which declares the settings.
"""

from __future__ import annotations

from typing import Final

_PORT: Final = r"([0-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
HOST_AND_PORT: Final = rf"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):{_PORT}$"
BOOTSTRAP: Final = rf"^[a-z2-7]{{52}}@(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):{_PORT}$"
_DAYS: Final = (
    r"(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?"
    r"(,(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?)*"
)
_SPAN: Final = r"([01]?\d|2[0-3])-([01]?\d|2[0-4])"
_HOURS: Final = rf"{_DAYS} {_SPAN}(,{_SPAN})*"
SCHEDULE: Final = rf"^(|never|{_HOURS}(; ?{_HOURS})*)$"
"""Its meaning is in `app/schedule.py`; here only what can have one."""
