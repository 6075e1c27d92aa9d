"""The helpers of the model shown: which layers, how far away, how fast."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from app.api.shapes import LayerHolder, ModelView
from app.ui import theme as looks
from app.ui import words
from app.ui.controls import Card, label, plain_tip
from app.ui.sentences import layers
from app.ui.theme import Theme
from app.ui.translations import counted, tr

MAX_ROWS: Final = 12
"""The nearest ones; the others are counted in words."""
ROW_PIXELS: Final = 34


class HelperTable(Card):
    """A table that is as high as its rows; words where there is nobody."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(tr("Helpers"))
        self._shown: tuple[bool, tuple[LayerHolder, ...]] | None = None
        columns = (tr("Name"), tr("Layers"), tr("Delay"), tr("Speed"), tr("Last answer"))
        self.table = QTableWidget(0, len(columns))
        self.table.setHorizontalHeaderLabels(list(columns))
        self.table.setAccessibleName(tr("Helpers"))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(ROW_PIXELS)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.note = label("", "muted", wrap=True)
        self.body.addWidget(self.table)
        self.body.addWidget(self.note)
        self.show_model(None)

    def show_model(self, model: ModelView | None) -> None:
        """List the helpers of this model, those of the last answer first."""
        holders = tuple(h for h in model.holders if not h.mine) if model else ()
        if (model is None, holders) == self._shown:
            return
        self._shown = model is None, holders
        rows = sorted(holders, key=_order)[:MAX_ROWS]
        self.table.setVisible(bool(rows))
        self.table.setRowCount(len(rows))
        for row, holder in enumerate(rows):
            assert model is not None
            cells = (
                words.short_name(holder.peer_id),
                layers(holder.start, holder.stop, model.units),
                tr("not measured")
                if holder.round_trip_seconds is None
                else words.latency(holder.round_trip_seconds),
                _speed(holder, model.units),
                _last_answer(holder),
            )
            for column, text in enumerate(cells):
                item = self.table.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    self.table.setItem(row, column, item)
                item.setText(text)
                item.setToolTip(plain_tip(holder.peer_id) if column == 0 else "")
        header = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(header + len(rows) * ROW_PIXELS + looks.TINY)
        self.note.setText(
            tr("No model chosen yet.") if model is None else self._note(len(holders), len(rows))
        )
        self.note.setVisible(bool(self.note.text()))

    @staticmethod
    def _note(all_of_them: int, shown: int) -> str:
        if not all_of_them:
            return tr("No other computer serves this model at the moment.")
        if all_of_them > shown:
            return counted(all_of_them - shown, "and {n} more", "and {n} more")
        return ""


def _order(holder: LayerHolder) -> tuple[bool, float, int]:
    delay = holder.round_trip_seconds
    return (not holder.in_chain, float("inf") if delay is None else delay, holder.start)


def _last_answer(holder: LayerHolder) -> str:
    if not holder.ready:
        return tr("on its way")
    return tr("helped") if holder.in_chain else tr("not asked")


def _speed(holder: LayerHolder, units: int) -> str:
    """What it manages with all of its layers, for that is how it is used."""
    count = words.layer_count(holder.start, holder.stop, units)
    return words.token_speed(holder.layers_per_second / count if count else None)
