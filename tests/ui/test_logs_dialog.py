"""The log, seen before it is saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QWidget

from app.api.shapes import LogsView
from app.ui.logs_dialog import LogsDialog


@pytest.fixture
def dialog(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    made = LogsDialog(parent, LogsView(text="one\ntwo", removed=2))
    made.show()
    yield made
    parent.close()


def test_it_says_how_much_was_removed(dialog) -> None:
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert any(text.startswith("2 addresses and names were removed") for text in texts)


def test_what_is_shown_is_what_is_saved(dialog, tmp_path: Path) -> None:
    dialog.save_to(tmp_path / "log.txt")
    assert (tmp_path / "log.txt").read_text() == "one\ntwo"


def test_a_place_that_cannot_be_written_is_said(dialog, tmp_path: Path) -> None:
    dialog.save_to(tmp_path / "no" / "log.txt")
    assert "could not be written" in dialog.trouble.text()
    assert dialog.isVisible()
