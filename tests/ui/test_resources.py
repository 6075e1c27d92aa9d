"""What ships beside the code is found."""

from __future__ import annotations

from pathlib import Path

from app.ui import resources
from app.ui.resources import licence_text, resources_folder


def test_it_is_found_from_source() -> None:
    assert (resources_folder() / "icons" / "potluck.svg").is_file()


def test_it_is_found_in_a_package(monkeypatch) -> None:
    monkeypatch.setattr("sys._MEIPASS", "/packed", raising=False)
    assert resources_folder() == Path("/packed/resources")


def test_the_licence_is_found_beside_the_code(monkeypatch, tmp_path) -> None:
    assert "Apache License" in licence_text()
    monkeypatch.setattr(resources, "root_folder", lambda: tmp_path)
    monkeypatch.setattr("importlib.metadata.files", lambda name: None)
    assert licence_text() == ""
