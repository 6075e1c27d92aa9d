"""When a heart beats, what an answer measures, and who is silent for too long."""

from __future__ import annotations

import pytest

from app.errors import BadInput
from app.net.heartbeat import (
    AWAKE_SECONDS,
    CHECK_SECONDS,
    MAX_PINGS_PER_CHECK,
    MAX_PINGS_UNDERWAY,
    Heartbeat,
)
from app.net.wire import (
    BUSY_LOST_AFTER_SECONDS,
    HEARTBEAT_SECONDS,
    LOST_AFTER_SECONDS,
    Pong,
)


def awake(heart: Heartbeat, start: float, seconds: float) -> float:
    """Look every quarter of a second; when it was lost, or the end."""
    now = start
    while now < start + seconds:
        now += CHECK_SECONDS
        heart.check(now)
        if heart.is_lost(now):
            break
    return now


def test_silence_counts_for_more_while_somebody_waits() -> None:
    assert awake(Heartbeat(0.0), 0.0, 60.0) == LOST_AFTER_SECONDS - CHECK_SECONDS
    busy = Heartbeat(0.0)
    busy.is_busy(0.0)
    assert awake(busy, 0.0, 60.0) == BUSY_LOST_AFTER_SECONDS - CHECK_SECONDS


def test_what_was_silent_before_it_was_busy_is_not_held_against_it() -> None:
    heart = Heartbeat(0.0)
    awake(heart, 0.0, 2.0)
    heart.is_busy(2.0)
    heart.check(2.25)
    assert not heart.is_lost(2.25)


def test_silence_while_this_computer_slept_does_not_count() -> None:
    heart = Heartbeat(0.0)
    heart.check(3600.0)
    assert not heart.is_lost(3600.0)


def test_a_heart_beats_faster_while_it_is_busy() -> None:
    heart = Heartbeat(0.0)
    heart.ping(10.0)
    assert not heart.is_due(10.5)
    assert heart.is_due(10.0 + HEARTBEAT_SECONDS)
    heart.is_busy(10.0)
    assert heart.is_due(10.25)


def test_a_heart_whose_other_side_is_heard_anyway_beats_once_a_second() -> None:
    heart, beats = Heartbeat(0.0), 0
    for number in range(1, 41):
        now = number * CHECK_SECONDS
        heart.is_busy(now)
        heart.heard(now - 0.1)
        heart.check(now)
        if heart.is_due(now):
            heart.ping(now)
            beats += 1
    assert beats == 10


@pytest.mark.parametrize("behind_seconds", [0.01, 0.12, 0.13, 0.24])
def test_of_two_hearts_one_asks_for_both(behind_seconds: float) -> None:
    one, other, beats = Heartbeat(0.0), Heartbeat(0.0), 0
    way = 0.02
    for number in range(1, 41):
        for heart, far, now in (
            (one, other, number * CHECK_SECONDS),
            (other, one, number * CHECK_SECONDS + behind_seconds),
        ):
            heart.is_busy(now)
            heart.check(now)
            assert not heart.is_lost(now)
            if heart.is_due(now):
                heart.ping(now)
                far.heard(now + way)
                heart.heard(now + 2 * way)
                beats += 1
    assert 40 <= beats <= 52  # each measures the way itself, once a second


def test_an_answer_measures_the_round_trip_once() -> None:
    heart = Heartbeat(0.0)
    ping = heart.ping(1.0)
    assert heart.answered(Pong(serial=ping.serial), 1.25) == 0.25
    assert heart.round_trip_seconds == 0.25
    assert heart.answered(Pong(serial=ping.serial), 9.0) is None
    assert heart.round_trip_seconds == 0.25


def test_an_answer_to_what_was_never_sent_breaks_a_rule() -> None:
    heart = Heartbeat(0.0)
    heart.ping(1.0)
    for serial in (0, 2, 1 << 40):
        with pytest.raises(BadInput, match="never sent"):
            heart.answered(Pong(serial=serial), 2.0)


def test_only_so_many_beats_are_remembered() -> None:
    heart = Heartbeat(0.0)
    first = heart.ping(0.0)
    for number in range(MAX_PINGS_UNDERWAY):
        heart.ping(float(number))
    assert heart.answered(Pong(serial=first.serial), 20.0) is None


def test_a_flood_of_beats_breaks_a_rule() -> None:
    heart = Heartbeat(0.0)
    for _ in range(MAX_PINGS_PER_CHECK):
        heart.asked()
    with pytest.raises(BadInput, match="flood"):
        heart.asked()
    heart.check(CHECK_SECONDS)
    heart.asked()


def test_after_a_long_sleep_the_other_side_is_asked_at_once_and_has_to_say_something_soon() -> None:
    heart = Heartbeat(0.0)
    heart.ping(0.0)
    heart.check(60.0)
    assert heart.is_due(60.0)
    lost_at = awake(heart, 60.0, 10.0)
    assert AWAKE_SECONDS <= lost_at - 60.0 < LOST_AFTER_SECONDS - CHECK_SECONDS


def test_whoever_answers_after_a_long_sleep_is_there() -> None:
    heart = Heartbeat(0.0)
    heart.check(60.0)
    heart.heard(60.5)
    assert awake(heart, 60.0, 1.5) == 61.5
    assert not heart.is_lost(61.5)


def test_a_short_standstill_makes_nobody_doubtful() -> None:
    heart = Heartbeat(0.0)
    heart.check(LOST_AFTER_SECONDS - CHECK_SECONDS)
    assert awake(heart, LOST_AFTER_SECONDS - CHECK_SECONDS, 60.0) > LOST_AFTER_SECONDS
