"""Whether there is a screen to draw on, found out before Qt ends the program over it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

CONNECT_SECONDS = 2.0


def missing_display(environment: Mapping[str, str]) -> str:
    """A sentence when no window can be shown here; "" when one can."""
    if not sys.platform.startswith("linux") or environment.get("QT_QPA_PLATFORM"):
        return ""
    wayland, display = environment.get("WAYLAND_DISPLAY"), environment.get("DISPLAY")
    if not wayland and not display:
        return (
            "There is no display here, so no window can be shown. Use `potluck node` to share"
            " and `potluck chat` to ask, or start it on a desktop."
        )
    if wayland and _wayland_answers(wayland, environment):
        return ""
    if display and _x_answers(display):
        return ""
    return (
        f"The display {wayland or display} does not answer, so no window can be shown."
        " Use `potluck node` and `potluck chat`, or start it on a desktop."
    )


def _wayland_answers(name: str, environment: Mapping[str, str]) -> bool:
    folder = environment.get("XDG_RUNTIME_DIR", "")
    return _connects(socket.AF_UNIX, str(Path(folder) / name))


def _x_answers(display: str) -> bool:
    host, _, screen = display.rpartition(":")
    number = screen.split(".")[0]
    if not number.isdigit():
        return False
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        return _connects(socket.AF_UNIX, path) or _connects(socket.AF_UNIX, "\0" + path)
    return _connects(socket.AF_INET, (host, 6000 + int(number)))


def _connects(family: int, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            probe.connect(address)
        except OSError:
            return False
        return True
