"""Stands in for `app.engine.supervisor.Engine`: a toy model that computes in microseconds.

It keeps the rules of the real one (`tests/engine/engine_contract.py` shows it): gaps,
faults of the input, rollback by position, room. A unit turns a row into a function of
the row, its position, every earlier row of its sequence, and the unit's number, so a
wrong order, a missed rollback, a lost position or somebody else's memory changes every
row after it.

    engine = FakeEngine(ToyModel(blocks=4), Span(0, 3))
    engine.die()        # the worker ends: what it computes fails, all memory is gone
    engine.hold()       # steps wait until `engine.go_on()`
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.engine.frames import MemoryDescribed, Part, PartResult
from app.engine.ledger import KvLedger
from app.engine.mounting import BATCH_ROWS
from app.engine.queueing import StepQueue, Ticket
from app.engine.supervisor import Engine
from app.errors import BadInput, EngineFault, NoRoom, Refusal, WorkerDied
from app.ids import Span

Floats = NDArray[np.float32]
WIDTH = 8
VOCABULARY = 48


@dataclass(frozen=True)
class ToyModel:
    """The numbers that make the toy: the same ones for the same `seed`."""

    blocks: int = 4
    width: int = WIDTH
    vocabulary_size: int = VOCABULARY
    seed: int = 7

    @property
    def head_unit(self) -> int:
        return self.blocks + 1

    @property
    def whole(self) -> Span:
        return Span(0, self.blocks + 2)

    def matrix(self, unit: int, rows: int) -> NDArray[np.float64]:
        """The weights of a unit, [rows, width]."""
        return np.random.default_rng([self.seed, unit]).normal(0, 1, (rows, self.width))

    def embed(self, tokens: list[int]) -> Floats:
        return self.matrix(0, self.vocabulary_size)[tokens].astype(np.float32)


@dataclass(eq=False, kw_only=True)
class _Waiting(Ticket):
    future: asyncio.Future[PartResult]


class FakeEngine:
    """One mounted span of a toy model."""

    def __init__(
        self,
        model: ToyModel,
        span: Span,
        *,
        kv_tokens: int = 512,
        sequences: int = 8,
        tokens_per_sequence: int = 512,
    ) -> None:
        self.model = model
        self.span = span
        self.ledger = KvLedger(
            tokens=kv_tokens, sequences=sequences, tokens_per_sequence=tokens_per_sequence
        )
        self.overdue = False
        self.wait_seconds = 0.0
        self.busy: list[float] = []  # with which times to come back the next steps are refused
        self.computed: list[Part] = []
        self.decodes: list[int] = []
        self.spoil: Callable[[PartResult], PartResult] = lambda result: result
        self._kv_tokens = kv_tokens
        self._sequences = sequences
        blocks = range(max(span.start, 1), min(span.stop, model.head_unit))
        self._weights = {unit: model.matrix(unit, model.width) for unit in blocks}
        self._head = (
            model.matrix(model.head_unit, model.vocabulary_size)
            if model.head_unit in span
            else None
        )
        # For each sequence and block, what the rows before each position add up to.
        self._memory: dict[int, dict[int, list[NDArray[np.float64]]]] = {}
        self._queue: StepQueue[_Waiting] = StepQueue(batch_rows=BATCH_ROWS)
        self._held = False
        self._failure = ""

    def engine(self) -> Engine:
        """This, for whoever wants the real one."""
        return cast(Engine, self)

    # ── what tests do to it ──────────────────────────────────────────────────

    def hold(self) -> None:
        """Let steps wait."""
        self._held = True

    def go_on(self) -> None:
        """Let them go on."""
        self._held = False
        asyncio.get_running_loop().call_soon(self._decode)

    def die(self) -> None:
        """The worker ends and is started again: nothing is remembered."""
        self._memory.clear()
        for waiting in self._queue.clear():
            if not waiting.future.done():
                waiting.future.set_exception(WorkerDied("the worker died"))

    def fail(self, reason: str) -> None:
        """The next step fails, for a reason that is not the worker's death."""
        self._failure = reason

    def positions(self, sequence: int) -> int:
        """How many positions of a sequence are known."""
        blocks = self._memory.get(sequence)
        return len(next(iter(blocks.values()))) - 1 if blocks else 0

    # ── what hosts and chains ask of it ──────────────────────────────────────

    async def compute(
        self,
        part: Part,
        *,
        client: bytes = b"",
        wanted: Callable[[], bool] | None = None,
        deadline_seconds: float | None = None,
    ) -> PartResult:
        failure, self._failure = self._failure, ""
        if failure:
            raise EngineFault(failure)
        if self.busy:
            words = "this computer is busy"
            raise Refusal(words, code="busy", retry_after_seconds=self.busy.pop(0))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[PartResult] = loop.create_future()
        waiting = _Waiting(
            part=part,
            client=client,
            expires=inf if deadline_seconds is None else loop.time() + deadline_seconds,
            wanted=lambda: not future.done() and (wanted is None or wanted()),
            future=future,
        )
        self._queue.put(waiting, loop.time())
        loop.call_soon(self._decode)  # others may join the batch
        return self.spoil(await future)

    async def forget(self, sequence: int) -> None:
        self._check_sequence(sequence)
        await asyncio.sleep(0)
        self._memory.pop(sequence, None)

    async def memory_form(self, sequence: int) -> MemoryDescribed:
        self._check_sequence(sequence)
        units = self._units
        return MemoryDescribed(
            serial=0,
            position_bytes=8 * self.model.width * len(units),
            digest=hashlib.sha256(bytes(units)).digest(),
        )

    async def save(self, sequence: int, positions: int) -> bytes:
        self._check_sequence(sequence)
        blocks = self._memory.get(sequence, {})
        if not blocks:
            raise EngineFault("the memory is empty")
        columns = [np.array(blocks[unit][1:])[:positions] for unit in self._units]
        return np.concatenate(columns, axis=1).tobytes()

    async def restore(self, sequence: int, state: bytes) -> None:
        self._check_sequence(sequence)
        units, width = self._units, self.model.width
        if not state or len(state) % (8 * width * len(units)):
            raise BadInput("these are no rows of memory")
        rows = np.frombuffer(state, np.float64).reshape(-1, len(units), width)
        if not np.isfinite(rows).all():
            raise BadInput("a memory holds values that are not finite numbers")
        self._memory[sequence] = {
            unit: [np.zeros(width), *rows[:, index]] for index, unit in enumerate(units)
        }

    @property
    def _units(self) -> list[int]:
        """Who remembers: the blocks. A head alone does too, as the real one with its empty one."""
        return list(self._weights) or [self.model.head_unit]

    # ── the toy itself ───────────────────────────────────────────────────────

    def _decode(self) -> None:
        """Compute what the queue says goes together."""
        if self._held:
            return
        loop = asyncio.get_running_loop()
        batch = self._queue.take(loop.time())
        for sequence, position in batch.forget:
            for sums in self._memory.get(sequence, {}).values():
                del sums[position + 1 :]
        results = [self._answer(part) for part in batch.parts]
        self.computed += batch.parts
        # It takes no time, so pieces stay as long as they may be.
        finished = self._queue.computed(batch, results, 0.0, loop.time())
        for waiting, result in [*batch.dropped, *finished]:
            if not waiting.future.done():
                waiting.future.set_result(result)
        if batch.parts:
            self.decodes.append(len(batch.parts))
            loop.call_soon(self._decode)

    def _answer(self, part: Part) -> PartResult:
        try:
            hidden = self._rows(part)
        except EngineFault as error:
            return PartResult(fault=str(error), code="input")
        if self._weights or self._head is not None:
            if part.position > (known := self.positions(part.sequence)):
                return PartResult(
                    fault=f"position {part.position} does not follow on {known}", code="gap"
                )
            try:
                hidden = self._advance(part, hidden)
            except NoRoom as error:
                return PartResult(fault=str(error), code="no_room")
        if self._head is None:
            return PartResult(hidden=hidden.tobytes())
        wanted = hidden[len(hidden) - part.outputs :].astype(np.float64)
        return _best((wanted @ self._head.T).astype(np.float32), max(part.candidates, 1))

    def _rows(self, part: Part) -> Floats:
        self._check_sequence(part.sequence)
        carried = part.rows if part.tokens is None else len(part.tokens)
        if not part.rows or carried != part.rows or part.outputs > part.rows:
            raise EngineFault("the step's rows do not agree with what it carries")
        if part.tokens is not None:
            if 0 not in self.span:
                raise EngineFault("tokens came to a computer that does not hold the embedding")
            if max(part.tokens) >= self.model.vocabulary_size:
                raise EngineFault("a token is not in the vocabulary")
            return self.model.embed(part.tokens)
        hidden = np.frombuffer(part.hidden, np.float32)
        if hidden.size != part.rows * self.model.width:
            raise EngineFault("rows of the wrong width")
        if not np.isfinite(hidden).all():
            raise EngineFault("the step holds values that are not finite numbers")
        return hidden.reshape(part.rows, -1)

    def _advance(self, part: Part, hidden: Floats) -> Floats:
        memory = self._memory.setdefault(
            part.sequence, {unit: [np.zeros(self.model.width)] for unit in self._units}
        )
        for sums in memory.values():
            del sums[part.position + 1 :]
        total = sum(self.positions(sequence) for sequence in self._memory)
        if total + part.rows > self._kv_tokens:
            raise NoRoom("this computer's memory for conversations is full")
        out = np.empty_like(hidden)
        for index, row in enumerate(hidden):
            values = row.astype(np.float64)
            for unit, sums in memory.items():
                before = sums[-1]
                sums.append(0.8 * before + values)
                weights = self._weights.get(unit)
                if weights is not None:
                    angle = weights @ (values + 0.5 * before) + 0.1 * (part.position + index)
                    values = np.sin(angle).astype(np.float32).astype(np.float64)
            out[index] = values
        return out

    def _check_sequence(self, sequence: int) -> None:
        if not 0 <= sequence < self._sequences:
            raise EngineFault(f"there is no sequence {sequence}")


def _best(logits: Floats, count: int) -> PartResult:
    ids = np.argsort(-logits, axis=1, kind="stable")[:, :count]
    values = np.take_along_axis(logits, ids, axis=1)
    return PartResult(ids=ids.astype("<i4").tobytes(), logits=values.astype("<f4").tobytes())
