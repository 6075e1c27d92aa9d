"""Tasks have an owner: leaving it ends them, and a failure is told with its name."""

import asyncio
import logging

import pytest

from app.tasks import TaskOwner


async def test_leaving_the_owner_cancels_what_still_runs_and_waits_for_it() -> None:
    events: list[str] = []
    started = asyncio.Event()

    async def listen() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            events.append("tidied up")

    async with TaskOwner("endpoint") as owner:
        task = owner.start(listen(), name="listen")
        await started.wait()
    assert events == ["tidied up"]
    assert task.cancelled()


async def test_a_task_carries_its_owner_and_its_name() -> None:
    async with TaskOwner("host") as owner:
        task = owner.start(asyncio.sleep(0, "done"), name="drain")
        assert task.get_name() == "host: drain"
        assert await task == "done"


async def test_a_task_that_fails_is_logged_with_its_name_when_it_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        raise ValueError("a wheel came off")

    async with TaskOwner("host") as owner:
        with caplog.at_level(logging.ERROR):
            task = owner.start(fail(), name="drive")
            await asyncio.wait([task])
            await asyncio.sleep(0)
        assert [record.getMessage() for record in caplog.records] == ["host: drive failed"]
        assert "a wheel came off" in caplog.text


async def test_one_failure_leaves_the_other_tasks_running() -> None:
    go_on = asyncio.Event()

    async def fail() -> None:
        raise ValueError("mine alone")

    async with TaskOwner("host") as owner:
        failing = owner.start(fail(), name="fail")
        steady = owner.start(go_on.wait(), name="steady")
        await asyncio.wait([failing])
        assert not steady.done()
        go_on.set()
        assert await steady


async def test_a_closed_owner_starts_nothing_and_leaves_nothing_unawaited() -> None:
    owner = TaskOwner("host")
    await owner.close()
    with pytest.raises(RuntimeError, match="host is closed and starts no late work"):
        owner.start(asyncio.sleep(0), name="late work")


async def test_a_task_may_close_its_own_owner() -> None:
    owner = TaskOwner("host")
    other = owner.start(asyncio.Event().wait(), name="other")
    closing = owner.start(owner.close(), name="closing")
    await asyncio.wait_for(closing, 5.0)
    assert other.cancelled()
