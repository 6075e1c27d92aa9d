"""The parent's end of a worker: start it, ask it, notice when it dies.

The counterpart that answers is `app/engine/worker.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from app.engine import frames
from app.errors import BadInput, EngineFault, NoRoom, WorkerDied
from app.sentences import say
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

STOP_SECONDS: Final = 0.3
"""How long a worker gets to end by itself. Memory is promised to be free a second after a
drain, and 1 GB took 0.09 s to go after a kill; nothing is lost by force."""
READ_BYTES: Final = 1 << 20
MAX_LOG_BYTES: Final = 64 << 10
_ENVIRONMENT: Final = {
    # Spinning OpenMP threads collapse when the owner uses the computer: 1,210 ms
    # a token against 146 ms (docs/ENGINE.md).
    "OMP_WAIT_POLICY": "passive",
    # A pool of threads for numpy's matrices, which the worker never multiplies.
    "OPENBLAS_NUM_THREADS": "1",
    "GGML_NO_BACKTRACE": "1",
    "PYTHONUNBUFFERED": "1",
}

_CRASHES: Final = {
    getattr(signal, name, 0)
    for name in ("SIGSEGV", "SIGABRT", "SIGILL", "SIGBUS", "SIGFPE", "SIGTRAP", "SIGSYS")
} - {0}
_WINDOWS_EXCEPTION: Final = 0x80000000
"""Exit codes from here on are exceptions nobody handled, such as 0xC0000005."""

_running: set[int] = set()
"""Numbers of the workers of this process that have not been waited for: a fact about the
process, like its list of children, whoever started them."""

AnswerT = TypeVar("AnswerT", bound=frames.Frame)


def worker_command() -> list[str]:
    """How to start a worker of this very program."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "worker"]
    return [sys.executable, "-m", "app.engine.worker"]


def running_workers() -> list[int]:
    """The process numbers of all workers of this program, those being mounted included."""
    return sorted(_running)


class Child:
    """One running worker process. Start it with `start_child`."""

    def __init__(self, process: asyncio.subprocess.Process, tasks: TaskOwner) -> None:
        self._process = process
        self._tasks = tasks
        self._serial = 0
        self._waiting: dict[int, asyncio.Future[frames.Answer]] = {}
        self._ended = asyncio.Event()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether requests can be sent."""
        return not self._ended.is_set()

    @property
    def crashed(self) -> bool:
        """Whether the process ended by a fault of its own code, not by somebody's hand."""
        code = self._process.returncode
        return code is not None and (-code in _CRASHES or code >= _WINDOWS_EXCEPTION)

    async def ended(self) -> str:
        """Wait until the process is gone; return how it ended, in words."""
        await self._ended.wait()
        try:
            # Not `wait_for`, which forgets a cancellation that comes as the process ends.
            async with asyncio.timeout(STOP_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            self.kill()  # a worker that has closed its pipe can be asked nothing any more
            code = await self._process.wait()
        _running.discard(self.pid)
        return _how_it_ended(code)

    def send(self, build: Callable[[int], frames.Frame]) -> asyncio.Future[frames.Answer]:
        """Send a request; the future gets its answer, or `WorkerDied`.

        Args:
            build: makes the request from its serial.

        Raises:
            WorkerDied: the process is gone already.
            ValueError: the request is too large for the pipe.
        """
        if not self.alive or self._process.stdin is None:
            raise WorkerDied("the worker is not running")
        self._serial += 1
        data = frames.encode(build(self._serial))
        future: asyncio.Future[frames.Answer] = asyncio.get_running_loop().create_future()
        # Bounded by whoever asks: one batch, and one request of each session at most.
        self._waiting[self._serial] = future
        self._process.stdin.write(data)
        return future

    async def ask(self, kind: type[AnswerT], build: Callable[[int], frames.Frame]) -> AnswerT:
        """Send a request and wait for its answer, which must be a `kind`.

        Raises:
            WorkerDied: the process ended before it answered.
            NoRoom, EngineFault: the worker says that it cannot.
            BadInput: it says that what it was given for somebody else is wrong.
        """
        answer = await self.send(build)
        if isinstance(answer, frames.Failed):
            if answer.kind == "no_room":
                raise NoRoom(answer.reason)
            if answer.kind == "input":
                raise BadInput(answer.reason)
            raise EngineFault(answer.reason)
        if not isinstance(answer, kind):
            raise EngineFault(f"the worker answered {type(answer).__name__}, not {kind.__name__}")
        return answer

    async def stop(self) -> None:
        """End the process, by force after `STOP_SECONDS`, and wait until it is gone.

        Whoever is cancelled meanwhile leaves no process behind: it is killed.
        """
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            _running.discard(self.pid)
            await self._tasks.close()
            self._fail_all()

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def read_answers(self) -> None:
        """Hand answers to whoever waits, until the process ends."""
        assert self._process.stdout is not None
        try:
            while True:
                prefix = await self._process.stdout.readexactly(frames.LENGTH_BYTES)
                body = await self._process.stdout.readexactly(frames.body_length(prefix))
                answer = frames.decode_answer(body)
                # The worker answers in order, so one that could not read the serial
                # means the request that waits the longest.
                unread = isinstance(answer, frames.Failed) and answer.kind == "bad_request"
                serial = next(iter(self._waiting), 0) if unread else answer.serial
                future = self._waiting.pop(serial, None)
                if future is not None and not future.done():
                    future.set_result(answer)
        except asyncio.IncompleteReadError:
            pass
        except BadInput as error:
            logger.error("%s; the worker is stopped", error)
            self.kill()
        finally:
            self._fail_all()

    async def read_log(self) -> None:
        """Pass on what the worker writes to standard error, as it comes."""
        assert self._process.stderr is not None
        while piece := await self._process.stderr.read(MAX_LOG_BYTES):
            # In pieces and not line by line: what never ends a line must not fill the pipe.
            for line in piece.decode(errors="replace").splitlines():
                logger.info("%s", line.rstrip()[:500])

    def _fail_all(self) -> None:
        self._ended.set()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(WorkerDied("the worker ended in the middle of a step"))


async def start_child(command: Sequence[str] | None = None) -> Child:
    """Start a worker.

    Raises:
        EngineFault: the process cannot be started.
    """
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.BELOW_NORMAL_PRIORITY_CLASS
    else:
        # Its own process group: Ctrl-C in a terminal is for the node to handle.
        options["process_group"] = 0
    try:
        process = await asyncio.create_subprocess_exec(
            *(command or worker_command()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=READ_BYTES,
            env={**os.environ, **_ENVIRONMENT},
            **options,
        )
    except OSError as error:
        raise EngineFault(say("worker_unstartable", reason=str(error))) from error
    _running.add(process.pid)
    tasks = TaskOwner(f"worker {process.pid}")
    child = Child(process, tasks)
    tasks.start(child.read_answers(), name="answers")
    tasks.start(child.read_log(), name="log")
    return child


def _how_it_ended(code: int) -> str:
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"exit code {code}"
