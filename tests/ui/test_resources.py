"""What ships beside the code is found."""

from __future__ import annotations

from pathlib import Path

from app.ui.resources import resources_folder


def test_it_is_found_from_source() -> None:
    assert (resources_folder() / "icons" / "potluck.svg").is_file()


def test_it_is_found_in_a_package(monkeypatch) -> None:
    monkeypatch.setattr("sys._MEIPASS", "/packed", raising=False)
    assert resources_folder() == Path("/packed/resources")
