"""The window: places at the side, the page in front, and what closing it means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QLocale, QRect, QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import __version__
from app.api.shapes import ModelOffer, SettingsView, Snapshot
from app.ui import theme as looks
from app.ui.about import AboutPage
from app.ui.backend import ANSWER_MILLISECONDS, Backend
from app.ui.chat import ChatPage
from app.ui.controls import Action, IconButton, label, nothing, plain_box
from app.ui.dashboard import Dashboard
from app.ui.first_run import FirstRun
from app.ui.handover import go_to, place_of
from app.ui.icons import application_icon
from app.ui.models_page import ModelsPage
from app.ui.pausing import Pausing
from app.ui.sentences import headline
from app.ui.settings_page import SettingsPage
from app.ui.theme import Theme
from app.ui.translations import tr

SIZE: Final = QSize(1080, 760)
SIDE_PIXELS: Final = 176
FOLDED_PIXELS: Final = 56
FOLD_PIXELS: Final = 800
"""Narrower windows, as at 200 % on a small screen, need the room for the page."""
LEAST_SIZE: Final = QSize(640, 420)
TITLE_PIXELS: Final = 40
"""Room for a title bar, whose height nobody knows before the window is shown."""
WINDOW_FILE: Final = "window.ini"
"""In the data folder: where the window stood, and what was explained already."""


class Window(QMainWindow):
    """The main window. `quit_wanted` when closing it means ending everything.

    `decided` and `saw_settings` are those of the first run and of the settings, which are
    made anew when the language changes.
    """

    quit_wanted = Signal()
    explained = Signal()
    decided = Signal(object)
    saw_settings = Signal(object)

    def __init__(
        self,
        theme: Theme,
        backend: Backend,
        pausing: Pausing,
        folder: Path,
        has_tray: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.setWindowTitle("Potluck")
        self.setWindowIcon(application_icon())
        self.resize(SIZE)
        self.memory = QSettings(str(folder / WINDOW_FILE), QSettings.Format.IniFormat)
        self._has_tray = has_tray
        self._quitting = False
        self._theme = theme
        self._backend = backend
        self._pausing = pausing
        self._folder = folder
        self._snapshot: Snapshot | None = None
        self._view: SettingsView | None = None
        self.chat = ChatPage(theme, backend)
        self._make_pages()
        self.pages = QStackedWidget()
        self.places: dict[str, IconButton] = {}
        self.status = label(tr("Starting"), "muted", wrap=True)
        self._outer = QStackedWidget()
        self._side = QFrame()
        self._build(theme)
        geometry = self.memory.value("geometry")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        self.fit_into(self.screen().availableGeometry())

    def fit_into(self, area: QRect) -> None:
        """Be no larger than a screen's free area, and lie within it."""
        room = area.adjusted(0, TITLE_PIXELS, 0, 0)
        self.setMinimumSize(LEAST_SIZE.boundedTo(room.size()))
        wanted = self.geometry()
        fits = QRect(wanted.topLeft(), wanted.size().boundedTo(room.size()))
        fits.moveRight(min(fits.right(), room.right()))
        fits.moveBottom(min(fits.bottom(), room.bottom()))
        fits.moveLeft(max(fits.left(), room.left()))
        fits.moveTop(max(fits.top(), room.top()))
        if fits != wanted:
            self.setGeometry(fits)

    def _make_pages(self) -> None:
        """Make every page but the chat, in the language of now."""
        self.dashboard = Dashboard(self._theme, self._pausing)
        self.dashboard.choose_model.connect(lambda: self.go("models"))
        self.models = ModelsPage(self._theme, self._backend)
        self.models.chosen.connect(lambda: self.go("overview"))
        self.settings = SettingsPage(self._theme, self._backend)
        self.settings.saw.connect(self._settings_seen)
        self.about = AboutPage(self._folder, __version__)
        self.about.report_wanted.connect(self.settings.show_logs)
        self.first_run = FirstRun(self._theme)
        self.first_run.decided.connect(self.decided)

    def _named_pages(self) -> list[tuple[str, str, QWidget]]:
        return [
            ("overview", tr("Overview"), self.dashboard),
            ("chat", tr("Chat"), self.chat),
            ("models", tr("Models"), self.models),
            ("settings", tr("Settings"), self.settings),
            ("about", tr("About"), self.about),
        ]

    def _build(self, theme: Theme) -> None:
        self._side.setProperty("look", "side")
        column = QVBoxLayout(self._side)
        column.setContentsMargins(looks.SMALL, looks.LARGE, looks.SMALL, looks.MEDIUM)
        column.setSpacing(looks.TINY)
        for number, (key, name, page) in enumerate(self._named_pages()):
            place = IconButton(theme, key, name)
            place.setProperty("look", "place")
            place.setText(f" {name}")  # Qt puts the words too near to the drawing
            place.setCheckable(True)
            place.setIconSize(QSize(20, 20))
            place.clicked.connect(lambda _=False, key=key: self.go(key))
            self.places[key] = place
            self.pages.addWidget(page)
            column.addWidget(place)
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number + 1}"), self)
            shortcut.activated.connect(lambda key=key: self._jump(key))
        column.addStretch(1)
        self.status.setContentsMargins(looks.SMALL, 0, looks.SMALL, 0)
        column.addWidget(self.status)
        inside = QWidget()
        row = QHBoxLayout(inside)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._side)
        row.addWidget(self.pages, 1)
        self._outer.addWidget(inside)
        self._outer.addWidget(self.first_run)
        self.setCentralWidget(self._outer)
        QShortcut(QKeySequence.StandardKey.Quit, self).activated.connect(self.quit_wanted)
        QShortcut(QKeySequence.StandardKey.New, self).activated.connect(self._new_chat)
        self._fold(yes=False)
        self.go("overview")

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """In a narrow window the places keep only their drawings."""
        super().resizeEvent(event)
        self._fold(yes=event.size().width() < FOLD_PIXELS)

    def _fold(self, *, yes: bool) -> None:
        width = FOLDED_PIXELS if yes else SIDE_PIXELS
        if self._side.maximumWidth() == width:
            return
        self._side.setFixedWidth(width)
        self.status.setVisible(not yes)
        style = Qt.ToolButtonStyle
        beside = style.ToolButtonIconOnly if yes else style.ToolButtonTextBesideIcon
        for place in self.places.values():
            place.setToolButtonStyle(beside)
            place.setFixedWidth(width - 2 * looks.SMALL)

    # ── what it shows ────────────────────────────────────────────────────────

    def go(self, place: str) -> None:
        """Bring a page to the front."""
        page = next((page for key, _, page in self._named_pages() if key == place), None)
        if page is None:
            return
        self.pages.setCurrentWidget(page)
        for name, button in self.places.items():
            # Not a group of buttons: Qt would let Tab reach only the chosen one.
            button.setChecked(name == place)
        if place == "chat":
            self.chat.composer.setFocus()
        elif place == "models":
            self.models.refresh()

    def _jump(self, place: str) -> None:
        """Go somewhere by the keyboard, which is there from then on."""
        if self._outer.currentIndex():
            return  # the first run lies over everything
        self.go(place)
        if place != "chat":
            self.places[place].setFocus()

    def show_first_run(self, *, yes: bool) -> None:
        """Put the first run in front of everything, or take it away."""
        self._outer.setCurrentIndex(1 if yes else 0)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Hand the news to the pages that show it."""
        self._snapshot = snapshot
        self.status.setText(headline(snapshot))
        self.dashboard.show_snapshot(snapshot)
        self.settings.show_snapshot(snapshot)
        self.about.show_snapshot(snapshot)
        self.show_first_run(yes=snapshot.consented is None)

    def show_trouble(self, text: str, offer: str = "", action: Action = nothing) -> None:
        """Say that the node is away, and what can be done about it."""
        self.status.setText(text)
        self.dashboard.show_trouble(text, offer, action)

    def refresh(self) -> None:
        """A node was found: ask it for what it does not tell by itself."""
        self.chat.refresh()
        self.settings.refresh()
        self.models.refresh()

    def raise_up(self, place: str = "") -> None:
        """Show the window in front of others."""
        if place:
            self.go(place)
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def _new_chat(self) -> None:
        if self._outer.currentIndex():
            return
        self.go("chat")
        self.chat.begin_new()

    # ── another language ─────────────────────────────────────────────────────

    def retranslate(self) -> None:
        """Say everything in the language of now.

        The chat changes its words in place: an answer goes on, and what is being written
        stays. The other pages are made anew and take over where they were.
        """
        self.setLocale(QLocale())
        old = (self.dashboard, self.models, self.settings, self.about)
        places = [place_of(page) for page in old]
        first_run = self.first_run
        self.settings.saw.disconnect(self._settings_seen)
        self._make_pages()
        new = (self.dashboard, self.models, self.settings, self.about)
        front = self.pages.currentWidget()
        for before, after in zip(old, new, strict=True):
            self._replace(self.pages, before, after)
            if front is before:
                self.pages.setCurrentWidget(after)
        in_first_run = self._outer.currentWidget() is first_run
        self._replace(self._outer, first_run, self.first_run)
        self.show_first_run(yes=in_first_run)
        self.first_run.go_on_from(first_run)
        self.dashboard.go_on_from(old[0])
        for key, name, _ in self._named_pages():
            self.places[key].rename(name)
            self.places[key].setText(f" {name}")
        self.chat.retranslate()
        self._show_again(old[1].offers)
        for page, place in zip(new, places, strict=True):
            go_to(page, place)

    def _show_again(self, offers: list[ModelOffer]) -> None:
        """Fill new pages with what was last heard."""
        if offers:
            self.models.show_offers(offers)
        if self._view is not None:
            self.settings.show_view(self._view)
        if self._snapshot is not None:
            self.show_snapshot(self._snapshot)

    @staticmethod
    def _replace(stack: QStackedWidget, before: QWidget, after: QWidget) -> None:
        stack.insertWidget(stack.indexOf(before), after)
        stack.removeWidget(before)
        before.hide()
        # It may still be waiting for an answer of the node, and must be there when it comes.
        QTimer.singleShot(2 * ANSWER_MILLISECONDS, before, before.deleteLater)

    def _settings_seen(self, view: SettingsView) -> None:
        self._view = view
        self.saw_settings.emit(view)

    # ── closing ──────────────────────────────────────────────────────────────

    def prepare_to_quit(self) -> None:
        """From now on closing really closes."""
        self._quitting = True
        self._remember()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """With a tray the window hides there; without one it asks, and never just vanishes."""
        if self._quitting:
            event.accept()
            return
        self._remember()
        if self._has_tray():  # asked now: a tray comes, and goes, while we run
            event.accept()
            if self.memory.value("tray_explained") != "yes":
                self.memory.setValue("tray_explained", "yes")
                self.explained.emit()
            return
        event.ignore()
        self._ask()

    def _ask(self) -> None:
        box = plain_box(
            self,
            "Potluck",
            tr("Quit Potluck, or keep it running?"),
            tr("This desktop has no tray. Kept running, the window stays as a small one."),
        )
        leave = box.addButton(tr("Quit"), QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton(tr("Keep running"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.exec()
        if box.clickedButton() is leave:
            self.quit_wanted.emit()
        elif box.clickedButton() is keep:
            self.showMinimized()

    def _remember(self) -> None:
        self.memory.setValue("geometry", self.saveGeometry())
