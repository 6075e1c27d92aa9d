"""The few kinds of controls that every screen is made of, each with a name for screen readers."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.ui import theme as looks
from app.ui.flow_layout import FlowLayout
from app.ui.icons import icon
from app.ui.theme import Theme

Action = Callable[[], object]
EMPTY_PIXELS: Final = 44
"""The drawing where nothing is yet."""


def nothing() -> None:
    """What a button without anything to do does."""


def label(text: str = "", look: str = "", *, wrap: bool = False) -> QLabel:
    """A piece of text; `look` is "title", "strong", "muted", "figure" or "trouble"."""
    made = QLabel(text)
    made.setProperty("look", look)
    made.setWordWrap(wrap)
    # What is shown may come from other computers: never as markup.
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made


class OneLine(QLabel):
    """Text in one line: what does not fit ends in "…", and its tooltip says all of it."""

    def __init__(self, look: str) -> None:
        super().__init__()
        self.setProperty("look", look)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def shown(self) -> str:
        """What of the text is drawn."""
        room = self.contentsRect().width()
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room)

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Replace the text."""
        super().setText(text)
        self._tell_rest()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Another part of it fits."""
        super().resizeEvent(event)
        self._tell_rest()

    def _tell_rest(self) -> None:
        self.setToolTip("" if self.shown() == self.text() else plain_tip(self.text()))

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw what fits."""
        shown = self.shown()
        where = self.alignment() | Qt.AlignmentFlag.AlignVCenter
        colours, role = self.palette(), self.foregroundRole()
        with QPainter(self) as painter:
            self.style().drawItemText(
                painter, self.contentsRect(), where, colours, self.isEnabled(), shown, role
            )


def plain_tip(text: str) -> str:
    """A tooltip that shows this very text: Qt would take some of it for HTML, and load files."""
    if "<" not in text and "&lt;" not in text:  # what Qt looks for
        return text
    return f'<p style="white-space: pre-wrap">{html.escape(text)}</p>'


def plain_box(parent: QWidget, title: str, text: str, more: str = "") -> QMessageBox:
    """A question whose words are shown as they are, whoever they come from."""
    box = QMessageBox(parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setText(text)
    if more:
        box.setInformativeText(more)
        # Qt passes the format on to the second text only where it was there before.
        for words in box.findChildren(QLabel):
            words.setTextFormat(Qt.TextFormat.PlainText)
    return box


class Button(QPushButton):
    """A button that Enter presses as well as Space, in windows as in dialogs."""

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Enter presses it."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.animateClick()
        else:
            super().keyPressEvent(event)


def button(text: str, action: Action, look: str = "") -> QPushButton:
    """A button with words; `look` is "primary", "quiet", "link" or "danger"."""
    made = Button(text)
    made.setProperty("look", look)
    made.setAccessibleName(text)
    made.clicked.connect(lambda: action())
    return made


class IconButton(QToolButton):
    """A button with a drawing; its name is its tooltip and what a screen reader says."""

    def __init__(self, theme: Theme, drawing: str, name: str, action: Action | None = None) -> None:
        super().__init__()
        self._theme = theme
        self._drawing = drawing
        self._ink = "muted"
        self.setIconSize(QSize(18, 18))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.rename(name)
        if action is not None:
            self.clicked.connect(lambda: action())
        theme.changed.connect(self._paint)
        self._paint()

    def rename(self, name: str) -> None:
        """Change what the button says it does."""
        self.setToolTip(plain_tip(name))
        self.setAccessibleName(name)

    def draw(self, drawing: str, ink: str = "muted") -> None:
        """Change the drawing and the colour it is drawn in."""
        self._drawing, self._ink = drawing, ink
        self._paint()

    def _paint(self) -> None:
        self.setIcon(icon(self._drawing, getattr(self._theme.colours, self._ink)))


class Card(QFrame):
    """A panel with a heading; put what it shows into `body`."""

    def __init__(self, title: str = "") -> None:
        super().__init__()
        self.setProperty("look", "card")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(looks.LARGE, looks.MEDIUM, looks.LARGE, looks.LARGE)
        self.body.setSpacing(looks.SMALL)
        self.heading = label(title, "strong")
        self.setAccessibleName(title)
        self.body.addWidget(self.heading)
        if not title:  # not `setVisible`: who is shown before it lies in something is a window
            self.heading.hide()


class Banner(QFrame):
    """One sentence that matters, with at most one thing to do about it."""

    def __init__(self, look: str = "warning") -> None:
        super().__init__()
        self.setProperty("look", look)
        row = QHBoxLayout(self)
        row.setContentsMargins(looks.MEDIUM, looks.SMALL, looks.SMALL, looks.SMALL)
        self.text = label(wrap=True)
        self.button = Button()
        self._action: Action = nothing
        self.button.clicked.connect(lambda: self._action())
        row.addWidget(self.text, 1)
        row.addWidget(self.button)
        self.hide()

    def say(self, text: str, offer: str = "", action: Action = nothing) -> None:
        """Show a sentence; an empty one hides the banner."""
        self.text.setText(text)
        self.setAccessibleName(text)
        self.button.setText(offer)
        self.button.setAccessibleName(offer)
        self.button.setVisible(bool(offer))
        self._action = action
        self.setVisible(bool(text))


class Explained(QWidget):
    """An answer to choose: a box or button with its name, and beneath what it means.

    All of it can be clicked, not only the name.
    """

    def __init__(self, choice: QAbstractButton, words: str) -> None:
        super().__init__()
        self.button = choice
        choice.setAccessibleDescription(words)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, looks.SMALL)
        column.setSpacing(0)
        note = label(words, "muted", wrap=True)
        note.setContentsMargins(looks.WIDE, 0, 0, 0)
        column.addWidget(choice)
        column.addWidget(note)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """The words are the button's."""
        pressed = event.button() == Qt.MouseButton.LeftButton
        if pressed and self.rect().contains(event.position().toPoint()):
            self.button.setFocus(Qt.FocusReason.MouseFocusReason)
            self.button.click()


