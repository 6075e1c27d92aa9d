"""How much was served; see app/folder/tally.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.folder.tally import SERVED_FILE, Served, Tally, served_so_far
from tests.helpers.virtual_clock import VirtualClock

DAY = 86_400.0


def test_today_ends_and_ever_does_not(tmp_path: Path) -> None:
    clock = VirtualClock()
    tally = Tally(tmp_path, clock=clock)
    tally.note(100, given=0, taken=0)
    tally.note(150, given=0, taken=0)
    assert (tally.served.tokens_today, tally.served.tokens_ever) == (150, 150)
    clock.advance(DAY)
    tally.note(160, given=0, taken=0)
    assert (tally.served.tokens_today, tally.served.tokens_ever) == (10, 160)
    tally.save()
    again = Tally(tmp_path, clock=clock)
    again.note(5, given=0, taken=0)
    assert (again.served.tokens_today, again.served.tokens_ever) == (15, 165)


def test_the_speed_is_that_of_the_last_seconds(tmp_path: Path) -> None:
    clock = VirtualClock()
    tally = Tally(tmp_path, clock=clock)
    tally.note(0, given=0, taken=0)
    assert tally.tokens_per_second == 0.0
    for second in range(1, 11):
        clock.advance(1)
        tally.note(20 * second, given=0, taken=0)
    assert tally.tokens_per_second == pytest.approx(20)
    for _ in range(10):
        clock.advance(1)
        tally.note(200, given=0, taken=0)
    assert tally.tokens_per_second == 0.0


def test_given_and_taken_are_kept_like_tokens(tmp_path: Path) -> None:
    clock = VirtualClock()
    tally = Tally(tmp_path, clock=clock)
    tally.note(10, given=80, taken=30)
    clock.advance(DAY)
    tally.note(10, given=100, taken=30)
    assert (tally.served.given_today, tally.served.given_ever) == (20, 100)
    assert (tally.served.taken_today, tally.served.taken_ever) == (0, 30)
    tally.save()
    again = Tally(tmp_path, clock=clock)
    assert again.served == tally.served
    assert again.remarks == []


def test_replaced_helpers_are_kept_and_told_without_touching_the_file(tmp_path: Path) -> None:
    clock = VirtualClock()
    tally = Tally(tmp_path, clock=clock)
    tally.note(0, given=0, taken=0, repairs=2)
    clock.advance(DAY)
    tally.note(0, given=0, taken=0, repairs=3)
    tally.save()
    kept = served_so_far(tmp_path, clock=clock)
    assert kept is not None
    assert (kept.repairs_today, kept.repairs_ever) == (1, 3)
    clock.advance(DAY)
    later = served_so_far(tmp_path, clock=clock)
    assert later is not None
    assert (later.repairs_today, later.repairs_ever) == (0, 3)


def test_counts_that_cannot_be_read_are_unknown_and_stay(tmp_path: Path) -> None:
    nothing_yet = served_so_far(tmp_path, clock=VirtualClock())
    assert nothing_yet is not None
    assert (nothing_yet.repairs_ever, nothing_yet.tokens_ever) == (0, 0)
    (tmp_path / SERVED_FILE).write_text("[")
    assert served_so_far(tmp_path, clock=VirtualClock()) is None
    assert [path.name for path in tmp_path.iterdir()] == [SERVED_FILE]


def test_a_file_of_before_is_read_on(tmp_path: Path) -> None:
    (tmp_path / SERVED_FILE).write_text('{"day":"2030-01-02","tokens_today":5,"tokens_ever":9}')
    tally = Tally(tmp_path, clock=VirtualClock())
    assert (tally.served.tokens_ever, tally.served.given_ever) == (9, 0)
    assert tally.remarks == []


@pytest.mark.parametrize(
    "text", ["", "[]", '{"tokens_ever": "many"}', "\0", '{"given_ever": -4}', "[" * 4000]
)
def test_a_damaged_count_begins_again_and_is_kept_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / SERVED_FILE).write_text(text)
    tally = Tally(tmp_path, clock=VirtualClock())
    assert tally.served.tokens_ever == 0
    (remark,) = tally.remarks
    (aside,) = tmp_path.iterdir()
    assert aside.name in str(remark)
    assert aside.read_text() == text
    tally.note(5, given=0, taken=0)
    tally.save()
    assert Tally(tmp_path, clock=VirtualClock()).served.tokens_ever == 5


def test_what_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / SERVED_FILE).mkdir()
    tally = Tally(tmp_path, clock=VirtualClock())
    assert "stays as it is" in str(tally.remarks[0])
    tally.note(5, given=0, taken=0)
    tally.save()
    assert [path.name for path in tmp_path.iterdir()] == [SERVED_FILE]


def test_a_clock_set_back_loses_nothing_of_ever() -> None:
    assert Served("2030-01-02", 5, 9).more("2030-01-01", tokens=1) == Served("2030-01-01", 1, 10)
