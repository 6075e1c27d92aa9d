"""The graph: one sample a second, two minutes of them."""

from __future__ import annotations

from app.ui.speed_graph import SAMPLES, SpeedGraph


def graph(qtbot, theme) -> SpeedGraph:
    made = SpeedGraph(theme, "Speed", 5.0, lambda value: f"{value:.0f}")
    qtbot.addWidget(made)
    made.resize(300, 100)
    made.show()
    return made


def test_of_moments_too_close_together_the_newest_is_drawn(qtbot, theme) -> None:
    made = graph(qtbot, theme)
    made.add(10.0, 1.0)
    made.add(10.3, 2.0)
    made.add(11.0, 3.0)
    assert made.values == [(2.0,), (3.0,)]
    made.add(11.1, 0.0)  # and nothing more for a while, because nothing changes
    assert made.values == [(2.0,), (0.0,)]
    assert made.accessibleDescription() == "0"


def test_seconds_in_which_nothing_changed_are_drawn_as_they_were(qtbot, theme) -> None:
    made = graph(qtbot, theme)
    made.add(10.0, 5.0)
    made.add(11.0, 0.0)
    made.add(14.1, 3.0)
    assert made.values == [(5.0,), (0.0,), (0.0,), (0.0,), (3.0,)]
    made.add(10_000.0, 1.0)
    assert made.values == [(3.0,)] * (SAMPLES - 1) + [(1.0,)]


def test_it_forgets_what_is_older_than_two_minutes(qtbot, theme) -> None:
    made = graph(qtbot, theme)
    for second in range(500):
        made.add(float(second), float(second))
    assert len(made.values) == SAMPLES
    assert made.values[-1] == (499.0,)


def test_the_line_is_drawn(qtbot, theme) -> None:
    made = graph(qtbot, theme)
    empty = made.grab().toImage()
    for second in range(60):
        made.add(float(second), 4.0, 1.0)
    assert made.grab().toImage() != empty
    assert made.accessibleDescription() == "4, 1"


def test_it_is_not_painted_while_it_cannot_be_seen(qtbot, theme, monkeypatch) -> None:
    made = graph(qtbot, theme)
    made.hide()
    painted: list[int] = []
    monkeypatch.setattr(made, "update", lambda: painted.append(1))
    made.add(1.0, 1.0)
    assert painted == []


def test_where_nothing_happens_it_says_so_instead_of_drawing_a_scale(qtbot, theme) -> None:
    made = SpeedGraph(theme, "Speed", 5.0, str, idle="Nothing was computed.")
    qtbot.addWidget(made)
    made.add(0.0, 0.0)
    assert not made.is_lively
    idle = made.grab().toImage()
    made.add(1.0, 2.0)
    assert made.is_lively
    assert made.grab().toImage() != idle


def test_no_line_goes_through_the_words_of_an_idle_graph(qtbot, theme) -> None:
    made = SpeedGraph(theme, "Speed", 5.0, str, idle="Nothing.")
    qtbot.addWidget(made)
    made.resize(400, 92)
    margin = 3  # the words stand in the middle of the graph's width

    def lines() -> int:
        """How many lines lie over the ground between top and bottom."""
        drawn = made.grab().toImage()
        column = [drawn.pixel(margin, y) for y in range(30, drawn.height() - 5)]
        return sum(colour != column[0] for colour in column)

    assert lines() == 0
    made.add(1.0, 2.0)
    assert lines() > 0


def test_the_words_of_an_idle_graph_are_not_cut_off_where_it_is_narrow(qtbot, theme) -> None:
    made = SpeedGraph(theme, "Speed", 5.0, str, idle="mmm mmm mmm mmm mmm mmm mmm mmm mmm")
    qtbot.addWidget(made)
    made.resize(150, 92)
    drawn = made.grab().toImage()
    ground = drawn.pixel(1, 30)
    inside = range(30, drawn.height() - 5)
    assert all(drawn.pixel(x, y) == ground for x in (0, 1, 2, 3) for y in inside)


def test_several_lines_have_names(qtbot, theme) -> None:
    made = SpeedGraph(theme, "Network", 5.0, str, lines=("sent", "received"))
    nameless = SpeedGraph(theme, "Network", 5.0, str)
    for one in (made, nameless):
        qtbot.addWidget(one)
        one.resize(300, 92)
        one.add(0.0, 1.0, 2.0)
    assert made.grab().toImage() != nameless.grab().toImage()
