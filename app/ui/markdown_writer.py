"""Draws markdown blocks into a text document.

Code, quotes and items are ordinary paragraphs that carry a mark; `app/ui/markdown_view.py`
paints the ground under them, and the dots and numbers, which so are no part of the text.
So any tail of the document can be cut off and written anew, which is how an answer grows
without being drawn from the start each time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QBrush,
    QFont,
    QFontDatabase,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextLayout,
    QTextLength,
    QTextTableFormat,
)

from app.ui import theme as looks
from app.ui.controls import plain_tip
from app.ui.highlight import tokens
from app.ui.inline_markdown import pieces
from app.ui.markdown import Block, Code, Heading, Items, Paragraph, Quote, Rule, Table
from app.ui.theme import Theme

CODE_MARK: Final = QTextFormat.Property.UserProperty + 1
QUOTE_MARK: Final = QTextFormat.Property.UserProperty + 2
RULE_MARK: Final = QTextFormat.Property.UserProperty + 3
LIST_MARK: Final = QTextFormat.Property.UserProperty + 4
LINE_SEPARATOR: Final = "\u2028"
ENDLESS_WORD: Final = re.compile(r"\S{400}")
"""Qt takes seconds to wrap a word of many thousand letters; this one gets places to break."""
UNSEEN: Final = re.compile("[\U000e0020-\U000e007f]{8,}")
"""Letters that nobody sees; a flag is made of fewer."""
LIST_PIXELS: Final = 24
DIGIT_PIXELS: Final = 8
"""Room in a list for each further digit of its numbers."""
LINE_PERCENT: Final = 128
CODE_ABOVE_PIXELS: Final = 36
CODE_BELOW_PIXELS: Final = 14
"""How far the ground of code reaches beyond its lines; above, its language is named."""


class DocumentWriter:
    """Writes at the end of one document; the first block needs no space above it."""

    def __init__(self, document: QTextDocument, theme: Theme) -> None:
        self._document = document
        self._theme = theme
        self._cursor = QTextCursor(document)
        self._first = True
        self._quotes: list[int] = []  # how far each quote around us is indented

    def cut(self, position: int) -> None:
        """Forget everything from `position` on; 0 empties the document."""
        if position <= 0:
            self._document.clear()
            self._cursor = QTextCursor(self._document)
            self._first = True
            return
        self._cursor.setPosition(position)
        self._cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        self._cursor.removeSelectedText()

    def write(self, blocks: Sequence[Block]) -> list[int]:
        """Write blocks at the end; the position before each, for `cut`."""
        self._cursor.beginEditBlock()
        positions = []
        for block in blocks:
            self._cursor.movePosition(QTextCursor.MoveOperation.End)
            positions.append(0 if self._first else self._cursor.position())
            self._block(block, indent=0, above=looks.MEDIUM)
        self._cursor.endEditBlock()
        return positions

    # ── blocks ───────────────────────────────────────────────────────────────

    def _block(self, block: Block, *, indent: int, above: int, marker: str = "") -> None:
        match block:
            case Paragraph(text):
                self._begin(self._format(indent, above, text), marker)
                self._inline(text)
            case Heading(level, text):
                space = looks.LARGE if not self._first else 0
                self._begin(self._format(indent, space, text), marker)
                self._inline(text, heading=level)
            case Code():
                self._begin_marker_alone(indent, above, marker)
                self._code(block, indent, above)
            case Rule():
                made = self._format(indent, looks.LARGE)
                made.setProperty(RULE_MARK, True)
                self._begin(made, "")
            case Quote(blocks):
                self._begin_marker_alone(indent, above, marker)
                self._quotes.append(indent)
                for inner in blocks:
                    self._block(inner, indent=indent + looks.LARGE, above=looks.SMALL)
                self._quotes.pop()
            case Items():
                self._items(block, indent, above)
            case Table():
                self._begin_marker_alone(indent, above, marker)
                self._table(block, indent)

    def _items(self, block: Items, indent: int, above: int) -> None:
        last = 0 if block.first is None else block.first + len(block.items) - 1
        inner = indent + LIST_PIXELS + DIGIT_PIXELS * (len(str(last)) - 1)
        for place, item in enumerate(block.items):
            marker = "•" if block.first is None else f"{block.first + place}."
            space = above if place == 0 else looks.TINY
            if not item:
                self._begin(self._format(inner, space), marker)
            for number, part in enumerate(item):
                gap = space if number == 0 else looks.TINY
                self._block(part, indent=inner, above=gap, marker="" if number else marker)

    def _begin_marker_alone(self, indent: int, above: int, marker: str) -> None:
        if marker:
            self._begin(self._format(indent, above), marker)

    def _format(self, indent: int, above: int, text: str = "") -> QTextBlockFormat:
        made = QTextBlockFormat()
        if not self._quotes and reads_from_the_right(text):
            made.setRightMargin(indent)
        else:
            made.setLeftMargin(indent)
        made.setTopMargin(0 if self._first else above)
        made.setLineHeight(LINE_PERCENT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        if self._quotes:
            made.setProperty(QUOTE_MARK, " ".join(map(str, self._quotes)))
        return made

    def _begin(self, made: QTextBlockFormat, marker: str) -> None:
        """Begin a paragraph; a list's mark is painted beside it."""
        if marker:
            made.setProperty(LIST_MARK, marker)
        if self._first:
            self._cursor.setBlockFormat(made)
            self._cursor.setBlockCharFormat(QTextCharFormat())
            self._first = False
        else:
            self._cursor.insertBlock(made, QTextCharFormat())

    def _code(self, block: Code, indent: int, above: int) -> None:
        made = QTextBlockFormat()
        made.setLeftMargin(indent + looks.MEDIUM)
        made.setRightMargin(looks.MEDIUM)
        # The ground reaches beyond the text: above it the name of the language stands.
        follows_code = self._cursor.blockFormat().hasProperty(CODE_MARK) and not self._first
        # Of two margins that meet Qt takes the larger one, so the second makes room for both.
        below = CODE_BELOW_PIXELS * follows_code
        made.setTopMargin((0 if self._first else above) + CODE_ABOVE_PIXELS + below)
        made.setBottomMargin(CODE_BELOW_PIXELS + looks.MEDIUM)
        made.setLineHeight(120, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        made.setProperty(CODE_MARK, block.language or "text")
        made.setNonBreakableLines(True)  # `app/ui/code_panes.py` scrolls them
        made.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        made.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self._begin(made, "")
        written = QTextCharFormat()
        written.setFont(code_font())
        written.setForeground(self._theme.colour("text"))
        self._cursor.setBlockCharFormat(written)
        self._cursor.insertText(block.text.replace("\n", LINE_SEPARATOR), written)
        # Colours lie over the layout, not in the text: they cost nothing to take away.
        ranges = []
        for token in tokens(block.language, block.text):
            one = QTextLayout.FormatRange()
            one.start, one.length = token.start, token.length
            form = QTextCharFormat()
            form.setForeground(self._theme.colour(f"code_{token.kind}"))
            one.format = form
            ranges.append(one)
        here = self._cursor.block()
        if ranges and here.layout() is not None:
            here.layout().setFormats(ranges)
            self._document.markContentsDirty(here.position(), here.length())

    def _table(self, block: Table, indent: int) -> None:
        if self._first:
            self._begin(self._thin(), "")
        made = QTextTableFormat()
        made.setLeftMargin(indent)
        made.setTopMargin(looks.SMALL)
        made.setCellPadding(looks.TINY + 2)
        made.setCellSpacing(0)
        made.setBorder(1)
        made.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        made.setBorderBrush(QBrush(self._theme.colour("line")))
        made.setBorderCollapse(True)
        made.setHeaderRowCount(1)
        columns = len(block.head)
        made.setColumnWidthConstraints([QTextLength()] * columns)
        table = self._cursor.insertTable(len(block.rows) + 1, columns, made)
        sides = {
            "left": Qt.AlignmentFlag.AlignLeading,
            "center": Qt.AlignmentFlag.AlignHCenter,
            "right": Qt.AlignmentFlag.AlignTrailing,
        }
        for row, cells in enumerate((block.head, *block.rows)):
            for column, text in enumerate(cells):
                cursor = table.cellAt(row, column).firstCursorPosition()
                aligned = QTextBlockFormat()
                aligned.setAlignment(sides[block.alignments[column]])
                cursor.setBlockFormat(aligned)
                self._inline(text, cursor=cursor, heading=3 if row == 0 else 0)
        self._cursor.movePosition(QTextCursor.MoveOperation.End)
        self._cursor.setBlockFormat(self._thin())

    @staticmethod
    def _thin() -> QTextBlockFormat:
        """The paragraph that Qt wants beside a table, too low to be seen."""
        made = QTextBlockFormat()
        made.setLineHeight(1, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        return made

    # ── text ─────────────────────────────────────────────────────────────────

    def _inline(self, text: str, *, heading: int = 0, cursor: QTextCursor | None = None) -> None:
        cursor = cursor or self._cursor
        for piece in pieces(text):
            made = QTextCharFormat()
            if heading or piece.bold:
                made.setFontWeight(looks.STRONG)
            if heading and heading <= 2:
                made.setFontPointSize(looks.TITLE_POINTS if heading == 1 else 12.5)
            made.setFontItalic(piece.italic)
            made.setFontStrikeOut(piece.struck)
            if piece.code:
                made.setFont(code_font())
                made.setBackground(self._theme.colour("sunken"))
            if piece.link:
                made.setAnchor(True)
                made.setAnchorHref(piece.link)
                made.setForeground(self._theme.colour("accent"))
                made.setFontUnderline(True)
                made.setToolTip(plain_tip(piece.link))
            elif self._quotes:
                made.setForeground(self._theme.colour("muted"))
            cursor.insertText(self._shown(piece.text), made)

    @staticmethod
    def _shown(text: str) -> str:
        """The text for the document: line ends as Qt has them, endless words breakable.

        Letters are put together from their parts, which Qt would do at every layout.
        """
        text = unicodedata.normalize("NFC", text)
        text = UNSEEN.sub("", text)
        return ENDLESS_WORD.sub("\\g<0>\u200b", text).replace("\n", LINE_SEPARATOR)


def reads_from_the_right(text: str) -> bool:
    """Whether the first letter that has a direction runs from right to left."""
    for letter in text[:256]:
        kind = unicodedata.bidirectional(letter)
        if kind in ("L", "R", "AL"):
            return kind != "L"
    return False


def code_font() -> QFont:
    """The system's own font with letters of one width."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSizeF(looks.BODY_POINTS - 0.5)
    return font
