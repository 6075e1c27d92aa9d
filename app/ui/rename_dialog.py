"""Another name for a chat; the counterpart is the list that shows it (`app/ui/chat_list.py`)."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.api.shapes import MAX_TITLE_CHARACTERS
from app.ui import theme as looks
from app.ui.controls import button, label
from app.ui.translations import tr

WIDTH = 440


class RenameDialog(QDialog):
    """Asks for a name; `named` carries it when the person agrees to one that is not empty."""

    named = Signal(str)

    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Rename chat"))
        self.setMinimumWidth(WIDTH)
        self.field = QLineEdit(name)
        self.field.setMaxLength(MAX_TITLE_CHARACTERS)
        self.field.setAccessibleName(tr("Name"))
        self.field.selectAll()
        self.field.textChanged.connect(lambda _: self._look())
        title = label(tr("Name"))
        title.setBuddy(self.field)
        self.save = button(tr("Save"), self.accept, "primary")
        self.save.setDefault(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(looks.WIDE, looks.WIDE, looks.WIDE, looks.LARGE)
        column.setSpacing(looks.SMALL)
        column.addWidget(title)
        column.addWidget(self.field)
        column.addSpacing(looks.SMALL)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(button(tr("Cancel"), self.reject))
        row.addWidget(self.save)
        column.addLayout(row)
        self.accepted.connect(lambda: self.named.emit(self.field.text().strip()))

    def _look(self) -> None:
        self.save.setEnabled(bool(self.field.text().strip()))
