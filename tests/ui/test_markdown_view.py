"""The view that grows with an answer."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QScrollArea

from app.ui import markdown_view
from app.ui.markdown_view import MarkdownView, open_link
from tests.helpers.fake_node_data import ANSWER, OTHER_ANSWER


def view(theme, qtbot) -> MarkdownView:
    made = MarkdownView(theme, "Answer")
    qtbot.addWidget(made)
    made.resize(500, 10)
    made.show()
    return made


def test_it_is_as_high_as_its_text(theme, qtbot) -> None:
    made = view(theme, qtbot)
    made.set_source("one")
    low = made.height()
    made.set_source("one\n\ntwo\n\nthree")
    assert made.height() > 2 * low


def test_an_answer_in_pieces_ends_as_if_it_had_come_at_once(theme, qtbot, wait) -> None:
    for text in (ANSWER, OTHER_ANSWER):
        made, whole = view(theme, qtbot), view(theme, qtbot)
        whole.set_source(text)
        for at in range(0, len(text), 7):
            made.append(text[at : at + 7])
            made._draw_tail()
        made.finish()
        assert made.source == text
        assert made.toPlainText() == whole.toPlainText()
        assert abs(made.height() - whole.height()) <= 1


def test_only_the_last_block_is_written_while_text_arrives(theme, qtbot, monkeypatch) -> None:
    made = view(theme, qtbot)
    made.set_source("first\n\nsecond")
    written: list[int] = []
    original = made._writer.write

    def write(blocks):
        written.append(len(blocks))
        return original(blocks)

    monkeypatch.setattr(made._writer, "write", write)
    made.append(" and more")
    made._draw_tail()
    assert written == [1]
    assert made.toPlainText() == "first\nsecond and more"


def test_text_appears_by_itself_soon(theme, qtbot, wait) -> None:
    made = view(theme, qtbot)
    made.append("hello")
    wait(lambda: made.toPlainText() == "hello")


def test_each_piece_of_code_can_be_copied(theme, qtbot) -> None:
    made = view(theme, qtbot)
    made.set_source("```\na\nb\n```\ntext\n```\nc\n```")
    first, second = (pane.button for pane in made._codes.all)
    assert first.accessibleName() == "Copy this code"
    second.click()
    assert QGuiApplication.clipboard().text() == "c"
    first.click()
    assert QGuiApplication.clipboard().text() == "a\nb"


def test_nothing_is_loaded_for_an_answer(theme, qtbot) -> None:
    assert view(theme, qtbot).loadResource(2, QUrl("file:///etc/hostname")) is None


def test_only_web_links_are_opened(qapp, monkeypatch) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    open_link(QUrl("file:///etc/passwd"))
    assert opened == []
    open_link(QUrl("https://example.org"))
    assert opened == [QUrl("https://example.org")]


def test_a_new_look_is_taken_on(theme, qtbot) -> None:
    made = view(theme, qtbot)
    made.set_source("`code`")
    theme.choose("dark")
    assert "#131514" in made.toHtml()
    theme.choose("light")


def test_a_word_without_end_does_not_hold_everything_up(theme, qtbot) -> None:
    made = view(theme, qtbot)
    began = time.process_time()
    made.set_source("A" * 60_000 + "\n\n```\n" + "B" * 60_000 + "\n```")
    assert time.process_time() - began < 2
    assert made.source.count("A") == 60_000


LONG = "".join(
    f"## {n}\n\nWords and **more**.\n\n- one\n- two\n\n```\nx\n```\n\n" for n in range(60)
)


def test_a_long_text_is_written_piece_by_piece(theme, qtbot, wait, monkeypatch) -> None:
    made, whole = view(theme, qtbot), view(theme, qtbot)
    monkeypatch.setattr(markdown_view, "PIECE_SECONDS", 60.0)
    whole.set_source(LONG)
    monkeypatch.setattr(markdown_view, "PIECE_SECONDS", 0.0)
    pieces: list[int] = []
    original = made._writer.write

    def write(blocks):
        pieces.append(sum(map(markdown_view._weight, blocks)))
        return original(blocks)

    monkeypatch.setattr(made._writer, "write", write)
    made.set_source(LONG)
    assert len(pieces) == 1  # the window has its turn after the first one
    wait(lambda: not made._unwritten)
    assert len(pieces) >= 20
    assert max(pieces) < 2 * markdown_view.PIECE_WEIGHT
    assert made.toPlainText() == whole.toPlainText()
    assert abs(made.height() - whole.height()) <= 1


def test_what_comes_while_a_long_text_is_written_comes_after_it(
    theme, qtbot, wait, monkeypatch
) -> None:
    monkeypatch.setattr(markdown_view, "PIECE_SECONDS", 0.0)
    made = view(theme, qtbot)
    made.set_source(LONG)
    made.append("the ")
    made.append("end")
    made.finish()
    wait(lambda: made.toPlainText().endswith("the end"))
    assert not made._unwritten
    made.set_source("another")  # what was still to be written is forgotten
    assert made.toPlainText() == "another"


@pytest.mark.parametrize(
    "text",
    [
        "|" + "a|" * 20 + "\n|" + "-|" * 20 + "\n" + ("|" + "b|" * 20 + "\n") * 730,
        "```\n" * 2000,
        "`a``b" * 6000,
        "_a_ " * 7500,
        "*a " * 10_000,
        "x\n\n" * 3000,
        "- item **bold**\n" * 1500,
        "```python\n" + 'x = "abc" + f(1)\n' * 1700 + "```",
    ],
)
def test_no_text_holds_up_the_window(theme, qtbot, qapp, text: str) -> None:
    """Of 30 KB no turn takes long; other programs run as well: the best of a few tries counts."""
    tries = (longest_turn(theme, qtbot, qapp, text) for _ in range(4))
    assert any(seconds < 0.3 for seconds in tries)


def longest_turn(theme, qtbot, qapp, text: str) -> float:
    """Seconds of processor time that the window stands still for at most, while it shows a text."""
    made, around = MarkdownView(theme, "Answer"), QScrollArea()
    qtbot.addWidget(around)
    around.setWidget(made)
    around.resize(520, 400)
    around.show()
    turns: list[float] = []

    def turn(work: Callable[[], object]) -> None:
        began = time.process_time()
        work()
        turns.append(time.process_time() - began)

    turn(lambda: made.set_source(text))
    for _ in range(40):
        turn(qapp.processEvents)
    made.append("x")
    turn(made._draw_tail)
    turn(qapp.processEvents)
    return max(turns)
