"""What this program is, which version, and where its things lie."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from app.api.shapes import Snapshot
from app.ui import theme as looks
from app.ui import words
from app.ui.controls import Card, Page, button, label
from app.ui.flow_layout import flowing
from app.ui.icons import application_icon
from app.ui.resources import licence_text, root_folder
from app.ui.translations import tr


class AboutPage(Page):
    """The page; facts are filled in when the node tells them.

    `report_wanted`: the person wants to tell somebody about a problem.
    """

    report_wanted = Signal()

    def __init__(self, folder: Path, version: str) -> None:
        super().__init__(tr("About"))
        self.title.hide()
        head = QHBoxLayout()
        head.setSpacing(looks.LARGE)
        picture = QLabel()
        picture.setPixmap(application_icon().pixmap(64, 64))
        names = QVBoxLayout()
        names.setSpacing(2)
        names.addWidget(label("Potluck", "title"))
        names.addWidget(label(tr("Version {version}").format(version=version), "muted"))
        head.addWidget(picture)
        head.addLayout(names, 1)
        self.body.addLayout(head)
        self.body.addWidget(
            label(
                tr(
                    "Ordinary computers run large open language models together. "
                    "Everyone gives some spare time, and everyone chats for free."
                ),
                wrap=True,
            )
        )
        self.facts: dict[str, QLineEdit] = {}
        self.body.addWidget(self._card(folder))
        self.body.addWidget(self._promises())
        self.body.addWidget(self._help())
        self.body.addStretch(1)

    def _card(self, folder: Path) -> Card:
        card = Card(tr("This computer"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(looks.WIDE)
        grid.setVerticalSpacing(looks.SMALL)
        grid.setColumnStretch(1, 1)
        rows = (
            ("peer_id", tr("Its name for helpers")),
            ("listen", tr("Listens on")),
            ("identity", tr("Its key is kept in")),
            ("uptime", tr("Running for")),
            ("folder", tr("Data folder")),
        )
        for row, (key, name) in enumerate(rows):
            value = QLineEdit(words.UNKNOWN)
            value.setReadOnly(True)
            value.setProperty("look", "fact")
            value.setAccessibleName(name)
            self.facts[key] = value
            grid.addWidget(label(name, "muted"), row, 0)
            grid.addWidget(value, row, 1)
        self.facts["folder"].setText(str(folder))
        self.facts["folder"].setCursorPosition(0)
        card.body.addLayout(grid)
        card.body.addWidget(
            label(
                tr(
                    "Whether computers elsewhere reach that port depends on your router; "
                    "you reach them in any case."
                ),
                "muted",
                wrap=True,
            )
        )
        return card

    @staticmethod
    def _promises() -> Card:
        card = Card(tr("What it does not do"))
        for text in (
            tr("It sends no statistics and has no account."),
            tr("It reads no files but its own."),
            tr("It never exceeds a limit you set, and says what it is doing."),
        ):
            card.body.addWidget(label(text, wrap=True))
        return card

    def _help(self) -> Card:
        card = Card(tr("Help and licence"))
        self.report = button(tr("Report a problem"), self.report_wanted.emit)
        self.manual = button(tr("Read about Potluck"), self._open_manual)
        if not manual_file().exists():
            self.manual.hide()
        self.licence = button(tr("Read the licence"), self._show_licence)
        if not licence_text():
            self.licence.hide()
        card.body.addWidget(
            label(
                tr(
                    "Something does not work? Show the log, look through it, save it, and send it "
                    "with a few words on what you did to whoever gave you Potluck."
                ),
                wrap=True,
            )
        )
        card.body.addWidget(
            label(
                tr(
                    "Potluck is free software under the Apache License 2.0: use it, read it, "
                    "change it and pass it on. It comes without any warranty."
                ),
                wrap=True,
            )
        )
        card.body.addWidget(flowing(self.report, self.manual, self.licence))
        return card

    def _open_manual(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(manual_file())))

    def _show_licence(self) -> None:
        LicenceDialog(self).open()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Fill in what the node tells about itself."""
        for key, text in {
            "peer_id": snapshot.peer_id,
            "listen": listens_on(snapshot.listen),
            "identity": tr(snapshot.identity_kept_in),
            "uptime": words.duration(snapshot.uptime_seconds),
        }.items():
            shown = text or words.UNKNOWN
            if self.facts[key].text() != shown:
                self.facts[key].setText(shown)
                self.facts[key].setCursorPosition(0)


class LicenceDialog(QDialog):
    """The licence, word for word; it is not translated, because only these words hold."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Licence"))
        self.resize(680, 560)
        self.text = QPlainTextEdit(licence_text())
        self.text.setReadOnly(True)
        self.text.setAccessibleName(tr("Licence"))
        column = QVBoxLayout(self)
        column.setContentsMargins(looks.LARGE, looks.LARGE, looks.LARGE, looks.LARGE)
        column.setSpacing(looks.MEDIUM)
        column.addWidget(self.text, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(button(tr("Close"), self.reject))
        column.addLayout(row)


def manual_file() -> Path:
    """What there is to read about Potluck on this computer; it may not have been brought along."""
    return root_folder() / "README.md"


def listens_on(address: str) -> str:
    """Where others reach this computer, in words where it is everywhere."""
    host, _, port = address.rpartition(":")
    if host in ("0.0.0.0", "[::]"):
        return tr("port {port}, on every network it is in").format(port=port)
    return address
