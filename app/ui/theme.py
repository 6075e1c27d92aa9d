"""The looks: one spacing scale, two sizes and weights of type, one accent, light and dark.

Everything that draws asks `Theme` for colours and repaints on `changed`; the style
sheet is made from the same colours. The pairs of colours that carry text are listed in
`TEXT_PAIRS`, and a test holds each to a contrast of 4.5 to 1.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from typing import Final, Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

from app.ui.resources import resources_folder
from app.ui.style_sheet import STYLE_SHEET

Choice = Literal["system", "light", "dark"]

TINY: Final = 4
SMALL: Final = 8
MEDIUM: Final = 12
LARGE: Final = 16
WIDE: Final = 24
HUGE: Final = 32

BODY_POINTS: Final = 10.0
TITLE_POINTS: Final = 15.0
STRONG: Final = QFont.Weight.DemiBold

CONTENT_WIDTH: Final = 880
"""Lines longer than this are hard to read, so pages stop growing here, in pixels."""


@dataclass(frozen=True)
class Colours:
    """One look; `soft` ones lie under text of the same name."""

    window: str
    surface: str
    sunken: str
    line: str
    edge: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    on_accent: str
    accent_soft: str
    warning: str
    warning_soft: str
    danger: str
    danger_soft: str
    helper: str
    helper_soft: str
    code_keyword: str
    code_string: str
    code_comment: str
    code_number: str


LIGHT: Final = Colours(
    window="#f6f5f2",
    surface="#ffffff",
    sunken="#efede8",
    line="#dedad2",
    edge="#8f897e",
    text="#1f1d1a",
    muted="#5f5a52",
    accent="#0b6e63",
    accent_hover="#095a51",
    on_accent="#ffffff",
    accent_soft="#dceeea",
    warning="#7d4b00",
    warning_soft="#fbeed6",
    danger="#a9231b",
    danger_soft="#fbe6e3",
    helper="#4d6a8f",
    helper_soft="#dde5ef",
    code_keyword="#7a3e9d",
    code_string="#0b6e63",
    code_comment="#66615a",
    code_number="#9c4a00",
)

DARK: Final = Colours(
    window="#171918",
    surface="#202322",
    sunken="#131514",
    line="#353a38",
    edge="#7d8783",
    text="#ecebe6",
    muted="#aeaca4",
    accent="#4fc4b0",
    accent_hover="#72d6c5",
    on_accent="#06201c",
    accent_soft="#1d3a35",
    warning="#eaba66",
    warning_soft="#38301d",
    danger="#f39a90",
    danger_soft="#3d2522",
    helper="#8fb0d9",
    helper_soft="#2a3644",
    code_keyword="#c99be6",
    code_string="#7fd0bf",
    code_comment="#9a978e",
    code_number="#e5ab6b",
)

TEXT_PAIRS: Final = (
    *(("text", ground) for ground in ("window", "surface", "sunken", "accent_soft")),
    *(("text", ground) for ground in ("warning_soft", "danger_soft", "helper_soft")),
    *(("muted", ground) for ground in ("window", "surface", "sunken")),
    *(("accent", ground) for ground in ("window", "surface", "accent_soft")),
    *((f"code_{kind}", "sunken") for kind in ("keyword", "string", "comment", "number")),
    ("on_accent", "accent"),
    ("on_accent", "accent_hover"),
    ("warning", "warning_soft"),
    ("danger", "danger_soft"),
    ("danger", "surface"),
    ("surface", "helper"),
)


class Theme(QObject):
    """The look in force; `changed` after every switch."""

    changed = Signal()

    def __init__(self, application: QApplication, choice: Choice = "system") -> None:
        super().__init__(application)
        self._application = application
        self._choice: Choice = choice
        self.colours = LIGHT

    def start(self) -> None:
        """Put on the look, and follow the system's from now on."""
        if not self._application.styleSheet():  # or a theme has put it on before
            self._application.setStyle("Fusion")
        font = self._application.font()
        font.setPointSizeF(BODY_POINTS)
        self._application.setFont(font)
        self._application.styleHints().colorSchemeChanged.connect(lambda _: self._apply())
        self._apply()

    @property
    def dark(self) -> bool:
        """Whether the dark look is on."""
        return self.colours is DARK

    def choose(self, choice: Choice) -> None:
        """Take the light or the dark look, or the system's."""
        if choice != self._choice:
            self._choice = choice
            self._apply()

    def system_is_dark(self) -> bool:
        """Whether the system prefers dark windows; light if unknown."""
        return self._application.styleHints().colorScheme() == Qt.ColorScheme.Dark

    def panel_is_dark(self) -> bool:
        """Whether the tray's icon lies on a dark ground, as far as that can be told.

        On Linux the panel is dark unless the desktop says that everything is light; and
        GNOME's is black always.
        """
        if not sys.platform.startswith("linux"):
            return self.system_is_dark()
        light = self._application.styleHints().colorScheme() == Qt.ColorScheme.Light
        return not light or "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", "").upper()

    def colour(self, name: str) -> QColor:
        """A colour of the look in force, for painting."""
        return QColor(getattr(self.colours, name))

    def _apply(self) -> None:
        dark = self._choice == "dark" or (self._choice == "system" and self.system_is_dark())
        self.colours = DARK if dark else LIGHT
        self._application.setPalette(palette(self.colours))
        marks = (resources_folder() / "icons").as_posix()
        look = "dark" if dark else "light"
        filled = STYLE_SHEET.substitute(asdict(self.colours), marks=marks, look=look)
        if filled != self._application.styleSheet():
            # Every widget there is gets its style anew, which takes a quarter of a second.
            self._application.setStyleSheet(filled)
        self.changed.emit()


def palette(colours: Colours) -> QPalette:
    """What Fusion draws its own controls with."""
    role = QPalette.ColorRole
    made = QPalette()
    for name, roles in {
        "window": (role.Window,),
        "surface": (role.Base, role.Button, role.ToolTipBase),
        "sunken": (role.AlternateBase, role.Mid, role.Midlight),
        "text": (role.WindowText, role.Text, role.ButtonText, role.ToolTipText),
        "accent": (role.Highlight, role.Accent, role.Link, role.LinkVisited),
        "on_accent": (role.HighlightedText,),
        "muted": (role.PlaceholderText,),
        "line": (role.Light, role.Dark, role.Shadow),
    }.items():
        for one in roles:
            made.setColor(one, QColor(getattr(colours, name)))
    for one in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, one, QColor(colours.edge))
    made.setColor(role.Dark, QColor(colours.edge))
    return made


def contrast(first: str, second: str) -> float:
    """The contrast of two colours by WCAG's formula, from 1 to 21."""

    def light(text: str) -> float:
        colour = QColor(text)
        parts = (colour.redF(), colour.greenF(), colour.blueF())
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)
