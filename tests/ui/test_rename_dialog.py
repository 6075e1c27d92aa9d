"""Another name for a chat."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QWidget

from app.ui.rename_dialog import RenameDialog


@pytest.fixture
def dialog(qtbot, theme) -> Iterator[RenameDialog]:
    parent = QWidget()
    qtbot.addWidget(parent)
    made = RenameDialog(parent, "How does a chain of helpers work, and who may read along?")
    made.open()
    yield made
    parent.close()


def test_the_whole_name_is_chosen_to_be_written_over(dialog) -> None:
    assert dialog.field.selectedText() == dialog.field.text()
    assert dialog.width() >= 440


def test_the_name_is_told_once_it_is_agreed_to(dialog, qtbot) -> None:
    dialog.field.setText("  Chains ")
    with qtbot.waitSignal(dialog.named) as heard:
        dialog.save.click()
    assert heard.args == ["Chains"]


def test_no_name_is_none(dialog) -> None:
    dialog.field.setText("   ")
    assert not dialog.save.isEnabled()
