"""Start at login, per system; only ever what the person ticked, and never set again.

Linux: a file in the autostart folder of XDG. Windows: a value under the Run key of this
user. macOS: a LaunchAgent. All three start the tray without opening the window.
"""

from __future__ import annotations

import os
import plistlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

NAME: Final = "Potluck"
IDENTIFIER: Final = "org.potluck.desktop"
RUN_KEY: Final = r"Software\Microsoft\Windows\CurrentVersion\Run"


class Autostart(Protocol):
    """One system's way of starting programs at login.

    All three raise OSError when the system does not let us.
    """

    def is_on(self) -> bool:
        """Whether Potluck is started at login."""
        ...

    def switch(self, *, on: bool) -> None:
        """Start Potluck at login from now on, or no more."""
        ...


def start_command() -> list[str]:
    """How the tray is started without its window, from source or packaged."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--hidden"]
    return [sys.executable, "-m", "app", "--hidden"]


def this_system(command: Sequence[str] | None = None) -> Autostart:
    """The way of the system we run on."""
    command = list(command or start_command())
    if sys.platform == "win32":
        return WindowsAutostart(command)
    if sys.platform == "darwin":
        return MacAutostart(command, Path.home() / "Library" / "LaunchAgents")
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return LinuxAutostart(command, Path(base) / "autostart")


def desktop_entry(command: Sequence[str], folder: Path | None = None) -> str:
    """The file for XDG autostart; arguments quoted as its specification asks."""

    def quoted(argument: str) -> str:
        for sign in ("\\", '"', "`", "$"):
            argument = argument.replace(sign, f"\\{sign}")
        # Backslashes once more: the line is a string of the desktop file format as well.
        return '"' + argument.replace("\\", "\\\\").replace("%", "%%") + '"'

    lines = [
        "[Desktop Entry]",
        "Type=Application",
        f"Name={NAME}",
        "Comment=Share spare computer time, and chat",
        f"Exec={' '.join(quoted(argument) for argument in command)}",
        "Icon=potluck",
        "Terminal=false",
        "X-GNOME-Autostart-enabled=true",
    ]
    if folder is not None:
        lines.append(f"Path={folder}")
    return "\n".join(lines) + "\n"


class LinuxAutostart:
    """A file in the autostart folder of XDG."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self.path = folder / "potluck.desktop"

    def is_on(self) -> bool:
        """Whether the file is there and not switched off by the desktop's own settings."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        lowered = text.lower()
        return "hidden=true" not in lowered and "autostart-enabled=false" not in lowered

    def switch(self, *, on: bool) -> None:
        """Write the file, or remove it."""
        if not on:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = None if getattr(sys, "frozen", False) else _code_folder()
        self.path.write_text(desktop_entry(self._command, folder), encoding="utf-8")


class MacAutostart:
    """A LaunchAgent of this user."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self.path = folder / f"{IDENTIFIER}.plist"

    def is_on(self) -> bool:
        """Whether the agent's file is there."""
        return self.path.exists()

    def switch(self, *, on: bool) -> None:
        """Write the agent's file, or remove it; it holds from the next login on."""
        if not on:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        agent: dict[str, object] = {
            "Label": IDENTIFIER,
            "ProgramArguments": list(self._command),
            "RunAtLoad": True,
            "ProcessType": "Interactive",
        }
        if not getattr(sys, "frozen", False):
            agent["WorkingDirectory"] = str(_code_folder())
        self.path.write_bytes(plistlib.dumps(agent))


class WindowsAutostart:
    """A value under the Run key of this user."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    @staticmethod
    def value(command: Sequence[str]) -> str:
        """The command line as the Run key wants it: one text, paths in quotes."""
        import subprocess

        return subprocess.list2cmdline(command)

    def is_on(self) -> bool:
        """Whether the value is there."""
        if sys.platform != "win32":
            return False
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, RUN_KEY) as key:
                winreg.QueryValueEx(key, NAME)
        except FileNotFoundError:
            return False
        return True

    def switch(self, *, on: bool) -> None:
        """Set the value, or delete it."""
        if sys.platform != "win32":
            raise OSError("The Run key exists on Windows only.")
        import winreg

        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, RUN_KEY) as key:
            if on:
                winreg.SetValueEx(key, NAME, 0, winreg.REG_SZ, self.value(self._command))
            elif self.is_on():
                winreg.DeleteValue(key, NAME)


def _code_folder() -> Path:
    """Where `-m app` finds the program when it runs from source."""
    return Path(__file__).resolve().parent.parent.parent
