"""Widgets beside each other that go on in another line where the room ends, as words do.

Qt has rows and columns, but no such layout; this is the smallest that will do.
"""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget

from app.ui import theme as looks


class FlowLayout(QLayout):
    """Lines of widgets; each line in the middle if `centred`, else at its beginning."""

    def __init__(self, *, centred: bool = False) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._centred = centred
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(looks.SMALL)

    def addItem(self, item: QLayoutItem) -> None:  # noqa: N802 - Qt's name
        """Put something at the end."""
        self._items.append(item)

    def count(self) -> int:
        """How many there are."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # noqa: N802 - Qt's name
        """One of them; None beyond the end."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # noqa: N802 - Qt's name
        """Take one out; None beyond the end."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802 - Qt's name
        """It needs no more room than it asks for."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:  # noqa: N802 - Qt's name
        """Narrow is high."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """How high the lines are together."""
        edges = self.contentsMargins()
        lines = self._lines(width - edges.left() - edges.right())
        between = self.spacing() * max(0, len(lines) - 1)
        return sum(_height(line) for line in lines) + between + edges.top() + edges.bottom()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Everything in one line."""
        shown = self._shown()
        wide = sum(item.sizeHint().width() for item in shown)
        edges = self.contentsMargins()
        wide += self.spacing() * max(0, len(shown) - 1) + edges.left() + edges.right()
        return QSize(wide, _height(shown) + edges.top() + edges.bottom())

    def minimumSize(self) -> QSize:  # noqa: N802 - Qt's name
        """The widest of them alone."""
        shown = self._shown()
        edges = self.contentsMargins()
        wide = max((item.minimumSize().width() for item in shown), default=0)
        high = _height(shown) + edges.top() + edges.bottom()
        return QSize(wide + edges.left() + edges.right(), high)

    def setGeometry(self, area: QRect) -> None:  # noqa: N802 - Qt's name
        """Place everything within an area."""
        super().setGeometry(area)
        area = area.marginsRemoved(self.contentsMargins())
        owner = self.parentWidget()
        mirrored = owner is not None and owner.layoutDirection() == Qt.LayoutDirection.RightToLeft
        top = area.top()
        for line in self._lines(area.width()):
            spare = area.width() - _width(line, self.spacing())
            left = area.left() + (max(0, spare) // 2 if self._centred else 0)
            for item in line:
                size = item.sizeHint().boundedTo(QSize(area.width(), item.sizeHint().height()))
                box = QRect(left, top, size.width(), size.height())
                left += size.width() + self.spacing()
                if mirrored:
                    box.moveLeft(area.left() + area.right() - box.right())
                item.setGeometry(box)
            top += _height(line) + self.spacing()

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        lines: list[list[QLayoutItem]] = []
        for item in self._shown():
            if lines and _width([*lines[-1], item], self.spacing()) <= width:
                lines[-1].append(item)
            else:
                lines.append([item])
        return lines


def flowing(*widgets: QWidget, centred: bool = False) -> QWidget:
    """A widget in which others flow; it is as high as its lines need."""
    made = QWidget()
    layout = FlowLayout(centred=centred)
    for widget in widgets:
        layout.addWidget(widget)
    made.setLayout(layout)
    policy = made.sizePolicy()
    policy.setHeightForWidth(True)
    made.setSizePolicy(policy)
    return made


def _width(line: list[QLayoutItem], spacing: int) -> int:
    return sum(item.sizeHint().width() for item in line) + spacing * (len(line) - 1)


def _height(line: list[QLayoutItem]) -> int:
    return max((item.sizeHint().height() for item in line), default=0)
