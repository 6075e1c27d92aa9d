"""How much was served; see app/tally.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.tally import SERVED_FILE, Served, Tally
from tests.helpers.virtual_clock import VirtualClock

DAY = 86_400.0


def test_today_ends_and_ever_does_not(tmp_path: Path) -> None:
    clock = VirtualClock()
    tally = Tally(tmp_path, clock=clock)
    tally.note(100)
    tally.note(150)
    assert (tally.served.tokens_today, tally.served.tokens_ever) == (150, 150)
    clock.advance(DAY)
    tally.note(160)
    assert (tally.served.tokens_today, tally.served.tokens_ever) == (10, 160)
    tally.save()
    again = Tally(tmp_path, clock=clock)
    again.note(5)
    assert (again.served.tokens_today, again.served.tokens_ever) == (15, 165)


def test_the_speed_is_that_of_the_last_seconds(tmp_path: Path) -> None:
    clock = VirtualClock()
    tally = Tally(tmp_path, clock=clock)
    tally.note(0)
    assert tally.tokens_per_second == 0.0
    for second in range(1, 11):
        clock.advance(1)
        tally.note(20 * second)
    assert tally.tokens_per_second == pytest.approx(20)
    for _ in range(10):
        clock.advance(1)
        tally.note(200)
    assert tally.tokens_per_second == 0.0


@pytest.mark.parametrize("text", ["", "[]", '{"tokens_ever": "many"}', "\0"])
def test_a_damaged_count_begins_again(tmp_path: Path, text: str) -> None:
    (tmp_path / SERVED_FILE).write_text(text)
    assert Tally(tmp_path, clock=VirtualClock()).served.tokens_ever == 0


def test_a_clock_set_back_loses_nothing_of_ever() -> None:
    assert Served("2030-01-02", 5, 9).more(1, "2030-01-01") == Served("2030-01-01", 1, 10)
