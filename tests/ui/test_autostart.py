"""Start at login: written where each system looks, and taken away again."""

from __future__ import annotations

import configparser
import plistlib
from pathlib import Path

import pytest

from app.ui.autostart import (
    LinuxAutostart,
    MacAutostart,
    WindowsAutostart,
    desktop_entry,
    start_command,
    this_system,
)

COMMAND = ["/opt/pot luck/potluck", "--hidden"]


def test_linux(tmp_path: Path) -> None:
    made = LinuxAutostart(COMMAND, tmp_path / "autostart")
    assert not made.is_on()
    made.switch(on=True)
    assert made.is_on()
    entry = configparser.ConfigParser(interpolation=None)
    entry.read(made.path)
    assert entry["Desktop Entry"]["exec"] == '"/opt/pot luck/potluck" "--hidden"'
    made.switch(on=False)
    made.switch(on=False)
    assert not made.is_on()
    assert not made.path.exists()


def test_linux_switched_off_by_the_desktop_itself_is_off(tmp_path: Path) -> None:
    made = LinuxAutostart(COMMAND, tmp_path)
    made.switch(on=True)
    made.path.write_text(made.path.read_text() + "Hidden=true\n")
    assert not made.is_on()


def test_signs_with_a_meaning_lose_it() -> None:
    line = next(
        line for line in desktop_entry(['/a"b$c`d%e\\f']).splitlines() if line[:4] == "Exec"
    )
    assert line == r'Exec="/a\\"b\\$c\\`d%%e\\\\f"'


def test_mac(tmp_path: Path) -> None:
    made = MacAutostart(COMMAND, tmp_path / "LaunchAgents")
    made.switch(on=True)
    assert made.is_on()
    agent = plistlib.loads(made.path.read_bytes())
    assert agent["ProgramArguments"] == COMMAND
    assert agent["RunAtLoad"] is True
    made.switch(on=False)
    assert not made.is_on()


def test_windows() -> None:
    made = WindowsAutostart(COMMAND)
    assert made.value(COMMAND) == '"/opt/pot luck/potluck" --hidden'
    assert not made.is_on()
    with pytest.raises(OSError, match="Windows"):
        made.switch(on=True)


def test_each_system_gets_its_own(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for platform, kind in (
        ("linux", LinuxAutostart),
        ("darwin", MacAutostart),
        ("win32", WindowsAutostart),
    ):
        monkeypatch.setattr("sys.platform", platform)
        assert isinstance(this_system(), kind)


def test_it_starts_hidden_in_the_tray() -> None:
    assert start_command()[-1] == "--hidden"
