"""What goes into the next decode, without a worker; see app/engine/queueing.py."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine import queueing
from app.engine.frames import Part, PartResult
from app.engine.queueing import (
    FIRST_PIECE_ROWS,
    LEAST_PIECE_ROWS,
    MOST_ROWS,
    MOST_ROWS_OF_ONE,
    PIECE_SECONDS,
    SHORT_ROWS,
    WRITING_SECONDS,
    Batch,
    StepQueue,
    Ticket,
)
from app.errors import Refusal

BATCH_ROWS = 128
WIDTH = 2


def rows_part(sequence: int, position: int, rows: int, *, outputs: int = 0) -> Part:
    hidden = b"".join(n.to_bytes(4, "little") * WIDTH for n in range(position, position + rows))
    return Part(sequence=sequence, position=position, rows=rows, outputs=outputs, hidden=hidden)


def step(sequence: int, rows: int, *, client: str = "", position: int = 0) -> Ticket:
    return Ticket(part=rows_part(sequence, position, rows), client=client.encode())


def echo(parts: Iterable[Part]) -> list[PartResult]:
    """What a worker gives that changes nothing."""
    return [PartResult(hidden=part.hidden) for part in parts]


class Desk:
    """A queue, a clock, and a worker that takes `row_seconds` for a row."""

    def __init__(self, *, row_seconds: float = 0.001) -> None:
        self.queue: StepQueue[Ticket] = StepQueue(batch_rows=BATCH_ROWS)
        self.row_seconds = row_seconds
        self.now = 100.0
        self.answers: list[tuple[Ticket, PartResult]] = []

    def put(self, *tickets: Ticket) -> None:
        for ticket in tickets:
            self.queue.put(ticket, self.now)

    def run(self) -> Batch[Ticket]:
        """One decode."""
        batch = self.queue.take(self.now)
        seconds = batch.rows * self.row_seconds
        self.now += seconds
        self.answers += batch.dropped
        self.answers += self.queue.computed(batch, echo(batch.parts), seconds, self.now)
        return batch

    def rows_by_client(self, decodes: int) -> Counter[str]:
        rows: Counter[str] = Counter()
        for _ in range(decodes):
            batch = self.run()
            for ticket, part in zip(batch.tickets, batch.parts, strict=True):
                rows[ticket.client.decode()] += part.rows
        return rows


def sizes(batch: Batch[Ticket]) -> dict[int, int]:
    """Rows of each sequence."""
    return {part.sequence: part.rows for part in batch.parts}


# ── who goes together ────────────────────────────────────────────────────────────────────


def test_whatever_fits_goes_together() -> None:
    desk = Desk()
    desk.put(step(0, 1), step(1, 30), step(2, 4), step(3, 60))
    assert sizes(desk.run()) == {0: 1, 2: 4, 1: 27}  # FIRST_PIECE_ROWS in all
    desk.now += WRITING_SECONDS
    assert sizes(desk.run()) == {1: 3, 3: 60}


def test_steps_of_one_sequence_go_one_after_the_other() -> None:
    desk = Desk()
    desk.put(step(0, 3), step(0, 1, position=3), step(1, 2))
    assert sizes(desk.run()) == {0: 3, 1: 2}
    assert sizes(desk.run()) == {0: 1}
    assert desk.run().parts == []


def test_a_prompt_alone_takes_whole_decodes() -> None:
    desk = Desk()
    desk.put(step(0, 128), step(1, 128))
    assert sum(sizes(desk.run()).values()) == BATCH_ROWS


def test_beside_somebody_who_writes_a_prompt_goes_in_pieces() -> None:
    desk = Desk(row_seconds=0.01)
    desk.put(step(0, 128), step(1, 1))
    assert sizes(desk.run()) == {1: 1, 0: FIRST_PIECE_ROWS - 1}
    desk.put(step(1, 1, position=1))
    assert sizes(desk.run()) == {1: 1, 0: 24}  # 0.25 s are 25 rows


def test_between_two_tokens_of_somebody_who_writes_pieces_stay_small() -> None:
    desk = Desk(row_seconds=0.01)
    desk.put(step(1, 1))
    desk.run()
    desk.put(step(0, 128))
    assert sizes(desk.run()) == {0: FIRST_PIECE_ROWS}
    desk.now += WRITING_SECONDS
    assert sizes(desk.run()) == {0: 128 - FIRST_PIECE_ROWS}


def test_who_wrote_and_now_sends_a_prompt_itself_disturbs_nobody() -> None:
    desk = Desk()
    desk.put(step(0, 1))
    desk.run()
    desk.put(step(0, 128, position=1))
    assert sizes(desk.run()) == {0: 128}


def test_pieces_follow_what_the_worker_takes() -> None:
    desk = Desk(row_seconds=0.0002)
    for sequence in range(2, 5):
        desk.put(step(sequence, 128), step(1, 1))
        while desk.queue.rows_waiting:
            desk.run()
    assert desk.queue.piece_rows == BATCH_ROWS
    desk.row_seconds = 1.0
    desk.put(step(2, 128), step(3, 128), step(1, 1))
    desk.run()
    assert desk.queue.piece_rows == LEAST_PIECE_ROWS
    desk.put(step(1, 1))
    assert sizes(desk.run()) == {1: 1, 2: 1, 3: LEAST_PIECE_ROWS - 1}


def test_pieces_joined_are_the_whole_and_only_the_last_rows_are_wanted() -> None:
    desk = Desk()
    whole = Ticket(part=rows_part(0, 7, 60, outputs=40))
    desk.put(step(1, 1), whole)
    pieces = []
    while desk.queue.rows_waiting:
        pieces += [part for part in desk.run().parts if part.sequence == 0]
    assert [(part.position, part.rows, part.outputs) for part in pieces] == [
        (7, 31, 11),
        (38, 29, 29),
    ]
    assert desk.answers[-1] == (whole, PartResult(hidden=whole.part.hidden))


def test_tokens_are_cut_like_rows() -> None:
    desk = Desk()
    tokens = list(range(100))
    desk.put(step(1, 1), Ticket(part=Part(sequence=0, position=0, rows=100, tokens=tokens)))
    taken: list[int] = []
    while desk.queue.rows_waiting:
        for part in desk.run().parts:
            taken += part.tokens or []
            assert part.tokens is None or len(part.tokens) == part.rows
    assert taken == tokens


@pytest.mark.parametrize(
    "part",
    [
        Part(sequence=0, position=0, rows=100, tokens=[1, 2]),
        Part(sequence=0, position=0, rows=100, hidden=b"123"),
        Part(sequence=0, position=0, rows=100, outputs=101, hidden=bytes(800)),
        Part(sequence=0, position=0, rows=0, hidden=b""),
    ],
)
def test_what_does_not_agree_with_itself_goes_whole_for_the_worker_to_refuse(part: Part) -> None:
    desk = Desk()
    desk.put(step(1, 1), Ticket(part=part))
    assert part in desk.run().parts


# ── fairness ─────────────────────────────────────────────────────────────────────────────


def test_a_client_with_four_prompts_gets_no_more_than_one_with_one() -> None:
    desk = Desk()
    desk.put(*(step(n, 128, client="greedy") for n in range(4)))
    desk.put(step(4, 128, client="modest"))
    assert desk.rows_by_client(2) == {"greedy": 128, "modest": 128}


def test_while_somebody_writes_prompts_share_what_is_left() -> None:
    desk = Desk(row_seconds=0.01)
    desk.put(*(step(n, 128, client="greedy") for n in range(4)))
    desk.put(step(4, 128, client="modest"))
    rows: Counter[str] = Counter()
    for position in range(4):
        desk.put(step(5, 1, client="writer", position=position))
        rows += desk.rows_by_client(1)
    assert rows["writer"] == 4
    assert abs(rows["greedy"] - rows["modest"]) <= queueing.TURN_ROWS


def test_who_comes_back_after_a_pause_has_saved_nothing_up() -> None:
    desk = Desk()
    desk.put(step(0, 128, client="early"))
    desk.run()
    for sequence in range(1, 5):
        desk.put(step(sequence, 128, client="steady"))
    desk.run()
    desk.run()
    desk.put(*(step(5 + n, 128, client="early") for n in range(4)))
    rows = desk.rows_by_client(2)
    assert abs(rows["early"] - rows["steady"]) <= 2 * queueing.TURN_ROWS


def test_more_writers_than_fit_take_turns() -> None:
    desk = Desk()
    desk.put(*(step(n, SHORT_ROWS, client="many") for n in range(60)))
    desk.put(*(step(100 + n, SHORT_ROWS, client=f"few {n}") for n in range(4)))
    first = {ticket.client.decode() for ticket in desk.run().tickets}
    assert {f"few {n}" for n in range(4)} <= first


# ── what is not wanted any more ──────────────────────────────────────────────────────────


def test_what_nobody_wants_is_dropped_before_it_is_computed() -> None:
    desk = Desk()
    gone = Ticket(part=rows_part(0, 0, 5), wanted=lambda: False)
    late = Ticket(part=rows_part(1, 0, 5), expires=desk.now)
    desk.put(gone, late, step(0, 1), step(2, 1))
    assert sizes(desk.run()) == {0: 1, 2: 1}
    codes = {id(ticket): result.code for ticket, result in desk.answers}
    assert (codes[id(gone)], codes[id(late)]) == ("withdrawn", "late")


def test_half_of_a_step_that_was_given_up_is_forgotten_before_the_next() -> None:
    desk = Desk()
    wanted = [True]
    half = Ticket(part=rows_part(0, 3, 100), wanted=lambda: wanted[0])
    desk.put(step(1, 1), half)
    assert desk.run().forget == []
    wanted[0] = False
    desk.put(step(0, 1, position=40))
    batch = desk.run()
    assert (batch.forget, sizes(batch)) == ([(0, 3)], {0: 1})
    assert desk.queue.take(desk.now).forget == []


def test_half_of_a_step_that_failed_is_forgotten_too() -> None:
    desk = Desk()
    desk.put(step(1, 1), step(0, 100, position=3))
    desk.run()
    batch = desk.queue.take(desk.now)
    fault = PartResult(fault="full", code="no_room")
    ((_, answer),) = desk.queue.computed(batch, [fault], 0.1, desk.now)
    assert answer == fault
    assert desk.queue.take(desk.now).forget == [(0, 3)]
    assert desk.queue.rows_waiting == 0


def test_after_the_worker_died_nothing_is_left() -> None:
    desk = Desk()
    desk.put(step(1, 1), step(0, 100))
    batch = desk.queue.take(desk.now)
    assert len(desk.queue.clear()) == 2
    desk.queue.give_up(batch)
    assert desk.queue.rows_waiting == 0
    again = desk.queue.take(desk.now)
    assert (again.parts, again.forget) == ([], [])


# ── too much ─────────────────────────────────────────────────────────────────────────────


def test_one_client_may_have_so_many_rows_waiting_and_another_still_has_room() -> None:
    desk = Desk()
    desk.put(*(step(n, 128, client="greedy") for n in range(4)))
    with pytest.raises(Refusal, match="512 rows waiting") as refusal:
        desk.put(step(4, 1, client="greedy"))
    assert refusal.value.code == "busy"
    assert refusal.value.retry_after_seconds == queueing.LEAST_RETRY_SECONDS
    desk.put(step(4, 128, client="modest"))
    assert desk.queue.rows_waiting == MOST_ROWS_OF_ONE + 128


def test_this_computer_itself_may_have_more() -> None:
    desk = Desk()
    desk.put(*(step(n, 128) for n in range(6)))
    assert desk.queue.rows_waiting == 768


def test_all_together_may_have_so_many_rows_waiting() -> None:
    desk = Desk()
    desk.put(*(step(n, 128, client=f"{n}") for n in range(MOST_ROWS // 128)))
    with pytest.raises(Refusal, match="4096 rows wait"):
        desk.put(step(99, 1, client="late"))


def test_a_long_step_that_would_wait_for_long_is_refused_and_a_short_one_is_not() -> None:
    desk = Desk(row_seconds=0.1)
    desk.put(step(0, 128, client="0"))
    desk.run()
    desk.put(*(step(n, 128, client=f"{n}") for n in range(2)))
    with pytest.raises(Refusal, match="work for 26 s") as refusal:
        desk.put(step(5, 128, client="5"))
    assert refusal.value.retry_after_seconds == pytest.approx(12.8)
    assert desk.queue.wait_seconds == pytest.approx(25.6)
    desk.put(step(5, 1, client="5"))


# ── whatever comes ───────────────────────────────────────────────────────────────────────

arrivals = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 128), st.integers(0, 3)), min_size=1, max_size=30
)


@settings(deadline=None, max_examples=60)
@given(arrivals=arrivals, row_seconds=st.floats(1e-4, 0.2))
def test_every_step_is_answered_whole_and_in_order_and_no_decode_is_too_large(
    arrivals: list[tuple[int, int, int]], row_seconds: float
) -> None:
    desk = Desk(row_seconds=row_seconds)
    put: dict[int, list[Ticket]] = defaultdict(list)
    positions: Counter[int] = Counter()
    for sequence, rows, client in arrivals:
        ticket = step(sequence, rows, client=f"{client}", position=positions[sequence])
        try:
            desk.put(ticket)
        except Refusal:
            continue
        put[sequence].append(ticket)
        positions[sequence] += rows
    known: Counter[int] = Counter()
    decodes = 0
    while desk.queue.rows_waiting:
        batch = desk.run()
        decodes += 1
        assert 0 < batch.rows <= BATCH_ROWS
        assert batch.forget == []
        assert len(sizes(batch)) == len(batch.parts)
        for part in batch.parts:
            assert part.position == known[part.sequence]
            known[part.sequence] += part.rows
    assert known == positions
    assert decodes <= sum(positions.values()) // LEAST_PIECE_ROWS + len(arrivals)
    for sequence, tickets in put.items():
        mine = [(t, result) for t, result in desk.answers if t.part.sequence == sequence]
        assert mine == [(t, PartResult(hidden=t.part.hidden)) for t in tickets]


@settings(deadline=None, max_examples=40)
@given(row_seconds=st.floats(1e-3, 0.02), writers=st.integers(1, 8), prompts=st.integers(1, 6))
def test_whoever_writes_waits_for_one_piece_at_most_and_no_prompt_starves(
    row_seconds: float, writers: int, prompts: int
) -> None:
    desk = Desk(row_seconds=row_seconds)
    desk.put(*(step(100 + n, 128, client=f"prompt {n}") for n in range(prompts)))
    for turn in range(prompts * 128 // LEAST_PIECE_ROWS + 1):
        desk.put(*(step(n, 1, client=f"writer {n}", position=turn) for n in range(writers)))
        batch = desk.run()
        assert {part.sequence for part in batch.parts if part.rows == 1} >= set(range(writers))
        if turn > 1:
            most = max(PIECE_SECONDS, (LEAST_PIECE_ROWS + writers) * row_seconds)
            assert batch.rows * row_seconds <= most + 1e-9
    assert sum(ticket.client.startswith(b"prompt") for ticket, _ in desk.answers) == prompts
