"""Where the person writes."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QMimeData, Qt

from app.api.shapes import MAX_MESSAGE_CHARACTERS
from app.ui.composer import Composer


@pytest.fixture
def composer(qtbot, theme) -> Composer:
    made = Composer(theme)
    qtbot.addWidget(made)
    made.resize(500, 80)
    made.show()
    return made


def test_enter_sends_and_shift_enter_begins_a_line(composer, qtbot) -> None:
    qtbot.keyClicks(composer.field, "one")
    qtbot.keyClick(composer.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(composer.field, "two")
    with qtbot.waitSignal(composer.sent) as heard:
        qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert heard.args == ["one\ntwo"]
    assert composer.field.toPlainText() == ""


def test_nothing_cannot_be_sent(composer) -> None:
    assert not composer.button.isEnabled()
    composer.field.setPlainText("  \n ")
    assert not composer.button.isEnabled()


def test_while_an_answer_is_written_one_can_type_and_stop_but_not_send(composer, qtbot) -> None:
    sent: list[str] = []
    composer.sent.connect(sent.append)
    composer.set_writing(yes=True)
    assert composer.button.accessibleName() == "Stop"
    assert composer.button.isEnabled()
    qtbot.keyClicks(composer.field, "next")
    qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert sent == []
    assert composer.field.toPlainText() == "next"
    with qtbot.waitSignal(composer.stop_wanted):
        composer.button.click()
    with qtbot.waitSignal(composer.stop_wanted):
        qtbot.keyClick(composer.field, Qt.Key.Key_Escape)


def test_it_grows_with_the_text_but_not_for_ever(composer) -> None:
    low = composer.field.height()
    composer.field.setPlainText("a\nb\nc\nd")
    middle = composer.field.height()
    composer.field.setPlainText("x\n" * 200)
    assert low < middle < composer.field.height() < 300


def test_too_long_a_text_says_by_how_much(composer) -> None:
    composer.field.put("x" * (MAX_MESSAGE_CHARACTERS + 3))
    assert not composer.button.isEnabled()
    assert composer.button.toolTip() == "Too long by 3 characters"


def test_a_word_without_end_can_be_pasted_without_waiting(composer) -> None:
    pasted = QMimeData()
    pasted.setText("A" * 150_000)
    began = time.process_time()
    composer.field.insertFromMimeData(pasted)
    assert time.process_time() - began < 1.5
    assert len(composer.field.toPlainText()) == 150_000


def test_editing_can_be_given_up(composer, qtbot) -> None:
    composer.edit("old words")
    assert composer.field.toPlainText() == "old words"
    with qtbot.waitSignal(composer.edit_given_up):
        qtbot.keyClick(composer.field, Qt.Key.Key_Escape)
    assert composer.field.toPlainText() == ""


def test_tab_leaves_the_field(composer) -> None:
    assert composer.field.tabChangesFocus()


def test_an_earlier_message_is_changed_from_its_end(composer) -> None:
    composer.edit("old words")
    assert not composer.field.textCursor().hasSelection()
    assert composer.field.textCursor().atEnd()
