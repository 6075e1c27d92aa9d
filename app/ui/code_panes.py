"""The code in one text: each piece scrolls sideways by itself and can be copied.

Code stays in the document that `app/ui/markdown_writer.py` writes, so that it is selected
and copied like all text; its lines are not broken but moved under the ground that
`app/ui/markdown_view.py` paints. Over each piece lie a copy button and, where a line is
too long, a scroll bar that the keyboard reaches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QTextBlock, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QScrollBar, QTextEdit, QToolButton

from app.ui import theme as looks
from app.ui.markdown_writer import CODE_ABOVE_PIXELS, CODE_BELOW_PIXELS, CODE_MARK, LINE_SEPARATOR
from app.ui.translations import tr

STEP_PIXELS: Final = 24
"""How far an arrow key or one step of the wheel moves long lines."""
BAR_PIXELS: Final = 12


class CodeBar(QScrollBar):
    """A scroll bar that the arrow keys move; Qt's own knows only Home, End and the pages."""

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Left and right, one step each."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() in steps:
            self.setValue(self.value() + steps[Qt.Key(event.key())] * self.singleStep())
        else:
            super().keyPressEvent(event)


class CodePane:
    """One piece of code: where it is, its button and its bar."""

    def __init__(self, view: QTextEdit, block: QTextBlock, changed: Callable[[], None]) -> None:
        self.block = block
        self._view = view
        self._changed = changed
        self.button = QToolButton(view.viewport())
        self.button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.button.setCursor(Qt.CursorShape.ArrowCursor)
        self.button.clicked.connect(self._copy)
        self.bar = CodeBar(Qt.Orientation.Horizontal, view.viewport())
        self.bar.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.bar.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.bar.setCursor(Qt.CursorShape.ArrowCursor)
        self.bar.setSingleStep(STEP_PIXELS)
        self.bar.hide()
        self.bar.valueChanged.connect(lambda _: self._moved())
        self.retranslate()

    def retranslate(self) -> None:
        """Name the button and the bar in the language of now."""
        self.button.setText(tr("Copy"))
        self.button.setAccessibleName(tr("Copy this code"))
        self.bar.setAccessibleName(tr("Scroll this code"))

    @property
    def text(self) -> str:
        """The code, exactly."""
        return self.block.text().replace(LINE_SEPARATOR, "\n")

    def ground(self) -> QRectF:
        """What is painted under the code, in the view's pixels."""
        layout = self._view.document().documentLayout()
        box = layout.blockBoundingRect(self.block)
        left = self.block.blockFormat().leftMargin() - looks.MEDIUM
        return QRectF(
            left + 0.5,
            box.top() - CODE_ABOVE_PIXELS + 0.5,
            max(1.0, self._view.viewport().width() - left - 1),
            self.block.layout().boundingRect().height() + CODE_ABOVE_PIXELS + CODE_BELOW_PIXELS - 1,
        )

    def window(self) -> QRect:
        """Where lines of code show; what is outside is scrolled to."""
        ground = self.ground()
        inside = ground.adjusted(looks.SMALL, CODE_ABOVE_PIXELS - 1, -looks.SMALL, -1)
        return inside.toAlignedRect()

    def place(self) -> None:
        """Put button and bar where the code is now, and move its lines as far as before."""
        ground = self.ground()
        size = self.button.sizeHint()
        x = ground.right() - size.width() - looks.TINY
        self.button.setGeometry(int(x), int(ground.top()) + 2, size.width(), size.height())
        self.button.show()
        room = math.floor(ground.width() - 2 * looks.MEDIUM)
        hidden = max(0, math.ceil(self._widest()) - room)
        self.bar.setPageStep(max(1, room))
        self.bar.setRange(0, hidden)
        self.bar.setVisible(hidden > 0)
        if hidden:
            top = int(ground.bottom()) - BAR_PIXELS
            left = int(ground.left()) + looks.SMALL
            self.bar.setGeometry(left, top, int(ground.width()) - 2 * looks.SMALL, BAR_PIXELS)
        self._shift()

    def reveal(self, cursor: QTextCursor) -> None:
        """Scroll so far that the cursor's place in this code is seen."""
        line = self.block.layout().lineForTextPosition(cursor.positionInBlock())
        if not line.isValid() or self.bar.isHidden():
            return
        at = _start_of(line.cursorToX(cursor.positionInBlock()))
        if at < self.bar.value():
            self.bar.setValue(math.floor(at))
        elif at > self.bar.value() + self.bar.pageStep():
            self.bar.setValue(math.ceil(at) - self.bar.pageStep())

    def wheel(self, event: QWheelEvent) -> bool:
        """Take a turn of the wheel that goes sideways; whether it was one."""
        if self.bar.isHidden():
            return False
        turn = event.angleDelta()
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        sideways = turn.x() or (turn.y() if shifted else 0)
        if not sideways or (abs(turn.y()) > abs(turn.x()) and not shifted):
            return False
        self.bar.setValue(round(self.bar.value() - sideways * 3 * STEP_PIXELS / 120))
        return True

    def remove(self) -> None:
        """Take button and bar away."""
        for control in (self.button, self.bar):
            control.hide()
            control.deleteLater()

    def _widest(self) -> float:
        layout = self.block.layout()
        lines = (layout.lineAt(number) for number in range(layout.lineCount()))
        return max((line.naturalTextWidth() for line in lines), default=0.0)

    def _shift(self) -> None:
        """Move the lines; Qt draws and hits them where they then are."""
        layout = self.block.layout()
        x = self.block.blockFormat().leftMargin() - self.bar.value()
        for number in range(layout.lineCount()):
            line = layout.lineAt(number)
            if line.x() != x:
                line.setPosition(QPointF(x, line.y()))

    def _moved(self) -> None:
        self._shift()
        self._changed()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)
        self.button.setText(tr("Copied"))


class CodePanes:
    """All pieces of code of one view, in order; `changed` when one has scrolled."""

    def __init__(self, view: QTextEdit, changed: Callable[[], None]) -> None:
        self._view = view
        self._changed = changed
        self.all: list[CodePane] = []

    def look_from(self, position: int) -> None:
        """The document was written anew from here on: find its code again."""
        document = self._view.document()
        block = document.findBlock(max(0, position)) if position > 0 else document.firstBlock()
        kept = [p for p in self.all if p.block.isValid() and p.block.position() < position]
        free = self.all[len(kept) :]
        while block.isValid():
            if block.blockFormat().hasProperty(CODE_MARK) and block.position() >= position:
                # The one still being written keeps its place, its button and its focus.
                pane = free.pop(0) if free else CodePane(self._view, block, self._changed)
                pane.block = block
                kept.append(pane)
            block = block.next()
        for pane in free:
            pane.remove()
        fresh = kept[len([p for p in kept if p.block.position() < position]) :]
        self.all = kept
        for pane in fresh:
            pane.place()

    def place_all(self) -> None:
        """The view has another width or look."""
        for pane in self.all:
            pane.place()

    def at(self, y: float) -> CodePane | None:
        """The piece of code at this height."""
        for pane in self.all:
            ground = pane.ground()
            if ground.top() <= y <= ground.bottom():
                return pane
        return None

    def holding(self, block: QTextBlock) -> CodePane | None:
        """The piece of code that this paragraph is."""
        return next((pane for pane in self.all if pane.block == block), None)


def _start_of(place: float | tuple[float, int]) -> float:
    """Qt's binding gives the place alone or together with the cursor."""
    return place[0] if isinstance(place, tuple) else place
