"""A terminal in which one command after the other is typed, with one data folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.command_line.cli import run
from tests.helpers.processes import environment

Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Told:
    """Runs a command with a data folder; exit code, output and errors."""
    for name, text in environment(tmp_path).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 0.05)
    # What a test says that a node wrote just now is no old news where this computer is slow.
    monkeypatch.setattr("app.node.node_file.STALE_SECONDS", 600.0)

    def type_in(*words: str) -> tuple[int, str, str]:
        code = run([*words, "--data-dir", str(tmp_path / "data")])
        return (code, *capsys.readouterr())

    return type_in
