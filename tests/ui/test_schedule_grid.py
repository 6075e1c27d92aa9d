"""The week as a grid, by mouse and by keyboard."""

from __future__ import annotations

from PySide6.QtCore import Qt

from app.ui.schedule_grid import ScheduleGrid


def grid(qtbot, theme, text: str = "") -> ScheduleGrid:
    made = ScheduleGrid(theme)
    qtbot.addWidget(made)
    made.resize(560, made.sizeHint().height())
    made.set_text(text)
    made.show()
    return made


def at(made: ScheduleGrid, day: int, hour: int):
    return made._box(day, hour).center().toPoint()


def test_it_shows_a_schedule_and_gives_it_back(qtbot, theme) -> None:
    for text in ("", "never", "mon-fri 18-24"):
        assert grid(qtbot, theme, text).text() == text


def test_what_is_no_schedule_changes_nothing(qtbot, theme) -> None:
    made = grid(qtbot, theme, "mon 8-9")
    made.set_text("whenever")
    assert made.text() == "mon 8-9"


def test_a_press_and_a_drag_paint_hours(qtbot, theme) -> None:
    made = grid(qtbot, theme, "never")
    heard: list[str] = []
    made.changed.connect(heard.append)
    qtbot.mousePress(made, Qt.MouseButton.LeftButton, pos=at(made, 0, 8))
    for hour in (9, 10):
        qtbot.mouseMove(made, at(made, 0, hour))
    qtbot.mouseRelease(made, Qt.MouseButton.LeftButton, pos=at(made, 0, 10))
    assert heard == ["mon 8-11"]


def test_a_press_on_a_painted_hour_takes_it_away(qtbot, theme) -> None:
    made = grid(qtbot, theme, "mon 8-10")
    qtbot.mouseClick(made, Qt.MouseButton.LeftButton, pos=at(made, 0, 9))
    assert made.text() == "mon 8-9"


def test_the_keyboard_reaches_every_hour(qtbot, theme) -> None:
    made = grid(qtbot, theme, "never")
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(made, key)
    qtbot.keyClick(made, Qt.Key.Key_Space)
    assert made.text() == "tue 2-3"
    assert made.accessibleDescription() == "Tuesday, 2:00: allowed"
    qtbot.keyClick(made, Qt.Key.Key_Space, Qt.KeyboardModifier.ShiftModifier)
    assert made.text() == "never"
    qtbot.keyClick(made, Qt.Key.Key_Left)
    qtbot.keyClick(made, Qt.Key.Key_Up)
    qtbot.keyClick(made, Qt.Key.Key_Space, Qt.KeyboardModifier.ShiftModifier)
    assert made.text() == "mon 0-24"


def test_right_to_left_is_a_mirror(qtbot, theme) -> None:
    made = grid(qtbot, theme, "mon 0-1")
    made.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    assert made._box(0, 0).right() > made._box(0, 23).left()
    made.grab()


def test_a_quick_drag_leaves_no_hour_out(qtbot, theme) -> None:
    made = grid(qtbot, theme, "never")
    qtbot.mousePress(made, Qt.MouseButton.LeftButton, pos=at(made, 0, 3))
    qtbot.mouseMove(made, at(made, 0, 20))
    qtbot.mouseRelease(made, Qt.MouseButton.LeftButton, pos=at(made, 0, 20))
    assert made.text() == "mon 3-21"


def test_a_quick_drag_across_days_takes_every_day_with_it(qtbot, theme) -> None:
    made = grid(qtbot, theme, "never")
    qtbot.mousePress(made, Qt.MouseButton.LeftButton, pos=at(made, 0, 9))
    qtbot.mouseMove(made, at(made, 6, 9))
    qtbot.mouseRelease(made, Qt.MouseButton.LeftButton, pos=at(made, 6, 9))
    assert made.text() == "mon-sun 9-10"


def test_a_drag_over_the_edge_paints_up_to_the_edge(qtbot, theme) -> None:
    made = grid(qtbot, theme, "never")
    qtbot.mousePress(made, Qt.MouseButton.LeftButton, pos=at(made, 1, 20))
    beyond = at(made, 1, 23)
    beyond.setX(made.width() + 300)
    qtbot.mouseMove(made, beyond)
    qtbot.mouseRelease(made, Qt.MouseButton.LeftButton, pos=beyond)
    assert made.text() == "tue 20-24"


def test_a_week_put_in_at_once_is_told_once(qtbot, theme) -> None:
    made = grid(qtbot, theme)
    heard: list[str] = []
    made.changed.connect(heard.append)
    made.put("sat,sun 0-24")
    made.put("sat,sun 0-24")
    assert len(heard) == 1
