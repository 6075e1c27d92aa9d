"""What the sensors say about this computer, at one moment.

Pure. Unknown is None and not zero. The counterparts are `app/policy/sensors.py`, which
reads them, and `app/policy/verdict.py`, which judges them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Readings:
    """One look at the computer.

    Attributes:
        idle_seconds: since the last touch of mouse or keyboard.
        on_battery: False also where there is no battery.
        metered: whether the network in use is paid for by the byte.
        temperature_celsius: of the processor.
        gpu_temperature_celsius: of the hottest graphics card.
        gpu_power_watts: of all graphics cards together.
        other_cpu_percent: of the whole processor, used by other programs lately.
        full_screen: whether a program fills the screen.
        programs: those of the owner's list that run now.
        disk_free_bytes: where the data folder lies.
    """

    idle_seconds: float | None = None
    on_battery: bool | None = None
    metered: bool | None = None
    temperature_celsius: float | None = None
    gpu_temperature_celsius: float | None = None
    gpu_power_watts: float | None = None
    other_cpu_percent: float | None = None
    full_screen: bool | None = None
    programs: frozenset[str] | None = None
    disk_free_bytes: int | None = None

    def as_told(self) -> Readings:
        """As if nothing spoke against sharing but what the owner has fixed: for a command
        that said to share. Whether somebody is there counts where the system tells it.
        """
        return replace(
            self,
            idle_seconds=math.inf if self.idle_seconds is None else self.idle_seconds,
            on_battery=False,
            metered=bool(self.metered),
            other_cpu_percent=0.0,
            full_screen=False,
            programs=self.programs or frozenset(),
        )


NOTHING_KNOWN = Readings()


def program_key(name: str) -> str:
    """A program's name as it is compared: lower case, without what ends a file's name."""
    return name.strip().casefold().removesuffix(".exe").removesuffix(".app")
