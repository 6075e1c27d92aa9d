"""The chat, against the real API with a scripted node behind it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from app.api.shapes import ConversationOptions, SayRequest
from app.errors import Refusal
from app.ui import theme as looks
from app.ui.backend import Stream
from app.ui.chat import ChatPage
from app.ui.chat_options import ChatOptions
from tests.helpers.fake_conversations import BUSY, NOT_SERVED, WAITS
from tests.helpers.fake_node_data import ANSWER, OTHER_ANSWER, old_conversations
from tests.helpers.laid_out import laid_out


@pytest.fixture
def page(qtbot, theme, backend, fake) -> ChatPage:
    fake.node.piece_seconds = 0.001
    made = ChatPage(theme, backend)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    made.refresh()
    return made


def ask(page: ChatPage, wait, text: str) -> None:
    page.composer.field.setPlainText(text)
    page.composer._send()
    # An answer that fails at once is over before anybody could see it begin.
    wait(lambda: page._asked == text and page._stream is None)
    wait(lambda: page.transcript.messages[-1].key is not None)


def asked_and_begun(page: ChatPage, fake, wait, text: str) -> None:
    """Ask; the answer stands still in the middle until `go_on`, or until it is stopped."""
    fake.node.waits_at = 40
    page.composer.field.setPlainText(text)
    page.composer._send()
    wait(lambda: page._answer is not None and len(page._answer.text.source) >= 40)


def sources(page: ChatPage) -> list[str]:
    return [message.text.source for message in page.transcript.messages]


def test_a_question_is_answered_and_the_chat_gets_a_name(page, wait) -> None:
    assert page.stack.currentWidget() is page.empty
    ask(page, wait, "How does it work?")
    assert sources(page) == ["How does it work?", ANSWER]
    assert "Answered by kq3vtz7m, p5ad2wxe" in page.transcript.messages[1].line.text()
    wait(lambda: page.title.text() == "How does it work?")
    wait(lambda: page.list.current() == page.key)
    assert all(message.key is not None for message in page.transcript.messages)


def test_a_proposed_question_can_be_asked_with_one_click(page, wait) -> None:
    laid_out(page.empty.below)[0].click()
    wait(lambda: len(page.transcript.messages) == 2)
    wait(lambda: page._stream is None)
    assert sources(page)[0] == "What is Potluck?"


def test_an_answer_can_be_stopped_and_stays(page, fake, wait) -> None:
    asked_and_begun(page, fake, wait, "Tell me a lot")
    page.composer.button.click()
    wait(lambda: page._stream is None)
    answer = page.transcript.messages[-1]
    assert answer.remark.text() == "Stopped before the end."
    assert 0 < len(answer.text.source) < len(ANSWER)


def test_an_answer_can_be_written_again(page, wait) -> None:
    ask(page, wait, "Hello")
    again = page.transcript.messages[-1].again
    again.setFocus()
    again.click()
    wait(lambda: page._stream is None and sources(page)[-1:] == [OTHER_ANSWER])
    assert len(page.transcript.messages) == 2
    assert page.focusWidget() is page.composer.field


def test_a_question_can_be_changed_and_sent_again(page, fake, wait) -> None:
    ask(page, wait, "First")
    ask(page, wait, "Second")
    first = page.transcript.messages[0]
    wait(lambda: first.key is not None)
    first.edit.click()
    assert page.composer.field.toPlainText() == "First"
    ask(page, wait, "Better")
    assert sources(page) == ["Better", ANSWER]
    assert fake.node.asked[-1] == ("say", SayRequest(content="Better", replaces=first.key))


def test_an_answer_that_is_complete_before_it_is_followed_is_shown(
    page, fake, wait, monkeypatch
) -> None:
    done = old_conversations()[0]
    writing = msgspec.structs.replace(done.messages[-1], state="writing", content="")
    begun = msgspec.structs.replace(done, messages=[*done.messages[:-1], writing])
    fake.do(lambda node: node.put(begun))
    follow = page._requests.follow_answer

    def too_late(key: str) -> Stream:
        fake.do(lambda node: node.put(done))
        return follow(key)

    monkeypatch.setattr(page._requests, "follow_answer", too_late)
    page.open(done.id)
    wait(lambda: sources(page)[1:] == [ANSWER])
    assert page._stream is None
    assert not page.transcript.messages[-1].waiting.isVisible()


def test_an_answer_that_waits_says_for_what_until_it_goes_on(page, fake, wait) -> None:
    asked_and_begun(page, fake, wait, "What is Potluck?")
    wait(lambda: page._answer.waiting.text() == WAITS.words)
    answer = page.transcript.messages[-1]
    before = answer.text.source
    assert 0 < len(before) < len(ANSWER)
    fake.do(lambda node: node.go_on.set())
    wait(lambda: page._stream is None)
    assert not answer.waiting.isVisible()
    assert sources(page)[1:] == [ANSWER]


def test_a_question_that_is_clicked_twice_is_asked_once(page, fake, wait) -> None:
    first = laid_out(page.empty.below)[0]
    first.click()
    first.click()
    wait(lambda: page._asked)
    wait(lambda: page._stream is None)
    wait(lambda: page.transcript.messages[-1].key is not None)
    assert sources(page) == ["What is Potluck?", ANSWER]
    assert [name for name, _ in fake.node.asked] == ["say"]


def test_another_chat_can_be_read_while_an_answer_is_written(page, fake, wait) -> None:
    fake.do(lambda node: node.put(old_conversations()[1]))
    asked_and_begun(page, fake, wait, "Slowly, please")
    writing = page.key
    page.open("old1")
    wait(lambda: page.title.text() == "A birthday poem for grandmother")
    assert page._stream is None
    page.open(writing)
    wait(lambda: sources(page) and sources(page)[0] == "Slowly, please")
    wait(lambda: page._answer is not None and page._answer.text.source)
    fake.do(lambda node: node.go_on.set())
    wait(lambda: page._stream is None)
    assert sources(page) == ["Slowly, please", ANSWER]


def test_a_question_that_nobody_can_answer_stays_and_can_be_tried_again(page, fake, wait) -> None:
    fake.node.not_served = True
    ask(page, wait, "Anybody there?")
    answer = page.transcript.messages[-1]
    assert answer.trouble.text.text() == NOT_SERVED
    assert not answer.waiting.isVisible()
    assert sources(page) == ["Anybody there?", ""]
    fake.node.not_served = False
    answer.again.click()
    wait(lambda: page._stream is None and sources(page)[-1:] == [OTHER_ANSWER])


def test_a_question_that_is_not_taken_is_given_back(page, fake, wait) -> None:
    fake.node.refusal = Refusal(BUSY, code="busy")
    page.composer.field.setPlainText("Anybody there?")
    page.composer._send()
    wait(lambda: page.trouble.isVisible())
    assert page.trouble.text.text() == BUSY
    assert page.composer.field.toPlainText() == "Anybody there?"
    assert page.transcript.messages == []


def test_options_chosen_before_the_first_question_hold_for_it(page, fake, wait) -> None:
    page._draft = ConversationOptions(alone=True, system="Be brief.")
    ask(page, wait, "Who reads this?")
    assert page._conversation.options.alone
    assert "nobody else could read it" in page.transcript.messages[-1].line.text()


def test_options_name_the_model_that_was_chosen_meanwhile(page, fake, wait) -> None:
    wait(lambda: bool(page._offers))
    fake.node.offers = [msgspec.structs.replace(one, chosen=False) for one in fake.node.offers]
    page.options.click()
    (dialog,) = page.findChildren(ChatOptions)
    wait(lambda: dialog.model.currentText() == "Potluck's own guide")
    dialog.reject()


def test_a_long_title_leaves_room_for_what_can_be_done(page, fake, wait) -> None:
    page.title.setText("grandmother " * 40)
    page.resize(640, 420)
    assert page.title.shown().endswith("…")
    assert page.export.mapTo(page, page.export.rect().topRight()).x() < page.width()


def test_in_a_low_window_what_is_proposed_keeps_clear_of_the_field(page, qtbot) -> None:
    questions = laid_out(page.empty.below)
    for question in questions:
        question.setText("In a language that needs many words")
    page.resize(584, 420)

    def room() -> int:
        below = questions[-1].mapTo(page, questions[-1].rect().bottomLeft()).y()
        return int(page.composer.mapTo(page, page.composer.rect().topLeft()).y()) - below

    qtbot.waitUntil(lambda: page.empty._picture.isHidden() and room() >= looks.WIDE)


def test_a_chat_is_exported_in_both_forms(page, wait, tmp_path: Path) -> None:
    ask(page, wait, "Hello")
    page.export_to(tmp_path / "a.md", "markdown")
    page.export_to(tmp_path / "a.json", "json")
    wait(lambda: (tmp_path / "a.md").exists() and (tmp_path / "a.json").exists())
    assert "bucket brigade" in (tmp_path / "a.md").read_text(encoding="utf-8")
    kept = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert kept["messages"][0]["content"] == "Hello"


def test_an_export_that_cannot_be_written_is_said(page, wait, tmp_path: Path) -> None:
    ask(page, wait, "Hello")
    page.export_to(tmp_path / "no" / "a.md", "markdown")
    wait(lambda: page.trouble.isVisible())
    assert "The chat is kept here." in page.trouble.text.text()
    page.export_to(tmp_path / "a.md", "markdown")
    wait(lambda: (tmp_path / "a.md").exists())
    assert page.trouble.isHidden()


def test_a_chat_can_be_renamed_and_deleted(page, fake, wait) -> None:
    ask(page, wait, "Hello")
    page._rename(page.key, "Greetings")
    wait(lambda: page.title.text() == "Greetings")
    page._delete(page.key)
    wait(lambda: page.key == "" and page.list.rows.count() == 0)
    assert page.stack.currentWidget() is page.empty


def test_typing_is_possible_while_an_answer_arrives(page, fake, wait, qtbot) -> None:
    asked_and_begun(page, fake, wait, "Go")
    qtbot.keyClicks(page.composer.field, "my next question")
    assert page.composer.field.toPlainText() == "my next question"
    fake.do(lambda node: node.go_on.set())
    wait(lambda: page._stream is None)
    assert page.composer.field.toPlainText() == "my next question"
