"""Shows markdown as high as it is; grows with an answer while it is being written.

While text streams in, only the last block is written anew, at most 25 times a second and
less often when a frame takes long. A long text is written piece after piece, and between
two pieces the window does what else there is to do. So neither typing nor scrolling ever
waits for it.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from typing import Final

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCursor,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QTextBrowser

from app.ui import theme as looks
from app.ui.code_panes import CodePane, CodePanes
from app.ui.inline_markdown import safe_link
from app.ui.markdown import (
    Block,
    Code,
    Heading,
    Items,
    Paragraph,
    Placed,
    Quote,
    Table,
    parse_placed,
)
from app.ui.markdown_writer import (
    CODE_ABOVE_PIXELS,
    CODE_BELOW_PIXELS,
    CODE_MARK,
    LINE_PERCENT,
    LIST_MARK,
    QUOTE_MARK,
    RULE_MARK,
    DocumentWriter,
)
from app.ui.theme import Theme

FRAME_MILLISECONDS: Final = 40
MOST_FRAME_MILLISECONDS: Final = 500
MARK_GAP_PIXELS: Final = 8
ENDLESS_WORD: Final = re.compile(r"\S{3000}")
PAINTED_MARKS: Final = (CODE_MARK, QUOTE_MARK, RULE_MARK, LIST_MARK)
PIECE_SECONDS: Final = 0.015
"""After so long the rest of a text is left to the next turn; the layout needs time too."""
PIECE_WEIGHT: Final = 60
"""How much is written between two looks at the clock, as `_weight` counts."""
SHARE_OF_TIME: Final = 4
"""Drawing takes at most a quarter of the time; the rest belongs to the person."""


class MarkdownView(QTextBrowser):
    """One text, read-only and selectable; its height follows its content."""

    def __init__(self, theme: Theme, name: str, *, as_typed: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self._as_typed = as_typed
        self._source = ""
        self._drawn_length = 0
        self._stable_line = 0
        self._stable_position = 0
        self._drawing = False
        self._unwritten: deque[Placed] = deque()
        self._writer = DocumentWriter(self.document(), theme)
        self._frame = QTimer(self, singleShot=True)
        self._frame.timeout.connect(self._draw_tail)
        self._codes = CodePanes(self, self.viewport().update)
        self.setAccessibleName(name)
        self.setProperty("look", "prose")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The view itself never scrolls sideways: only its pieces of code do.
        self.horizontalScrollBar().rangeChanged.connect(
            lambda *_: self.horizontalScrollBar().setRange(0, 0)
        )
        self.cursorPositionChanged.connect(self._reveal_cursor)
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

    def retranslate(self) -> None:
        """Name what stands around code in the language of now."""
        for pane in self._codes.all:
            pane.retranslate()

    def append(self, text: str) -> None:
        """Add to the text; it appears with the next frame."""
        self._source += text
        if not self._frame.isActive():
            self._frame.start(FRAME_MILLISECONDS)

    def finish(self) -> None:
        """The text is complete: write what is not written yet."""
        if self._as_typed:
            self._draw_as_typed()
        elif self._drawn_length != len(self._source):
            self._frame.stop()
            self._draw_tail()

    def draw_all(self) -> None:
        """Write everything from the start."""
        self._frame.stop()
        self._stable_line = self._stable_position = 0
        self._unwritten.clear()
        if self._as_typed:
            self._draw_as_typed()
        else:
            self._draw_tail()

    def _draw_as_typed(self) -> None:
        """Every line and every star as the person typed them."""
        self.setWordWrapMode(wrap_mode(self._source))
        self.setPlainText(self._source)
        lines = QTextBlockFormat()
        lines.setLineHeight(LINE_PERCENT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.mergeBlockFormat(lines)
        self._drawn_length = len(self._source)
        self._fit()

    def _draw_tail(self) -> None:
        """Write the last block anew and what came after it, as far as the time goes."""
        began = time.perf_counter()
        self._drawing = True
        if not self._unwritten:
            lines = self._source.split("\n")[self._stable_line :]
            self._unwritten.extend(
                Placed(self._stable_line + one.line, one.block) for one in parse_placed(lines)
            )
            self._writer.cut(self._stable_position)
            self._drawn_length = len(self._source)
        began_at = self._stable_position
        self._write_pieces(began)
        if not self._unwritten:
            self._leave_room()
        self._drawing = False
        self._fit()
        self._codes.look_from(began_at)
        spent = (time.perf_counter() - began) * 1000
        wait = max(FRAME_MILLISECONDS, min(MOST_FRAME_MILLISECONDS, spent * SHARE_OF_TIME))
        if self._unwritten:
            self._frame.start(0)
        elif self._drawn_length != len(self._source):
            self._frame.start(int(wait))
        else:
            self._frame.setInterval(int(wait))

    def _write_pieces(self, began: float) -> None:
        """Write what is waiting, at least one block, until the time for it is over."""
        while self._unwritten:
            piece = [self._unwritten.popleft()]
            weight = _weight(piece[0].block)
            while self._unwritten and weight < PIECE_WEIGHT:
                piece.append(self._unwritten.popleft())
                weight += _weight(piece[-1].block)
            positions = self._writer.write([one.block for one in piece])
            self._stable_line, self._stable_position = piece[-1].line, positions[-1]
            if time.perf_counter() - began >= PIECE_SECONDS:
                break

    # ── size ─────────────────────────────────────────────────────────────────

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Wrap the text anew, and be as high as it then is."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()
            self._codes.place_all()

    def _leave_room(self) -> None:
        """Qt drops the space above the first and below the last paragraph; code needs it."""
        document = self.document()
        made = document.rootFrame().frameFormat()
        is_code = [
            block.blockFormat().hasProperty(CODE_MARK)
            for block in (document.firstBlock(), document.lastBlock())
        ]
        above, below = CODE_ABOVE_PIXELS * is_code[0], CODE_BELOW_PIXELS * is_code[1]
        if (made.topMargin(), made.bottomMargin()) != (above, below):
            made.setTopMargin(above)
            made.setBottomMargin(below)
            document.rootFrame().setFrameFormat(made)

    def _fit(self) -> None:
        if self._drawing:
            return  # the document tells of every block; once at the end is enough
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
        """The conversation scrolls, never a single message; code does sideways."""
        pane = self._codes.at(event.position().y())
        if pane is not None and pane.wheel(event):
            event.accept()
        else:
            event.ignore()

    def loadResource(self, kind: int, name: QUrl) -> object:  # noqa: N802 - Qt's name
        """Nothing is ever loaded for an answer, neither from disk nor from the network."""
        return None

    # ── what lies under and over the text ────────────────────────────────────

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint what lies under the text, then the text; code only within its ground."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_marks(painter, event.rect())
        painter.end()
        area = event.rect()
        top = area.top()
        for pane in self._codes.all:
            window = pane.window()
            if window.bottom() < top:
                continue
            if window.top() > area.bottom():
                break
            self._paint_text(QRect(area.left(), top, area.width(), window.top() - top))
            self._paint_text(window.intersected(area))
            top = window.bottom() + 1
        self._paint_text(QRect(area.left(), top, area.width(), area.bottom() + 1 - top))

    def _paint_text(self, area: QRect) -> None:
        if not area.isEmpty():
            super().paintEvent(QPaintEvent(area))

    def _paint_marks(self, painter: QPainter, area: QRect) -> None:
        block = self.document().firstBlock()
        layout = self.document().documentLayout()
        while block.isValid():
            made = block.blockFormat()
            if any(made.hasProperty(mark) for mark in PAINTED_MARKS):
                box = layout.blockBoundingRect(block)
                if box.top() - CODE_ABOVE_PIXELS > area.bottom():
                    break
                if box.bottom() + CODE_ABOVE_PIXELS >= area.top():
                    self._paint_mark(painter, block, box)
            block = block.next()

    def _paint_mark(self, painter: QPainter, block: QTextBlock, box: QRectF) -> None:
        made = block.blockFormat()
        pane = self._codes.holding(block) if made.hasProperty(CODE_MARK) else None
        if pane is not None:
            self._paint_ground(painter, pane)
        if made.hasProperty(QUOTE_MARK):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("line"))
            for left in str(made.property(QUOTE_MARK)).split():
                above = made.topMargin() * 0.5
                painter.drawRect(QRectF(int(left) + 2, box.top() - above, 3, box.height() + above))
        if made.hasProperty(RULE_MARK):
            painter.setPen(self._theme.colour("line"))
            y = round(box.center().y()) + 0.5
            painter.drawLine(QPointF(0, y), QPointF(self.viewport().width(), y))
        if made.hasProperty(LIST_MARK):
            self._paint_list_mark(painter, block)

    def _paint_ground(self, painter: QPainter, pane: CodePane) -> None:
        ground = pane.ground()
        painter.setPen(self._theme.colour("line"))
        painter.setBrush(self._theme.colour("sunken"))
        painter.drawRoundedRect(ground, 8, 8)
        painter.setPen(self._theme.colour("muted"))
        where = QPointF(ground.left() + looks.MEDIUM, ground.top() + 20)
        painter.drawText(where, str(pane.block.blockFormat().property(CODE_MARK)))

    def _paint_list_mark(self, painter: QPainter, block: QTextBlock) -> None:
        """A dot or a number before the first line of an item, at the side where it begins."""
        line = block.layout().lineAt(0)
        if not line.isValid():
            return
        made = block.blockFormat()
        text = str(made.property(LIST_MARK))
        painter.setFont(self.document().defaultFont())
        painter.setPen(self._theme.colour("muted"))
        wide = painter.fontMetrics().horizontalAdvance(text)
        if block.textDirection() == Qt.LayoutDirection.RightToLeft:
            x = self.viewport().width() - made.rightMargin() + MARK_GAP_PIXELS
        else:
            x = made.leftMargin() - MARK_GAP_PIXELS - wide
        y = block.layout().position().y() + line.y() + line.ascent()
        painter.drawText(QPointF(x, y), text)

    def _reveal_cursor(self) -> None:
        """Scroll code after a cursor that the person moved, not after one that text pushes."""
        if self._drawing:
            return
        cursor = self.textCursor()
        pane = self._codes.holding(cursor.block())
        if pane is not None:
            pane.reveal(cursor)


def _weight(block: Block) -> int:
    """How long it takes to write a block, compared with a short paragraph."""
    match block:
        case Paragraph(text) | Heading(_, text):
            return 1 + len(text) // 500
        case Code():
            return 15 + len(block.text) // 200
        case Quote(blocks):
            return 1 + sum(map(_weight, blocks))
        case Items():
            return sum(1 + sum(map(_weight, item)) for item in block.items)
        case Table():
            return 5 * (len(block.rows) + 1) * len(block.head)
    return 1


def open_link(target: QUrl) -> None:
    """Open a link of an answer in the browser; only web and mail addresses are opened."""
    if safe_link(target.toString()):
        QDesktopServices.openUrl(target)


def wrap_mode(text: str) -> QTextOption.WrapMode:
    """How lines are broken: at words, unless a word takes seconds to break."""
    mode = QTextOption.WrapMode
    endless = ENDLESS_WORD.search(text) is not None
    return mode.WrapAnywhere if endless else mode.WrapAtWordBoundaryOrAnywhere
