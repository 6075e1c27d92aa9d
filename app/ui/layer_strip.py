"""The strip of layers: the whole model from input to output, and who holds which part.

The upper bar says for every layer how many computers serve it (`app/ui/coverage_bar.py`); the
lanes below show each helper's part, hollow while it is still on its way there. What this
computer holds is in the accent colour, and hollow while it rests. The two ends, which read
and write the words, are no layers: they are drawn flatter and have their names above them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.api.shapes import LayerHolder, ModelView
from app.ui import words
from app.ui.controls import plain_tip
from app.ui.coverage_bar import paint_unit
from app.ui.sentences import layers
from app.ui.theme import Theme
from app.ui.translations import counted, tr

NAMES_PIXELS: Final = 20
BAR_PIXELS: Final = 22
FLATTER_PIXELS: Final = 4
LANE_PIXELS: Final = 22
GAP_PIXELS: Final = 4
MAX_LANES: Final = 6
"""More helpers than fit are counted in words below."""


@dataclass(frozen=True)
class Lane:
    """Helpers whose parts do not overlap, so that they share a line."""

    holders: tuple[LayerHolder, ...]


def lanes(holders: list[LayerHolder]) -> list[Lane]:
    """Put helpers on as few lines as possible: this computer first, then by first layer."""
    made: list[list[LayerHolder]] = []
    for holder in sorted(holders, key=lambda h: (not h.mine, not h.in_chain, h.start, h.stop)):
        for lane in made:
            if all(holder.stop <= other.start or holder.start >= other.stop for other in lane):
                lane.append(holder)
                break
        else:
            made.append([holder])
    return [Lane(tuple(sorted(lane, key=lambda h: h.start))) for lane in made]


class LayerStrip(QWidget):
    """Draws a model's layers; nothing without one."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._model: ModelView | None = None
        self._resting = False
        self._lanes: list[Lane] = []
        self._boxes: list[tuple[QRectF, LayerHolder]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Layers and who serves them"))
        theme.changed.connect(self.update)

    def show_model(self, model: ModelView | None, *, resting: bool = False) -> None:
        """Draw this model from now on; `resting` when this computer serves its part only later."""
        if (model, resting) == (self._model, self._resting):
            return
        self._model, self._resting = model, resting
        self._lanes = lanes(model.holders)[:MAX_LANES] if model else []
        self.setAccessibleDescription(self.description())
        self.updateGeometry()
        self.update()

    @property
    def hidden_holders(self) -> int:
        """How many helpers found no line."""
        shown = sum(len(lane.holders) for lane in self._lanes)
        return len(self._model.holders) - shown if self._model else 0

    def description(self) -> str:
        """What the drawing says, in words."""
        if self._model is None:
            return ""
        units = self._model.units
        parts = [
            f"{words.holder_name(h)}: {layers(h.start, h.stop, units)}"
            for h in self._model.holders[:24]
        ]
        parts.append(words.coverage_words(words.replicas(self._model)))
        return "; ".join(parts)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As high as the lanes need."""
        height = (
            NAMES_PIXELS + BAR_PIXELS + len(self._lanes) * (LANE_PIXELS + GAP_PIXELS) + GAP_PIXELS
        )
        return QSize(320, height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """The same: lanes are never cut."""
        return QSize(160, self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        """Say whose part lies under the mouse."""
        if isinstance(event, QHelpEvent):
            if tip := self.tip_at(QPointF(event.pos())):
                QToolTip.showText(event.globalPos(), plain_tip(tip), self)
                return True
            QToolTip.hideText()
        return bool(super().event(event))

    def tip_at(self, point: QPointF) -> str:
        """What is said of a place: whose part it is, or how often a layer is served."""
        model = self._model
        if model is None:
            return ""
        for box, holder in self._boxes:
            if box.contains(point):
                return self._tip(holder, model)
        for unit, count in enumerate(words.replicas(model)):
            if self._box(unit, unit + 1, NAMES_PIXELS, BAR_PIXELS).contains(point):
                served = counted(count, "served by {n} computer", "served by {n} computers")
                which = layers(unit, unit + 1, model.units)
                return f"{which}: {served if count else tr('served by nobody')}"
        return ""

    @staticmethod
    def _tip(holder: LayerHolder, model: ModelView) -> str:
        span = layers(holder.start, holder.stop, model.units)
        delay = words.latency(holder.round_trip_seconds)
        return f"{words.holder_name(holder)}: {span}\n{delay if holder.ready else tr('on its way')}"

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the bar and the lanes."""
        if self._model is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._boxes = []
        self._paint_names(painter, self._model)
        self._paint_bar(painter, self._model)
        y = float(NAMES_PIXELS + BAR_PIXELS + GAP_PIXELS + 2)
        for lane in self._lanes:
            for holder in lane.holders:
                self._paint_holder(painter, holder, y)
            y += LANE_PIXELS + GAP_PIXELS

    def _box(self, start: float, stop: float, y: float, height: float) -> QRectF:
        assert self._model is not None
        scale = self.width() / max(1, self._model.units)
        box = QRectF(start * scale, y, (stop - start) * scale, height)
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            box.moveLeft(self.width() - box.right())
        return box

    def _paint_names(self, painter: QPainter, model: ModelView) -> None:
        painter.setPen(self._theme.colour("muted"))
        area = QRectF(0, 0, self.width(), NAMES_PIXELS - 2)
        middle = layers(1, model.units - 1, model.units)
        flags, metrics = Qt.AlignmentFlag, painter.fontMetrics()
        ends = metrics.horizontalAdvance(tr("Input")) + metrics.horizontalAdvance(tr("Output"))
        painter.drawText(area, flags.AlignTop | flags.AlignLeading, tr("Input"))
        painter.drawText(area, flags.AlignTop | flags.AlignTrailing, tr("Output"))
        if metrics.horizontalAdvance(middle) + 1.5 * ends < self.width():
            painter.drawText(area, flags.AlignTop | flags.AlignHCenter, middle)

    def _paint_bar(self, painter: QPainter, model: ModelView) -> None:
        gap = 1.0 if self.width() / max(1, model.units) > 4 else 0.0
        start, stop = model.my_start, model.my_stop or 0
        if self._resting and start is None:
            start, stop = model.chosen_start, model.chosen_stop
        for unit, count in enumerate(words.replicas(model)):
            mine = start is not None and start <= unit < stop
            flatter = FLATTER_PIXELS if unit in (0, model.units - 1) else 0
            box = self._box(unit, unit + 1, NAMES_PIXELS + 1, BAR_PIXELS - 2)
            box = box.adjusted(gap / 2, flatter, -gap / 2, -flatter)
            paint_unit(painter, self._theme, box, count, mine=mine, resting=self._resting)

    def _paint_holder(self, painter: QPainter, holder: LayerHolder, y: float) -> None:
        box = self._box(holder.start, holder.stop, y, LANE_PIXELS).adjusted(0.5, 0.5, -0.5, -0.5)
        self._boxes.append((box, holder))
        ground = "accent_soft" if holder.mine else "helper_soft"
        edge = "accent" if holder.mine else "helper"
        painter.setBrush(self._theme.colour(ground if holder.ready else "surface"))
        painter.setPen(self._theme.colour(edge) if holder.in_chain else Qt.PenStyle.NoPen)
        if not holder.ready:
            painter.setPen(QPen(self._theme.colour(edge), 1, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(self._theme.colour("text"))
        inside = box.adjusted(6, 0, -4, 0)
        name = painter.fontMetrics().elidedText(
            words.holder_name(holder), Qt.TextElideMode.ElideRight, int(inside.width())
        )
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading
        painter.drawText(inside, flags, name)
