"""What a page that is made anew takes over from the one before it.

When the language changes, the pages of the window (`app/ui/window.py`) are made again in
the new one. Where the person was, and what they have written but not sent, stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

from app.ui.controls import Page
from app.ui.settings_page import SettingsPage

SETTLED_MILLISECONDS: Final = 300
"""After this long a page that is seen has its length, and scrolling is the person's."""


@dataclass(frozen=True)
class Place:
    """Where a page was: scrolled how far, which setting in use, which texts not yet taken."""

    scrolled: int
    in_use: str = ""
    drafts: dict[str, str] = field(default_factory=dict)


def place_of(page: Page) -> Place:
    """Where a page is now."""
    scrolled = page.verticalScrollBar().value()
    if not isinstance(page, SettingsPage):
        return Place(scrolled)
    in_use, drafts = "", {}
    for name, one in page.fields.items():
        if one.widget.hasFocus():
            in_use = name
        if name == in_use or page.rows[name].is_refused:
            if isinstance(one.widget, QLineEdit):
                drafts[name] = one.widget.text()
            elif isinstance(one.widget, QPlainTextEdit):
                drafts[name] = one.widget.toPlainText()
    return Place(scrolled, in_use, drafts)


def go_to(page: Page, place: Place) -> None:
    """Bring a page to that place; its scrolling once it is laid out."""
    if isinstance(page, SettingsPage):
        for name, text in place.drafts.items():
            widget = page.fields[name].widget if name in page.fields else None
            if isinstance(widget, QLineEdit):
                widget.setText(text)
            elif isinstance(widget, QPlainTextEdit):
                widget.setPlainText(text)
        if place.in_use in page.fields:
            page.fields[place.in_use].widget.setFocus()
    _Scrolling(page, place.scrolled)


class _Scrolling(QObject):
    """Scrolls a page once it is laid out, which is when it is first seen."""

    def __init__(self, page: Page, value: int) -> None:
        super().__init__(page)
        self._bar = page.verticalScrollBar()
        self._value = value
        self._patience = QTimer(self, singleShot=True, interval=SETTLED_MILLISECONDS)
        self._patience.timeout.connect(self.deleteLater)
        self._bar.rangeChanged.connect(self._scroll)
        self._bar.setValue(value)

    def _scroll(self) -> None:
        """The page has become longer or shorter: go where it was, as far as there is."""
        self._bar.setValue(self._value)
        if not self._patience.isActive():
            self._patience.start()
