"""The list of conversations."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox

from app.api.shapes import ConversationHead
from app.ui.chat_list import ChatList


def head(number: int, title: str) -> ConversationHead:
    return ConversationHead(
        id=f"c{number}", title=title, created_at=1.0, changed_at=1.0, messages=2
    )


HEADS = [head(1, "Apples"), head(2, "Pears"), *(head(n, f"Chat {n}") for n in range(3, 9))]


@pytest.fixture
def chats(qtbot, theme) -> ChatList:
    made = ChatList(theme)
    qtbot.addWidget(made)
    made.show()
    return made


def shown(chats: ChatList) -> list[str]:
    return [chats.rows.item(row).text() for row in range(chats.rows.count())]


def test_the_one_in_front_is_marked_without_being_asked_for(chats, qtbot) -> None:
    with qtbot.assertNotEmitted(chats.chosen):
        chats.show_heads(HEADS, "c2")
    assert chats.current() == "c2"


def test_choosing_one_asks_for_it(chats, qtbot) -> None:
    chats.show_heads(HEADS, "")
    with qtbot.waitSignal(chats.chosen) as heard:
        chats.rows.setCurrentRow(0)
    assert heard.args == ["c1"]


def test_searching_narrows_the_list(chats) -> None:
    chats.show_heads(HEADS, "")
    chats.search.setText("PEAR")
    assert shown(chats) == ["Pears"]
    chats.search.setText("plum")
    assert chats.empty.text() == "No chat has this in its name."


def test_an_empty_list_says_so(chats) -> None:
    chats.show_heads([], "")
    assert chats.empty.isVisible()
    assert not chats.search.isVisible()


def test_a_title_is_never_markup(chats, qtbot) -> None:
    title = '<img src="file:///x.png"><h1>Potluck</h1>'
    chats.show_heads([head(1, title)], "c1")
    assert "<img" not in chats.rows.item(0).toolTip()
    asked: list[tuple[str, set[Qt.TextFormat]]] = []

    def reply() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        asked.append((box.text(), {one.textFormat() for one in box.findChildren(QLabel)}))
        box.reject()

    QTimer.singleShot(50, reply)
    qtbot.keyClick(chats.rows, Qt.Key.Key_Delete)
    assert asked == [(f"Delete “{title}”?", {Qt.TextFormat.PlainText})]


@pytest.mark.parametrize(("answer", "deleted"), [("Delete", ["c1"]), ("Keep", [])])
def test_deleting_asks_first(chats, qtbot, answer: str, deleted: list[str]) -> None:
    chats.show_heads(HEADS, "c1")
    heard: list[str] = []
    chats.delete_wanted.connect(heard.append)

    def reply() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        assert "Apples" in box.text()
        next(b for b in box.buttons() if b.text() == answer).click()

    QTimer.singleShot(50, reply)
    qtbot.keyClick(chats.rows, Qt.Key.Key_Delete)
    assert heard == deleted
