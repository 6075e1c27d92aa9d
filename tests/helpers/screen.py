"""A real X screen with a window manager and a tray, and a hand that types and clicks.

Needs xvfb, openbox, tint2 and xdotool, which `dev.py setup --desktop` brings on Debian.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

WAIT_SECONDS = 90.0
TRAY_ICON_PIXELS = 40
"""A tray's icon is smaller than this, any other window larger."""


@dataclass(frozen=True)
class WindowBox:
    """A window on the screen."""

    key: str
    x: int
    y: int
    width: int
    height: int


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = WAIT_SECONDS) -> T:
    """Look until something is so, and give it; fails with its name when it never is."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.1)
    return found


class Screen:
    """The screen, with `with`; `environment` is for programs that shall appear on it."""

    def __init__(self, folder: Path, *, tray: bool = True) -> None:
        self._folder = folder
        self._tray = tray
        self._processes: list[subprocess.Popen[bytes]] = []
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Screen:
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def _open(self) -> None:
        reading, writing = os.pipe()
        size = ("-screen", "0", "1280x860x24")
        command = ["Xvfb", "-displayfd", str(writing), *size, "-nolisten", "tcp"]
        # Without it the screen begins anew, and throws everybody out, whenever it is empty.
        command.append("-noreset")
        self._start(command, dict(os.environ), writing)
        os.close(writing)
        display = ""
        with os.fdopen(reading, "rb", buffering=0) as told:
            while not display.endswith("\n"):
                ready, _, _ = select.select([told], [], [], WAIT_SECONDS)
                assert ready, "Xvfb does not start"
                display += told.read(16).decode()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "QT_SCALE_FACTOR")
        }
        self.environment |= {
            "DISPLAY": f":{display.strip()}",
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "XDG_RUNTIME_DIR": str(self._folder),
            "LANGUAGE": "en",
        }
        self._start(["openbox"], self.environment)
        wait_for(lambda: self.do("get_desktop"), "the window manager")
        # The first key of a screen changes its keyboard's map. A window manager lets go of its
        # keys for a moment then, and one of them would be lost: that moment is had here. It does
        # things in the order they come in, so it is over when the number of desktops has changed.
        self.do("key", "shift")
        wait_for(self._desktops_are_one, "the window manager's keys")
        if self._tray:
            self.open_tray()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _desktops_are_one(self) -> bool:
        self.do("set_num_desktops", "1")  # unheard while the window manager is starting
        return self.do("get_num_desktops").strip() == "1"

    def _start(self, command: list[str], environment: dict[str, str], *keep: int) -> None:
        self._processes.append(
            subprocess.Popen(
                command,
                env=environment,
                pass_fds=keep,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def open_tray(self) -> None:
        """Put a tray on the screen."""
        self._start(["tint2"], self.environment)
        wait_for(lambda: self.windows("tint2"), "the tray")

    # ── looking and acting ───────────────────────────────────────────────────

    def do(self, *words: str) -> str:
        """One act of the hand, in the words of xdotool; what it prints."""
        done = subprocess.run(
            ["xdotool", *words], env=self.environment, capture_output=True, text=True
        )
        return done.stdout

    def windows(self, window_class: str) -> list[WindowBox]:
        """The visible windows of a program."""
        found = self.do("search", "--onlyvisible", "--class", f"^{window_class}$").split()
        boxes = []
        for key in found:
            said = self.do("getwindowgeometry", "--shell", key)
            values = dict(re.findall(r"(\w+)=(-?\d+)", said))
            if {"X", "Y", "WIDTH", "HEIGHT"} <= set(values):
                place = [int(values[name]) for name in ("X", "Y", "WIDTH", "HEIGHT")]
                boxes.append(WindowBox(key, *place))
        return boxes

    def tray_icon(self, window_class: str) -> WindowBox | None:
        """A program's icon in the tray; None without one."""
        small = [box for box in self.windows(window_class) if box.height <= TRAY_ICON_PIXELS]
        return small[0] if small else None

    def main_window(self, window_class: str) -> WindowBox | None:
        """A program's window; None while it shows none."""
        large = [box for box in self.windows(window_class) if box.height > 300]
        return large[0] if large else None

    def _large(self, window_class: str) -> set[str]:
        """Windows and menus, but neither icons in the tray nor their tips."""
        found = self.windows(window_class)
        return {box.key for box in found if box.height > TRAY_ICON_PIXELS}

    def type_into(self, window: WindowBox, *keys: str) -> None:
        """Bring a window to the front and press some keys, one after the other."""
        self.do("windowactivate", "--sync", window.key)
        for key in keys:
            self.do("key", "--clearmodifiers", key)
            time.sleep(0.15)  # a hand is slower than a program; menus open in between

    def write(self, text: str) -> None:
        """Type a text into whatever has the focus."""
        self.do("type", "--delay", "15", text)

    def open_tray_menu(self, window_class: str) -> None:
        """Press the right button on a program's icon in the tray; the menu is open then."""
        icon = self.tray_icon(window_class)
        assert icon is not None
        before = self._large(window_class)
        middle = (str(icon.x + icon.width // 2), str(icon.y + icon.height // 2))
        self.do("mousemove", *middle, "click", "3")
        wait_for(lambda: self._large(window_class) - before, "the menu")

    def press(self, *keys: str) -> None:
        """Press keys where the focus is, such as in an open menu."""
        for key in keys:
            self.do("key", key)
            time.sleep(0.2)
