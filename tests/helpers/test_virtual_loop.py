"""Time that does not have to be waited for."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.helpers import virtual_loop
from tests.helpers.virtual_loop import LoopClock, run_virtual


def test_an_hour_passes_at_once_and_in_order() -> None:
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, LoopClock().monotonic()))

    async def dialogue() -> None:
        await asyncio.gather(sleeper("late", 3600), sleeper("soon", 60))

    began = time.monotonic()
    run_virtual(dialogue())
    assert seen == [("soon", 60.0), ("late", 3600.0)]
    assert time.monotonic() - began < 600


def test_a_timeout_is_kept() -> None:
    async def dialogue() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7):
                await asyncio.sleep(100)
        return LoopClock().monotonic()

    assert run_virtual(dialogue()) == 7.0


def test_waiting_for_nothing_fails_instead_of_hanging() -> None:
    async def dialogue() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="everybody waits"):
        run_virtual(dialogue())


def test_who_is_never_done_fails_instead_of_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_loop, "MOST_TURNS", 1000)

    def once_more() -> None:
        asyncio.get_running_loop().call_soon(once_more)

    async def dialogue() -> None:
        once_more()
        await asyncio.sleep(5)

    with pytest.raises(RuntimeError, match="never done"):
        run_virtual(dialogue())
