"""What waits for the worker, and what of it goes into the next decode.

Pure: time comes in as a number. Short steps, conversations that are being written, go
first. Long ones, prompts that are being read, get what rows are left; while somebody is
writing they are cut into pieces, so that a token takes about twice what it takes alone,
and waits `PIECE_SECONDS` at most. Clients share the rows evenly, however many sessions or
how long prompts one has. A row's result does not depend on its company
(`docs/decisions/010-one-attention-kernel.md`), so pieces joined are the whole.
The counterpart that computes is `app/engine/supervisor.py`.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, Generic, TypeVar

import msgspec

from app.engine.frames import Part, PartResult
from app.engine.gathering import Gathering
from app.errors import Refusal

SHORT_ROWS: Final = 4
"""A step of so few rows is somebody's next token, a guess at some included."""
PIECE_SECONDS: Final = 0.25
"""What a decode may take at most while others wait for their next token."""
LEAST_PIECE_SECONDS: Final = 0.02
PIECE_DECODES: Final = 2.0
"""... and no longer than so many decodes of short steps alone: a small model's tokens come
fast, and a chain has several hosts."""
LEAST_PIECE_ROWS: Final = 8
"""Long steps get as many rows of every decode, whatever else waits: nobody starves."""
FIRST_PIECE_ROWS: Final = 32
"""While nothing was measured."""
TURN_ROWS: Final = 16
"""So many rows one client gets before the next one's turn within a decode."""
WRITING_SECONDS: Final = 5.0
"""Who had a short step so lately will have another one soon."""
MOST_ROWS: Final = 4096
"""Rows that wait in all: 128 MB of the widest model's, and 8 clients with all they may have."""
MOST_ROWS_OF_ONE: Final = 512
"""Rows of one client that wait: a full step of each of its sessions."""
MOST_WAIT_SECONDS: Final = 20.0
"""A long step that would wait longer is declined: its client gives up after 30 s."""
LEAST_RETRY_SECONDS: Final = 0.5


def _always() -> bool:
    return True


