"""Who of a chain knows what, when some are new, forgot, or were handed over what another knew."""

from __future__ import annotations

from app.ids import PeerId
from app.swarm.chain_memory import ChainMemory

A, B, C, D = (PeerId(name * 32) for name in (b"a", b"b", b"c", b"d"))
TOTAL = 100


def after_a_hand_over(positions: int = TOTAL) -> ChainMemory:
    """B is new, between A and C, and was given what the one before it knew."""
    memory = ChainMemory()
    memory.goes_on_over([A, B, C], {A, C}, {B})
    memory.were_handed_over([A, B, C], {B: positions}, TOTAL)
    return memory


def test_who_is_new_or_forgot_knows_nothing() -> None:
    memory = ChainMemory()
    memory.forgot(A)
    memory.goes_on_over([A, B, C], {A, C}, ())
    assert memory.empty == {A, B}
    assert memory.known_from(B) == 0


def test_who_is_new_stays_so_until_a_step_has_come_through() -> None:
    memory = ChainMemory()
    memory.goes_on_over([A, B], {A}, ())
    memory.goes_on_over([A, B], {A, B}, ())
    assert memory.empty == {B}
    memory.step_came_through(TOTAL)
    memory.goes_on_over([A, B], {A, B}, ())
    assert memory.empty == set()


def test_an_heir_lacks_nothing_or_the_rest() -> None:
    assert after_a_hand_over().empty == set()
    memory = after_a_hand_over(60)
    assert memory.empty == {B}
    assert memory.known_from(B) == 60
    nothing = after_a_hand_over(0)
    assert nothing.empty == {B}
    assert nothing.known_from(B) == 0


def test_an_heir_is_sent_everything_when_the_one_after_it_is_lost() -> None:
    for positions in (TOTAL, 60):
        memory = after_a_hand_over(positions)
        memory.step_came_through(TOTAL)
        memory.goes_on_over([A, B, D], {A, B}, ())
        assert memory.empty == {B, D}
        assert memory.known_from(B) == 0
        memory.step_came_through(TOTAL + 1)
        memory.goes_on_over([A, B, C], {A, B}, ())
        assert memory.empty == {C}, "it has handed on everything itself now"


def test_an_heir_s_own_heir_needs_nothing_from_it() -> None:
    memory = after_a_hand_over()
    memory.step_came_through(TOTAL)
    memory.goes_on_over([A, B, D], {A, B}, {D})
    assert memory.empty == {D}
    memory.were_handed_over([A, B, D], {D: TOTAL}, TOTAL)
    assert memory.empty == set()


def test_when_that_fails_both_are_sent_everything() -> None:
    memory = after_a_hand_over()
    memory.step_came_through(TOTAL)
    memory.goes_on_over([A, B, D], {A, B}, {D})
    memory.were_handed_over([A, B, D], {D: 0}, TOTAL)
    assert memory.empty == {B, D}


def test_of_two_heirs_the_first_waits_for_the_second() -> None:
    memory = ChainMemory()
    memory.goes_on_over([A, B, C], {A}, {B, C})
    memory.were_handed_over([A, B, C], {B: TOTAL, C: 0}, TOTAL)
    assert memory.empty == {B, C}
    assert memory.known_from(B) == 0


def test_after_a_step_from_the_beginning_everybody_can_send_everything() -> None:
    memory = after_a_hand_over()
    memory.begins_again()
    memory.step_came_through(0)
    memory.goes_on_over([A, B, D], {A, B}, ())
    assert memory.empty == {D}
