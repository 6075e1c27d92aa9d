"""Shows markdown as high as it is; grows with an answer while it is being written.

While text streams in, only the last block is written anew, at most 25 times a second and
less often when a frame takes long; when the answer is complete, everything is written
once more from the start. So neither typing nor scrolling ever waits for it.
"""

from __future__ import annotations

import math
import time
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QDesktopServices,
    QGuiApplication,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlock,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QTextBrowser, QToolButton

from app.ui import theme as looks
from app.ui.inline_markdown import safe_link
from app.ui.markdown import parse_placed
from app.ui.markdown_writer import (
    CODE_ABOVE_PIXELS,
    CODE_BELOW_PIXELS,
    CODE_MARK,
    QUOTE_MARK,
    RULE_MARK,
    DocumentWriter,
)
from app.ui.theme import Theme
from app.ui.translations import tr

FRAME_MILLISECONDS: Final = 40
MOST_FRAME_MILLISECONDS: Final = 500
SHARE_OF_TIME: Final = 4
"""Drawing takes at most a quarter of the time; the rest belongs to the person."""


class MarkdownView(QTextBrowser):
    """One text, read-only and selectable; its height follows its content."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self._source = ""
        self._drawn_length = 0
        self._stable_line = 0
        self._stable_position = 0
        self._writer = DocumentWriter(self.document(), theme)
        self._frame = QTimer(self, singleShot=True)
        self._frame.timeout.connect(self._draw_tail)
        self._copy_buttons: list[QToolButton] = []
        self.setAccessibleName(name)
        self.setProperty("look", "prose")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setOpenLinks(False)
        self.anchorClicked.connect(open_link)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        self.document().setUndoRedoEnabled(False)
        self.document().documentLayout().documentSizeChanged.connect(lambda _: self._fit())
        theme.changed.connect(self.draw_all)

    # ── text ─────────────────────────────────────────────────────────────────

    @property
    def source(self) -> str:
        """The markdown shown, the part not drawn yet included."""
        return self._source

    def set_source(self, text: str) -> None:
        """Show this text."""
        self._source = text
        self.draw_all()

    def append(self, text: str) -> None:
        """Add to the text; it appears with the next frame."""
        self._source += text
        if not self._frame.isActive():
            self._frame.start(FRAME_MILLISECONDS)

    def finish(self) -> None:
        """The text is complete: write all of it once more."""
        self.draw_all()

    def draw_all(self) -> None:
        """Write everything from the start."""
        self._frame.stop()
        self._stable_line = self._stable_position = 0
        self._draw_tail()
        self._place_copy_buttons()

    def _draw_tail(self) -> None:
        began = time.perf_counter()
        lines = self._source.split("\n")
        placed = parse_placed(lines[self._stable_line :])
        self._writer.cut(self._stable_position)
        positions = self._writer.write([one.block for one in placed])
        if placed:
            self._stable_line += placed[-1].line
            self._stable_position = positions[-1]
        self._drawn_length = len(self._source)
        self._fit()
        if self._copy_buttons:
            self._place_copy_buttons()
        spent = (time.perf_counter() - began) * 1000
        wait = max(FRAME_MILLISECONDS, min(MOST_FRAME_MILLISECONDS, spent * SHARE_OF_TIME))
        self._frame.setInterval(int(wait))

    # ── size ─────────────────────────────────────────────────────────────────

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Wrap the text anew, and be as high as it then is."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()
            self._place_copy_buttons()

    def _fit(self) -> None:
        height = max(1, math.ceil(self.document().size().height()))
        if height != self.height() or self.minimumHeight() != height:
            self.setFixedHeight(height)

    def natural_width(self) -> int:
        """How wide the text would be if no line had to be broken, in pixels."""
        copy = self.document().clone()
        copy.setTextWidth(-1)
        return math.ceil(copy.idealWidth()) + 2

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as there is room, as high as the text."""
        return QSize(looks.CONTENT_WIDTH, max(1, math.ceil(self.document().size().height())))

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """The conversation scrolls, never a single message."""
        event.ignore()

    def loadResource(self, kind: int, name: QUrl) -> object:  # noqa: N802 - Qt's name
        """Nothing is ever loaded for an answer, neither from disk nor from the network."""
        return None

    # ── what lies under and over the text ────────────────────────────────────

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the ground of code, the bars of quotes and the rules, then the text."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top, bottom = event.rect().top(), event.rect().bottom()
        block = self.document().firstBlock()
        layout = self.document().documentLayout()
        while block.isValid():
            made = block.blockFormat()
            if any(made.hasProperty(mark) for mark in (CODE_MARK, QUOTE_MARK, RULE_MARK)):
                box = self._box(layout, block)
                if box.top() - CODE_ABOVE_PIXELS > bottom:
                    break
                if box.bottom() + CODE_ABOVE_PIXELS >= top:
                    self._paint_mark(painter, block, box)
            block = block.next()
        painter.end()
        super().paintEvent(event)

    def _paint_mark(self, painter: QPainter, block: QTextBlock, box: QRectF) -> None:
        made = block.blockFormat()
        if made.hasProperty(CODE_MARK):
            ground = self._code_ground(block, box)
            painter.setPen(self._theme.colour("line"))
            painter.setBrush(self._theme.colour("sunken"))
            painter.drawRoundedRect(ground, 8, 8)
            painter.setPen(self._theme.colour("muted"))
            where = QPointF(ground.left() + looks.MEDIUM, ground.top() + 20)
            painter.drawText(where, str(made.property(CODE_MARK)))
        if made.hasProperty(QUOTE_MARK):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("line"))
            for depth in range(int(made.property(QUOTE_MARK))):
                x = made.leftMargin() - looks.LARGE * (depth + 1) + 2
                above = 0.0 if depth else made.topMargin() * 0.5
                painter.drawRect(QRectF(x, box.top() - above, 3, box.height() + above))
        if made.hasProperty(RULE_MARK):
            painter.setPen(self._theme.colour("line"))
            y = round(box.center().y()) + 0.5
            painter.drawLine(QPointF(0, y), QPointF(self.viewport().width(), y))

    @staticmethod
    def _box(layout: QAbstractTextDocumentLayout, block: QTextBlock) -> QRectF:
        """Where a paragraph's lines lie, its margins not included."""
        return QRectF(layout.blockBoundingRect(block))

    def _code_ground(self, block: QTextBlock, box: QRectF) -> QRectF:
        left = block.blockFormat().leftMargin() - looks.MEDIUM
        return QRectF(
            left + 0.5,
            box.top() - CODE_ABOVE_PIXELS + 0.5,
            self.viewport().width() - left - 1,
            block.layout().boundingRect().height() + CODE_ABOVE_PIXELS + CODE_BELOW_PIXELS - 1,
        )

    def _place_copy_buttons(self) -> None:
        """A copy button at the corner of each piece of code."""
        codes = []
        block = self.document().firstBlock()
        while block.isValid():
            if block.blockFormat().hasProperty(CODE_MARK):
                codes.append(block)
            block = block.next()
        while len(self._copy_buttons) > len(codes):
            self._copy_buttons.pop().deleteLater()
        while len(self._copy_buttons) < len(codes):
            self._copy_buttons.append(self._copy_button(len(self._copy_buttons)))
        layout = self.document().documentLayout()
        for button, code in zip(self._copy_buttons, codes, strict=True):
            ground = self._code_ground(code, self._box(layout, code))
            size = button.sizeHint()
            x = ground.right() - size.width() - looks.TINY
            button.setGeometry(int(x), int(ground.top()) + 2, size.width(), size.height())
            button.show()

    def _copy_button(self, place: int) -> QToolButton:
        made = QToolButton(self.viewport())
        made.setText(tr("Copy"))
        made.setAccessibleName(tr("Copy this code"))
        made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        made.setCursor(Qt.CursorShape.ArrowCursor)
        made.clicked.connect(lambda: self._copy_code(place))
        return made

    def _copy_code(self, place: int) -> None:
        block = self.document().firstBlock()
        seen = -1
        while block.isValid():
            seen += block.blockFormat().hasProperty(CODE_MARK)
            if seen == place:
                QGuiApplication.clipboard().setText(block.text().replace("\u2028", "\n"))
                self._copy_buttons[place].setText(tr("Copied"))
                return
            block = block.next()


def open_link(target: QUrl) -> None:
    """Open a link of an answer in the browser; only web and mail addresses are opened."""
    if safe_link(target.toString()):
        QDesktopServices.openUrl(target)
