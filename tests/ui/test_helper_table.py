"""The helpers: those of the last answer first, then the nearest."""

from __future__ import annotations

import msgspec

from app.ui.helper_table import MAX_ROWS, HelperTable
from tests.helpers.fake_node_data import HOLDERS, model_at_rest

MODEL = model_at_rest()


def table(qtbot, theme, model=MODEL) -> HelperTable:
    made = HelperTable(theme)
    qtbot.addWidget(made)
    made.show_model(model)
    return made


def test_rows_say_who_what_how_far_and_how_fast(qtbot, theme) -> None:
    made = table(qtbot, theme)
    rows = [
        [made.table.item(row, column).text() for column in range(5)]
        for row in range(made.table.rowCount())
    ]
    assert rows[0] == [
        "kq3vtz7m",
        "the input and layers 1 to 19",
        "18 ms",
        "34.5 tokens/s",
        "helped",
    ]
    assert [row[0] for row in rows] == ["kq3vtz7m", "p5ad2wxe", "zt6h9b4q", "w2nn5c8r"]
    assert rows[3][2:] == ["not measured", "14.8 tokens/s", "not asked"]


def test_this_computer_is_not_its_own_helper(qtbot, theme) -> None:
    alone = msgspec.structs.replace(MODEL, holders=HOLDERS[:1])
    made = table(qtbot, theme, alone)
    assert made.table.isHidden()
    assert made.note.text() == "No other computer serves this model at the moment."


def test_without_a_model_nothing_is_said_of_who_serves_it(qtbot, theme) -> None:
    made = table(qtbot, theme, None)
    assert made.note.text() == "No model chosen yet."
    made.show_model(msgspec.structs.replace(MODEL, holders=()))
    assert made.note.text() == "No other computer serves this model at the moment."


def test_a_crowd_is_counted(qtbot, theme) -> None:
    crowd = [msgspec.structs.replace(HOLDERS[1], peer_id=f"{n:08}") for n in range(40)]
    made = table(qtbot, theme, msgspec.structs.replace(MODEL, holders=crowd))
    assert made.table.rowCount() == MAX_ROWS
    assert made.note.text() == "and 28 more"
