"""The window: its places, its keyboard, what closing means, and mirrored writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QRect, QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)

from app.ui.pausing import Pausing
from app.ui.translations import LANGUAGES, Language, tr
from app.ui.window import Window
from tests.helpers.fake_node_data import snapshot_at_rest
from tests.ui.conftest import unexpected

pytestmark = pytest.mark.real


class Shelf:
    """A desktop's tray, which comes and goes."""

    def __init__(self) -> None:
        self.is_there = False


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def opened(theme, backend, shelf, tmp_path: Path) -> Callable[[], Window]:
    return lambda: Window(
        theme, backend, Pausing(backend, unexpected), tmp_path, lambda: shelf.is_there
    )


@pytest.fixture
def window(qtbot, opened, wait) -> Iterator[Window]:
    made = opened()
    qtbot.addWidget(made, before_close_func=lambda window: window.prepare_to_quit())
    made.show()
    made.refresh()
    made.show_snapshot(snapshot_at_rest())
    wait(lambda: made.settings.fields and made.models.cards)
    return made


def test_nothing_but_the_window_is_ever_a_window(shown_windows, window) -> None:
    for place in ("overview", "chat", "models", "settings", "about"):
        window.go(place)
    assert {*shown_windows} == {window}


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


def test_with_a_tray_closing_hides_and_is_explained_once(window, shelf) -> None:
    shelf.is_there = True  # it came after the window
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


def test_where_it_stood_is_remembered(window, opened, qtbot) -> None:
    window.resize(760, 600)
    window.prepare_to_quit()
    window.memory.sync()
    again = opened()
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


def test_it_is_never_larger_than_the_screen(window) -> None:
    window.resize(1080, 760)
    window.fit_into(QRect(0, 0, 720, 440))
    assert QRect(0, 0, 720, 440).contains(window.geometry())
    window.fit_into(QRect(0, 0, 600, 360))
    assert QRect(0, 0, 600, 360).contains(window.geometry())


def test_a_window_that_lay_on_another_screen_comes_back(window) -> None:
    window.setGeometry(4000, 3000, 900, 600)
    window.fit_into(QRect(0, 0, 1280, 800))
    assert QRect(0, 0, 1280, 800).contains(window.geometry())
    assert window.size() == QSize(900, 600)


def test_a_shortcut_takes_the_keyboard_along(window, qtbot) -> None:
    with qtbot.waitActive(window):
        window.activateWindow()
    window.places["overview"].setFocus()
    qtbot.keyClick(window, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.places["settings"].hasFocus())


def test_shortcuts_do_nothing_behind_the_first_run(window) -> None:
    window.show_snapshot(snapshot_at_rest(consented=None))
    window._jump("settings")
    window._new_chat()
    assert window.pages.currentWidget() is window.dashboard


# ── another language while it is open ────────────────────────────────────────


@pytest.fixture
def language(qapp) -> Iterator[Language]:
    made = Language(qapp)
    made.use("en")
    yield made
    made.use("en")
    qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


@pytest.fixture
def speaking(window, language) -> Language:
    language.changed.connect(window.retranslate)
    return language


def labels(page: QWidget) -> set[str]:
    return {one.text() for one in page.findChildren(QLabel)}


def test_every_place_speaks_the_new_language_and_then_the_old_one_again(window, speaking) -> None:
    for code, name in (("de", "Einstellungen"), ("en", "Settings")):
        speaking.use(code)
        assert tr("Settings") == name
        assert tr("Limits in force") in labels(window.dashboard)
        names = {key: place.text().strip() for key, place in window.places.items()}
        assert names["settings"] == tr("Settings")
        assert tr("Logs") in labels(window.settings)
        assert tr("What it does not do") in labels(window.about)
        assert window.chat.composer.field.placeholderText() == tr("Ask something")
        assert window.first_run.skip.text() == tr("Only chat, share nothing")
    assert window.pages.count() == 5


def test_figures_are_written_anew_with_the_persons_separators(window, speaking) -> None:
    assert window.dashboard.state.headline.text() == "Sharing 14 layers of Qwen3 8B"
    speaking.use("de")
    assert window.dashboard.state.headline.text() == "Teilt 14 Schichten von Qwen3 8B"
    assert window.status.text() == "Teilt 14 Schichten von Qwen3 8B"
    shown = window.settings.fields["upload_mbit_in_use"].widget
    assert shown.locale().decimalPoint() == ","


