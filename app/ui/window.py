"""The window: places at the side, the page in front, and what closing it means."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt, Signal
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
from app.api.shapes import Snapshot
from app.ui import theme as looks
from app.ui import words
from app.ui.about import AboutPage
from app.ui.backend import Backend
from app.ui.chat import ChatPage
from app.ui.controls import IconButton, label
from app.ui.dashboard import Dashboard
from app.ui.first_run import FirstRun
from app.ui.icons import application_icon
from app.ui.models_page import ModelsPage
from app.ui.pausing import Pausing
from app.ui.settings_page import SettingsPage
from app.ui.theme import Theme
from app.ui.translations import tr

SIZE: Final = QSize(1080, 760)
SIDE_PIXELS: Final = 176
FOLDED_PIXELS: Final = 56
FOLD_PIXELS: Final = 800
"""Narrower windows, as at 200 % on a small screen, need the room for the page."""
WINDOW_FILE: Final = "window.ini"
"""In the data folder: where the window stood, and what was explained already."""


class Window(QMainWindow):
    """The main window. `quit_wanted` when closing it means ending everything."""

    quit_wanted = Signal()
    explained = Signal()

    def __init__(self, theme: Theme, backend: Backend, pausing: Pausing, folder: Path) -> None:
        super().__init__()
        self.setWindowTitle("Potluck")
        self.setWindowIcon(application_icon())
        self.resize(SIZE)
        self.setMinimumSize(QSize(640, 420))
        self.memory = QSettings(str(folder / WINDOW_FILE), QSettings.Format.IniFormat)
        self.has_tray = False
        self._quitting = False
        self.dashboard = Dashboard(theme, pausing)
        self.chat = ChatPage(theme, backend)
        self.models = ModelsPage(theme, backend)
        self.settings = SettingsPage(theme, backend)
        self.about = AboutPage(folder, __version__)
        self.first_run = FirstRun(theme)
        self.pages = QStackedWidget()
        self.places: dict[str, IconButton] = {}
        self.status = label(tr("Starting"), "muted", wrap=True)
        self._outer = QStackedWidget()
        self._side = QFrame()
        self._build(theme)
        self.dashboard.choose_model.connect(lambda: self.go("models"))
        self.models.chosen.connect(lambda: self.go("overview"))
        geometry = self.memory.value("geometry")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)

    def _build(self, theme: Theme) -> None:
        self._side.setProperty("look", "side")
        column = QVBoxLayout(self._side)
        column.setContentsMargins(looks.SMALL, looks.LARGE, looks.SMALL, looks.MEDIUM)
        column.setSpacing(looks.TINY)
        for number, (key, name, page) in enumerate(
            (
                ("overview", tr("Overview"), self.dashboard),
                ("chat", tr("Chat"), self.chat),
                ("models", tr("Models"), self.models),
                ("settings", tr("Settings"), self.settings),
                ("about", tr("About"), self.about),
            )
        ):
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
            shortcut.activated.connect(lambda key=key: self.go(key))
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
        page = {
            "overview": self.dashboard,
            "chat": self.chat,
            "models": self.models,
            "settings": self.settings,
            "about": self.about,
        }.get(place)
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

    def show_first_run(self, *, yes: bool) -> None:
        """Put the first run in front of everything, or take it away."""
        self._outer.setCurrentIndex(1 if yes else 0)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Hand the news to the pages that show it."""
        self.status.setText(words.headline(snapshot))
        self.dashboard.show_snapshot(snapshot)
        self.settings.show_snapshot(snapshot)
        self.about.show_snapshot(snapshot)
        self.show_first_run(yes=snapshot.consented is None)

    def show_trouble(self, text: str) -> None:
        """Say that the node is away."""
        self.status.setText(text)
        self.dashboard.show_trouble(text)

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
        self.go("chat")
        self.chat.begin_new()

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
        if self.has_tray:
            event.accept()
            if self.memory.value("tray_explained") != "yes":
                self.memory.setValue("tray_explained", "yes")
                self.explained.emit()
            return
        event.ignore()
        self._ask()

    def _ask(self) -> None:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Potluck")
        box.setText(tr("Quit Potluck, or keep it running?"))
        box.setInformativeText(
            tr("This desktop has no tray. Kept running, the window stays as a small one.")
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
