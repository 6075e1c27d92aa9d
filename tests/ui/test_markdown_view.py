"""The view that grows with an answer."""

from __future__ import annotations

import time

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication

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
