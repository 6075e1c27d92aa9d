"""What a listener is told, and that it never grows; see app/api/control_port.py."""

from __future__ import annotations

from app.api.control_port import MAX_WARNINGS_WAITING, Changes
from app.sentences import unworded


async def test_many_changes_are_one_and_none_is_waited_for() -> None:
    changes = Changes()
    assert not await changes.wait(0)
    changes.mark()
    changes.mark()
    assert await changes.wait(1)
    assert not await changes.wait(0)


async def test_warnings_are_taken_once_and_the_oldest_go_first() -> None:
    changes = Changes()
    for number in range(MAX_WARNINGS_WAITING + 3):
        changes.warn(unworded(f"{number}"))
    assert await changes.wait(1)
    taken = changes.take_warnings()
    assert (len(taken), taken[0], taken[-1]) == (
        MAX_WARNINGS_WAITING,
        unworded("3"),
        unworded("34"),
    )
    assert changes.take_warnings() == []
