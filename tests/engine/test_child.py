"""A worker that dies, lies or lingers is noticed; see app/engine/child.py.

The processes are real; each script stands for one way in which a worker can go wrong.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import psutil
import pytest

from app.engine import child, frames
from app.engine.child import STOP_SECONDS, Child, running_workers, start_child, worker_command
from app.errors import EngineFault, NoRoom, WorkerDied

pytestmark = pytest.mark.real

Starter = Callable[..., Awaitable[Child]]

SCRIPT_HEAD = """
import os, signal, sys, time
from app.engine import frames
source, sink = sys.stdin.buffer, sys.stdout.buffer
def hear():
    prefix = source.read(4)
    if len(prefix) < 4:
        sys.exit(0)
    return frames.decode_request(source.read(frames.body_length(prefix)))
def say(answer):
    sink.write(frames.encode(answer))
    sink.flush()
def noise(data):
    sink.write(data)
    sink.flush()
"""


@pytest.fixture
async def start() -> AsyncIterator[Starter]:
    """Starts children that run a script; stops whatever the test leaves running."""
    children: list[Child] = []

    async def start_script(script: str) -> Child:
        children.append(await start_child([sys.executable, "-c", SCRIPT_HEAD + script]))
        return children[-1]

    yield start_script
    for started in children:
        await started.stop()
        assert not psutil.pid_exists(started.pid)


def status(serial: int) -> frames.Frame:
    return frames.Status(serial=serial)


async def soon(waiting: Awaitable[object]) -> object:
    """Whatever it is, it happens: this is only where a test gives up."""
    return await asyncio.wait_for(waiting, 60)


async def test_a_real_worker_answers_and_ends_when_its_input_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child, "STOP_SECONDS", 60.0)  # a busy machine is no worker's fault
    worker = await start_child()
    report = await worker.ask(frames.Report, status)
    assert not report.mounted
    process = psutil.Process(worker.pid)
    environment = process.environ()
    assert environment["OMP_WAIT_POLICY"] == "passive"
    if not psutil.WINDOWS:
        assert process.nice() == min(19, psutil.Process().nice() + 10)
    await worker.stop()
    assert await worker.ended() == "exit code 0"
    assert not worker.alive


async def test_answers_reach_whoever_asked(start: Starter) -> None:
    echo = await start(
        "while True:\n    request = hear()\n"
        "    say(frames.Saved(serial=request.serial, state=b'%d' % request.sequence))"
    )
    answers = [
        echo.ask(
            frames.Saved,
            partial(lambda n, serial: frames.Save(serial=serial, sequence=n, positions=4), n),
        )
        for n in range(20)
    ]
    assert [answer.state for answer in await asyncio.gather(*answers)] == [
        b"%d" % n for n in range(20)
    ]


async def test_a_refusal_and_a_failure_are_raised_as_what_they_are(start: Starter) -> None:
    refusing = await start(
        "say(frames.Failed(serial=hear().serial, kind='no_room', reason='no memory'))\n"
        "say(frames.Failed(serial=hear().serial, kind='engine', reason='no such file'))\n"
        "say(frames.Done(serial=hear().serial))\n"
        "hear()"
    )
    with pytest.raises(NoRoom, match="no memory"):
        await refusing.ask(frames.Done, status)
    with pytest.raises(EngineFault, match="no such file"):
        await refusing.ask(frames.Done, status)
    with pytest.raises(EngineFault, match="answered Done, not Report"):
        await refusing.ask(frames.Report, status)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("os._exit(3)", "exit code 3"),
        ("sys.exit(0)", "exit code 0"),
    ],
)
async def test_whoever_waits_learns_that_the_worker_died(
    start: Starter, end: str, how: str
) -> None:
    dying = await start(f"hear(); hear(); hear(); {end}")
    waiting = [asyncio.create_task(dying.ask(frames.Report, status)) for _ in range(3)]
    for task in waiting:
        with pytest.raises(WorkerDied, match="in the middle of a step"):
            await soon(task)
    assert await soon(dying.ended()) == how
    assert not dying.alive
    with pytest.raises(WorkerDied, match="not running"):
        dying.send(status)


async def test_a_worker_killed_from_outside_is_noticed_at_once(start: Starter) -> None:
    silent = await start("noise(b''); time.sleep(600)")
    asking = asyncio.create_task(silent.ask(frames.Report, status))
    await asyncio.sleep(0)
    psutil.Process(silent.pid).kill()
    with pytest.raises(WorkerDied):
        await soon(asking)
    assert await soon(silent.ended()) == "killed by SIGKILL"


@pytest.mark.parametrize(
    "data",
    [
        "b'Traceback (most recent call last)'",
        "b'\\xff' * 64",
        "b'\\x05\\0\\0\\0' + b'\\xc1' * 5",
        "frames.encode(frames.Status(serial=1))",
        "b'\\0\\0\\0\\0'",
    ],
    ids=["text", "absurd length", "no message pack", "a request", "nothing"],
)
async def test_a_worker_that_talks_nonsense_is_stopped(
    start: Starter, data: str, caplog: pytest.LogCaptureFixture
) -> None:
    mad = await start(f"hear(); noise({data}); time.sleep(600)")
    with caplog.at_level(logging.ERROR), pytest.raises(WorkerDied):
        await soon(mad.ask(frames.Report, status))
    assert "the worker is stopped" in caplog.text
    assert await soon(mad.ended()) == "killed by SIGKILL"


async def test_an_answer_nobody_waits_for_harms_nothing(start: Starter) -> None:
    chatty = await start(
        "say(frames.Done(serial=99))\nwhile True:\n    say(frames.Done(serial=hear().serial))"
    )
    assert await soon(chatty.ask(frames.Done, status)) == frames.Done(serial=1)


async def test_a_request_the_worker_cannot_read_is_answered_and_the_next_ones_too() -> None:
    worker = await start_child()
    try:
        unreadable = worker.ask(
            frames.Done, lambda serial: frames.Forget(serial=serial, sequence=-1, position=0)
        )
        readable = worker.ask(frames.Report, status)
        first, second = await asyncio.gather(unreadable, readable, return_exceptions=True)
        assert isinstance(first, EngineFault)
        assert "no request it knows" in str(first)
        assert isinstance(second, frames.Report)
    finally:
        await worker.stop()


async def test_a_request_nobody_waits_for_any_more_disturbs_no_other(start: Starter) -> None:
    echo = await start("while True:\n    say(frames.Done(serial=hear().serial))")
    impatient = asyncio.create_task(echo.ask(frames.Done, status))
    patient = asyncio.create_task(echo.ask(frames.Done, status))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await soon(patient) == frames.Done(serial=2)
    assert await soon(echo.ask(frames.Done, status)) == frames.Done(serial=3)


async def test_a_worker_that_will_not_end_is_ended(start: Starter) -> None:
    stubborn = await start("say(frames.Done(serial=hear().serial)); time.sleep(600)")
    await soon(stubborn.ask(frames.Done, status))
    waiting = asyncio.create_task(stubborn.ask(frames.Done, status))
    await asyncio.sleep(0)
    started = time.monotonic()
    await soon(stubborn.stop())
    assert time.monotonic() - started >= STOP_SECONDS
    assert await stubborn.ended() == "killed by SIGKILL"
    assert not psutil.pid_exists(stubborn.pid)
    with pytest.raises(WorkerDied):
        await soon(waiting)


async def test_a_worker_whose_stopping_is_broken_off_does_not_stay(start: Starter) -> None:
    stubborn = await start("say(frames.Done(serial=hear().serial)); time.sleep(600)")
    await soon(stubborn.ask(frames.Done, status))
    stopping = asyncio.create_task(stubborn.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert await soon(stubborn.ended()) == "killed by SIGKILL"
    assert stubborn.pid not in running_workers()


async def test_a_worker_that_closes_its_pipe_and_lingers_is_ended(start: Starter) -> None:
    mute = await start("hear(); os.close(1); time.sleep(600)")
    with pytest.raises(WorkerDied):
        await soon(mute.ask(frames.Report, status))
    assert await soon(mute.ended()) == "killed by SIGKILL"


async def test_what_a_worker_prints_is_logged_and_cannot_block_it(
    start: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    loud = await start(
        "request = hear()\n"
        "os.write(2, b'a driver says hello\\n')\n"
        "for _ in range(30): os.write(2, b'x' * 100_000)\n"
        "say(frames.Done(serial=request.serial)); hear()"
    )
    with caplog.at_level(logging.INFO):
        await soon(loud.ask(frames.Done, status))
    assert "a driver says hello" in caplog.text
    assert max(len(record.message) for record in caplog.records) <= 500


async def test_stopping_twice_does_nothing(start: Starter) -> None:
    echo = await start("hear()")
    await echo.stop()
    await echo.stop()
    assert not echo.alive


async def test_workers_that_run_are_known_until_they_are_gone(start: Starter) -> None:
    stopped, killed = await start("hear()"), await start("hear(); time.sleep(600)")
    assert {stopped.pid, killed.pid} <= set(running_workers())
    await stopped.stop()
    assert stopped.pid not in running_workers()
    killed.kill()
    assert await soon(killed.ended()) == "killed by SIGKILL"
    assert killed.pid not in running_workers()


async def test_a_request_too_large_for_the_pipe_is_our_own_mistake(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = await start("while True:\n    say(frames.Done(serial=hear().serial))")
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 64)
    with pytest.raises(ValueError, match="too large"):
        echo.send(lambda serial: frames.Restore(serial=serial, sequence=0, state=bytes(100)))
    assert await soon(echo.ask(frames.Done, status)) == frames.Done(serial=2)


async def test_a_program_that_is_not_there_cannot_be_started() -> None:
    with pytest.raises(EngineFault, match="the worker cannot be started"):
        await start_child(["/nowhere/to/be/found"])


def test_a_frozen_program_starts_itself_as_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_command() == [sys.executable, "-m", "app.engine.worker"]
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert worker_command() == [sys.executable, "worker"]
