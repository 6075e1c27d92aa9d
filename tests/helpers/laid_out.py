"""What stands in a layout, without asking the layout for its items.

Python keeps such an item when Qt has deleted it, and then takes the next thing that Qt makes at
that place in memory for it, in whatever test that is.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLayout, QWidget


def laid_out(layout: QLayout) -> list[QWidget]:
    """The widgets of a layout in their order; those of layouts within it are not among them."""
    children = layout.parentWidget().findChildren(
        QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly
    )
    places = {layout.indexOf(child): child for child in children}
    return [places[at] for at in sorted(places) if at >= 0]


def row_of(grid: QGridLayout, wanted: int) -> list[QWidget]:
    """The widgets of one row of a grid, from its first column on."""
    found: dict[int, QWidget] = {}
    for widget in laid_out(grid):
        row, column, _, _ = grid.getItemPosition(grid.indexOf(widget))
        if row == wanted:
            found[column] = widget
    return [found[column] for column in sorted(found)]
