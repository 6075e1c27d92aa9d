"""A second span beside the first; see app/node/beside.py. Real nodes, real layers, real workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from app.chat.client import lookup_all
from app.ids import PeerId, Span, parse_peer, peer_text
from app.node import sharing, standing_by
from app.node.beside import NearWays
from app.node.serving import ShareOrder
from tests.helpers.memory_network import MemoryNetwork
from tests.helpers.running_node import RunningNode, adopt_guide, running_node, until

pytestmark = pytest.mark.real

LOWER, UPPER = Span(0, 5), Span(5, 10)
BODY = {"model": "guide", "prompt": "Potluck is", "max_tokens": 8, "temperature": 0}


@pytest_asyncio.fixture
async def lower(
    tmp_path: Path, guide: Path, heard_in_the_end: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningNode]:
    """A node that others ask first, and that serves 0:5; besides, what a test says."""
    monkeypatch.setattr(standing_by, "LOOK_SECONDS", 3600.0)
    monkeypatch.setattr(sharing, "DRAIN_SECONDS", 3600.0)  # nobody is being answered here
    async with running_node(tmp_path / "a", manifest=guide, units=LOWER, public=True) as running:
        yield running


async def serve_upper(running: RunningNode) -> None:
    """Have it serve 5:10 besides."""
    now = running.node.sharing.order
    assert now is not None
    order = ShareOrder(now.model, UPPER, gpu=False, threads=1, kv_tokens=2048, sequences=2)
    running.node.beside.keep((now.model, UPPER))
    running.node.beside.serve(order)
    await until(lambda: running.node.beside.phase == "serving")


async def served(running: RunningNode) -> dict[Span | None, tuple[bytes, bool]]:
    """What is announced, by whom, and whether only for a while."""
    peer = str(running.node.ready_line()["peer_id"])
    found = await lookup_all([(parse_peer(peer), running.node.endpoint.address)])
    return {record.span: (record.peer, record.besides) for record in found}


async def test_both_spans_together_answer_others_and_the_owner(
    tmp_path: Path, guide: Path, lower: RunningNode
) -> None:
    await serve_upper(lower)
    names = await served(lower)
    first, second = lower.node.identity.peer_id, lower.node.beside.name
    assert names == {LOWER: (first, False), UPPER: (second, True)}
    assert first != second

    own = await lower.openai("/v1/completions", BODY)
    assert own["potluck"]["chain"] == ["this computer"]
    assert own["potluck"]["readers"] == []
    status = await lower.ask("GET", "/status")
    assert status["credits"]["given"] == status["credits"]["taken"] == 0
    assert status["computers"] == 0

    bootstrap = f"{lower.node.ready_line()['peer_id']}@{lower.node.endpoint.address}"
    adopt_guide(tmp_path / "b", guide)
    async with running_node(tmp_path / "b", bootstraps=(bootstrap,)) as asking:
        answer = await asking.openai("/v1/completions", BODY)
    assert answer["choices"] == own["choices"]
    assert len(answer["potluck"]["chain"]) == 2
    status = await lower.ask("GET", "/status")
    assert status["credits"]["given"] > 0


async def test_people_are_told_of_both_and_of_one_computer(lower: RunningNode) -> None:
    before = await lower.ask("GET", "/status")
    assert before["model"]["beside"] == ""
    await serve_upper(lower)
    status = await lower.ask("GET", "/status")
    assert status["model"]["beside"] == (
        "Also serves layers 5 to 8 and the output of Potluck Guide"
        " while others there are missing or crowded"
    )
    mine = [(h["start"], h["stop"]) for h in status["model"]["holders"] if h["mine"]]
    assert mine == [(0, 5), (5, 10)]
    (coverage,) = [one for one in status["coverage"] if one["name"] == "guide"]
    assert (coverage["replicas"], coverage["computers"]) == ([1] * 10, 1)
    told, name = lower.node.status(), lower.node.beside.name
    assert name is not None
    assert (told["beside_units"], told["beside_peer_id"]) == ("5:10", peer_text(name))
    await lower.node.beside.stop()
    status = await lower.ask("GET", "/status")
    assert (
        status["model"]["beside"] == "Standing by for layers 5 to 8 and the output of Potluck Guide"
    )


async def test_a_pause_ends_both_and_nobody_waits_for_a_drain(lower: RunningNode) -> None:
    await serve_upper(lower)
    beside = lower.node.beside
    engine = beside.engine
    assert engine is not None
    assert engine.worker_pid is not None
    worker = psutil.Process(engine.worker_pid)
    async with asyncio.timeout(60), asyncio.TaskGroup() as both:
        both.create_task(beside.stop())
        both.create_task(lower.ask("POST", "/pause", {"kind": "resume"}))
        await until(lambda: not beside.is_up)
        assert not worker.is_running()
    assert lower.node.sharing.order is None
    assert await served(lower) == {}
    assert lower.node.service._parts.credits.own_names == set()


async def test_it_can_be_ended_at_any_moment_of_its_beginning(lower: RunningNode) -> None:
    beside = lower.node.beside
    now = lower.node.sharing.order
    assert now is not None
    order = ShareOrder(now.model, UPPER, gpu=False, threads=1, kv_tokens=2048, sequences=2)
    for tenths in range(4):
        beside.serve(order)
        await asyncio.sleep(tenths / 10)
        await asyncio.gather(beside.stop(), beside.stop())
        assert (beside.is_up, beside.phase, beside.name) == (False, "off", None)
    assert lower.node.sharing.phase == "serving"


async def test_a_processor_that_may_not_compute_serves_nothing_besides(lower: RunningNode) -> None:
    await serve_upper(lower)
    beside, order = lower.node.beside, lower.node.beside.order
    assert order is not None
    await beside.limit(processor=False, threads=1)
    assert not beside.is_up
    assert not beside.may_serve
    beside.serve(order)
    assert not beside.is_up


async def test_this_computer_reaches_its_own_names_without_leaving_itself() -> None:
    network = MemoryNetwork()
    async with network.endpoint() as here, network.endpoint() as near, network.endpoint() as far:
        ways = NearWays(here, lambda: {near.peer_id: near.address})
        assert ways.peer_id == here.peer_id
        for peer, address in ((near.peer_id, "nowhere:1"), (far.peer_id, far.address)):
            channel = await ways.open_channel(PeerId(peer), [address], "session")
            assert channel.peer == peer
