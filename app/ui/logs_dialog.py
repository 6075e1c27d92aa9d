"""The log as it would be exported: to be read before it is saved."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from app.api.shapes import LogsView
from app.ui import theme as looks
from app.ui.controls import button, label
from app.ui.markdown_writer import code_font
from app.ui.translations import counted, tr


class LogsDialog(QDialog):
    """Shows the log without addresses and names, and saves it where the person says."""

    def __init__(self, parent: QWidget, logs: LogsView) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Logs"))
        self.resize(760, 520)
        column = QVBoxLayout(self)
        column.setContentsMargins(looks.LARGE, looks.LARGE, looks.LARGE, looks.LARGE)
        column.setSpacing(looks.MEDIUM)
        removed = counted(
            logs.removed,
            "{n} address or name was removed. Read it through before you pass it on.",
            "{n} addresses and names were removed. Read it through before you pass it on.",
        )
        column.addWidget(label(removed, wrap=True))
        self.text = QPlainTextEdit(logs.text or tr("The log is empty."))
        self.text.setReadOnly(True)
        self.text.setFont(code_font())
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName(tr("Logs"))
        column.addWidget(self.text, 1)
        self.trouble = label("", "trouble", wrap=True)
        self.trouble.hide()
        column.addWidget(self.trouble)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(button(tr("Close"), self.reject))
        row.addWidget(button(tr("Save…"), self._save, "primary"))
        column.addLayout(row)

    def _save(self) -> None:
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        path, _ = QFileDialog.getSaveFileName(
            self, tr("Save logs"), str(Path(folder) / "potluck-log.txt")
        )
        if path:
            self.save_to(Path(path))

    def save_to(self, path: Path) -> None:
        """Write what is shown into a file, and close; what goes wrong is said."""
        try:
            path.write_text(self.text.toPlainText(), encoding="utf-8")
        except OSError as error:
            self.trouble.setText(
                tr("{path} could not be written: {reason}. Choose another place.").format(
                    path=path, reason=error.strerror or error
                )
            )
            self.trouble.show()
            return
        self.accept()
