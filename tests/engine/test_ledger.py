"""Room for conversations is promised once; see app/engine/ledger.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.ledger import KvLedger
from app.errors import NoRoom


def test_room_is_reserved_and_given_back() -> None:
    ledger = KvLedger(tokens=100, sequences=3, tokens_per_sequence=100)
    first, second = ledger.admit(60), ledger.admit(30)
    assert (first, second) == (0, 1)
    assert (ledger.tokens_free, ledger.sequences_held) == (10, 2)
    assert ledger.limit(first) == 60
    ledger.release(first)
    assert (ledger.tokens_free, ledger.sequences_held) == (70, 1)
    assert ledger.admit(70) == 0


def test_the_lowest_free_number_is_given_out() -> None:
    ledger = KvLedger(tokens=100, sequences=4, tokens_per_sequence=100)
    for _ in range(4):
        ledger.admit(1)
    for number in (2, 0, 3):
        ledger.release(number)
    assert [ledger.admit(1), ledger.admit(1), ledger.admit(1)] == [0, 2, 3]


def test_what_does_not_fit_now_is_refused_with_the_figures() -> None:
    ledger = KvLedger(tokens=2000, sequences=3, tokens_per_sequence=2000)
    ledger.admit(1500)
    with pytest.raises(NoRoom) as refusal:
        ledger.admit(501)
    assert refusal.value.reason == "501 tokens are wanted and 500 of 2,000 are free"
    assert refusal.value.retry_after_seconds is not None
    assert ledger.admit(500) == 1


def test_more_conversations_than_sequences_are_refused_with_the_figure() -> None:
    ledger = KvLedger(tokens=100, sequences=2, tokens_per_sequence=100)
    ledger.admit(1)
    ledger.admit(1)
    with pytest.raises(NoRoom) as refusal:
        ledger.admit(1)
    assert refusal.value.reason == "this computer already serves 2 conversations"
    assert refusal.value.retry_after_seconds is not None


@pytest.mark.parametrize("per_sequence", [1000, 5000])
def test_what_can_never_fit_is_not_worth_trying_again(per_sequence: int) -> None:
    ledger = KvLedger(tokens=1000, sequences=2, tokens_per_sequence=per_sequence)
    with pytest.raises(NoRoom) as refusal:
        ledger.admit(1001)
    assert "1,001 tokens is longer than the 1,000 this computer keeps" in refusal.value.reason
    assert refusal.value.retry_after_seconds is None


@pytest.mark.parametrize("tokens", [0, -5])
def test_a_conversation_of_nothing_is_no_conversation(tokens: int) -> None:
    ledger = KvLedger(tokens=10, sequences=2, tokens_per_sequence=10)
    with pytest.raises(ValueError, match="is none"):
        ledger.admit(tokens)
    assert (ledger.tokens_free, ledger.sequences_held) == (10, 0)


def test_a_number_nobody_holds_cannot_be_given_back() -> None:
    ledger = KvLedger(tokens=10, sequences=2, tokens_per_sequence=10)
    held = ledger.admit(4)
    ledger.release(held)
    for ask in (ledger.release, ledger.limit):
        with pytest.raises(KeyError):
            ask(held)
    assert ledger.tokens_free == 10
    assert [ledger.admit(1), ledger.admit(1)] == [0, 1]


@given(st.lists(st.one_of(st.integers(1, 60), st.none()), max_size=60))
def test_the_room_is_never_promised_twice(wishes: list[int | None]) -> None:
    ledger = KvLedger(tokens=100, sequences=4, tokens_per_sequence=50)
    held: dict[int, int] = {}
    for wish in wishes:
        if wish is None:
            if held:
                ledger.release(next(iter(held)))
                del held[next(iter(held))]
        else:
            try:
                number = ledger.admit(wish)
            except NoRoom:
                assert wish > 50 or len(held) == 4 or sum(held.values()) + wish > 100
                continue
            assert number not in held
            held[number] = wish
        assert ledger.tokens_free == 100 - sum(held.values()) >= 0
        assert ledger.sequences_held == len(held) <= 4


def test_what_others_could_make_room_for_is_lacking_and_what_never_fits_is_not() -> None:
    ledger = KvLedger(tokens=100, sequences=2, tokens_per_sequence=80)
    assert not ledger.lacks(80)
    ledger.admit(30)
    assert ledger.lacks(80)
    assert not ledger.lacks(81)
    ledger.admit(1)
    assert ledger.lacks(1)


def test_a_conversation_takes_tokens_and_a_place() -> None:
    ledger = KvLedger(tokens=100, sequences=4, tokens_per_sequence=80)
    assert (ledger.share(1), ledger.share(80)) == (0.25, 0.8)
