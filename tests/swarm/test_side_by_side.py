"""Words to several computers at once: all of them, or the first failure when all have ended."""

from __future__ import annotations

import asyncio

import pytest

from app.swarm.side_by_side import side_by_side
from app.swarm.token_chain import ChainBroken
from app.tasks import TaskOwner


async def test_all_of_it_is_done_at_once() -> None:
    begun, ended = [], []
    everybody = asyncio.Event()

    async def work(number: int) -> None:
        begun.append(number)
        if len(begun) == 3:
            everybody.set()
        await everybody.wait()
        ended.append(number)

    async with TaskOwner("test") as owner:
        await side_by_side(owner, *(work(number) for number in range(3)))
    assert sorted(ended) == [0, 1, 2]


async def test_nothing_to_do_is_done() -> None:
    async with TaskOwner("test") as owner:
        await side_by_side(owner)


async def test_the_first_failure_ends_the_others() -> None:
    stopped = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ChainBroken("no", peer=None)

    async with TaskOwner("test") as owner:
        with pytest.raises(ChainBroken, match="no"):
            await side_by_side(owner, waits(), fails())
        assert stopped == [True]
