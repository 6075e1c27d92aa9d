"""Storms by seed, in virtual time: every answer ends, and says what one computer would say."""

from __future__ import annotations

import pytest

from app.swarm import handover_choice, leaving
from tests.helpers.stormy_swarm import ANSWERS, CLIENTS, weather

SEEDS = range(12)


def test_answers_are_the_same_in_any_storm_and_nothing_is_left_behind() -> None:
    troubles = repairs = 0
    for seed in SEEDS:
        outcome = weather(seed)
        assert not outcome.wrong, f"seed {seed}: {outcome.wrong}"
        assert [answer.finish for answer in outcome.answers] == ["length"] * CLIENTS * ANSWERS
        troubles += outcome.troubles
        repairs += outcome.repairs
    assert troubles > 5 * len(SEEDS), "these were no storms"
    assert repairs > len(SEEDS), "nothing had to be repaired"


def test_answers_are_the_same_while_everybody_comes_and_goes_and_hands_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leaving, "LONG_POSITIONS", 0)
    monkeypatch.setattr(handover_choice, "ASKING_SECONDS", 0.0)
    handed_over = 0
    for seed in (0, 1, 3, 4):
        outcome = weather(seed, only_leaving=True)
        assert not outcome.wrong, f"seed {seed}: {outcome.wrong}"
        handed_over += outcome.handed_over
    assert handed_over > 5, "hardly anybody's memory was handed over"


def test_the_same_seed_is_the_same_story() -> None:
    one, other = weather(5), weather(5)  # of many troubles
    assert (one.troubles, one.repairs, one.seconds, one.longest_wait_seconds) == (
        other.troubles,
        other.repairs,
        other.seconds,
        other.longest_wait_seconds,
    )
    assert [answer.tokens for answer in one.answers] == [answer.tokens for answer in other.answers]
