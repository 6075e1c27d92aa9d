"""One field for each kind of setting, made from its declaration (`app/preferences.py`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QPlainTextEdit,
    QSpinBox,
    QWidget,
)

from app.api.shapes import SettingView
from app.ui.controls import button
from app.ui.schedule_grid import ScheduleGrid
from app.ui.setting_words import allows_no_limit, choice_words
from app.ui.theme import Theme
from app.ui.translations import tr

Changed = Callable[[Any], object]
GIGABYTE: Final = 10**9
"""As disks are sold, and as every other size on the screen is written."""
FIELD_PIXELS: Final = 190
LARGEST_SPIN: Final = 2_147_483_647

WEEKS: Final = (
    ("Always", ""),
    ("Nights", "mon-sun 22-7"),
    ("Nights and weekends", "mon-fri 0-7,22-24; sat,sun 0-24"),
    ("Weekends", "sat,sun 0-24"),
    ("Never", "never"),
)
"""Weeks that need not be painted by hand."""


class PlainNumber(QDoubleSpinBox):
    """Shows "10" and "0.25", never "10.00"."""

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        """The number with only the decimals it has."""
        for decimals in range(self.decimals()):
            if abs(value - round(value, decimals)) < 10 ** -(self.decimals() + 1):
                return str(self.locale().toString(value, "f", decimals))
        return str(super().textFromValue(value))


class Field:
    """A widget for one setting: takes its value, and calls `changed` when the person does."""

    def __init__(
        self,
        widget: QWidget,
        take: Callable[[Any], object],
        *,
        wide: bool,
        below: tuple[QWidget, ...] = (),
    ) -> None:
        self.widget = widget
        self.take = take
        self.wide = wide
        """Whether it stands under its words instead of beside them."""
        self.below = below
        """Buttons that fill it in, in a row under it."""

    @property
    def is_typed(self) -> bool:
        """Whether the person writes into it, so that what is wrong can be mended there."""
        return isinstance(self.widget, QLineEdit | QPlainTextEdit)


def field_for(setting: SettingView, theme: Theme, changed: Changed) -> Field:
    """The field that fits a setting."""
    made = _made(setting, theme, changed)
    made.widget.setAccessibleName(tr(setting.label))
    made.widget.setAccessibleDescription(tr(setting.words))
    if isinstance(made.widget, QAbstractSpinBox):
        indent(made.widget)
    if isinstance(made.widget, QAbstractSpinBox | QComboBox):
        made.widget.setFixedWidth(FIELD_PIXELS)
        made.widget.installEventFilter(_QuietWheel(made.widget))
        made.widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return made


def indent(box: QAbstractSpinBox) -> None:
    """Let a number begin where other fields' text does; the style sheet cannot."""
    box.lineEdit().setTextMargins(9, 0, 0, 0)


def _made(setting: SettingView, theme: Theme, changed: Changed) -> Field:
    if setting.name == "schedule":
        return _schedule(theme, changed)
    if setting.kind == "switch":
        return _switch(changed)
    if setting.kind == "choice":
        return _choice(setting, changed)
    if setting.unit == "bytes":
        return _gigabytes(setting, changed)
    if setting.kind == "whole number":
        return _whole(setting, changed)
    if setting.kind == "number":
        return _number(setting, changed)
    if setting.kind == "texts":
        return _texts(changed)
    return _text(setting, changed)


def _schedule(theme: Theme, changed: Changed) -> Field:
    grid = ScheduleGrid(theme)
    grid.changed.connect(changed)
    weeks = tuple(button(tr(name), partial(grid.put, text)) for name, text in WEEKS)
    return Field(grid, grid.set_text, wide=True, below=weeks)


def _switch(changed: Changed) -> Field:
    box = QCheckBox()
    box.clicked.connect(lambda on: changed(bool(on)))
    return Field(box, lambda value: box.setChecked(bool(value)), wide=False)


def _choice(setting: SettingView, changed: Changed) -> Field:
    box = QComboBox()
    for choice in setting.choices:
        box.addItem(choice_words(choice), choice)
    box.activated.connect(lambda _: changed(box.currentData()))
    return Field(box, lambda value: box.setCurrentIndex(box.findData(value)), wide=False)


def _gigabytes(setting: SettingView, changed: Changed) -> Field:
    box = PlainNumber()
    box.setDecimals(1)
    box.setRange((setting.least or 0) / GIGABYTE, (setting.most or 2**50) / GIGABYTE)
    box.setSuffix(" GB")
    box.setKeyboardTracking(False)
    box.valueChanged.connect(lambda value: changed(round(value * GIGABYTE)))
    return Field(box, lambda value: _quietly(box, value / GIGABYTE), wide=False)


def _whole(setting: SettingView, changed: Changed) -> Field:
    box = QSpinBox()
    box.setRange(int(setting.least or 0), min(LARGEST_SPIN, int(setting.most or LARGEST_SPIN)))
    box.setGroupSeparatorShown(True)
    _dress(box, setting)
    box.valueChanged.connect(changed)
    return Field(box, lambda value: _quietly(box, int(value)), wide=False)


def _number(setting: SettingView, changed: Changed) -> Field:
    box = PlainNumber()
    box.setDecimals(2)
    box.setRange(setting.least or 0.0, setting.most or 1e9)
    _dress(box, setting)
    box.valueChanged.connect(changed)
    return Field(box, lambda value: _quietly(box, float(value)), wide=False)


def _dress(box: QSpinBox | QDoubleSpinBox, setting: SettingView) -> None:
    if setting.unit:
        box.setSuffix(f" {tr(setting.unit)}")
    if allows_no_limit(setting):
        box.setSpecialValueText(tr("No limit"))
    box.setKeyboardTracking(False)


def _texts(changed: Changed) -> Field:
    box = QPlainTextEdit()
    box.setTabChangesFocus(True)
    box.setPlaceholderText(tr("One per line"))
    box.setFixedHeight(76)
    watcher = _LeaveWatcher(box, lambda: changed(box.toPlainText().split("\n")))
    box.installEventFilter(watcher)
    return Field(box, lambda value: box.setPlainText("\n".join(value)), wide=True)


def _text(setting: SettingView, changed: Changed) -> Field:
    box = QLineEdit()
    box.setFixedWidth(FIELD_PIXELS)
    if "key" in setting.name:
        box.setPlaceholderText(tr("None"))
    box.editingFinished.connect(lambda: changed(box.text().strip()))
    return Field(box, lambda value: box.setText(str(value)), wide=False)


def _quietly(box: Any, value: float) -> None:
    """Set a value that came from the node without sending it back."""
    box.blockSignals(True)
    box.setValue(value)
    box.blockSignals(False)


class _QuietWheel(QObject):
    """Scrolling over a field scrolls the page; only a field in use takes the wheel."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        wheel = event.type() == QEvent.Type.Wheel
        if wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class _LeaveWatcher(QObject):
    """Calls back when a text of several lines is left."""

    def __init__(self, box: QPlainTextEdit, left: Callable[[], object]) -> None:
        super().__init__(box)
        self._left = left

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.FocusOut:
            self._left()
        return False
