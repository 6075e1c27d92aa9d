"""The strip of layers: nobody's part is drawn over another's, and gaps are seen."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt

from app.api.shapes import LayerHolder
from app.ui.layer_strip import BAR_PIXELS, NAMES_PIXELS, LayerStrip, lanes
from tests.helpers.fake_node_data import HOLDERS, model_at_rest

MODEL = model_at_rest()


def holder(start: int, stop: int, *, mine: bool = False) -> LayerHolder:
    return msgspec.structs.replace(
        HOLDERS[1], peer_id=f"p{start}x{stop}", start=start, stop=stop, mine=mine, in_chain=False
    )


def strip(qtbot, theme, model=MODEL) -> LayerStrip:
    made = LayerStrip(theme)
    qtbot.addWidget(made)
    made.show_model(model)
    made.resize(760, made.sizeHint().height())
    made.show()
    return made


def test_helpers_that_do_not_overlap_share_a_line() -> None:
    assert [len(lane.holders) for lane in lanes([holder(0, 5), holder(5, 9), holder(4, 6)])] == [
        2,
        1,
    ]


def test_this_computer_stands_first() -> None:
    first = lanes([holder(0, 9), holder(2, 4, mine=True)])[0]
    assert first.holders[0].mine


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=20))
def test_lines_never_overlap_and_lose_nobody(spans: list[tuple[int, int]]) -> None:
    holders = [holder(start, start + length) for start, length in spans]
    found = lanes(holders)
    assert sum(len(lane.holders) for lane in found) == len(holders)
    for lane in found:
        for left, right in zip(lane.holders, lane.holders[1:], strict=False):
            assert left.stop <= right.start


def test_a_gap_is_drawn_in_another_colour_than_a_served_layer(qtbot, theme) -> None:
    gap = msgspec.structs.replace(MODEL, holders=[holder(0, 20)], my_start=None, my_stop=None)
    image = strip(qtbot, theme, gap).grab().toImage()
    height = NAMES_PIXELS + 8
    served = image.pixelColor(15, height).name()
    assert image.pixelColor(image.width() - 15, height).name() != served


def test_what_rests_is_hollow(qtbot, theme) -> None:
    alone = msgspec.structs.replace(MODEL, holders=[])
    made = strip(qtbot, theme, alone)
    inside = made._box(5.5, 5.5, NAMES_PIXELS + BAR_PIXELS / 2, 0).topLeft().toPoint()
    assert made.grab().toImage().pixelColor(inside) == theme.colour("accent")
    made.show_model(alone, resting=True)
    assert made.grab().toImage().pixelColor(inside) == theme.colour("surface")


def test_the_ends_are_drawn_flatter_than_layers(qtbot, theme) -> None:
    whole = msgspec.structs.replace(MODEL, holders=[holder(0, 38)], my_start=None, my_stop=None)
    image = strip(qtbot, theme, whole).grab().toImage()
    edge = NAMES_PIXELS + 3
    end, layer = image.pixelColor(10, edge), image.pixelColor(30, edge)
    assert end != layer


def test_one_computer_fills_half_and_two_fill_all(qtbot, theme) -> None:
    model = msgspec.structs.replace(
        MODEL, holders=[holder(0, 38), holder(10, 20)], my_start=None, my_stop=None
    )
    made = strip(qtbot, theme, model)
    image, full = made.grab().toImage(), theme.colour("helper")

    def drawn(unit: int, share: float) -> bool:
        y = NAMES_PIXELS + share * BAR_PIXELS
        return bool(
            image.pixelColor(made._box(unit + 0.5, unit + 0.5, y, 0).topLeft().toPoint()) == full
        )

    assert [drawn(unit, 0.25) for unit in (5, 15)] == [False, True]
    assert [drawn(unit, 0.75) for unit in (5, 15)] == [True, True]


def test_a_place_in_the_bar_says_how_often_it_is_served(qtbot, theme) -> None:
    made = strip(qtbot, theme, msgspec.structs.replace(MODEL, holders=[holder(0, 20)]))
    made.grab()
    middle = NAMES_PIXELS + BAR_PIXELS / 2
    assert made.tip_at(made._box(5.5, 5.5, middle, 0).topLeft()) == "layer 5: served by 1 computer"
    assert made.tip_at(made._box(25.5, 25.5, middle, 0).topLeft()) == "layer 25: served by nobody"
    below = made._boxes[0][0].center()
    assert made.tip_at(below).startswith("p0x20: the input and layers 1 to 19")


def test_a_part_on_its_way_is_drawn_hollow_and_serves_nobody(qtbot, theme) -> None:
    coming = msgspec.structs.replace(holder(0, 38), ready=False)
    model = msgspec.structs.replace(MODEL, holders=[coming], my_start=None, my_stop=None)
    made = strip(qtbot, theme, model)
    image = made.grab().toImage()
    inside = made._boxes[0][0].center().toPoint()
    assert image.pixelColor(inside) == theme.colour("surface")
    assert made.tip_at(made._boxes[0][0].center()).endswith("on its way")
    assert "nobody serves it at the moment" in made.accessibleDescription()


def test_it_says_in_words_what_it_draws(qtbot, theme) -> None:
    words = strip(qtbot, theme).accessibleDescription()
    assert "This computer: layers 1 to 14" in words
    assert "kq3vtz7m: the input and layers 1 to 19" in words
    assert words.endswith("every layer is served, 1 layer by one computer only")


def test_many_helpers_are_counted_and_not_drawn_over_each_other(qtbot, theme) -> None:
    crowd = msgspec.structs.replace(MODEL, holders=[holder(0, 9 + n) for n in range(20)])
    made = strip(qtbot, theme, crowd)
    assert made.hidden_holders == 14
    assert made.sizeHint().height() < 220


def test_right_to_left_begins_at_the_right(qtbot, theme) -> None:
    made = strip(qtbot, theme)
    left = made._box(0, 10, 0, 20)
    made.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    right = made._box(0, 10, 0, 20)
    assert left.left() == 0
    assert abs(right.right() - made.width()) < 1
    made.grab()


def test_spans_outside_the_model_harm_nothing(qtbot, theme) -> None:
    strange = msgspec.structs.replace(MODEL, holders=[holder(-5, 90), holder(20, 3)])
    strip(qtbot, theme, strange).grab()
