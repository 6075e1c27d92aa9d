"""What the tests of the swarm share: time that is a number, and a swarm in memory.

Nothing here has a socket or a thread. However long this process has to wait for a processor, a
computer in memory is late only if it is made so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tests.helpers.small_swarm import SmallSwarm
from tests.helpers.virtual_loop import VirtualLoop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test of this folder runs on a loop whose time passes where everybody waits."""
    return {"virtual": VirtualLoop}


@pytest.fixture
async def swarm(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallSwarm]:
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
    async with SmallSwarm(monkeypatch) as swarm:
        yield swarm
