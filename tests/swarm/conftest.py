"""What the tests of the swarm share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.helpers.small_swarm import SmallSwarm


@pytest.fixture
async def swarm(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmallSwarm]:
    async with SmallSwarm(monkeypatch) as swarm:
        yield swarm
