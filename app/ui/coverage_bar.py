"""How often each layer is served, as a bar: hatched for nobody, half full for one, full for more.

The shape alone tells it, so that nobody needs the colours. `app/ui/layer_strip.py` draws the
model shown with it, `app/ui/coverage_card.py` every other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.api.shapes import Coverage
from app.ui import words
from app.ui.theme import Theme

HEIGHT_PIXELS: Final = 14
ROUND_PIXELS: Final = 2
LEAST_PIXELS: Final = 4
"""Layers that are narrower than this are drawn together."""
ONE_FILLS: Final = 0.5
"""How much of its height a layer fills that one computer serves."""


def paint_unit(
    painter: QPainter, theme: Theme, box: QRectF, count: int, *, mine: bool, resting: bool
) -> None:
    """Draw one layer that so many computers serve.

    Args:
        mine: this computer is one of them, or would be if it were not `resting`.
    """
    painter.setPen(Qt.PenStyle.NoPen)
    if mine and resting:
        box = box.adjusted(0.5, 0.5, -0.5, -0.5)
        painter.fillRect(box, theme.colour("surface"))
        if count:
            painter.fillRect(_filled(box, count), theme.colour("helper_soft"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.colour("accent"), 1, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(box, ROUND_PIXELS, ROUND_PIXELS)
    elif not count and not mine:
        painter.setBrush(theme.colour("danger_soft"))
        painter.drawRoundedRect(box, ROUND_PIXELS, ROUND_PIXELS)
        painter.setBrush(QBrush(theme.colour("danger"), Qt.BrushStyle.BDiagPattern))
        painter.drawRoundedRect(box, ROUND_PIXELS, ROUND_PIXELS)
    else:
        painter.setBrush(theme.colour("accent_soft" if mine else "helper_soft"))
        painter.drawRoundedRect(box, ROUND_PIXELS, ROUND_PIXELS)
        painter.setBrush(theme.colour("accent" if mine else "helper"))
        painter.drawRoundedRect(_filled(box, count), ROUND_PIXELS, ROUND_PIXELS)


def _filled(box: QRectF, count: int) -> QRectF:
    top = box.height() * (1 - ONE_FILLS) if count < 2 else 0.0
    return box.adjusted(0, top, 0, 0)


class CoverageBar(QWidget):
    """A whole model in one line, from input to output."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._coverage: Coverage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_coverage(self, coverage: Coverage) -> None:
        """Draw this from now on."""
        self._coverage = coverage
        self.setAccessibleName(coverage.title)
        self.setAccessibleDescription(words.coverage_words(coverage.replicas, joins=coverage.joins))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """One line."""
        return QSize(200, HEIGHT_PIXELS)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Narrow where there is little room."""
        return QSize(80, HEIGHT_PIXELS)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw every layer."""
        shown = self._coverage
        if shown is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        wide = self.width() / max(1, len(shown.replicas))
        gap = 1.0 if wide > LEAST_PIXELS else 0.0
        backwards = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        for start, stop, count, mine in _stretches(shown, apart=gap > 0):
            place = len(shown.replicas) - stop if backwards else start
            box = QRectF(place * wide + gap / 2, 0, (stop - start) * wide - gap, self.height())
            paint_unit(painter, self._theme, box, count, mine=mine, resting=False)


def _stretches(shown: Coverage, *, apart: bool) -> Iterator[tuple[int, int, int, bool]]:
    """Layers as (start, stop, how often they are served, whether this computer does).

    Neighbours that are served alike are one stretch, unless they are drawn `apart`.
    """
    my_start, my_stop = shown.my_start or 0, shown.my_stop or 0
    alike = [
        (min(count, 2), my_start <= unit < my_stop) for unit, count in enumerate(shown.replicas)
    ]
    start = 0
    for unit, (count, mine) in enumerate(alike):
        if apart or unit + 1 == len(alike) or alike[unit + 1] != (count, mine):
            yield start, unit + 1, count, mine
            start = unit + 1
