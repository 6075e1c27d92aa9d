"""The conversation: it follows an answer, and never pulls a reader away."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QLayoutItem
from shiboken6 import getAllValidWrappers

from app.ui.transcript import Transcript
from tests.helpers.fake_node_data import old_conversations


@pytest.fixture
def transcript(qtbot, theme) -> Transcript:
    made = Transcript(theme)
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.show()
    return made


def full(transcript: Transcript) -> None:
    messages = [message for one in old_conversations() for message in one.messages]
    transcript.show_messages(messages)


def test_it_follows_an_answer_from_the_end(transcript, wait) -> None:
    full(transcript)
    transcript.follow()
    bar = transcript.verticalScrollBar()
    wait(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())
    before = bar.maximum()
    transcript.messages[-1].text.set_source("word\n\n" * 60)
    wait(lambda: bar.maximum() > before and bar.value() == bar.maximum())


def test_whoever_reads_above_stays_there(transcript, wait) -> None:
    full(transcript)
    bar = transcript.verticalScrollBar()
    wait(lambda: bar.maximum() > 0)
    bar.setValue(50)
    before = bar.maximum()
    transcript.messages[-1].text.set_source("word\n\n" * 60)
    wait(lambda: bar.maximum() > before)
    assert bar.value() == 50


def test_what_a_layout_threw_away_is_not_kept(transcript) -> None:
    """Python would take the next thing that Qt makes at the same place for it."""

    def kept() -> set[int]:
        known = getAllValidWrappers()
        return {
            id(one)
            for one in known
            if isinstance(one, QLayoutItem) and not isinstance(one, QObject)
        }

    before = kept()
    for _ in range(3):
        full(transcript)
        transcript.cut_from(transcript.messages[-2])
    transcript.clear_all()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert kept() <= before


def test_only_the_last_answer_can_be_written_again(transcript) -> None:
    full(transcript)
    offered = [not message.again.isHidden() for message in transcript.messages]
    assert offered == [False] * 7 + [True]


def test_cutting_takes_a_message_and_all_after_it(transcript) -> None:
    full(transcript)
    transcript.cut_from(transcript.messages[2])
    assert len(transcript.messages) == 2
    transcript.clear_all()
    assert transcript.messages == []
    assert transcript._column.count() == 1


def test_home_and_end_go_to_the_ends(transcript, qtbot, wait) -> None:
    full(transcript)
    bar = transcript.verticalScrollBar()
    wait(lambda: bar.maximum() > 0)
    qtbot.keyClick(transcript, Qt.Key.Key_Home)
    assert bar.value() == 0
    qtbot.keyClick(transcript, Qt.Key.Key_End)
    assert bar.value() == bar.maximum()
