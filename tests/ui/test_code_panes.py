"""Code that scrolls sideways inside a message; see app/ui/code_panes.py."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QKeyEvent, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QScrollBar

from app.ui.markdown_view import MarkdownView

LONG = "value = " + " + ".join(f"number_{n}" for n in range(60))
TEXT = f"before\n\n```python\n{LONG}\nshort\n```\n\nbetween\n\n```\na\tb\n```\n\nafter"


def view(theme, qtbot, text: str = TEXT) -> MarkdownView:
    made = MarkdownView(theme, "Answer")
    qtbot.addWidget(made)
    made.resize(500, 10)
    made.show()
    made.set_source(text)
    return made


def turn(
    made: MarkdownView, y: float, sideways: int, down: int = 0, *, shift: bool = False
) -> bool:
    """One turn of the wheel over the text; whether it was taken."""
    keys = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    place = QPointF(100, y)
    event = QWheelEvent(
        place,
        made.viewport().mapToGlobal(place),
        QPoint(),
        QPoint(sideways, down),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    made.wheelEvent(event)
    return event.isAccepted()


def press(bar: QScrollBar, key: Qt.Key) -> None:
    """A key for the bar, which need not have the focus of the whole screen."""
    keys = Qt.KeyboardModifier.NoModifier
    QCoreApplication.sendEvent(bar, QKeyEvent(QEvent.Type.KeyPress, key, keys))


def test_only_code_with_long_lines_has_a_bar(theme, qtbot) -> None:
    first, second = view(theme, qtbot)._codes.all
    assert first.bar.isVisible()
    assert first.bar.accessibleName() == "Scroll this code"
    assert second.bar.isHidden()


def test_a_long_line_is_one_line_and_the_text_around_it_is_still_wrapped(theme, qtbot) -> None:
    made = view(theme, qtbot, "word " * 100 + f"\n\n```\n{LONG}\n```")
    (code,) = made._codes.all
    assert code.block.layout().lineCount() == 1
    words = made.document().firstBlock().layout()
    assert words.lineCount() > 3
    assert all(words.lineAt(n).naturalTextWidth() <= 500 for n in range(words.lineCount()))
    assert made.horizontalScrollBar().maximum() == 0


def test_the_bar_is_reached_with_the_tab_key(theme, qtbot) -> None:
    (code, _) = view(theme, qtbot)._codes.all
    assert code.bar.focusPolicy() == Qt.FocusPolicy.StrongFocus
    assert code.button.nextInFocusChain() is code.bar


def test_code_alone_is_shown_whole(theme, qtbot) -> None:
    made = view(theme, qtbot, f"```\n{LONG}\n```")
    (code,) = made._codes.all
    assert code.ground().top() >= 0
    assert code.ground().bottom() <= made.height()
    assert code.bar.geometry().bottom() < made.height()


def test_two_pieces_of_code_do_not_touch(theme, qtbot) -> None:
    first, second = view(theme, qtbot, "```\na\n```\n```\nb\n```")._codes.all
    assert second.ground().top() - first.ground().bottom() >= 8


def test_arrow_keys_move_the_lines_and_nothing_else(theme, qtbot) -> None:
    made = view(theme, qtbot)
    first, second = made._codes.all
    press(first.bar, Qt.Key.Key_Right)
    press(first.bar, Qt.Key.Key_Right)
    layout = first.block.layout()
    assert [layout.lineAt(n).x() for n in range(2)] == [12 - 48, 12 - 48]
    assert second.block.layout().lineAt(0).x() == 12
    press(first.bar, Qt.Key.Key_End)
    end = layout.lineAt(0).x() + layout.lineAt(0).naturalTextWidth()
    assert end <= first.ground().width()


def test_the_wheel_scrolls_code_sideways_and_the_conversation_down(theme, qtbot) -> None:
    made = view(theme, qtbot)
    code = made._codes.all[0]
    y = code.ground().center().y()
    assert turn(made, y, -120)
    assert code.bar.value() > 0
    before = code.bar.value()
    assert turn(made, y, 0, -120, shift=True)
    assert code.bar.value() > before
    assert not turn(made, y, 0, -120)
    assert not turn(made, 2, -120)


def test_what_is_copied_is_the_code_exactly_however_far_it_is_scrolled(theme, qtbot) -> None:
    made = view(theme, qtbot)
    first, second = made._codes.all
    first.bar.setValue(200)
    first.button.click()
    assert QGuiApplication.clipboard().text() == f"{LONG}\nshort"
    second.button.click()
    assert QGuiApplication.clipboard().text() == "a\tb"


def test_a_click_on_scrolled_code_hits_the_letter_that_is_seen(theme, qtbot) -> None:
    made = view(theme, qtbot)
    code = made._codes.all[0]
    cursor = QTextCursor(code.block)
    cursor.setPosition(code.block.position() + len(LONG) - 10)
    made.setTextCursor(cursor)
    seen = made.cursorRect(cursor)
    assert 0 < seen.left() <= code.ground().right()
    hit = made.cursorForPosition(seen.center())
    assert hit.positionInBlock() == len(LONG) - 10


def test_a_cursor_beyond_the_edge_is_scrolled_to(theme, qtbot) -> None:
    made = view(theme, qtbot)
    code = made._codes.all[0]
    cursor = QTextCursor(code.block)
    cursor.setPosition(code.block.position() + len(LONG))
    made.setTextCursor(cursor)
    assert code.bar.value() == code.bar.maximum()
    cursor.setPosition(code.block.position())
    made.setTextCursor(cursor)
    assert code.bar.value() == 0


def test_code_being_written_keeps_its_place_and_its_controls(theme, qtbot) -> None:
    made = view(theme, qtbot, f"```\n{LONG}\n")
    code = made._codes.all[0]
    code.bar.setValue(150)
    made.append("more\n")
    made._draw_tail()
    assert made._codes.all == [code]
    assert code.bar.value() == 150
    assert code.block.layout().lineAt(1).x() == 12 - 150
    made.append("```\n\nwords after it")
    made.finish()
    assert made._codes.all == [code]
    assert code.block.layout().lineAt(0).x() == 12 - 150


def test_another_width_keeps_how_far_it_was_scrolled(theme, qtbot) -> None:
    made = view(theme, qtbot)
    code = made._codes.all[0]
    code.bar.setValue(150)
    made.resize(420, made.height())
    assert code.block.layout().lineAt(0).x() == 12 - 150
    made.set_source("no code any more")
    assert made._codes.all == []


def test_scrolled_code_is_not_painted_beside_its_ground(theme, qtbot) -> None:
    made = view(theme, qtbot, f"- item\n\n  ```\n  {'#' * 400}\n  ```")
    code = made._codes.all[0]
    code.bar.setValue(code.bar.maximum() // 2)
    ground = code.ground().toAlignedRect()
    assert ground.left() > 8
    picture = made.viewport().grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    beside = {
        QColor(picture.pixel(x, y)).name()
        for x in range(ground.left() - 1)
        for y in range(ground.top() + 30, ground.bottom())
    }
    assert len(beside) == 1
