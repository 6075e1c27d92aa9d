"""Where the person writes: grows with the text, Enter sends, Shift+Enter begins a line."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QMimeData, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout

from app.api.shapes import MAX_MESSAGE_CHARACTERS
from app.ui import theme as looks
from app.ui.controls import IconButton, button, label
from app.ui.markdown_view import wrap_mode
from app.ui.theme import Theme
from app.ui.translations import tr

MOST_LINES: Final = 9


class Field(QPlainTextEdit):
    """The text field; Tab moves on instead of indenting."""

    send_pressed = Signal()
    escape_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.retranslate()
        self.document().contentsChanged.connect(self.updateGeometry)
        self.document().documentLayout().documentSizeChanged.connect(lambda _: self._fit())
        self._fit()

    def retranslate(self) -> None:
        """Say in the language of now what belongs here."""
        self.setPlaceholderText(tr("Ask something"))
        self.setAccessibleName(tr("Your message"))

    def insertFromMimeData(self, source: QMimeData) -> None:  # noqa: N802 - Qt's name
        """Paste text; a word without end is wrapped anywhere, which takes no time."""
        self.suit(source.text())
        super().insertFromMimeData(source)

    def put(self, text: str) -> None:
        """Replace the text."""
        self.suit(text)
        self.setPlainText(text)

    def suit(self, text: str) -> None:
        """Choose how lines are broken: at words, unless a word takes seconds to break."""
        self.setWordWrapMode(wrap_mode(text))

    def _fit(self) -> None:
        lines = max(1, min(MOST_LINES, round(self.document().size().height())))
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 22)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Enter sends, unless Shift is held; Escape gives up."""
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.send_pressed.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.escape_pressed.emit()
        else:
            super().keyPressEvent(event)


class Composer(QFrame):
    """The field and its button, which sends or, while an answer is written, stops it."""

    sent = Signal(str)
    stop_wanted = Signal()
    edit_given_up = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("look", "composer")
        self._writing = False
        self._blocked = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(looks.SMALL, looks.TINY, looks.SMALL, looks.TINY)
        column.setSpacing(0)
        self._editing = QFrame()
        head = QHBoxLayout(self._editing)
        head.setContentsMargins(looks.SMALL, 0, 0, 0)
        self._editing_words = label("", "muted")
        self._cancel = button("", self.give_up, "quiet")
        head.addWidget(self._editing_words)
        head.addStretch(1)
        head.addWidget(self._cancel)
        self._editing.hide()
        self.field = Field()
        self.field.send_pressed.connect(self._send)
        self.field.escape_pressed.connect(self._escape)
        self.field.textChanged.connect(self._update)
        self.button = IconButton(theme, "send", "", self._press)
        self.button.setProperty("look", "send")
        self.button.setIconSize(QSize(20, 20))
        row = QHBoxLayout()
        row.addWidget(self.field, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignBottom)
        column.addWidget(self._editing)
        column.addLayout(row)
        self.setFocusProxy(self.field)
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the language of now; what is being written stays."""
        self._editing_words.setText(tr("Changing an earlier message; what came after it goes."))
        self._cancel.setText(tr("Cancel"))
        self._cancel.setAccessibleName(tr("Cancel"))
        self.field.retranslate()
        self.button.rename(tr("Stop") if self._writing else tr("Send"))
        self._update()

    def set_writing(self, *, yes: bool) -> None:
        """While an answer is written the button stops it; the field stays usable."""
        self._writing = yes
        self.button.draw("stop" if yes else "send", "on_accent")
        self.button.rename(tr("Stop") if yes else tr("Send"))
        self._update()

    def edit(self, text: str) -> None:
        """Change an earlier message."""
        self._editing.show()
        self.field.put(text)
        self.field.moveCursor(QTextCursor.MoveOperation.End)
        self.field.setFocus()

    def give_up(self) -> None:
        """Leave the earlier message as it is."""
        if self._editing.isVisible() or not self._editing.isHidden():
            self._editing.hide()
            self.field.clear()
            self.edit_given_up.emit()

    def _press(self) -> None:
        if self._writing:
            self.stop_wanted.emit()
        else:
            self._send()

    def _escape(self) -> None:
        if self._writing:
            self.stop_wanted.emit()
        else:
            self.give_up()

    def _send(self) -> None:
        text = self.field.toPlainText().strip()
        if text and not self._writing and len(text) <= MAX_MESSAGE_CHARACTERS:
            self._editing.hide()
            self.field.clear()
            self.sent.emit(text)

    def _update(self) -> None:
        text = self.field.toPlainText().strip()
        too_long = len(text) > MAX_MESSAGE_CHARACTERS
        usable = self._writing or (bool(text) and not too_long)
        self.button.setEnabled(usable)
        self.button.draw("stop" if self._writing else "send", "on_accent" if usable else "muted")
        if too_long:
            self.button.setToolTip(
                tr("Too long by {n} characters").format(n=len(text) - MAX_MESSAGE_CHARACTERS)
            )
