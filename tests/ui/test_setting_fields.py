"""A field for each kind of setting, and what it sends."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QFocusEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QDoubleSpinBox

from app.api.shapes import SettingView
from app.settings import SETTINGS
from app.ui.schedule_grid import ScheduleGrid
from app.ui.setting_fields import field_for


def view(name: str) -> SettingView:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    return SettingView(
        name=name,
        label=setting.label,
        words=setting.words,
        section=setting.section,
        kind=setting.kind,
        unit=setting.unit,
        value=setting.default,
        default=setting.default,
        least=setting.least,
        most=setting.most,
        choices=list(setting.choices),
    )


@pytest.fixture
def sent() -> list[Any]:
    return []


def made(name: str, theme, qtbot, sent: list[Any]):
    field = field_for(view(name), theme, sent.append)
    qtbot.addWidget(field.widget)
    field.take(view(name).value)
    return field


def test_taking_a_value_sends_nothing(theme, qtbot, sent) -> None:
    for setting in SETTINGS:
        made(setting.name, theme, qtbot, sent)
    assert sent == []


def test_numbers(theme, qtbot, sent) -> None:
    box = made("upload_mbit_away", theme, qtbot, sent).widget
    assert box.text() == "No limit"
    box.setValue(2.5)
    assert sent == [2.5]
    assert box.text() == "2.5 Mbit/s"
    made("cpu_percent_away", theme, qtbot, sent).widget.setValue(40)
    assert sent == [2.5, 40]


def test_bytes_are_shown_as_gigabytes(theme, qtbot, sent) -> None:
    box = made("disk_quota_bytes", theme, qtbot, sent).widget
    assert isinstance(box, QDoubleSpinBox)
    assert box.text() == "20 GB"
    box.setValue(1.5)
    assert sent == [1_500_000_000]


def test_choices_have_names(theme, qtbot, sent) -> None:
    box = made("on_metered", theme, qtbot, sent).widget
    assert [box.itemText(n) for n in range(3)] == ["Download nothing", "Pause", "Share as always"]
    box.setCurrentIndex(1)
    box.activated.emit(1)
    assert sent == ["pause"]


def test_the_schedule_is_a_grid(theme, qtbot, sent) -> None:
    field = made("schedule", theme, qtbot, sent)
    assert isinstance(field.widget, ScheduleGrid)
    assert field.wide


def test_lists_are_sent_when_they_are_left(theme, qtbot, sent) -> None:
    box = made("pause_programs", theme, qtbot, sent).widget
    box.setPlainText("a\nb")
    assert sent == []
    QApplication.sendEvent(box, QFocusEvent(QEvent.Type.FocusOut))
    assert sent == [["a", "b"]]


def test_scrolling_over_a_field_changes_nothing(theme, qtbot, sent) -> None:
    box = made("cpu_percent_away", theme, qtbot, sent).widget
    box.show()
    box.clearFocus()
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(box, event)
    assert sent == []
    assert box.value() == 75


def test_weeks_need_not_be_painted_by_hand(theme, qtbot, sent) -> None:
    field = made("schedule", theme, qtbot, sent)
    for week in field.below:
        qtbot.addWidget(week)
        week.click()
    assert sent == ["mon-sun 0-7,22-24", "mon-fri 0-7,22-24; sat-sun 0-24", "sat-sun 0-24", "never"]
    assert field.widget.text() == "never"


def test_text_begins_where_numbers_begin(theme, qtbot, sent) -> None:
    text, number = (made(name, theme, qtbot, sent).widget for name in ("listen", "threads"))
    for one in (text, number):
        one.show()
    line = number.lineEdit()
    inside = line.mapTo(number, line.cursorRect().topLeft()).x()
    number.setValue(0)
    line.setCursorPosition(0)
    text.setCursorPosition(0)
    inside = line.mapTo(number, line.cursorRect().topLeft()).x()
    assert abs(inside - text.cursorRect().left()) <= 1
