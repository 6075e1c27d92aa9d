"""What this program is, which version, and where its things lie."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout

from app.api.shapes import Snapshot
from app.ui import theme as looks
from app.ui import words
from app.ui.controls import Card, Page, label
from app.ui.icons import application_icon
from app.ui.translations import tr


class AboutPage(Page):
    """The page; facts are filled in when the node tells them."""

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
        self.body.addWidget(label(tr("Apache License 2.0"), "muted"))
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

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Fill in what the node tells about itself."""
        for key, text in {
            "peer_id": snapshot.peer_id,
            "listen": snapshot.listen,
            "identity": tr(snapshot.identity_kept_in),
            "uptime": words.duration(snapshot.uptime_seconds),
        }.items():
            shown = text or words.UNKNOWN
            if self.facts[key].text() != shown:
                self.facts[key].setText(shown)
                self.facts[key].setCursorPosition(0)
