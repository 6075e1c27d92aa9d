"""A part and the future of whoever wants its result; see app/engine/pending.py."""

from __future__ import annotations

import asyncio

import pytest

from app.engine.frames import Part, PartResult
from app.engine.pending import Pending, hand_out
from app.errors import WorkerDied


def pending() -> Pending:
    part = Part(sequence=0, position=0, rows=1, hidden=b"1234")
    return Pending(part=part, future=asyncio.get_running_loop().create_future())


async def test_each_gets_its_own_result() -> None:
    first, second = pending(), pending()
    hand_out([(second, PartResult(hidden=b"2")), (first, PartResult(hidden=b"1"))])
    assert (await first.future).hidden == b"1"
    assert (await second.future).hidden == b"2"


async def test_whoever_waits_learns_that_there_will_be_none() -> None:
    waiting = pending()
    waiting.fail(WorkerDied("the worker died"))
    with pytest.raises(WorkerDied, match="the worker died"):
        await waiting.future


async def test_whoever_has_given_up_hears_nothing_any_more() -> None:
    gone, there = pending(), pending()
    gone.future.cancel()
    hand_out([(gone, PartResult(hidden=b"1")), (there, PartResult(hidden=b"2"))])
    gone.fail(WorkerDied("too late"))
    there.fail(WorkerDied("too late"))
    assert gone.future.cancelled()
    assert there.future.result().hidden == b"2"
