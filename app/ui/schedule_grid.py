"""The week as a grid of seven days by twenty-four hours; paint the hours that may be used.

With the mouse: press and drag. With the keyboard: arrows move, Space paints, Shift+Space
paints the whole day. The text behind it is that of `app/schedule.py`.
"""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QLocale, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.schedule import ALWAYS, DAYS, HOURS_A_DAY, Schedule, parse_schedule, schedule_text
from app.ui.theme import Theme
from app.ui.translations import tr

CELL_PIXELS: Final = 22
TOP_PIXELS: Final = 20
SIDE_PIXELS: Final = 44


class ScheduleGrid(QWidget):
    """Shows a schedule and lets the person paint it; `changed` carries the new text."""

    changed = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._hours = set(ALWAYS.hours)
        self._painting: bool | None = None
        self._day, self._hour = 0, 0
        """The cell that the keyboard is on, and where the mouse painted last."""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Hours of the week in which this computer may share"))
        theme.changed.connect(self.update)

    def set_text(self, text: str) -> None:
        """Show a schedule; one that cannot be read leaves the grid as it is."""
        try:
            self._hours = set(parse_schedule(text).hours)
        except ValueError:
            return
        self._describe()
        self.update()

    def put(self, text: str) -> None:
        """Take a whole week over at once, as if the person had painted it."""
        before = self.text()
        self.set_text(text)
        if self.text() != before:
            self._tell()

    def text(self) -> str:
        """The schedule as text."""
        return schedule_text(Schedule(frozenset(self._hours)))

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Seven rows and the line of hours."""
        return QSize(520, TOP_PIXELS + len(DAYS) * CELL_PIXELS + 2)

    # ── painting hours ───────────────────────────────────────────────────────

    def _set(self, day: int, hour: int, *, on: bool) -> None:
        number = HOURS_A_DAY * day + hour
        if on:
            self._hours.add(number)
        else:
            self._hours.discard(number)
        self.update()

    def _is_on(self, day: int, hour: int) -> bool:
        return HOURS_A_DAY * day + hour in self._hours

    def _cell_at(self, where: QPoint) -> tuple[int, int] | None:
        day, hour = self._place_of(where)
        inside = 0 <= day < len(DAYS) and 0 <= hour < HOURS_A_DAY
        return (day, hour) if inside else None

    def _nearest_cell(self, where: QPoint) -> tuple[int, int]:
        day, hour = self._place_of(where)
        return max(0, min(len(DAYS) - 1, day)), max(0, min(HOURS_A_DAY - 1, hour))

    def _place_of(self, where: QPoint) -> tuple[int, int]:
        """Day and hour under a point, counted on beyond the edges."""
        first = self._box(0, 0)
        across = where.x() - first.left()
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            across = first.right() - where.x()
        return math.floor((where.y() - first.top()) / CELL_PIXELS), math.floor(
            across / first.width()
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """The first cell decides whether dragging allows or forbids."""
        cell = self._cell_at(event.position().toPoint())
        if cell is not None and event.button() == Qt.MouseButton.LeftButton:
            self._day, self._hour = cell
            self._painting = not self._is_on(*cell)
            self._set(*cell, on=self._painting)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Every cell passed over becomes like the first, however fast the mouse is."""
        if self._painting is None:
            return
        day, hour = self._nearest_cell(event.position().toPoint())
        steps = max(abs(day - self._day), abs(hour - self._hour))
        for step in range(1, steps + 1):
            part = step / steps
            between = (
                round(self._day + (day - self._day) * part),
                round(self._hour + (hour - self._hour) * part),
            )
            self._set(*between, on=self._painting)
        self._day, self._hour = day, hour

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """The drawing is done, up to where the button was let go."""
        self.mouseMoveEvent(event)
        if self._painting is not None:
            self._painting = None
            self._tell()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Arrows move, Space changes an hour, Shift+Space the day."""
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        if event.key() in steps:
            down, right = steps[Qt.Key(event.key())]
            self._day = (self._day + down) % len(DAYS)
            self._hour = (self._hour + right) % HOURS_A_DAY
            self._describe()
            self.update()
        elif event.key() == Qt.Key.Key_Space:
            on = not self._is_on(self._day, self._hour)
            whole_day = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            for hour in range(HOURS_A_DAY) if whole_day else (self._hour,):
                self._set(self._day, hour, on=on)
            self._tell()
        else:
            super().keyPressEvent(event)

    def _tell(self) -> None:
        self._describe()
        self.changed.emit(self.text())

    def _describe(self) -> None:
        allowed = tr("allowed") if self._is_on(self._day, self._hour) else tr("not allowed")
        day = QLocale().dayName(self._day + 1)
        self.setAccessibleDescription(f"{day}, {self._hour}:00: {allowed}")

    # ── drawing ──────────────────────────────────────────────────────────────

    def _box(self, day: int, hour: int) -> QRectF:
        width = (self.width() - SIDE_PIXELS - 1) / HOURS_A_DAY
        left = SIDE_PIXELS + hour * width
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            left = self.width() - left - width
        return QRectF(left, TOP_PIXELS + day * CELL_PIXELS, width, CELL_PIXELS)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the days, the hours and the cell that the keyboard is on."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        muted = self._theme.colour("muted")
        side = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading
        for hour in range(0, HOURS_A_DAY, 3):
            box = self._box(0, hour)
            painter.setPen(muted)
            painter.drawText(
                QRectF(box.left(), 0, box.width() * 3, TOP_PIXELS - 4), side, f"{hour}"
            )
        for day in range(len(DAYS)):
            name = QLocale().dayName(day + 1, QLocale.FormatType.ShortFormat)
            first = self._box(day, 0)
            area = QRectF(0, first.top(), SIDE_PIXELS, CELL_PIXELS)
            if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
                area.moveLeft(self.width() - SIDE_PIXELS)
            painter.setPen(muted)
            painter.drawText(area, side, name)
            for hour in range(HOURS_A_DAY):
                painter.setPen(Qt.PenStyle.NoPen)
                ground = "accent" if self._is_on(day, hour) else "sunken"
                painter.setBrush(self._theme.colour(ground))
                painter.drawRoundedRect(self._box(day, hour).adjusted(1, 1, -1, -1), 3, 3)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("text"), 2))
            painter.drawRoundedRect(self._box(self._day, self._hour), 4, 4)
