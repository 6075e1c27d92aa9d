"""The few kinds of controls."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from app.ui.controls import (
    Banner,
    EmptyState,
    Explained,
    IconButton,
    OneLine,
    Page,
    button,
    clear,
    label,
    plain_box,
    plain_tip,
)

PICTURE = 'hi <img src="file:///x.png"> & <b>bold</b>'
ROOT = Path(__file__).resolve().parents[2]


def test_what_others_wrote_is_never_markup(qtbot) -> None:
    made = label("<b>bold</b>")
    qtbot.addWidget(made)
    assert made.textFormat() == Qt.TextFormat.PlainText


def test_a_tooltip_shows_the_very_words(qtbot) -> None:
    assert plain_tip("1 & 2\nthree") == "1 & 2\nthree"
    for text in (PICTURE, "a &lt;b&gt; c", "<?xml", "x < y > z"):
        document = QTextDocument()
        document.setHtml(plain_tip(text))
        assert document.toPlainText() == text
        assert "<img" not in document.toHtml()


def test_a_question_shows_the_very_words(qtbot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    box = plain_box(parent, "Potluck", PICTURE, PICTURE)
    said = [one for one in box.findChildren(QLabel) if one.text()]
    assert [one.text() for one in said] == [PICTURE, PICTURE]
    assert {one.textFormat() for one in said} == {Qt.TextFormat.PlainText}
    assert box.text() == box.informativeText() == PICTURE


def test_nobody_asks_or_explains_in_markup() -> None:
    """Every question and every tooltip with words of others goes the plain way."""
    for path in sorted((ROOT / "app" / "ui").rglob("*.py")):
        if path.name != "controls.py":
            text = path.read_text(encoding="utf-8")
            assert "QMessageBox(" not in text, path.name
            assert not re.search(r"QLabel\([^)]", text), path.name


def test_buttons_have_names_and_do_what_they_say(qtbot, theme) -> None:
    done: list[str] = []
    made = button("Go", lambda: done.append("go"))
    drawn = IconButton(theme, "copy", "Copy", lambda: done.append("copy"))
    for one in (made, drawn):
        qtbot.addWidget(one)
        one.click()
    assert done == ["go", "copy"]
    assert made.accessibleName() == "Go"
    assert drawn.accessibleName() == drawn.toolTip() == "Copy"


def test_icons_take_the_colours_of_the_look(qtbot, theme) -> None:
    made = IconButton(theme, "copy", "Copy")
    qtbot.addWidget(made)
    before = made.icon().cacheKey()
    theme.choose("dark")
    assert made.icon().cacheKey() != before
    theme.choose("light")


def test_a_banner_shows_only_when_it_has_something_to_say(qtbot) -> None:
    done: list[int] = []
    made = Banner()
    qtbot.addWidget(made)
    made.say("Careful", "Mend", lambda: done.append(1))
    assert not made.isHidden()
    assert made.accessibleName() == "Careful"
    made.button.click()
    assert done == [1]
    made.say("")
    assert made.isHidden()


def test_pages_stop_growing_where_lines_get_too_long(qtbot, theme) -> None:
    page = Page("Title")
    qtbot.addWidget(page)
    page.body.addWidget(EmptyState(theme, "chat", "Nothing", "Nothing is here yet."))
    page.resize(2400, 600)
    page.show()
    assert page.title.parentWidget().width() <= 880


def test_what_does_not_fit_in_one_line_ends_in_an_ellipsis(qtbot, theme) -> None:
    title = OneLine("strong")
    qtbot.addWidget(title)
    title.setText("A very long title <b>that goes on</b>")
    title.resize(120, 30)
    title.show()
    assert title.shown().endswith("…")
    assert title.text() == "A very long title <b>that goes on</b>"
    assert "&lt;b&gt;that goes on" in title.toolTip()
    whole = title.grab().toImage()
    title.resize(title.fontMetrics().horizontalAdvance(title.text()) + 10, 30)
    assert title.shown() == title.text()
    assert not title.toolTip()
    title.setText("")
    title.resize(120, 30)
    assert title.grab().toImage() != whole, "it is drawn"


def test_a_drawing_goes_where_the_room_is_short_and_comes_back(qtbot, theme) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    made = EmptyState(theme, "chat", "Ask something", "Helpers answer.", yields=True)
    made.below.addWidget(button("How does it work?", lambda: None))
    made.setParent(page)
    page.show()
    for high, drawn in ((400, True), (150, False), (400, True)):
        made.resize(400, high)
        assert made._picture.isVisible() == drawn


def test_clearing_takes_everything_out(qtbot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    layout = QVBoxLayout(parent)
    inner = QVBoxLayout()
    inner.addWidget(label("b"))
    layout.addWidget(label("a"))
    layout.addLayout(inner)
    clear(layout)
    assert layout.count() == inner.count() == 0


def test_the_words_beneath_a_choice_choose_it_too(qtbot, theme) -> None:
    box = QCheckBox("Only here")
    made = Explained(box, "Nobody else can read along.")
    qtbot.addWidget(made)
    made.resize(300, 60)
    made.show()
    below = QPoint(40, box.geometry().bottom() + 8)
    qtbot.mouseClick(made, Qt.MouseButton.LeftButton, pos=below)
    assert box.isChecked()
    assert box.accessibleDescription() == "Nobody else can read along."
