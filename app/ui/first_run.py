"""The first run, in three screens: what is shared, how much, when.

Nothing is shared before the last button is pressed, and chat works without sharing.
The choices become settings (`app/settings.py`); everything can be changed later.
"""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.api.shapes import ConsentRequest
from app.ui import theme as looks
from app.ui.controls import Explained, button, label
from app.ui.icons import application_icon
from app.ui.theme import Theme
from app.ui.translations import tr

WIDTH: Final = 560
AMOUNTS: Final[tuple[dict[str, Any], ...]] = (
    {"cpu_percent_in_use": 15, "cpu_percent_away": 50, "disk_quota_bytes": 5 * 10**9},
    {"cpu_percent_in_use": 25, "cpu_percent_away": 75, "disk_quota_bytes": 20 * 10**9},
    {"cpu_percent_in_use": 50, "cpu_percent_away": 100, "disk_quota_bytes": 100 * 10**9},
)
"""A little, balanced, a lot. Balanced is what holds for who chooses nothing."""


class FirstRun(QWidget):
    """The three screens; `decided` carries what the person chose, once."""

    decided = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("look", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._amount = QButtonGroup(self)
        self._when = QButtonGroup(self)
        self.steps = QStackedWidget()
        for build in (self._what, self._how_much, self._times):
            self.steps.addWidget(build())
        self.place = label("", "muted")
        self.skip = button(tr("Only chat, share nothing"), self._only_chat, "link")
        self.back = button(tr("Back"), self._go_back)
        self.next = button(tr("Continue"), self._go_on, "primary")
        self._build()
        self._show(0)

    def _build(self) -> None:
        outer = QHBoxLayout(self)
        column = QVBoxLayout()
        panel = QFrame()
        panel.setProperty("look", "card")
        panel.setMaximumWidth(WIDTH)
        inside = QVBoxLayout(panel)
        inside.setContentsMargins(looks.HUGE, looks.HUGE, looks.HUGE, looks.WIDE)
        inside.setSpacing(looks.LARGE)
        head = QHBoxLayout()
        picture = QLabel()
        picture.setPixmap(application_icon().pixmap(40, 40))
        head.addWidget(picture)
        head.addWidget(label("Potluck", "title"))
        head.addStretch(1)
        head.addWidget(self.place)
        inside.addLayout(head)
        inside.addWidget(self.steps)
        row = QHBoxLayout()
        row.addWidget(self.skip)
        row.addStretch(1)
        row.addWidget(self.back)
        row.addWidget(self.next)
        inside.addSpacing(looks.SMALL)
        inside.addLayout(row)
        column.addStretch(1)
        column.addWidget(panel)
        column.addStretch(1)
        outer.addStretch(1)
        outer.addLayout(column, 100)
        outer.addStretch(1)

    # ── the screens ──────────────────────────────────────────────────────────

    def _screen(self, title: str, words: str) -> tuple[QWidget, QVBoxLayout]:
        screen = QWidget()
        column = QVBoxLayout(screen)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(looks.SMALL)
        column.addWidget(label(title, "title", wrap=True))
        column.addWidget(label(words, "muted", wrap=True))
        column.addSpacing(looks.SMALL)
        return screen, column

    def _what(self) -> QWidget:
        screen, column = self._screen(
            tr("Run large models together"),
            tr(
                "Potluck cuts a language model into layers. Every computer that takes part "
                "keeps some of them and computes for others when its owner does not need it."
            ),
        )
        for strong, text in (
            (tr("You give"), tr("spare computing time, memory, disk space and network.")),
            (tr("You get"), tr("answers of models that no single one of us could run.")),
            (
                tr("Nobody sees"),
                tr("your files. A helper sees only the words of conversations it computes."),
            ),
            (
                tr("Keep in mind"),
                tr("helpers of your own chats could read along. Send no secrets."),
            ),
        ):
            row = QHBoxLayout()
            row.setSpacing(looks.MEDIUM)
            name = label(strong, "strong")
            name.setFixedWidth(108)
            row.addWidget(name, 0, Qt.AlignmentFlag.AlignTop)
            row.addWidget(label(text, wrap=True), 1)
            column.addLayout(row)
        column.addStretch(1)
        return screen

    def _how_much(self) -> QWidget:
        screen, column = self._screen(
            tr("How much may it use?"),
            tr("Your own work always comes first. Each limit can be changed in the settings."),
        )
        for number, name in enumerate((tr("A little"), tr("Balanced"), tr("A lot"))):
            column.addWidget(_choice(name, _amount_words(number), self._amount, number))
        self._amount.button(1).setChecked(True)
        column.addStretch(1)
        return screen

    def _times(self) -> QWidget:
        screen, column = self._screen(
            tr("When may it work?"),
            tr("It pauses by itself on battery, when the computer is busy, and when it gets warm."),
        )
        for number, (name, text) in enumerate(
            (
                (tr("Always"), tr("Gently while you work, more while you are away.")),
                (tr("Only while I am away"), tr("After three minutes without keyboard or mouse.")),
                (tr("Only at night"), tr("From 22 to 7 o'clock; a finer plan is in settings.")),
            )
        ):
            column.addWidget(_choice(name, text, self._when, number))
        self._when.button(0).setChecked(True)
        self.login = QCheckBox(tr("Start Potluck when I log in"))
        column.addWidget(self.login)
        column.addStretch(1)
        return screen

    # ── moving through them ──────────────────────────────────────────────────

    def _show(self, place: int) -> None:
        self.steps.setCurrentIndex(place)
        self.place.setText(
            tr("{place} of {count}").format(place=place + 1, count=self.steps.count())
        )
        self.back.setVisible(place > 0)
        last = place == self.steps.count() - 1
        self.next.setText(tr("Start sharing") if last else tr("Continue"))
        self.next.setAccessibleName(self.next.text())
        self.next.setFocus()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Enter goes on from the first moment."""
        super().showEvent(event)
        self.next.setFocus()

    def go_on_from(self, other: FirstRun) -> None:
        """Take over what was chosen so far on another one, and its place."""
        for mine, theirs in ((self._amount, other._amount), (self._when, other._when)):
            mine.button(theirs.checkedId()).setChecked(True)
        self.login.setChecked(other.login.isChecked())
        self._show(other.steps.currentIndex())

    def _go_back(self) -> None:
        self._show(self.steps.currentIndex() - 1)

    def _go_on(self) -> None:
        place = self.steps.currentIndex() + 1
        if place < self.steps.count():
            self._show(place)
        else:
            self.decided.emit(self.choice(share=True))

    def _only_chat(self) -> None:
        self.decided.emit(self.choice(share=False))

    def choice(self, *, share: bool) -> ConsentRequest:
        """What the screens say now."""
        if not share:
            return ConsentRequest(share=False)
        settings = dict(AMOUNTS[self._amount.checkedId()])
        when = self._when.checkedId()
        if when == 1:
            settings["cpu_percent_in_use"] = 0
        elif when == 2:
            settings["schedule"] = "mon-sun 22-7"
        return ConsentRequest(share=True, settings=settings, start_at_login=self.login.isChecked())


def _amount_words(number: int) -> str:
    amount = AMOUNTS[number]
    return tr(
        "{in_use} % of the processor while you work, {away} % while you are away, and {disk} GB "
        "of the disk for layers."
    ).format(
        in_use=amount["cpu_percent_in_use"],
        away=amount["cpu_percent_away"],
        disk=amount["disk_quota_bytes"] // 10**9,
    )


def _choice(name: str, words: str, group: QButtonGroup, number: int) -> Explained:
    choice = QRadioButton(name)
    group.addButton(choice, number)
    return Explained(choice, words)
