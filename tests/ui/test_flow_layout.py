"""Widgets that go on in another line."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget

from app.ui.flow_layout import flowing


def buttons(count: int) -> list[QPushButton]:
    made = [QPushButton(f"Button {number}") for number in range(count)]
    for one in made:
        one.setFixedSize(100, 30)
    return made


def shown(qtbot, width: int, *, centred: bool = False) -> tuple[QWidget, list[QPushButton]]:
    inside = buttons(3)
    made = flowing(*inside, centred=centred)
    qtbot.addWidget(made)
    made.resize(width, 200)
    made.show()
    return made, inside


def test_what_fits_stands_in_one_line(qtbot) -> None:
    made, inside = shown(qtbot, 400)
    assert [one.pos().toTuple() for one in inside] == [(0, 0), (108, 0), (216, 0)]
    assert made.heightForWidth(400) == 30


def test_what_does_not_fit_goes_on_below(qtbot) -> None:
    made, inside = shown(qtbot, 210)
    assert [one.pos().toTuple() for one in inside] == [(0, 0), (108, 0), (0, 38)]
    assert made.heightForWidth(210) == 68
    assert made.heightForWidth(10) == 3 * 30 + 2 * 8


def test_lines_can_stand_in_the_middle(qtbot) -> None:
    _, inside = shown(qtbot, 250, centred=True)
    assert [one.x() for one in inside] == [21, 129, 75]


def test_mirrored_writing_begins_at_the_right(qtbot) -> None:
    made, inside = shown(qtbot, 400)
    made.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    made.layout().invalidate()
    made.layout().activate()
    assert [one.x() for one in inside] == [300, 192, 84]


def test_what_is_hidden_takes_no_room(qtbot) -> None:
    made, inside = shown(qtbot, 210)
    inside[0].hide()
    assert made.heightForWidth(210) == 30


def test_it_can_be_as_narrow_as_its_widest(qtbot) -> None:
    made, _ = shown(qtbot, 400)
    assert made.minimumSizeHint().width() == 100


def test_margins_are_kept(qtbot) -> None:
    made, inside = shown(qtbot, 400)
    made.layout().setContentsMargins(10, 20, 10, 5)
    made.layout().activate()
    assert inside[0].pos().toTuple() == (10, 20)
    assert made.heightForWidth(400) == 55
