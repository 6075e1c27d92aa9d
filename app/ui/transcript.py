"""The messages of one conversation, scrolling; follows an answer only from its end.

Whoever has scrolled up to read stays where they are, however fast text arrives below.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.api.shapes import MessageView
from app.ui import theme as looks
from app.ui.message_view import Message
from app.ui.theme import Theme
from app.ui.translations import tr

NEAR_END_PIXELS: Final = 24
QUESTION_SHARE: Final = 5
"""A question takes at most five sixths of the width; an answer takes all of it."""


class Transcript(QScrollArea):
    """Shows messages; signals say what the person wants with one."""

    edit_wanted = Signal(object)
    again_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._follow = True
        self.messages: list[Message] = []
        self._lines: list[QHBoxLayout | None] = []
        """Of each message, in which line it stands; None where it has the width to itself."""
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Conversation"))
        inside = QWidget()
        inside.setProperty("look", "page")
        row = QHBoxLayout(inside)
        row.setContentsMargins(looks.WIDE, looks.WIDE, looks.WIDE, looks.LARGE)
        column = QWidget()
        column.setMaximumWidth(looks.CONTENT_WIDTH - 120)
        self._column = QVBoxLayout(column)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(looks.LARGE)
        self._column.addStretch(1)
        row.addStretch(1)
        row.addWidget(column, 100)
        row.addStretch(1)
        self.setWidget(inside)
        inside.installEventFilter(self)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.verticalScrollBar().rangeChanged.connect(lambda *_: self._stay())

    def retranslate(self) -> None:
        """Say in the language of now what is not the conversation itself."""
        self.setAccessibleName(tr("Conversation"))
        for message in self.messages:
            message.retranslate()

    def clear_all(self) -> None:
        """Show nothing."""
        while self.messages:
            self._take_last()
        self._follow = True

    def show_messages(self, views: list[MessageView]) -> None:
        """Show a conversation from its beginning."""
        self.clear_all()
        for view in views:
            if view.role != "system":
                self.add(view.role).show_view(view)
        self.mark_last()

    def add(self, role: str) -> Message:
        """Add an empty message at the end."""
        message = Message(self._theme, role)
        message.edit_wanted.connect(self.edit_wanted)
        message.again_wanted.connect(self.again_wanted)
        self.messages.append(message)
        at = self._column.count() - 1
        line = QHBoxLayout() if message.mine else None
        if line is not None:
            self._column.insertLayout(at, line)  # empty: see `_take_last`
            line.addStretch(1)
            line.addWidget(message, QUESTION_SHARE)
        else:
            self._column.insertWidget(at, message)
        self._lines.append(line)
        return message

    def cut_from(self, message: Message) -> None:
        """Take away a message and all after it."""
        while message in self.messages:
            self._take_last()

    def mark_last(self) -> None:
        """Offer "write again" at the last answer only."""
        for message in self.messages:
            message.may_be_written_again(yes=message is self.messages[-1])

    def follow(self) -> None:
        """Go to the end, and stay there while text arrives."""
        self._follow = True
        self._stay()

    def _take_last(self) -> None:
        message, line = self.messages.pop(), self._lines.pop()
        # What Python has seen of a layout's items (by `itemAt`, or in a layout that was filled
        # before it was put somewhere), Qt deletes without a word: Python would take the next
        # thing that Qt makes at that place in memory for it, be it an answer of the node.
        if line is not None:
            line.removeWidget(message)
            self._column.removeItem(line)
            line.deleteLater()
        else:
            self._column.removeWidget(message)
        message.hide()
        message.deleteLater()

    def _scrolled(self, value: int) -> None:
        self._follow = value >= self.verticalScrollBar().maximum() - NEAR_END_PIXELS

    def _stay(self) -> None:
        if self._follow:
            bar = self.verticalScrollBar()
            bar.setValue(bar.maximum())
            self._follow = True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """When the content grows, keep its end in view before it is painted."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._stay()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Home and End go to the ends of the conversation."""
        bar = self.verticalScrollBar()
        if event.key() == Qt.Key.Key_Home:
            bar.setValue(bar.minimum())
        elif event.key() == Qt.Key.Key_End:
            bar.setValue(bar.maximum())
        else:
            super().keyPressEvent(event)
