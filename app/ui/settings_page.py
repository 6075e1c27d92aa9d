"""The settings, generated from their one declaration (`app/preferences.py`).

A change is sent at once and holds at once; there is no button to save. What the node does
not accept goes back to what it was, and a line says why.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.api.shapes import ErrorBody, SettingsView, SettingView, Snapshot
from app.ui import theme as looks
from app.ui import words
from app.ui.backend import Backend
from app.ui.controls import Banner, Card, Page, button, clear, label
from app.ui.logs_dialog import LogsDialog
from app.ui.setting_fields import Field, field_for, meaning
from app.ui.theme import Theme
from app.ui.translations import tr

APPLIED_LATER: Final = {"language", "listen", "api", "keyring"}
"""Settings that hold from the next start on."""


class SettingRow(QWidget):
    """One setting: what it is called, what it means, its field."""

    def __init__(self, setting: SettingView, field: Field) -> None:
        super().__init__()
        name = label(tr(setting.label))
        name.setBuddy(field.widget)
        text = meaning(setting)
        if setting.name in APPLIED_LATER:
            text = f"{text} {tr('Holds from the next start on.')}"
        note = label(text, "muted", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, looks.TINY, 0, looks.TINY)
        column.setSpacing(looks.SMALL)
        row = QHBoxLayout()
        row.setSpacing(looks.WIDE)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(name)
        texts.addWidget(note)
        row.addLayout(texts, 1)
        column.addLayout(row)
        if field.wide:
            column.addWidget(field.widget)
        else:
            row.addWidget(field.widget, 0, Qt.AlignmentFlag.AlignTop)


class SettingsPage(Page):
    """The page; `saw` carries every new set of values, for those who follow some of them."""

    saw = Signal(object)

    def __init__(self, theme: Theme, backend: Backend) -> None:
        super().__init__(tr("Settings"))
        self._theme = theme
        self._backend = backend
        self._view: SettingsView | None = None
        self.fields: dict[str, Field] = {}
        self.trouble = Banner("danger")
        self.body.addWidget(self.trouble)
        self._remarks = QVBoxLayout()
        self.body.addLayout(self._remarks)
        self._sections = QVBoxLayout()
        self._sections.setSpacing(looks.LARGE)
        self.body.addLayout(self._sections)
        self.disk_words = label("", wrap=True)
        self.disk_button = button(tr("Free space"), self._free)
        self.body.addWidget(self._disk())
        self.body.addWidget(self._logs())
        self.body.addStretch(1)

    def refresh(self) -> None:
        """Ask the node for everything; after each connection."""
        self._backend.settings(self.show_view, self._failed)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Say how much of the disk is used, and what could go."""
        self.disk_words.setText(
            tr("Models take {used}; {unused} of it is not in use.").format(
                used=words.size(snapshot.disk_used_bytes),
                unused=words.size(snapshot.disk_unused_bytes),
            )
        )
        text = tr("Free {size}").format(size=words.size(snapshot.disk_unused_bytes))
        self.disk_button.setText(text)
        self.disk_button.setAccessibleName(text)
        self.disk_button.setEnabled(snapshot.disk_unused_bytes > 0)

    def show_view(self, view: SettingsView) -> None:
        """Show these values; fields are made once, later only filled."""
        names = [setting.name for setting in view.settings]
        if list(self.fields) != names:
            self._make(view.settings)
        for setting in view.settings:
            widget = self.fields[setting.name].widget
            if not widget.hasFocus() or self._view is None:
                self.fields[setting.name].take(setting.value)
        self._view = view
        clear(self._remarks)
        for text in view.remarks:
            banner = Banner()
            self._remarks.addWidget(banner)
            banner.say(tr(text))
        self.saw.emit(view)

    # ── inside ───────────────────────────────────────────────────────────────

    def _make(self, settings: list[SettingView]) -> None:
        clear(self._sections)
        self.fields = {}
        cards: dict[str, Card] = {}
        for setting in settings:
            name = setting.section
            if name not in cards:
                cards[name] = Card(tr(name))
                self._sections.addWidget(cards[name])
            field = field_for(setting, self._theme, partial(self._change, setting.name))
            self.fields[setting.name] = field
            cards[name].body.addWidget(SettingRow(setting, field))

    def _value(self, name: str) -> Any:
        settings = self._view.settings if self._view else []
        return next((setting.value for setting in settings if setting.name == name), None)

    def _change(self, name: str, value: Any) -> None:
        if isinstance(value, list):
            value = [text.strip() for text in value if text.strip()]
        if value == self._value(name):
            return
        self.trouble.say("")
        self._backend.change_settings({name: value}, self.show_view, self._refused(name))

    def _refused(self, name: str) -> Any:
        def refused(error: ErrorBody) -> None:
            self._failed(error)
            if name in self.fields:
                self.fields[name].take(self._value(name))

        return refused

    def _failed(self, error: ErrorBody) -> None:
        self.trouble.say(error.words)
        self.ensureWidgetVisible(self.trouble)

    def _disk(self) -> Card:
        card = Card(tr("Space"))
        row = QHBoxLayout()
        row.addWidget(self.disk_words, 1)
        row.addWidget(self.disk_button)
        card.body.addLayout(row)
        return card

    def _free(self) -> None:
        def freed(answer: dict[str, int]) -> None:
            size = words.size(answer.get("freed_bytes", 0))
            self.disk_words.setText(tr("{size} came free.").format(size=size))

        self._backend.free_disk(freed, self._failed)

    def _logs(self) -> Card:
        card = Card(tr("Logs"))
        row = QHBoxLayout()
        row.addWidget(
            label(tr("For a report: see what is in it before you save it."), "muted", wrap=True), 1
        )
        row.addWidget(button(tr("Show logs"), self._show_logs))
        card.body.addLayout(row)
        return card

    def _show_logs(self) -> None:
        self._backend.logs(lambda logs: LogsDialog(self, logs).open(), self._failed)
