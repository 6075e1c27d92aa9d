"""The chat with the guide, over three computers: what is seen is what the node keeps."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.api.shapes import AnswerWaiting
from app.ui.chat import ChatPage
from app.ui.desktop import Desktop
from app.ui.message_view import Message
from tests.e2e.screens.conftest import Neighbours, Wait, ask, change_options, send
from tests.helpers.desktop_node import DesktopNode

pytestmark = pytest.mark.xdist_group("screens")

SLOW_PERCENT = 2
"""Of the processor: the guide's longest answer, some eighty tokens, then takes ten seconds, and
its middle lasts until a test that other programs hold up has seen it."""


def kept(node: DesktopNode, page: ChatPage) -> Any:
    """The conversation in front, as the node keeps it."""
    return node.ask("GET", f"/conversations/{page.key}")


def contents(conversation: Any) -> list[str]:
    return [message["content"] for message in conversation["messages"]]


def shown(page: ChatPage) -> list[str]:
    return [message.text.source for message in page.transcript.messages]


def test_an_answer_streams_in_and_names_who_gave_it(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    page = desktop.window.chat
    answer = ask(desktop, wait, "What is Potluck?")
    conversation = kept(node, page)
    assert contents(conversation) == shown(page)
    told = conversation["messages"][-1]
    assert told["state"] == "done"
    line = answer.line.text()
    assert "Answered by " in line
    assert f"{told['tokens']} tokens" in line
    assert all(name in line for name in [*told["chain"], *told["readers"]])
    wait(lambda: page.title.text() == "What is Potluck?")
    wait(lambda: page.list.current() == page.key)


def test_an_answer_is_stopped_in_the_middle_and_written_again(
    desktop: Desktop, node: DesktopNode, wait: Wait, second_half: Callable[[int], None]
) -> None:
    page = desktop.window.chat
    second_half(SLOW_PERCENT)
    change_options(desktop, wait, length=1000, over_swarm=True)
    send(desktop, wait, "Tell me a long story.")
    wait(lambda: shown(page)[-1])
    begun = len(shown(page)[-1])
    wait(lambda: len(shown(page)[-1]) > begun)
    page.composer.button.click()
    wait(lambda: page._stream is None)
    stopped = page.transcript.messages[-1]
    wait(lambda: stopped.remark.text().startswith("Stopped before the end."))
    wait(lambda: contents(kept(node, page)) == shown(page))
    assert kept(node, page)["messages"][-1]["state"] == "stopped"

    second_half(100)
    change_options(desktop, wait, length=20)
    before = kept(node, page)["messages"][-1]["id"]
    wait(lambda: stopped.again.isVisible())
    stopped.again.click()
    wait(lambda: page._stream is not None)
    wait(lambda: page._stream is None)
    wait(lambda: contents(kept(node, page)) == shown(page))
    last = kept(node, page)["messages"][-1]
    assert last["id"] != before
    assert (last["state"], len(shown(page))) == ("done", 2)


def test_an_earlier_question_is_changed_and_sent_again(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    page = desktop.window.chat
    ask(desktop, wait, "What is Potluck?")
    ask(desktop, wait, "Who can read what I write?")
    assert len(kept(node, page)["messages"]) == 4
    page.transcript.messages[0].edit.click()
    assert page.composer.field.toPlainText() == "What is Potluck?"
    ask(desktop, wait, "What is a layer?")
    conversation = kept(node, page)
    assert contents(conversation) == shown(page)
    assert contents(conversation)[0] == "What is a layer?"
    assert len(conversation["messages"]) == 2


def test_instructions_and_temperature_hold_for_the_answer(
    desktop: Desktop, node: DesktopNode, wait: Wait
) -> None:
    page = desktop.window.chat
    change_options(desktop, wait, system="Answer in one word.", temperature=0.7, length=12)
    ask(desktop, wait, "What is Potluck?")
    options = kept(node, page)["options"]
    assert (options["system"], options["temperature"]) == ("Answer in one word.", 0.7)
    assert options["max_tokens"] == 12
    assert kept(node, page)["messages"][-1]["tokens"] <= 12
    change_options(desktop, wait, temperature=0.2)
    wait(lambda: kept(node, page)["options"]["temperature"] == 0.2)
    assert kept(node, page)["options"]["system"] == "Answer in one word."


def test_both_exports_are_what_the_node_gives(
    desktop: Desktop, node: DesktopNode, wait: Wait, tmp_path: Path
) -> None:
    page = desktop.window.chat
    ask(desktop, wait, "What is Potluck?")
    for kind in ("markdown", "json"):
        file = tmp_path / kind
        page.export_to(file, kind)
        wait(file.exists)
        path = f"/conversations/{page.key}/export?format={kind}"
        assert file.read_bytes() == node.fetch("GET", path)
    text = (tmp_path / "markdown").read_text(encoding="utf-8")
    assert "## You\n\nWhat is Potluck?" in text
    assert shown(page)[1] in text


def test_a_chat_survives_the_sudden_end_of_its_node(
    desktop: Desktop, node: DesktopNode, wait: Wait, second_half: Callable[[int], None]
) -> None:
    page, window = desktop.window.chat, desktop.window
    ask(desktop, wait, "What is Potluck?")
    second_half(SLOW_PERCENT)
    change_options(desktop, wait, length=1000, over_swarm=True)
    send(desktop, wait, "Tell me a long story.")
    wait(lambda: len(shown(page)[-1]) > 20)
    first, told = shown(page)[1], node.told()
    os.kill(told["pid"], signal.SIGKILL)
    wait(lambda: not desktop.backend.is_connected)
    wait(lambda: "it starts again" in window.dashboard.trouble.text.text())
    assert page._stream is None
    wait(lambda: desktop.backend.is_connected)
    assert node.told()["pid"] != told["pid"]
    wait(lambda: contents(kept(node, page)) == shown(page))
    conversation = kept(node, page)
    assert contents(conversation)[:3] == ["What is Potluck?", first, "Tell me a long story."]
    assert conversation["messages"][3]["state"] == "stopped"
    wait(lambda: not window.dashboard.trouble.isVisible())

    second_half(100)
    change_options(desktop, wait, length=20)
    ask(desktop, wait, "What is a helper?")
    assert contents(kept(node, page)) == shown(page)
    wait(lambda: node.status["state"] == "sharing")


# The node began anew: whom it found silent in a test before, it asks again.
def test_a_helper_that_stands_still_is_spoken_of_and_replaced(
    desktop: Desktop,
    node: DesktopNode,
    neighbours: Neighbours,
    wait: Wait,
    second_half: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, told = desktop.window.chat, list[str]()
    show = Message.wait_for

    def wait_for(answer: Message, what: AnswerWaiting) -> None:
        show(answer, what)
        told.append(answer.waiting.text() if answer.waiting.isVisible() else "")

    monkeypatch.setattr(Message, "wait_for", wait_for)
    before = node.status["repairs"]["ever"]
    desktop.window.go("chat")
    second_half(SLOW_PERCENT)
    change_options(desktop, wait, length=1000, over_swarm=True)
    send(desktop, wait, "Tell me a long story.")
    wait(lambda: len(shown(page)[-1]) > 20)
    family = neighbours.second.family()
    try:
        for one in family:
            one.suspend()
        wait(lambda: "A helper left; another takes over…" in told)
        wait(lambda: page._stream is None)
    finally:
        for one in family:
            one.resume()
    answer = page.transcript.messages[-1]
    assert not answer.waiting.isVisible()
    wait(lambda: "replaced" in answer.line.text())
    wait(lambda: node.status["repairs"]["ever"] > before)
    dashboard = desktop.window.dashboard
    ever = node.status["repairs"]["ever"]
    wait(lambda: dashboard.coverage.repairs.text().endswith(f"{ever} ever"))
