"""What is served follows what is wished; see app/sharing.py. Real layers, real workers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from app.client import lookup_all
from app.errors import DownloadFailed
from app.ids import Span, parse_peer
from app.sharing import ShareOrder, Sharing
from tests.helpers.running_node import WHOLE, RunningNode, running_node, until


def order_of(running: RunningNode, span: Span) -> ShareOrder:
    """An order for another span of what is served."""
    now = running.node.sharing.order
    assert now is not None
    return ShareOrder(now.model, span, gpu=False, threads=1, kv_tokens=2048, sequences=2)


async def test_the_last_wish_counts_however_many_there_were(tmp_path: Path, guide: Path) -> None:
    others = set(_workers())  # swarms of other modules may still be running
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing = running.node.sharing
        order = order_of(running, Span(2, 5))
        for wish in (None, order_of(running, Span(0, 3)), None, order):
            sharing.wish(wish)
            await asyncio.sleep(0)
        await sharing.settled()
        assert sharing.order == order
        assert sharing.phase == "serving"
        sharing.wish(None)
        await sharing.settled()
        assert sharing.order is None
        assert sharing.engine is None
        assert set(_workers()) <= others


async def test_what_cannot_be_served_says_why_and_is_tried_again_when_asked(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing = running.node.sharing
        order = order_of(running, Span(2, 5))
        sharing.wish(None)
        await sharing.settled()

        async def fails(*_: object) -> None:
            raise DownloadFailed("no origin delivers unit 2")

        with monkeypatch.context() as patched:
            patched.setattr(sharing, "_fetch", fails)
            sharing.wish(order)
            await sharing.settled()
            assert sharing.phase == "failed"
            assert str(sharing.problem) == "no origin delivers unit 2"
            status = await running.ask("GET", "/status")
            assert (status["state"], status["pause"]["reason"]) == ("problem", "problem")
        sharing.retry()
        await until(lambda: sharing.phase == "serving")
        assert sharing.problem is None


async def test_what_is_served_is_announced_and_taken_back(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path / "a", manifest=guide, units=WHOLE, public=True) as running:
        peer = str(running.node.ready_line()["peer_id"])
        bootstrap = [(parse_peer(peer), running.node.endpoint.address)]
        assert [record.span for record in await lookup_all(bootstrap)] == [WHOLE]
        await running.ask("POST", "/pause", {"kind": "resume"})
        assert await lookup_all(bootstrap) == []
        await running.ask("POST", "/resume")
        await running.node.sharing.settled()
        assert [record.span for record in await lookup_all(bootstrap)] == [WHOLE]


async def test_a_drain_ends_within_its_time_and_frees_the_worker(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        sharing: Sharing = running.node.sharing
        made = await running.ask(
            "POST", "/conversations", {"max_tokens": 900, "temperature": 2.0}, expect=201
        )
        path = f"/conversations/{made['id']}/messages"
        stream = running.events("POST", path, {"content": "Tell me a story."})
        await anext(stream)
        assert sharing.engine is not None
        assert sharing.engine.worker_pid is not None
        began = asyncio.get_running_loop().time()
        sharing.wish(None)
        await sharing.settled()
        assert asyncio.get_running_loop().time() - began < 3.3
        assert sharing.engine is None
        # The answer goes on, on this computer alone.
        name, message = [event async for event in stream][-1]
        assert (name, message["state"]) == ("message", "done")


def _workers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