def test_the_place_in_front_and_how_far_it_is_scrolled_stay(window, speaking, qtbot) -> None:
    window.go("settings")
    bar = window.settings.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 400)
    bar.setValue(400)
    speaking.use("de")
    assert window.pages.currentWidget() is window.settings
    assert window.places["settings"].isChecked()
    qtbot.waitUntil(lambda: window.settings.verticalScrollBar().value() == 400)


def test_what_is_being_written_in_the_chat_stays(window, speaking, qtbot) -> None:
    window.go("chat")
    field = window.chat.composer.field
    field.setPlainText("An unfinished sent")
    cursor = field.textCursor()
    cursor.setPosition(5)
    field.setTextCursor(cursor)
    speaking.use("de")
    assert window.chat.composer.field is field
    assert (field.toPlainText(), field.textCursor().position()) == ("An unfinished sent", 5)
    assert window.chat.title.text() == "Neuer Chat"


def test_an_answer_that_is_being_written_goes_on_and_keeps_its_place(
    window, speaking, fake, qtbot, wait
) -> None:
    fake.do(lambda node: setattr(node, "waits_at", 40))
    window.go("chat")
    window.chat._send("Tell me something.")
    answer = window.chat.transcript.messages
    wait(lambda: len(answer) == 2 and len(answer[1].text.source) >= 40)
    written = answer[1].text.source
    bar = window.chat.transcript.verticalScrollBar()
    scrolled = bar.value()
    speaking.use("de")
    assert window.chat.transcript.messages[1].text.source.startswith(written)
    assert window.chat.transcript.messages[1].copy.toolTip() == "Kopieren"
    fake.do(lambda node: node.go_on.set())
    wait(lambda: window.chat._stream is None)
    assert len(window.chat.transcript.messages[1].text.source) > len(written)
    assert bar.value() >= scrolled
    wait(lambda: "Beantwortet" in window.chat.transcript.messages[1].line.text())
    speaking.use("en")
    assert " · Answered by kq3vtz7m" in window.chat.transcript.messages[1].line.text()


def test_the_graphs_draw_on_and_the_models_stay_listed(window, speaking) -> None:
    drawn = window.dashboard.tokens.graph.values
    offered = window.models.offers
    assert drawn
    assert offered
    speaking.use("de")
    assert window.dashboard.tokens.graph.values[: len(drawn)] == drawn
    assert window.models.offers == offered


def test_the_first_run_keeps_its_step_and_its_answers(window, speaking) -> None:
    window.show_first_run(yes=True)
    window.first_run.next.click()
    window.first_run._amount.button(2).setChecked(True)
    window.first_run.next.click()
    speaking.use("de")
    window.show_first_run(yes=True)
    assert window.first_run.steps.currentIndex() == 2
    assert window.first_run.next.text() == "Teilen beginnen"
    assert window.first_run.choice(share=True).settings["cpu_percent_in_use"] == 50


def test_what_the_new_pages_say_reaches_who_listened_to_the_old_ones(
    window, speaking, qtbot
) -> None:
    speaking.use("de")
    with qtbot.waitSignal(window.decided):
        window.first_run.skip.click()
    with qtbot.waitSignal(window.saw_settings):
        window.settings.refresh()
    window.dashboard.choose_model.emit()
    assert window.pages.currentWidget() is window.models


def test_the_direction_of_writing_turns_with_the_language(window, speaking, monkeypatch) -> None:
    monkeypatch.setitem(LANGUAGES, "ar", "Arabic")
    speaking.use("ar")
    assert window.layoutDirection() == Qt.LayoutDirection.RightToLeft
    side, pages = window._side, window.pages
    window.layout().activate()
    QApplication.processEvents()
    assert side.mapTo(window, side.rect().center()).x() > pages.geometry().center().x()
    speaking.use("en")
    QApplication.processEvents()
    assert side.mapTo(window, side.rect().center()).x() < pages.geometry().center().x()
