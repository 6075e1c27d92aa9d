"""One message: its words, its buttons, its line."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtGui import QGuiApplication

from app.api.shapes import AnswerWaiting, MessageView
from app.sentences import say
from app.ui.message_view import Message

DONE = MessageView(
    id=7,
    role="assistant",
    content="An **answer**.",
    created_at=1.0,
    chain=["kq3vtz7m"],
    readers=["kq3vtz7m"],
    tokens=3,
    tokens_per_second=2.0,
)


@pytest.fixture
def answer(qtbot, theme) -> Message:
    made = Message(theme, "assistant")
    qtbot.addWidget(made)
    made.show()
    return made


def test_an_answer_shows_who_wrote_it(answer) -> None:
    answer.show_view(DONE)
    assert answer.text.toPlainText() == "An answer."
    assert answer.line.text() == (
        "Answered by kq3vtz7m · 3 tokens · 2.0 tokens/s · could be read by kq3vtz7m"
    )


def test_an_answer_on_its_way_says_so_until_the_first_word(answer) -> None:
    answer.begin_writing()
    assert answer.waiting.isVisible()
    assert not answer.text.isVisible()
    answer.add("")
    assert answer.waiting.isVisible()
    answer.add("Hello")
    assert not answer.waiting.isVisible()
    assert answer.text.isVisible()


def test_what_an_answer_waits_for_is_said_until_the_next_word(answer) -> None:
    answer.begin_writing()
    answer.add("Hello")
    waits = say("another_takes_over")
    answer.wait_for(AnswerWaiting(message=7, words=waits.words, said=waits.said))
    assert answer.waiting.isVisible()
    assert answer.waiting.text() == "A helper left; another takes over…"
    assert answer.waiting.y() >= answer.text.geometry().bottom()
    answer.add(" there")
    assert not answer.waiting.isVisible()
    answer.wait_for(AnswerWaiting(message=7, words="Waiting…"))
    answer.wait_for(AnswerWaiting(message=7, words=""))
    assert not answer.waiting.isVisible()


def test_before_the_first_word_helpers_are_named_only_while_they_are_waited_for(answer) -> None:
    answer.begin_writing()
    assert answer.waiting.text() == "Preparing the answer", "it may be this computer alone"
    answer.wait_for(AnswerWaiting(message=7, words="Waiting…"))
    assert answer.waiting.text() == "Waiting…"
    answer.wait_for(AnswerWaiting(message=7, words=""))
    assert answer.waiting.isVisible()
    assert answer.waiting.text() == "Preparing the answer"


def test_a_stopped_answer_says_so_and_keeps_its_words(answer) -> None:
    answer.show_view(msgspec.structs.replace(DONE, state="stopped"))
    assert answer.remark.text() == "Stopped before the end."
    assert answer.text.toPlainText() == "An answer."


def test_a_failed_answer_says_why(answer) -> None:
    answer.show_view(msgspec.structs.replace(DONE, state="failed", error="A helper left."))
    assert answer.trouble.isVisible()
    assert answer.trouble.text.text() == "A helper left."


def test_a_remark_of_the_node_is_shown(answer) -> None:
    answer.show_view(msgspec.structs.replace(DONE, remark="The beginning was left out."))
    assert answer.remark.isVisible()


def test_the_words_are_copied_as_they_were_written(answer) -> None:
    answer.show_view(DONE)
    answer.copy.click()
    assert QGuiApplication.clipboard().text() == "An **answer**."


def test_nothing_is_offered_to_copy_where_nothing_was_written(answer) -> None:
    answer.begin_writing()
    assert not answer.copy.isEnabled()
    answer.show_view(msgspec.structs.replace(DONE, content="", state="stopped"))
    assert not answer.copy.isEnabled()
    answer.show_view(msgspec.structs.replace(DONE, content="Half", state="stopped"))
    assert answer.copy.isEnabled()


def test_a_question_can_be_edited_and_not_written_again(qtbot, theme) -> None:
    question = Message(theme, "user")
    qtbot.addWidget(question)
    question.show_view(MessageView(id=1, role="user", content="Why?", created_at=1.0))
    question.may_be_written_again(yes=True)
    assert question.again.isHidden()
    assert not question.edit.isHidden()
    with qtbot.waitSignal(question.edit_wanted):
        question.edit.click()


def test_its_parts_are_never_windows_of_their_own(shown_windows, qtbot, theme) -> None:
    for role in ("user", "assistant"):
        qtbot.addWidget(Message(theme, role))
    assert shown_windows == []


def test_a_short_question_takes_little_room(qtbot, theme) -> None:
    short, long = Message(theme, "user"), Message(theme, "user")
    for one, text in ((short, "Why?"), (long, "Why is that so? " * 20)):
        qtbot.addWidget(one)
        one.ask(text)
    assert short.maximumWidth() < 300 < long.maximumWidth()


def test_a_persons_words_stand_as_they_were_typed(qtbot, theme) -> None:
    made = Message(theme, "user")
    qtbot.addWidget(made)
    typed = "# one\n  **two**\n\n1. three `four`"
    made.ask(typed)
    made.show()
    assert made.text.toPlainText() == typed
    assert made.text.document().blockCount() == 4
    assert not made.text.document().toHtml().count("<b>")


def test_a_typed_message_is_as_high_as_its_lines(qtbot, theme) -> None:
    made = Message(theme, "user")
    qtbot.addWidget(made)
    made.resize(500, 200)
    made.show()
    made.ask("one")
    low = made.text.height()
    made.ask("one\ntwo\nthree")
    assert made.text.height() > 2.5 * low


def test_an_answers_buttons_stand_at_its_end_with_and_without_a_line(answer, qapp) -> None:
    answer.resize(700, 300)
    answer.show_view(DONE)
    qapp.processEvents()
    place = answer.copy.geometry().right()
    answer.show_view(msgspec.structs.replace(DONE, state="stopped", chain=[]))
    qapp.processEvents()
    assert not answer.line.isVisible()
    assert answer.copy.geometry().right() == place
    assert place > 600


def test_an_answer_names_the_model_that_wrote_it(answer) -> None:
    answer.show_view(msgspec.structs.replace(DONE, model="Potluck Guide"))
    assert answer.line.text().startswith("Potluck Guide · Answered by kq3vtz7m")
