"""Who asks too much is told so, and may ask again later."""

from __future__ import annotations

from app.ids import PeerId
from app.net.allowances import MAX_ASKERS, QUESTIONS_AT_ONCE, QUESTIONS_PER_SECOND, Allowances

ONE, OTHER = PeerId(b"1" * 32), PeerId(b"2" * 32)


def test_one_that_asks_too_much_waits_and_others_do_not() -> None:
    allowances: Allowances[PeerId] = Allowances()
    asked = [allowances.take(ONE, 5.0) for _ in range(int(QUESTIONS_AT_ONCE) + 2)]
    assert asked == [True] * int(QUESTIONS_AT_ONCE) + [False, False]
    assert allowances.take(OTHER, 5.0)
    assert not allowances.take(ONE, 5.0 + 0.5 / QUESTIONS_PER_SECOND)
    assert allowances.take(ONE, 5.0 + 1.5 / QUESTIONS_PER_SECOND)


def test_nobody_saves_up_more_than_the_most() -> None:
    allowances: Allowances[PeerId] = Allowances()
    assert allowances.take(ONE, 0.0)
    assert sum(allowances.take(ONE, 1e6) for _ in range(1000)) == int(QUESTIONS_AT_ONCE)


def test_only_so_many_are_remembered() -> None:
    allowances: Allowances[PeerId] = Allowances()
    for number in range(MAX_ASKERS + 5):
        allowances.take(PeerId(number.to_bytes(32, "big")), 0.0)
    assert len(allowances._left) == MAX_ASKERS


def test_what_was_no_burden_is_given_back() -> None:
    allowances: Allowances[str] = Allowances(1.0, 0.0)
    assert allowances.take("here", 0.0)
    assert not allowances.take("here", 1.0)
    allowances.give_back("here")
    allowances.give_back("somebody unknown")
    assert [allowances.take("here", 2.0), allowances.take("here", 2.0)] == [True, False]
