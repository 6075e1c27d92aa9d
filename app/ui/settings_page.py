"""The settings, generated from their one declaration (`app/preferences.py`).

A change is sent at once and holds at once; there is no button to save. What the node does
not accept goes back to what it was, and a line says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from app.api.shapes import ErrorBody, SettingsView, SettingView, Snapshot
from app.ui import theme as looks
from app.ui import words
from app.ui.backend import Backend
from app.ui.controls import Banner, Card, IconButton, Page, button, clear, label
from app.ui.flow_layout import flowing
from app.ui.logs_dialog import LogsDialog
from app.ui.sentences import error_words, told, told_all
from app.ui.setting_fields import FIELD_PIXELS, Field, field_for
from app.ui.setting_words import meaning, refusal, value_words
from app.ui.theme import Theme
from app.ui.translations import tr

APPLIED_LATER: Final = {"listen", "public", "api", "keyring"}
"""Settings that hold from the next start on."""


class SettingRow(QWidget):
    """One setting: what it is called, what it means, its field, what is wrong with it.

    Args:
        change: takes a value as if the person had entered it.
    """

    def __init__(
        self, setting: SettingView, field: Field, theme: Theme, change: Callable[[Any], object]
    ) -> None:
        super().__init__()
        self.field = field
        self.back = IconButton(theme, "again", "", partial(self._go_back, change))
        room = self.back.sizePolicy()
        room.setRetainSizeWhenHidden(True)
        self.back.setSizePolicy(room)
        self.trouble = label("", "trouble", wrap=True)
        self.trouble.hide()
        self._default = setting.default
        name = label(tr(setting.label))
        name.setBuddy(field.widget)
        text = meaning(setting)
        if setting.name in APPLIED_LATER:
            text = f"{text} {tr('Holds from the next start on.')}"
        note = label(text, "muted", wrap=True)
        self.now = label("", "muted", wrap=True)
        self.now.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, looks.TINY, 0, looks.TINY)
        column.setSpacing(looks.SMALL)
        row = QHBoxLayout()
        row.setSpacing(looks.MEDIUM)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(name)
        texts.addWidget(note)
        texts.addWidget(self.now)
        row.addLayout(texts, 1)
        row.addWidget(self.back, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        if field.wide:
            column.addWidget(field.widget)
        else:
            row.addWidget(_as_wide_as_others(field.widget), 0, Qt.AlignmentFlag.AlignTop)
        if field.below:
            column.addWidget(flowing(*field.below))
        column.addWidget(self.trouble)

    def show_setting(self, setting: SettingView) -> None:
        """Say what holds now, and offer the way back to the default where it does not."""
        self.now.setText(told(setting.now, setting.now_said))
        self.now.setVisible(bool(setting.now))
        shown = value_words(setting, setting.default)
        self.back.rename(
            tr("{label}: back to {value}").format(label=tr(setting.label), value=shown)
        )
        if self.back.hasFocus() and setting.value == setting.default:
            self.field.widget.setFocus()
        self.back.setVisible(setting.value != setting.default)

    def say(self, text: str) -> None:
        """Say under the field what is wrong with what stands in it; "" when nothing is."""
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))

    @property
    def is_refused(self) -> bool:
        """Whether it shows something that the node did not take."""
        return not self.trouble.isHidden()

    def widgets(self) -> list[QWidget]:
        """What Tab goes through, in this order."""
        return [self.back, self.field.widget, *self.field.below]

    def _go_back(self, change: Callable[[Any], object]) -> None:
        self.say("")
        self.field.take(self._default)
        change(self._default)


def _as_wide_as_others(field: QWidget) -> QWidget:
    """A small box begins where the other fields begin, and its ring stays around it."""
    if not isinstance(field, QCheckBox):
        return field
    holder = QWidget()
    holder.setFixedWidth(FIELD_PIXELS)
    inside = QHBoxLayout(holder)
    inside.setContentsMargins(0, 0, 0, 0)
    inside.addWidget(field)
    inside.addStretch(1)
    return holder


class SettingsPage(Page):
    """The page; `saw` carries every new set of values, for those who follow some of them."""

    saw = Signal(object)

    def __init__(self, theme: Theme, backend: Backend) -> None:
        super().__init__(tr("Settings"))
        self._theme = theme
        self._backend = backend
        self._requests = backend.asked_by(self)
        self._view: SettingsView | None = None
        self._asked: dict[str, Any] = {}
        """What was sent and is not answered yet."""
        self._asked_next: dict[str, Any] = {}
        """What is sent of a setting when its last change was answered."""
        self._sent = 0
        """Changes sent so far."""
        self.fields: dict[str, Field] = {}
        self.rows: dict[str, SettingRow] = {}
        self.trouble = Banner("danger")
        self.body.addWidget(self.trouble)
        self._remarks = QVBoxLayout()
        self.body.addLayout(self._remarks)
        self._sections = QVBoxLayout()
        self._sections.setSpacing(looks.LARGE)
        self.body.addLayout(self._sections)
        self.disk_words = label("", wrap=True)
        self.disk_button = button(tr("Free space"), self._free)
        self.logs_button = button(tr("Show logs"), self.show_logs)
        self.body.addWidget(self._disk())
        self.body.addWidget(self._logs())
        self.body.addStretch(1)

    def refresh(self) -> None:
        """Ask the node for everything; after each connection, and when the page is opened."""
        sent = self._sent

        def heard(view: SettingsView) -> None:
            if sent == self._sent:
                self.show_view(view)
            else:  # from before a change, whose answer may have come already: it overtook this one
                self.refresh()

        self._requests.settings(heard, self._failed)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Somebody may have changed settings elsewhere meanwhile."""
        super().showEvent(event)
        if self._backend.is_connected:
            self.refresh()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Say how much of the disk is used, and what could go."""
        unused = words.size(snapshot.disk_unused_bytes)
        sentence = tr("Models take {used}; {unused} of it is not in use.")
        if not snapshot.disk_unused_bytes:
            sentence = tr("Models take {used}; all of it is in use.")
        self.disk_words.setText(
            sentence.format(used=words.size(snapshot.disk_used_bytes), unused=unused)
        )
        text = tr("Free {size}").format(size=unused)
        self.disk_button.setText(text)
        self.disk_button.setAccessibleName(text)
        self.disk_button.setVisible(snapshot.disk_unused_bytes > 0)

    def show_view(self, view: SettingsView) -> None:
        """Show these values; fields are made once, later only filled."""
        names = [setting.name for setting in view.settings]
        if list(self.fields) != names:
            self._make(view.settings)
        for setting in view.settings:
            row, field = self.rows[setting.name], self.fields[setting.name]
            row.show_setting(setting)
            # What the person is writing, or could not yet be taken, stays as it is.
            busy = field.widget.hasFocus() or row.is_refused or setting.name in self._asked
            if self._view is None or not busy:
                field.take(setting.value)
        self._view = view
        clear(self._remarks)
        for text in told_all(view.remarks, view.remarks_said):
            banner = Banner()
            self._remarks.addWidget(banner)
            banner.say(text)
        self.saw.emit(view)

    # ── inside ───────────────────────────────────────────────────────────────

    def _make(self, settings: list[SettingView]) -> None:
        clear(self._sections)
        self.fields, self.rows = {}, {}
        cards: dict[str, Card] = {}
        for setting in settings:
            name = setting.section
            if name not in cards:
                cards[name] = Card(tr(name))
                self._sections.addWidget(cards[name])
            change = partial(self._change, setting.name)
            field = field_for(setting, self._theme, change)
            row = SettingRow(setting, field, self._theme, change)
            self.fields[setting.name], self.rows[setting.name] = field, row
            cards[name].body.addWidget(row)
        self._order_tabs(cards.values())

    def _order_tabs(self, cards: Iterable[Card]) -> None:
        """Tab follows the eye; Qt's own order is that in which things were made."""
        order: list[QWidget] = [self.trouble.button]
        for card in cards:
            for row in card.findChildren(SettingRow):
                order += row.widgets()
        order += [self.disk_button, self.logs_button]
        for first, second in pairwise(order):
            QWidget.setTabOrder(first, second)

    def _setting(self, name: str) -> SettingView | None:
        settings = self._view.settings if self._view else []
        return next((setting for setting in settings if setting.name == name), None)

    def _change(self, name: str, value: Any) -> None:
        if isinstance(value, list):
            value = [text.strip() for text in value if text.strip()]
        setting = self._setting(name)
        if name in self._asked:
            # One after the other: of two on the way at once, the first may arrive last.
            self._asked_next[name] = value
        elif setting is not None and value == setting.value:
            self.rows[name].say("")
        else:
            self.trouble.say("")
            self._send(name, value)

    def _send(self, name: str, value: Any) -> None:
        self._asked[name] = value
        self._sent += 1

        def goes_on() -> bool:
            """Whether there is a newer wish, which is sent now."""
            del self._asked[name]
            following = self._asked_next.pop(name, value)
            if following == value:
                return False
            self._send(name, following)
            return True

        def taken(view: SettingsView) -> None:
            if not goes_on() and name in self.rows:
                self.rows[name].say("")
            self.show_view(view)

        def refused(error: ErrorBody) -> None:
            if not goes_on():
                self._refused(name, error)

        self._requests.change_settings({name: value}, taken, refused)

    def _refused(self, name: str, error: ErrorBody) -> None:
        """What was typed stays, to be mended; what was clicked goes back to what holds."""
        setting = self._setting(name)
        if setting is None or error.code != "invalid_value":
            self._failed(error)
        else:
            self.rows[name].say(refusal(setting, error, error_words(error)))
        if setting is not None and not self.fields[name].is_typed:
            self.fields[name].take(setting.value)

    def _failed(self, error: ErrorBody) -> None:
        self.trouble.say(error_words(error))
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

        self._requests.free_disk(freed, self._failed)

    def _logs(self) -> Card:
        card = Card(tr("Logs"))
        row = QHBoxLayout()
        row.addWidget(
            label(tr("For a report: see what is in it before you save it."), "muted", wrap=True), 1
        )
        row.addWidget(self.logs_button)
        card.body.addLayout(row)
        return card

    def show_logs(self) -> None:
        """Show the log before it is saved."""
        self._requests.logs(lambda logs: LogsDialog(self, logs).open(), self._failed)