@dataclass(eq=False, kw_only=True)
class Ticket:
    """One part that waits, and how far it has come.

    Attributes:
        client: whose it is; clients share the rows evenly. b"" is this computer itself.
        expires: when nobody wants the result any more, on the clock of `StepQueue.take`.
        wanted: asked right before it is computed; False drops it.
    """

    part: Part
    client: bytes = b""
    expires: float = inf
    wanted: Callable[[], bool] = _always
    number: int = 0
    rows_done: int = 0
    results: list[PartResult] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows as they count in a decode: a part without any takes a place too."""
        return max(1, self.part.rows)

    @property
    def rows_left(self) -> int:
        """Rows not computed yet."""
        return self.rows - self.rows_done

    @property
    def short(self) -> bool:
        """Whether it goes first, and never in pieces."""
        return self.part.rows <= SHORT_ROWS


TicketT = TypeVar("TicketT", bound=Ticket)


@dataclass(frozen=True)
class Batch(Generic[TicketT]):
    """What the worker is to do next.

    Attributes:
        forget: (sequence, position) pairs: what is there or after it is half a step that
            was given up; to be forgotten before anything is computed.
        tickets, parts: what to compute; a part may be a piece of its ticket's.
        dropped: who gets an answer without a computation.
    """

    forget: list[tuple[int, int]]
    tickets: list[TicketT]
    parts: list[Part]
    dropped: list[tuple[TicketT, PartResult]]

    @property
    def rows(self) -> int:
        """Rows to compute."""
        return sum(max(1, part.rows) for part in self.parts)


class StepQueue(Generic[TicketT]):
    """Steps in the order of each sequence, and fair between clients.

    It is start-time fair queueing: each client has a tag, the rows it was given; whose
    tag is lowest goes next, and who comes back after a pause starts where the others are.
    """

    def __init__(self, *, batch_rows: int) -> None:
        """`batch_rows` is the most that one decode takes."""
        self._batch_rows = batch_rows
        # Bounded by `MOST_ROWS`: every ticket counts as a row at least.
        self._lines: dict[int, deque[TicketT]] = {}
        self._numbers = itertools.count()
        self._rows_of: dict[bytes, int] = {}
        self._tags: dict[bytes, float] = {}
        self._now_serving = 0.0
        self._wrote_at: dict[int, float] = {}
        self._gathering = Gathering()
        self._forget: list[tuple[int, int]] = []
        self._row_seconds = 0.0
        self._short_seconds = PIECE_SECONDS
        self._piece_rows = FIRST_PIECE_ROWS

    @property
    def rows_waiting(self) -> int:
        """Rows that wait or are being computed."""
        return sum(self._rows_of.values())

    @property
    def wait_seconds(self) -> float:
        """How long everything that waits will take; 0.0 while the speed is not known."""
        return self.rows_waiting * self._row_seconds

    @property
    def piece_rows(self) -> int:
        """Rows of a decode while somebody is writing, as measured lately."""
        return self._piece_rows

    def put(self, ticket: TicketT, now: float) -> None:
        """Add one, behind what its sequence has waiting; `now` as for `take`.

        Raises:
            Refusal: too much waits already ("busy"), with the time to try again.
        """
        own = self._rows_of.get(ticket.client, 0)
        if ticket.client and own and own + ticket.rows > MOST_ROWS_OF_ONE:
            raise _busy(f"you have {own} rows waiting here", own * self._row_seconds)
        if self.rows_waiting + ticket.rows > MOST_ROWS:
            raise _busy(f"{self.rows_waiting} rows wait here", self.wait_seconds)
        seconds = self._seconds_before(ticket, own)
        if ticket.client and not ticket.short and seconds > MOST_WAIT_SECONDS:
            raise _busy(f"there is work for {seconds:.0f} s before it", seconds)
        ticket.number = next(self._numbers)
        self._rows_of[ticket.client] = own + ticket.rows
        self._lines.setdefault(ticket.part.sequence, deque()).append(ticket)
        if ticket.short:
            self._gathering.came(ticket.part.sequence, now)
        else:
            self._gathering.forget(ticket.part.sequence)

    def hold_seconds(self, now: float) -> float:
        """How long to wait before `take`, for others who are about to come; ask again then,
        and whenever somebody came. Never while a long step is here: the others come during it.
        """
        if any(not line[0].short for line in self._lines.values()):
            return 0.0
        return self._gathering.hold_seconds(self._lines, now)

    def take(self, now: float) -> Batch[TicketT]:
        """What to compute next; nothing when nothing is wanted. `computed` ends it."""
        self._gathering.began()
        dropped: list[tuple[TicketT, PartResult]] = []
        lines = list(self._lines.values())
        heads = [head for line in lines if (head := self._head(line, now, dropped)) is not None]
        heads.sort(key=lambda ticket: ticket.number)
        short = [ticket for ticket in heads if ticket.short]
        long = [ticket for ticket in heads if not ticket.short]
        room = self._batch_rows - (LEAST_PIECE_ROWS if long else 0)
        given = self._share(short, room, turn_rows=SHORT_ROWS)
        rows = sum(given.values())
        for ticket in given:
            self._wrote_at[ticket.part.sequence] = now
        if long:
            room = self._batch_rows - rows
            if self._somebody_writes(now, {ticket.part.sequence for ticket in long}):
                room = min(room, max(LEAST_PIECE_ROWS, self._piece_rows - rows))
            given |= self._share(long, room, turn_rows=TURN_ROWS)
        forget, self._forget = self._forget, []
        parts = [_piece(ticket, rows) for ticket, rows in given.items()]
        return Batch(forget, list(given), parts, dropped)

    def computed(
        self, batch: Batch[TicketT], results: Sequence[PartResult], seconds: float, now: float
    ) -> list[tuple[TicketT, PartResult]]:
        """Take in what the worker made of a batch; whose answer is whole now, and the answer."""
        self._measure(batch, seconds)
        finished = []
        for ticket, part, result in zip(batch.tickets, batch.parts, results, strict=True):
            ticket.results.append(result)
            if not result.code:
                ticket.rows_done += max(1, part.rows)
            if result.code or ticket.rows_left <= 0:
                self._remove(ticket, whole=not result.code)
                if ticket.short and not result.code:
                    self._gathering.left(ticket.part.sequence, now)
                finished.append((ticket, _joined(ticket.results)))
        return finished

    def give_up(self, batch: Batch[TicketT]) -> None:
        """The worker made nothing of a batch: forget whose it was."""
        for ticket in batch.tickets:
            self._remove(ticket, whole=False)

    def clear(self) -> list[TicketT]:
        """Empty it; everything that waited. The memory of all sequences is gone as well."""
        waiting = [ticket for line in self._lines.values() for ticket in line]
        self._lines.clear()
        self._rows_of.clear()
        self._forget.clear()
        return waiting

    # ── inside ───────────────────────────────────────────────────────────────

    def _seconds_before(self, ticket: TicketT, own_rows: int) -> float:
        """How long a long step would wait: others get no more than its client meanwhile."""
        clients = len(self._rows_of.keys() | {ticket.client})
        return min(self.rows_waiting, (own_rows + ticket.rows) * clients) * self._row_seconds

    def _head(
        self, line: deque[TicketT], now: float, dropped: list[tuple[TicketT, PartResult]]
    ) -> TicketT | None:
        """The first that is wanted still."""
        while line:
            ticket = line[0]
            if not ticket.wanted():
                answer = PartResult(fault="nobody waits for it any more", code="withdrawn")
            elif ticket.expires <= now:
                answer = PartResult(fault="it would have come too late", code="late")
            else:
                return ticket
            self._remove(ticket, whole=False)
            dropped.append((ticket, answer))
        return None

    def _remove(self, ticket: TicketT, *, whole: bool) -> None:
        """Take the first of its line out; half of it must not be built upon."""
        sequence = ticket.part.sequence
        line = self._lines.get(sequence)
        if not line or line[0] is not ticket:
            return  # everything was cleared meanwhile
        line.popleft()
        if not line:
            del self._lines[sequence]
        self._rows_of[ticket.client] -= ticket.rows
        if not self._rows_of[ticket.client]:
            del self._rows_of[ticket.client]
        if ticket.rows_done and not whole:
            self._forget.append((sequence, ticket.part.position))

    def _share(self, tickets: list[TicketT], room: int, *, turn_rows: int) -> dict[TicketT, int]:
        """Rows for each, in turns: the client with the lowest tag, and of its own the oldest."""
        given: dict[TicketT, int] = {}
        waiting: dict[bytes, deque[TicketT]] = {}
        for ticket in tickets:
            waiting.setdefault(ticket.client, deque()).append(ticket)
        turns = [(self._tag(client), order, client) for order, client in enumerate(waiting)]
        heapq.heapify(turns)
        while turns and room > 0:
            tag, order, client = heapq.heappop(turns)
            ticket = waiting[client][0]
            left = ticket.rows_left - given.get(ticket, 0)
            rows = left if ticket.short or not _splits(ticket.part) else min(left, turn_rows, room)
            if rows <= room or not _splits(ticket.part):
                given[ticket] = given.get(ticket, 0) + rows
                room -= rows
                self._now_serving = max(self._now_serving, tag)
                tag = self._tags[client] = tag + rows
            if rows == left:
                waiting[client].popleft()
            if waiting[client]:
                heapq.heappush(turns, (tag, order, client))
        return given

    def _tag(self, client: bytes) -> float:
        """Where a client starts. Who is behind the others by now need not be remembered."""
        for name in [name for name, tag in self._tags.items() if tag <= self._now_serving]:
            del self._tags[name]
        return self._tags.get(client, self._now_serving)

    def _somebody_writes(self, now: float, reading: set[int]) -> bool:
        """Whether a sequence that is not being read to has had a short step lately."""
        self._wrote_at = {
            sequence: at for sequence, at in self._wrote_at.items() if now - at < WRITING_SECONDS
        }
        return bool(self._wrote_at.keys() - reading)

    def _measure(self, batch: Batch[TicketT], seconds: float) -> None:
        """A decode of few rows says little about one of many: those with long steps count."""
        if all(ticket.short for ticket in batch.tickets):
            if batch.tickets:
                self._gathering.decodes.measured(batch.rows, seconds)
                # Slow ones are mostly somebody else's doing.
                weight = 0.3 if seconds < self._short_seconds else 0.05
                self._short_seconds += weight * (seconds - self._short_seconds)
            return
        row_seconds = max(seconds, 1e-6) / batch.rows
        before = self._row_seconds or row_seconds
        self._row_seconds = (before + row_seconds) / 2
        wanted = max(LEAST_PIECE_SECONDS, PIECE_DECODES * self._short_seconds)
        # Fewer at once, more by and by: a small decode makes rows look dear.
        rows = min(int(min(PIECE_SECONDS, wanted) / row_seconds), 2 * self._piece_rows)
        self._piece_rows = min(max(rows, LEAST_PIECE_ROWS), self._batch_rows)


def _busy(reason: str, seconds: float) -> Refusal:
    """Half of what waits will be done by then."""
    words = f"this computer is busy: {reason}; please try again in a moment"
    return Refusal(words, code="busy", retry_after_seconds=max(LEAST_RETRY_SECONDS, seconds / 2))


def _splits(part: Part) -> bool:
    """Whether it can be cut: what does not agree with itself is the worker's to refuse."""
    if part.outputs > part.rows or part.rows < 1:
        return False
    if part.tokens is not None:
        return len(part.tokens) == part.rows
    return len(part.hidden) % (4 * part.rows) == 0


def _piece(ticket: Ticket, rows: int) -> Part:
    """The next `rows` of a part; the wanted rows are its last ones."""
    part, start = ticket.part, ticket.rows_done
    stop = start + rows
    if start == 0 and stop >= part.rows:
        return part
    row_bytes = len(part.hidden) // part.rows
    unwanted = part.rows - part.outputs
    return msgspec.structs.replace(
        part,
        position=part.position + start,
        rows=rows,
        outputs=max(0, stop - max(start, unwanted)),
        tokens=None if part.tokens is None else part.tokens[start:stop],
        hidden=part.hidden[start * row_bytes : stop * row_bytes],
    )


def _joined(results: list[PartResult]) -> PartResult:
    """The result of a whole part from those of its pieces; a fault of one is its fault."""
    last = results[-1]
    if last.code or len(results) == 1:
        return last
    return PartResult(
        hidden=b"".join(result.hidden for result in results),
        ids=b"".join(result.ids for result in results),
        logits=b"".join(result.logits for result in results),
    )
