"""Who listens is told, who left is not; see app/node/change_board.py."""

from __future__ import annotations

from app.node.change_board import ChangeBoard
from app.sentences import unworded


async def test_listeners_are_told_until_they_leave() -> None:
    board = ChangeBoard()
    assert not board.has_listeners
    one, other = board.listen(), board.listen()
    board.changed()
    assert await one.wait(0.1)
    assert await other.wait(0.1)
    board.unlisten(one)
    board.unlisten(one)
    board.warn(unworded("The disk is full."))
    assert not await one.wait(0)
    assert other.take_warnings() == [unworded("The disk is full.")]
    assert board.has_listeners
