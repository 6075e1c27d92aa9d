"""The icon in the tray and its menu. The first line says what is happening, and why."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from app.api.shapes import Snapshot, State
from app.ui.icons import tray_icon
from app.ui.pausing import Pausing, lasting, offer
from app.ui.sentences import headline
from app.ui.theme import Theme
from app.ui.translations import tr

MAX_TOOLTIP_CHARACTERS: Final = 120
"""Windows cuts a tooltip at 127."""


class Tray(QObject):
    """The tray's icon; signals say which place of the window is wanted."""

    wanted = Signal(str)
    quit_wanted = Signal()

    def __init__(self, theme: Theme, pausing: Pausing) -> None:
        super().__init__()
        self._theme = theme
        self._pausing = pausing
        self._state: State = "starting"
        self.menu = QMenu()
        self.icon = QSystemTrayIcon(self)
        self.icon.activated.connect(self._activated)
        theme.changed.connect(self._draw)
        self._shown: Snapshot | None = None
        self._build()
        self._draw()

    def retranslate(self) -> None:
        """Say everything in the language of now."""
        self.menu.clear()
        self.pause_menu.deleteLater()
        self._build()
        if self._shown is not None:
            self.show_snapshot(self._shown)

    def _build(self) -> None:
        menu = self.menu
        self.headline = menu.addAction(tr("Starting"))
        self.headline.setEnabled(False)
        menu.addSeparator()
        self.begin = menu.addAction(tr("Start sharing"), self._pausing.begin)
        self.resume = menu.addAction(tr("Resume sharing"), self._pausing.resume)
        self.anyway = menu.addAction(tr("Share anyway for 1 hour"), self._pausing.share_anyway)
        self.pause_menu = menu.addMenu(tr("Pause"))
        self.ways = self._pausing.fill(self.pause_menu)
        self.slow = menu.addAction(tr("Slow network mode"))
        self.slow.setCheckable(True)
        self.slow.triggered.connect(lambda on: self._pausing.slow_mode(on=on))
        menu.addSeparator()
        menu.addAction(tr("Open Potluck"), lambda: self.wanted.emit("overview"))
        self.places = [
            menu.addAction(tr("Chat"), lambda: self.wanted.emit("chat")),
            menu.addAction(tr("Settings"), lambda: self.wanted.emit("settings")),
        ]
        menu.addSeparator()
        menu.addAction(tr("Quit Potluck"), self.quit_wanted.emit)
        self._offer("")

    def show(self) -> None:
        """Show the icon; a tray that comes later shows it then."""
        self.icon.show()

    @staticmethod
    def is_there() -> bool:
        """Whether this desktop has a tray now."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def hide(self) -> None:
        """Take the icon away."""
        self.icon.hide()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Say what is happening now."""
        self._shown = snapshot
        self._say(_with_rest(headline(snapshot), lasting(snapshot)))
        # Before the first run is over there is nothing to go to, and nothing was agreed to.
        asked = snapshot.consented is not None
        self._offer(offer(snapshot) if asked else "")
        for place in self.places:
            place.setEnabled(asked)
        self.ways.show(snapshot)
        self.slow.setChecked(snapshot.slow_mode)
        self._set_state(snapshot.state)

    def show_trouble(self, text: str) -> None:
        """Say that the node is away."""
        self._shown = None
        self._say(text)
        self._offer("")
        self._set_state("problem")

    def _say(self, text: str) -> None:
        if self.headline.text() != text:
            self.headline.setText(text)
            self.icon.setToolTip(f"Potluck: {text}"[:MAX_TOOLTIP_CHARACTERS])

    def _offer(self, what: str) -> None:
        self.begin.setVisible(what == "begin")
        self.resume.setVisible(what == "resume")
        self.anyway.setVisible(what == "share_anyway")
        self.pause_menu.menuAction().setVisible(what in ("pause", "share_anyway", "resume"))
        self.slow.setVisible(what != "")

    def _set_state(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._draw()

    def _draw(self) -> None:
        dark = self._theme.panel_is_dark()
        self.icon.setIcon(tray_icon(self._state, dark_panel=dark))
        # Only after the icon: some trays show a menu that came first with no icon at all.
        if self.icon.contextMenu() is None:
            self.icon.setContextMenu(self.menu)

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self.wanted.emit("")


def _with_rest(line: str, rest: str) -> str:
    """The time left behind a line, within its own brackets where it ends with some."""
    if not rest:
        return line
    return f"{line[:-1]}, {rest})" if line.endswith(")") else f"{line} ({rest})"