class EmptyState(QWidget):
    """What stands where nothing is yet: what would be here, and how to get it.

    With `yields` it lies where the height is given, and its drawing goes when room is short.
    """

    def __init__(
        self, theme: Theme, drawing: str, title: str, words: str, *, yields: bool = False
    ) -> None:
        super().__init__()
        self._yields = yields
        self._theme = theme
        self._drawing = drawing
        column = QVBoxLayout(self)
        column.setSpacing(looks.SMALL)
        column.setContentsMargins(looks.WIDE, looks.WIDE, looks.WIDE, looks.WIDE)
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = label(title, "title")
        self.words = label(words, "muted", wrap=True)
        self.words.setMaximumWidth(540)
        column.addStretch(1)
        column.addWidget(self._picture)
        for text in (self.title, self.words):
            text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self.title)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.words, 6)
        row.addStretch(1)
        column.addLayout(row)
        self.below = FlowLayout(centred=True)
        self.below.setContentsMargins(0, looks.SMALL, 0, 0)
        column.addLayout(self.below)
        column.addStretch(2)
        theme.changed.connect(self._paint)
        self._paint()

    def _paint(self) -> None:
        drawn = icon(self._drawing, self._theme.colours.edge)
        size = QSize(EMPTY_PIXELS, EMPTY_PIXELS)
        self._picture.setPixmap(drawn.pixmap(size, self.devicePixelRatioF()))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """The words and what can be done matter more than the drawing."""
        super().resizeEvent(event)
        column = self.layout()
        if self._yields and column is not None:
            lacking = EMPTY_PIXELS + looks.SMALL if self._picture.isHidden() else 0
            whole = column.totalHeightForWidth(self.width()) + lacking
            self._picture.setVisible(whole <= self.height())


class Page(QScrollArea):
    """A page that scrolls, its content in the middle and never too wide to read."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(title)
        inside = QWidget()
        inside.setProperty("look", "page")
        row = QHBoxLayout(inside)
        row.setContentsMargins(looks.WIDE, looks.WIDE, looks.WIDE, looks.WIDE)
        column = QWidget()
        column.setMaximumWidth(looks.CONTENT_WIDTH)
        self.body = QVBoxLayout(column)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(looks.LARGE)
        self.title = label(title, "title")
        self.body.addWidget(self.title)
        row.addStretch(1)
        row.addWidget(column, 100)
        row.addStretch(1)
        self.setWidget(inside)


def clear(layout: QLayout) -> None:
    """Take everything out of a layout and let it go."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()
        elif (inner := item.layout()) is not None:
            clear(inner)
