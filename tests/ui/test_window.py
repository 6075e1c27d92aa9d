"""The window: its places, its keyboard, what closing means, and mirrored writing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)

from app.ui.pausing import Pausing
from app.ui.window import Window
from tests.helpers.fake_node_data import snapshot_at_rest
from tests.ui.conftest import unexpected


@pytest.fixture
def window(qtbot, theme, backend, tmp_path: Path, wait) -> Iterator[Window]:
    made = Window(theme, backend, Pausing(backend, unexpected), tmp_path)
    qtbot.addWidget(made, before_close_func=lambda window: window.prepare_to_quit())
    made.show()
    made.refresh()
    made.show_snapshot(snapshot_at_rest())
    wait(lambda: made.settings.fields and made.models.cards)
    return made


def test_each_place_can_be_reached_by_mouse_and_keyboard(window, qtbot) -> None:
    pages = {
        "overview": window.dashboard,
        "chat": window.chat,
        "models": window.models,
        "settings": window.settings,
        "about": window.about,
    }
    for number, (place, page) in enumerate(pages.items()):
        window.places[place].click()
        assert window.pages.currentWidget() is page
        window.go("overview")
        with qtbot.waitActive(window):
            window.activateWindow()
        qtbot.keyClick(window, Qt.Key(Qt.Key.Key_1 + number), Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda page=page: window.pages.currentWidget() is page)


def controls(window: Window) -> list[QWidget]:
    kinds = (QAbstractButton, QLineEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox)
    inner = (QAbstractSpinBox, QComboBox, QLineEdit, QScrollBar)
    return [
        widget
        for kind in kinds
        for widget in window.findChildren(kind)
        if not isinstance(widget.parent(), inner)
        and widget.objectName() not in ("qt_spinbox_lineedit", "qt_calendar")
        and not widget.objectName().startswith("_q_")
        and "QTable" not in type(widget.parent()).__name__
    ]


def test_every_control_has_a_name_for_those_who_cannot_see_it(window) -> None:
    nameless = [
        f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        for widget in controls(window)
        if not widget.accessibleName()
        and not (widget.text() if hasattr(widget, "text") else "")
        # A banner's button appears only together with its words.
        and widget.parent().property("look") not in ("warning", "danger")
    ]
    assert nameless == []


def test_every_control_can_be_reached_with_the_keyboard(window) -> None:
    unreachable = [
        widget.accessibleName()
        for widget in controls(window)
        if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    assert unreachable == []


def test_the_first_run_stands_in_front_until_it_is_over(window) -> None:
    window.show_snapshot(snapshot_at_rest(consented=None))
    assert window.first_run.isVisible()
    assert not window.pages.isVisible()
    window.show_snapshot(snapshot_at_rest(consented=False))
    assert window.pages.isVisible()


def test_with_a_tray_closing_hides_and_is_explained_once(window, qtbot) -> None:
    window.has_tray = True
    explained: list[int] = []
    window.explained.connect(lambda: explained.append(1))
    for _ in range(2):
        window.close()
        assert not window.isVisible()
        window.raise_up()
        assert window.isVisible()
    assert explained == [1]


@pytest.mark.parametrize(
    ("answer", "quits", "minimized"),
    [("Quit", True, False), ("Keep running", False, True), ("Cancel", False, False)],
)
def test_without_a_tray_closing_asks(window, answer: str, quits: bool, minimized: bool) -> None:
    quit_wanted: list[int] = []
    window.quit_wanted.connect(lambda: quit_wanted.append(1))

    def reply() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        next(b for b in box.buttons() if b.text() == answer).click()

    QTimer.singleShot(50, reply)
    window.close()
    assert bool(quit_wanted) == quits
    assert window.isMinimized() == minimized
    assert window.isVisible()


def test_trouble_is_said_at_the_side_and_on_the_overview(window) -> None:
    window.show_trouble("No connection")
    assert window.status.text() == "No connection"
    assert window.dashboard.trouble.isVisible()
    window.show_snapshot(msgspec.structs.replace(snapshot_at_rest(), headline="Fine"))
    assert window.status.text() == "Fine"
    assert not window.dashboard.trouble.isVisible()


def test_where_it_stood_is_remembered(window, theme, backend, tmp_path: Path, qtbot) -> None:
    window.resize(760, 600)
    window.prepare_to_quit()
    window.memory.sync()
    again = Window(theme, backend, Pausing(backend, unexpected), tmp_path)
    qtbot.addWidget(again, before_close_func=lambda window: window.prepare_to_quit())
    assert (again.width(), again.height()) == (760, 600)


def test_written_from_right_to_left_nothing_breaks(window, qapp, qtbot) -> None:
    qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    try:
        for place in window.places:
            window.go(place)
            qapp.processEvents()
            assert not window.grab().isNull()
        side = window.places["chat"]
        assert side.mapTo(window, side.rect().center()).x() > window.width() / 2
        for page in (window.dashboard, window.settings, window.models):
            assert page.widget().width() <= page.viewport().width()
    finally:
        qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def test_a_small_window_cuts_nothing_off(window, qapp) -> None:
    window.resize(window.minimumSize())
    for place, page in (
        ("overview", window.dashboard),
        ("settings", window.settings),
        ("models", window.models),
        ("about", window.about),
    ):
        window.go(place)
        qapp.processEvents()
        assert page.widget().width() <= page.viewport().width(), place
