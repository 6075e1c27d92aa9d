"""Every model that somebody serves: how many computers do, what is lacking, and what was mended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtWidgets import QGridLayout

from app.api.shapes import Coverage, Repairs
from app.ui import theme as looks
from app.ui import words
from app.ui.controls import Card, clear, label
from app.ui.coverage_bar import CoverageBar
from app.ui.theme import Theme
from app.ui.translations import counted, tr

MAX_ROWS: Final = 8
"""Those with the most computers; the others are counted in words."""
MAX_NAMES: Final = 6


class CoverageCard(Card):
    """A row for each model, and a line about helpers that were replaced."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(tr("Who serves which model"))
        self._theme = theme
        self._shown: list[Coverage] | None = None
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(looks.LARGE)
        self._grid.setVerticalSpacing(looks.SMALL)
        self._grid.setColumnStretch(0, 2)
        self._grid.setColumnStretch(1, 3)
        self._grid.setColumnStretch(2, 4)
        self.rows: list[tuple[str, str]] = []
        self.note = label("", "muted", wrap=True)
        self.repairs = label("", "muted", wrap=True)
        meaning = tr(
            "When a helper leaves in the middle of an answer, another one takes its place and the"
            " answer goes on."
        )
        self.repairs.setToolTip(meaning)
        self.repairs.setAccessibleDescription(meaning)
        self.body.addLayout(self._grid)
        self.body.addWidget(self.note)
        self.body.addWidget(self.repairs)

    def show_coverage(self, coverage: list[Coverage], repairs: Repairs) -> None:
        """Show how it is now."""
        self.repairs.setText(
            tr("Helpers replaced in your chats: {today} today, {ever} ever").format(
                today=words.whole(repairs.today), ever=words.whole(repairs.ever)
            )
        )
        if coverage == self._shown:
            return
        self._shown = list(coverage)
        served = [one for one in coverage if one.computers or one.coming]
        served.sort(key=lambda one: -one.computers)
        self._show_rows(served[:MAX_ROWS])
        self.note.setText(_note(served, [one.title for one in coverage if one not in served]))
        self.note.setVisible(bool(self.note.text()))

    def _show_rows(self, served: Sequence[Coverage]) -> None:
        clear(self._grid)
        self.rows = [(one.title, _words(one)) for one in served]
        for row, (one, (title, text)) in enumerate(zip(served, self.rows, strict=True)):
            bar = CoverageBar(self._theme)
            bar.show_coverage(one)
            self._grid.addWidget(label(title, "strong", wrap=True), row, 0)
            self._grid.addWidget(bar, row, 1)
            self._grid.addWidget(label(text, "muted", wrap=True), row, 2)


def _words(one: Coverage) -> str:
    parts = [counted(one.computers, "{n} computer", "{n} computers")]
    if one.coming:
        parts.append(counted(one.coming, "{n} more on its way", "{n} more on their way"))
    parts.append(words.coverage_words(one.replicas, joins=one.joins))
    return " · ".join(parts)


def _note(served: Sequence[Coverage], nobody: Sequence[str]) -> str:
    parts = []
    if len(served) > MAX_ROWS:
        more = len(served) - MAX_ROWS
        parts.append(counted(more, "{n} more model is served.", "{n} more models are served."))
    if nobody:
        names = ", ".join(nobody[:MAX_NAMES])
        if len(nobody) > MAX_NAMES:
            names = f"{names}, …"
        parts.append(tr("Nobody serves at the moment: {names}").format(names=names))
    return " ".join(parts)
