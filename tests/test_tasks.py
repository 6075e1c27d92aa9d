"""Tasks have an owner: leaving it ends them, and a failure is told with its name; see app/tasks.py.

What is done unless an event is set ends with it, and keeps nothing to itself.
"""

import asyncio
import logging

import pytest

from app.tasks import TaskOwner, unless_set


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


async def test_those_who_are_ended_together_are_ended_in_the_order_of_their_start() -> None:
    ended: list[int] = []

    async def wait(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    async with TaskOwner("test") as owner:
        for number in range(100):
            owner.start(wait(number), name="wait")
        await asyncio.sleep(0)
    assert ended == list(range(100))


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
        told = [record.getMessage() for record in caplog.records if record.name == "app.tasks"]
        assert told == ["host: drive failed"]
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
    await asyncio.wait_for(closing, 30.0)
    assert other.cancelled()


def soon() -> asyncio.Timeout:
    """What does not come to its end fails, instead of standing still."""
    return asyncio.timeout(30.0)


async def test_what_is_done_unless_an_event_is_set_is_done() -> None:
    async with soon():
        assert await unless_set(asyncio.Event(), asyncio.sleep(0, "done"), name="work") == "done"
    assert len(asyncio.all_tasks()) == 1, "nobody watches for the event any more"


async def test_what_it_raises_is_raised_where_it_is_awaited(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("a wheel came off")

    async with soon():
        with pytest.raises(ValueError, match="a wheel came off"):
            await unless_set(asyncio.Event(), fail(), name="work")
    assert [record for record in caplog.records if record.name == "app.tasks"] == []


class Work:
    """Goes on until it is stopped; tidying up takes a while, and may fail."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.begun = asyncio.Event()
        self.tidies = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended = False

    async def do(self) -> str:
        self.begun.set()
        try:
            async with soon():
                await asyncio.Event().wait()
        finally:
            self.tidies.set()
            try:
                async with soon():
                    await self.may_end.wait()
            finally:
                self.ended = True
                if self.fails is not None:
                    raise self.fails
        return "done"


async def test_the_event_stops_it_in_its_middle_and_waits_until_it_has_tidied_up() -> None:
    event, work = asyncio.Event(), Work()
    async with TaskOwner("test") as owner, soon():
        doing = owner.start(unless_set(event, work.do(), name="work"), name="both")
        await work.begun.wait()
        event.set()
        await work.tidies.wait()
        assert not doing.done()
        work.may_end.set()
        assert await doing is None
        assert work.ended


async def test_with_the_event_set_before_nothing_is_begun() -> None:
    event, work = asyncio.Event(), Work()
    event.set()
    async with soon():
        assert await unless_set(event, work.do(), name="work") is None
    assert not work.begun.is_set()


async def test_who_cancels_it_cancels_the_work_and_returns_after_it() -> None:
    work = Work()
    async with TaskOwner("test") as owner, soon():
        doing = owner.start(unless_set(asyncio.Event(), work.do(), name="work"), name="both")
        await work.begun.wait()
        doing.cancel()
        await work.tidies.wait()
        assert not doing.done()
        doing.cancel()  # who is impatient interrupts the tidying up, but not the order
        await asyncio.wait([doing])
        assert doing.cancelled()
        assert work.ended
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("why", ["event", "cancelled", "cancelled twice"])
async def test_what_fails_while_it_is_stopped_is_not_lost(why: str) -> None:
    event, work = asyncio.Event(), Work(fails=ValueError("it cannot be tidied up"))
    async with TaskOwner("test") as owner, soon():
        doing = owner.start(unless_set(event, work.do(), name="work"), name="both")
        await work.begun.wait()
        if why == "event":
            event.set()
        else:
            doing.cancel()
        await work.tidies.wait()
        if why == "cancelled twice":
            doing.cancel()
        else:
            work.may_end.set()
        with pytest.raises(ValueError, match="cannot be tidied up"):
            await doing


async def test_what_is_done_in_the_moment_of_the_event_counts_as_done() -> None:
    event = asyncio.Event()

    async def sets_it() -> str:
        await asyncio.sleep(0)
        event.set()
        return "done"

    async with soon():
        assert await unless_set(event, sets_it(), name="work") == "done"
