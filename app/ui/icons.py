"""Icons, drawn for this program, in the colour of the moment.

The files in `resources/icons` are black lines; `icon` dyes them. The tray's come in
three finished sets: light, dark, and a black template that macOS dyes itself.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Final

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from app.api.shapes import State
from app.ui.resources import resources_folder

SIZES: Final = (16, 18, 20, 22, 24, 32, 36, 40, 44, 48, 64, 88)
"""The sizes used, once and doubled: a picture that has to be scaled is blurred."""
DISABLED_OPACITY: Final = 0.35
APPLICATION_SIZES: Final = (16, 32, 48, 64, 128, 256)


@lru_cache(maxsize=64)
def _source(name: str) -> bytes:
    return (resources_folder() / "icons" / f"{name}.svg").read_bytes()


def picture(source: bytes, pixels: int, *, opacity: float = 1.0) -> QPixmap:
    """Draw an icon at one size, in device pixels."""
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(opacity)
    QSvgRenderer(QByteArray(source)).render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    return pixmap


@lru_cache(maxsize=256)
def icon(name: str, colour: str) -> QIcon:
    """An icon in a colour such as "#0b6e63", sharp at 200 % too."""
    dyed = _source(name).replace(b"#000000", QColor(colour).name().encode())
    made = QIcon()
    for pixels in SIZES:
        made.addPixmap(picture(dyed, pixels))
        # Qt's own way to dim a drawing hardly changes a light one on a dark ground.
        made.addPixmap(picture(dyed, pixels, opacity=DISABLED_OPACITY), QIcon.Mode.Disabled)
    return made


def tray_icon(state: State, *, dark_panel: bool) -> QIcon:
    """The tray's icon for a state: its shape says it, and its colour again."""
    template = sys.platform == "darwin"
    return _finished(f"tray-{state}-{'template' if template else _set(dark_panel=dark_panel)}")


def state_picture(state: State, *, dark: bool, pixels: int) -> QPixmap:
    """The same drawing, large, for the dashboard."""
    return picture(_source(f"tray-{state}-{_set(dark_panel=dark)}"), pixels)


@lru_cache(maxsize=1)
def application_icon() -> QIcon:
    """The window's icon."""
    made = QIcon()
    for pixels in APPLICATION_SIZES:
        made.addPixmap(picture(_source("potluck"), pixels))
    return made


def _set(*, dark_panel: bool) -> str:
    return "dark" if dark_panel else "light"


@lru_cache(maxsize=16)
def _finished(name: str) -> QIcon:
    made = QIcon()
    for pixels in SIZES:
        made.addPixmap(picture(_source(name), pixels))
    made.setIsMask(name.endswith("-template"))
    return made
