"""Whether there is a screen, said before Qt ends the program over it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app.ui.display import missing_display


@pytest.fixture(autouse=True)
def _linux(monkeypatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")


def test_no_display_is_one_line_that_says_what_to_do() -> None:
    said = missing_display({})
    assert "\n" not in said
    assert "potluck chat" in said


@pytest.mark.parametrize("display", [":93", "nonsense", "127.0.0.1:9931"])
def test_a_display_that_does_not_answer_is_named(display: str) -> None:
    assert display in missing_display({"DISPLAY": display})


def test_a_wayland_display_that_answers_will_do(tmp_path: Path) -> None:
    environment = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert missing_display(environment)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "wayland-0"))
        server.listen()
        assert missing_display(environment) == ""


def test_who_names_a_platform_knows_better() -> None:
    assert missing_display({"QT_QPA_PLATFORM": "offscreen"}) == ""


def test_other_systems_have_a_screen(monkeypatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    assert missing_display({}) == ""
