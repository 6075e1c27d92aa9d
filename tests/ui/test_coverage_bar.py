"""How often each layer is served, drawn in one line; see app/ui/coverage_bar.py."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Qt

from app.api.shapes import Coverage
from app.ui.coverage_bar import HEIGHT_PIXELS, CoverageBar
from tests.helpers.fake_node_data import coverage_at_rest


def coverage(counts: list[int]) -> Coverage:
    return msgspec.structs.replace(
        coverage_at_rest()[1], units=len(counts), replicas=counts, my_start=None, my_stop=None
    )


def shapes(qtbot, theme, made: CoverageBar, counts: int) -> list[tuple[bool, bool]]:
    """Whether each layer is full above and below its middle."""
    made.resize(40 * counts, HEIGHT_PIXELS)
    image, full = made.grab().toImage(), theme.colour("helper")
    return [
        (
            image.pixelColor(40 * unit + 20, HEIGHT_PIXELS // 4) == full,
            image.pixelColor(40 * unit + 20, 3 * HEIGHT_PIXELS // 4) == full,
        )
        for unit in range(counts)
    ]


def test_nobody_one_and_more_have_shapes_of_their_own(qtbot, theme) -> None:
    made = CoverageBar(theme)
    qtbot.addWidget(made)
    made.show_coverage(coverage([0, 1, 2, 7]))
    assert shapes(qtbot, theme, made, 4) == [
        (False, False),
        (False, True),
        (True, True),
        (True, True),
    ]
    made.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    assert shapes(qtbot, theme, made, 4)[0] == (True, True)


def test_a_model_of_very_many_layers_still_fits(qtbot, theme) -> None:
    made = CoverageBar(theme)
    qtbot.addWidget(made)
    made.show_coverage(coverage([2] * 400))
    made.resize(80, HEIGHT_PIXELS)
    assert made.grab().toImage().pixelColor(40, 7) == theme.colour("helper")
