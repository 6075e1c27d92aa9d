"""The engine as the rest of the program sees it: one mounted span that keeps running.

It has the worker started (in which way, `app/engine/ways.py` finds out), gathers the
steps of many sessions into one decode (which ones, `app/engine/queueing.py` says), and
has the worker started again when it dies. After such a death every sequence is empty: the next
step of each is answered with a "gap", and whoever sent it begins again at an earlier
position.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from types import TracebackType
from typing import Final

from app.engine import frames
from app.engine.batch_times import BatchTimes
from app.engine.child import Child
from app.engine.ladder import Ladder, Rung
from app.engine.ledger import KvLedger
from app.engine.mounting import BATCH_ROWS, MountRequest
from app.engine.pending import Pending, hand_out
from app.engine.queueing import Batch, StepQueue
from app.engine.ways import PROBE_SECONDS, start_mounted
from app.errors import DownloadFailed, EngineFault, Refusal, WorkerDied
from app.ids import Span
from app.sentences import say
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS: Final = 0.2
LONGEST_RETRY_SECONDS: Final = 30.0
BATCH_SECONDS: Final = 25.0
"""Below what a client waits for a step, so that it hears of the fault and not of silence."""
LEAST_STALL_SECONDS: Final = 0.8
PATIENCE: Final = 6.0
"""A batch is overdue when it takes so many times what the slowest like it took lately."""
CRASHES_BEFORE_DEMOTION: Final = 2
LONGEST_REST_SECONDS: Final = 0.25
"""After this long it is asked again whether to rest on: a cap may have been lifted."""
CRASH_MEMORY_SECONDS: Final = 3600.0
"""Two crashes a month apart say nothing about a way of loading."""


@dataclass
class EngineStatus:
    """How the engine does: `layers_per_second` is measured, 0.0 while unknown.

    It was measured with `tuned_threads`; `threads` are those that may compute now.
    """

    configuration: str = ""
    threads: int = 0
    tuned_threads: int = 0
    layers_per_second: float = 0.0
    restarts: int = 0
    decodes: int = 0
    parts: int = 0
    last_death: str = ""
    busy_seconds: float = field(default=0.0, repr=False)


class Engine:
    """One mounted span. Use with `async with`; entering mounts and may take a while.

    Args:
        rest: called after each batch with the seconds it took, and with 0.0 after each
            rest; says how long to compute nothing. None never rests.
        mend: called when the layers cannot be loaded, before any way of loading is blamed:
            brings damaged files again and says whether there were any. May raise what
            a download raises.
    """

    def __init__(
        self,
        request: MountRequest,
        ladder: Ladder,
        *,
        command: Sequence[str] | None = None,
        rest: Callable[[float], float] | None = None,
        mend: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.request = request
        self.status = EngineStatus()
        self._ladder = ladder
        self._command = command
        self._rest = rest
        self._mend = mend
        self._resting: asyncio.TimerHandle | None = None
        # While the next batch waits for others who are about to come.
        self._holding: asyncio.TimerHandle | None = None
        self._most_threads: int | None = None
        self._child: Child | None = None
        self._rung: Rung | None = None
        self._crashes: list[float] = []
        self._ready = asyncio.Event()
        self._stopping = False
        self._queue: StepQueue[Pending] = StepQueue(batch_rows=BATCH_ROWS)
        self._in_flight: Batch[Pending] | None = None
        self._overdue: asyncio.TimerHandle | None = None
        self._batch_began = 0.0
        self._times = BatchTimes()
        self._gone_since: float | None = None
        self._tasks = TaskOwner("engine")
        self._ledger: KvLedger | None = None

    @property
    def span(self) -> Span:
        """The units mounted."""
        return self.request.span

    @property
    def ledger(self) -> KvLedger:
        """Who holds how much of the room for conversations."""
        if self._ledger is None:
            raise RuntimeError("the engine is not mounted")
        return self._ledger

    @property
    def overdue(self) -> bool:
        """Whether the worker is away, or takes far longer for a batch than it did lately.

        Of a batch nothing is known until one was computed.
        """
        now = asyncio.get_running_loop().time()
        if self._gone_since is not None:
            return now - self._gone_since > LEAST_STALL_SECONDS
        if self._in_flight is None:
            return False
        expected = self._times.expected(self._in_flight.rows)
        patience = max(LEAST_STALL_SECONDS, PATIENCE * expected)
        return expected > 0 and now - self._batch_began > patience

    @property
    def is_busy(self) -> bool:
        """Whether the worker computes now."""
        return self._in_flight is not None

    @property
    def wait_seconds(self) -> float:
        """How long what waits for the worker will take it; 0.0 while that is not known."""
        return self._queue.wait_seconds

    @property
    def worker_pid(self) -> int | None:
        """The worker's process number; None while there is none."""
        return self._child.pid if self._child is not None and self._child.alive else None

    async def __aenter__(self) -> Engine:
        """Mount.

        Raises:
            EngineFault: no way of loading works; the text says what was tried.
            Refusal, DownloadFailed: damaged files were found and cannot be had again.
        """
        try:
            mounted = await self._mount()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._ledger = KvLedger(
            tokens=self.request.kv_tokens,
            sequences=self.request.sequences,
            tokens_per_sequence=mounted.tokens_per_sequence,
        )
        self._tasks.start(self._watch(), name="watch")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        for timer in (self._resting, self._holding):
            if timer is not None:
                timer.cancel()
        try:
            await self._tasks.close()
        finally:
            if self._child is not None:
                await self._child.stop()
            self._ready.set()  # whoever waits for the worker's return learns that it stays away
            self._fail_pending("the engine stops")

    async def compute(
        self,
        part: frames.Part,
        *,
        client: bytes = b"",
        wanted: Callable[[], bool] | None = None,
        deadline_seconds: float | None = None,
    ) -> frames.PartResult:
        """Run one part, together with whatever others are waiting.

        A part that cannot be computed comes back with `fault` and `code` set; the
        sequence then stands where it stood, or at the part's position. Parts of one
        sequence keep their order. While the worker is being started again, this waits.

        Args:
            client: whose it is; clients share the worker evenly.
            wanted: asked before it is computed; False drops it ("withdrawn").
            deadline_seconds: after so long it is dropped as well ("late").

        Raises:
            Refusal: too much waits already; says when to try again.
            WorkerDied: the worker ended while it had the part, or stays away.
        """
        await self._until_ready()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[frames.PartResult] = loop.create_future()
        pending = Pending(
            part=part,
            client=client,
            expires=inf if deadline_seconds is None else loop.time() + deadline_seconds,
            wanted=lambda: not future.done() and (wanted is None or wanted()),
            future=future,
        )
        self._queue.put(pending, loop.time())
        if self._in_flight is None and self._resting is None:
            self._start_batch()
        return await future

    async def limit_threads(self, most: int) -> None:
        """Compute with at most so many threads from now on, also after a restart."""
        self._most_threads = most
        if self._child is not None and self.status.tuned_threads:
            with contextlib.suppress(WorkerDied):  # then it starts again, and knows
                await self._use_threads(self._child)

    async def _until_ready(self) -> None:
        if self._child is not None and not self._child.alive:
            self._ready.clear()  # the watch will learn it too, in a moment
        if not self._ready.is_set() and not self._stopping:
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._ready.wait()
            except TimeoutError:
                raise WorkerDied(say("worker_gone")) from None
        if self._stopping:
            raise WorkerDied("the engine stops")

    async def forget(self, sequence: int) -> None:
        """Empty a sequence, before its number is given to somebody else.

        Nobody waits for the worker, which may be busy for long: it does one thing after the
        other, so the sequence is empty for whatever is computed next.

        Raises:
            EngineFault: there is no such sequence.
        """
        if not 0 <= sequence < self.request.sequences:
            raise EngineFault(f"there is no sequence {sequence}")
        with contextlib.suppress(WorkerDied):  # then it is empty all the same
            self._forget_rest(sequence, 0)

    async def memory_form(self, sequence: int) -> frames.MemoryDescribed:
        """What rows of memory look like here; a sequence that is empty helps to find out.

        Raises:
            WorkerDied, EngineFault, NoRoom: it is not to be had, or none can be moved.
        """
        return await self._running().ask(
            frames.MemoryDescribed,
            lambda serial: frames.DescribeMemory(serial=serial, sequence=sequence),
        )

    async def save(self, sequence: int, positions: int) -> bytes:
        """The memory of the first positions of a sequence: so many rows, or fewer.

        Raises:
            WorkerDied, EngineFault: it is not to be had.
        """
        saved = await self._running().ask(
            frames.Saved,
            lambda serial: frames.Save(serial=serial, sequence=sequence, positions=positions),
        )
        return saved.state

    async def restore(self, sequence: int, state: bytes) -> None:
        """Replace the memory of one sequence with what `save` returned, here or elsewhere.

        Raises:
            BadInput: these are no rows of memory, or not finite.
            WorkerDied, EngineFault: there is no room, or no such sequence.
        """
        await self._running().ask(
            frames.Done,
            lambda serial: frames.Restore(serial=serial, sequence=sequence, state=state),
        )

    # ── batching ─────────────────────────────────────────────────────────────

    def _start_batch(self) -> None:
        loop = asyncio.get_running_loop()
        if self._holding is not None:
            self._holding.cancel()
            self._holding = None
        if not self._stopping and (seconds := self._queue.hold_seconds(loop.time())) > 0:
            self._holding = loop.call_later(seconds, self._start_batch)
            return
        batch = self._queue.take(loop.time())
        hand_out(batch.dropped)
        try:
            for sequence, position in batch.forget:
                self._forget_rest(sequence, position)
            if not batch.parts:
                return
            answer = self._running().send(
                lambda serial: frames.Compute(serial=serial, parts=batch.parts)
            )
        except WorkerDied as error:
            self._fail_batch(batch, error)
            return
        self._in_flight = batch
        self._batch_began = loop.time()
        self._overdue = loop.call_later(BATCH_SECONDS, self._give_up_on_worker)
        answer.add_done_callback(self._batch_done)

    def _forget_rest(self, sequence: int, position: int) -> None:
        """Nobody waits for it: the worker does one thing after the other."""
        sent = self._running().send(
            lambda serial: frames.Forget(serial=serial, sequence=sequence, position=position)
        )
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _give_up_on_worker(self) -> None:
        """A worker that stands still is worse than a dead one: everybody waits for it."""
        logger.warning("the worker did not finish a batch in %.0f s", BATCH_SECONDS)
        if self._child is not None:
            self._child.kill()

    def _batch_done(self, answer: asyncio.Future[frames.Answer]) -> None:
        batch, self._in_flight = self._in_flight, None
        assert batch is not None
        if self._overdue is not None:
            self._overdue.cancel()
        error: EngineFault
        if answer.cancelled():
            error = WorkerDied("the engine stops")
        elif (failure := answer.exception()) is not None:
            error = WorkerDied(str(failure))
        else:
            computed = answer.result()
            if isinstance(computed, frames.Computed) and len(computed.results) == len(batch.parts):
                self._hand_out(batch, computed)
                self._rest_then_start(computed.seconds)
                return
            reason = computed.reason if isinstance(computed, frames.Failed) else "a wrong answer"
            error = EngineFault(say("worker_failed", reason=str(reason)))
        self._fail_batch(batch, error)
        if self._child is not None and self._child.alive:
            self._start_batch()
        else:
            self._fail_pending(str(error))

    def _rest_then_start(self, work_seconds: float) -> None:
        """The next batch, as soon as the owner's caps allow it."""
        self._resting = None
        seconds = 0.0 if self._rest is None else self._rest(work_seconds)
        if seconds <= 0 or self._stopping:
            self._start_batch()
            return
        loop = asyncio.get_running_loop()
        self._resting = loop.call_later(
            min(seconds, LONGEST_REST_SECONDS), self._rest_then_start, 0.0
        )

    def _hand_out(self, batch: Batch[Pending], computed: frames.Computed) -> None:
        self.status.decodes += 1
        self.status.busy_seconds += computed.seconds
        self._times.took(batch.rows, computed.seconds)
        finished = self._queue.computed(
            batch, computed.results, computed.seconds, asyncio.get_running_loop().time()
        )
        self.status.parts += len(finished)
        hand_out(finished)

    def _fail_batch(self, batch: Batch[Pending], error: Exception) -> None:
        self._queue.give_up(batch)
        for pending in batch.tickets:
            pending.fail(error)

    def _fail_pending(self, reason: str) -> None:
        for pending in self._queue.clear():
            pending.fail(WorkerDied(reason))

    def _running(self) -> Child:
        if self._child is None or not self._child.alive:
            raise WorkerDied(say("worker_restarts"))
        return self._child

    # ── staying alive ────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        """Start the worker again whenever it dies, waiting longer each time it does at once."""
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            assert self._child is not None
            how = await self._child.ended()
            self._ready.clear()
            self._gone_since = asyncio.get_running_loop().time()
            self._fail_pending("the worker died")
            self.status.restarts += 1
            self.status.last_death = how
            if self._child.crashed:
                self._count_crash(how)
            while True:
                logger.warning("the worker ended (%s); starting it again", how)
                await self._child.stop()
                try:
                    await self._mount()
                    retry_seconds = FIRST_RETRY_SECONDS
                    break
                except (EngineFault, Refusal, DownloadFailed) as error:
                    how = str(error)
                    await asyncio.sleep(retry_seconds)
                    retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)

    def _count_crash(self, how: str) -> None:
        """A way of loading that keeps crashing in use is struck out like one that does at once."""
        now = asyncio.get_running_loop().time()
        self._crashes = [at for at in self._crashes if now - at < CRASH_MEMORY_SECONDS] + [now]
        if len(self._crashes) >= CRASHES_BEFORE_DEMOTION and self._rung is not None:
            self._ladder.strike(self._rung, f"the worker crashed repeatedly ({how})")
            self._crashes = []

    async def _mount(self) -> frames.Mounted:
        started = await start_mounted(
            self.request,
            self._ladder,
            begun=self._has_child,
            command=self._command,
            mend=self._mend,
        )
        self._rung, mount = started.rung, started.mount
        self.status.configuration = started.rung.name
        self.status.tuned_threads = self.status.threads = mount.threads
        if mount.threads:
            await self._use_threads(started.child)
        self.status.layers_per_second = mount.layers_per_second
        self._ready.set()
        self._gone_since = None
        return mount.answer

    def _has_child(self, child: Child) -> None:
        """What a worker uses counts from its start, whether it can mount the span or not."""
        self._child = child

    async def _use_threads(self, child: Child) -> None:
        """The fastest count, or as many as are allowed."""
        tuned = self.status.tuned_threads
        wanted = min(tuned, self._most_threads or tuned)
        if wanted != self.status.threads:
            await child.ask(
                frames.Done, lambda serial: frames.UseThreads(serial=serial, threads=wanted)
            )
        self.status.threads = wanted
