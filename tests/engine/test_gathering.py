"""Who is waited for before a decode, and for how long; see app/engine/gathering.py."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.frames import Part, PartResult
from app.engine.gathering import MOST_OF_A_READING, PAUSE_SECONDS, Decodes, Gathering
from app.engine.queueing import StepQueue, Ticket

READING = 0.05


def gathering(*, away: dict[int, float], left_at: float = 100.0) -> Gathering:
    """Decodes take 50 ms and 2 ms a row; each writer's last token went out at `left_at`."""
    writers = Gathering()
    for rows in (1, 2, 4, 8) * 5:
        writers.decodes.measured(rows, READING + 0.002 * rows)
    for sequence, seconds in away.items():
        for turn in range(40):  # until it is known to be always the same
            writers.left(sequence, 10.0 + turn)
            writers.came(sequence, 10.0 + turn + seconds)
        writers.left(sequence, left_at)
    return writers


# ── what a decode takes ──────────────────────────────────────────────────────────────────


def test_the_reading_of_the_weights_is_told_from_the_rows() -> None:
    assert gathering(away={}).decodes.reading_seconds == pytest.approx(READING, rel=0.05)


def test_while_all_decodes_were_alike_half_of_one_is_taken_for_the_reading() -> None:
    decodes = Decodes()
    assert decodes.reading_seconds == 0.0
    for _ in range(9):
        decodes.measured(2, 0.08)
    assert decodes.reading_seconds == pytest.approx(0.04)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 128), st.floats(0, 30)), min_size=1, max_size=60))
def test_no_reading_is_longer_than_a_decode_or_shorter_than_nothing(
    measured: list[tuple[int, float]],
) -> None:
    decodes = Decodes()
    for rows, seconds in measured:
        decodes.measured(rows, seconds)
    assert 0.0 <= decodes.reading_seconds <= max(seconds for _, seconds in measured) + 1e-9


# ── who is waited for ────────────────────────────────────────────────────────────────────


def test_whoever_comes_in_a_moment_is_waited_for() -> None:
    writers = gathering(away={1: 0.004, 2: 0.006})
    assert writers.hold_seconds({0}, 100.0) == pytest.approx(0.006, abs=1e-3)
    assert writers.hold_seconds({0, 1}, 100.005) == pytest.approx(0.001, abs=1e-3)
    assert writers.hold_seconds({0, 1, 2}, 100.006) == 0.0


def test_one_who_comes_later_than_a_reading_is_worth_is_not() -> None:
    writers = gathering(away={1: 0.004, 2: 0.040})
    assert writers.hold_seconds({0}, 100.0) == pytest.approx(0.004, abs=1e-3)
    assert writers.hold_seconds({0, 1}, 100.005) == 0.0


def test_many_do_not_wait_long_for_one_and_one_does_for_many() -> None:
    assert gathering(away={9: 0.015}).hold_seconds(range(8), 100.0) == 0.0
    several = gathering(away=dict.fromkeys(range(1, 9), 0.015))
    assert several.hold_seconds({0}, 100.0) == pytest.approx(0.015, abs=1e-3)


def test_whoever_is_overdue_is_not_waited_for_any_more() -> None:
    writers = gathering(away={1: 0.004})
    assert writers.hold_seconds({0}, 100.001) > 0
    assert writers.hold_seconds({0}, 100.006) == 0.0


def test_whoever_paused_or_reads_a_prompt_is_new_again() -> None:
    writers = gathering(away={1: 0.004, 2: 0.004})
    writers.forget(2)
    writers.came(1, 100.0 + PAUSE_SECONDS + 1)
    writers.left(1, 200.0)
    assert writers.hold_seconds({0}, 200.0) == 0.0


def test_one_short_pause_is_not_what_is_expected_of_somebody_from_then_on() -> None:
    writers = gathering(away={1: 0.004})
    writers.came(1, 102.0)
    writers.left(1, 102.1)
    assert writers.hold_seconds({0}, 102.1) == pytest.approx(0.004, abs=1e-3)


def test_whoever_is_here_first_waits_so_long_in_all_and_no_longer() -> None:
    """Ten others come one after the other, each soon enough by itself."""
    writers = gathering(away={n: 0.004 * n for n in range(1, 11)})
    here, now = [0], 100.0
    while (hold := writers.hold_seconds(here, now)) > 0:
        now += hold
        here = [n for n in range(11) if 100.0 + 0.004 * n <= now]
        assert now <= 100.0 + MOST_OF_A_READING * READING + 1e-3
    assert len(here) > 3


def test_nobody_at_all_waits_for_nobody() -> None:
    assert gathering(away={1: 0.004}).hold_seconds([], 100.0) == 0.0
    assert Gathering().hold_seconds({0}, 100.0) == 0.0


# ── what becomes of it ───────────────────────────────────────────────────────────────────


def decode_sizes(*, away: dict[int, float], decodes: int) -> list[int]:
    """A worker whose writers send their next step so long after each token, as an engine asks."""
    queue: StepQueue[Ticket] = StepQueue(batch_rows=128)
    arrivals = [(0.01 * sequence, sequence) for sequence in away]
    heapq.heapify(arrivals)
    now = 0.0
    sizes: list[int] = []
    while len(sizes) < decodes:
        while arrivals and arrivals[0][0] <= now:
            at, sequence = heapq.heappop(arrivals)
            part = Part(sequence=sequence, position=0, rows=1, hidden=b"1234")
            queue.put(Ticket(part=part, client=b"%d" % sequence), at)
        following = arrivals[0][0] if arrivals else now
        hold = queue.hold_seconds(now)
        if not queue.rows_waiting or (hold and following < now + hold):
            now = following
        elif hold:
            now += hold
        else:
            batch = queue.take(now)
            seconds = READING + 0.002 * batch.rows
            now += seconds
            results = [PartResult(hidden=b"1234") for _ in batch.parts]
            for ticket, _ in queue.computed(batch, results, seconds, now):
                sequence = ticket.part.sequence
                heapq.heappush(arrivals, (now + away[sequence], sequence))
            sizes.append(batch.rows)
    return sizes


def test_those_who_take_turns_are_soon_together_and_stay_so() -> None:
    sizes = decode_sizes(away={n: 0.003 + 0.0005 * n for n in range(8)}, decodes=60)
    assert sizes[-30:] == [8] * 30


def test_somebody_far_away_keeps_nobody_waiting() -> None:
    sizes = decode_sizes(away={0: 0.003, 1: 0.003, 2: 0.3}, decodes=90)
    assert sizes[-40:].count(1) == 0
    assert set(sizes[-40:]) <= {2, 3}
