"""A small graph of the last two minutes, drawn when a new number comes and never else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme import Theme

SAMPLES: Final = 120
"""One a second at most: two minutes."""
LEAST_SECONDS: Final = 0.9
LABEL_PIXELS: Final = 20
NAME_GAP_PIXELS: Final = 14


class SpeedGraph(QWidget):
    """One or two lines over time; the first one is filled.

    Args:
        least_top: the scale never shows less than this, so that noise stays flat.
        words: writes a number as people read it, for the scale's top.
        lines: what the lines are called, where there are several.
        idle: what stands there while there is nothing to draw.
    """

    def __init__(
        self,
        theme: Theme,
        name: str,
        least_top: float,
        words: Callable[[float], str],
        *,
        lines: tuple[str, ...] = (),
        idle: str = "",
    ) -> None:
        super().__init__()
        self._theme = theme
        self._words = words
        self._least_top = least_top
        self._lines = lines
        self._idle = idle
        self._samples: deque[tuple[float, ...]] = deque(maxlen=SAMPLES)
        self._last_at = float("-inf")
        self.setAccessibleName(name)
        self.setMinimumHeight(92)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def add(self, at_seconds: float, *values: float) -> None:
        """Another moment; of those closer than a second together the newest is drawn."""
        silence = at_seconds - self._last_at
        if silence < LEAST_SECONDS and self._samples:
            self._samples.pop()  # the newest may be the last for long, and has to be seen
        else:
            if self._samples:  # nobody tells of seconds in which nothing changes
                self._samples.extend([self._samples[-1]] * min(SAMPLES, round(silence) - 1))
            self._last_at = at_seconds
        self._samples.append(values)
        shown = ", ".join(self._words(value) for value in values)
        self.setAccessibleDescription(shown)
        if self.isVisible():
            self.update()

    def go_on_from(self, other: SpeedGraph) -> None:
        """Draw what another one has drawn so far."""
        self._samples.extend(other._samples)
        self._last_at = other._last_at
        self.setAccessibleDescription(other.accessibleDescription())

    @property
    def values(self) -> list[tuple[float, ...]]:
        """What is drawn, oldest first."""
        return list(self._samples)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the lines over a quiet ground."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.5, LABEL_PIXELS, -0.5, -1.5)
        painter.setPen(QPen(self._theme.colour("line"), 1))
        says_idle = bool(self._idle) and not self.is_lively
        for part in (0.0, 1.0) if says_idle else (0.0, 0.5, 1.0):  # no line through the words
            y = round(area.bottom() - part * area.height()) + 0.5
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        top = max([self._least_top, *(max(values) for values in self._samples)])
        series = max((len(values) for values in self._samples), default=0)
        for index in reversed(range(series)):
            self._draw(painter, area, index, top)
        painter.setPen(self._theme.colour("muted"))
        if says_idle:
            flags = Qt.AlignmentFlag.AlignCenter.value | Qt.TextFlag.TextWordWrap.value
            painter.drawText(area, flags, self._idle)
            return
        flags = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignTrailing
        above = QRectF(0, 0, self.width(), LABEL_PIXELS)
        painter.drawText(above, flags, self._words(top))
        flags = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeading
        for index, name in enumerate(self._lines):
            painter.setPen(self._theme.colour("accent" if index == 0 else "helper"))
            painter.drawText(above, flags, name)
            above.adjust(*self._step(painter.fontMetrics().horizontalAdvance(name)))

    def _step(self, wide: int) -> tuple[float, float, float, float]:
        """How the room for the next name differs; mirrored writing goes the other way."""
        step = float(wide + NAME_GAP_PIXELS)
        mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        return (0.0, 0.0, -step, 0.0) if mirrored else (step, 0.0, 0.0, 0.0)

    @property
    def is_lively(self) -> bool:
        """Whether anything but zero is known."""
        return any(value for values in self._samples for value in values)

    def _draw(self, painter: QPainter, area: QRectF, index: int, top: float) -> None:
        colour = self._theme.colour("accent" if index == 0 else "helper")
        step = area.width() / (SAMPLES - 1)
        first = SAMPLES - len(self._samples)
        points = [
            QPointF(
                area.left() + (first + place) * step,
                area.bottom() - area.height() * 0.94 * min(1.0, values[index] / top),
            )
            for place, values in enumerate(self._samples)
        ]
        if index == 0:
            ground = self._theme.colour("accent")
            ground.setAlpha(38)
            feet = [QPointF(points[-1].x(), area.bottom()), QPointF(points[0].x(), area.bottom())]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawPolygon(QPolygonF(points + feet))
        painter.setPen(QPen(colour, 1.8))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
