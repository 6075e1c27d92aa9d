"""The only computer that serves some layers is killed, and one that stood by serves them too."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from app.chat.client import Client, ClientOptions
from app.ids import Span
from app.node import announced, standing_by
from app.swarm import standby
from app.swarm.generate import Answer
from tests.e2e.conftest import Published
from tests.helpers.processes import Processes
from tests.helpers.running_node import (
    RunningNode,
    adopt_guide,
    running_node,
    until,
    usual_layout,
)
from tests.node.test_model_offers import with_memory

FIRST, SECOND = Span(0, 3), Span(3, 5)
PROMPT = "the rest of them"
TOKENS = 120


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes happens at once; only who is needed at once serves besides."""
    monkeypatch.setattr(standing_by, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(standing_by, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(announced, "FRESH_SECONDS", 0.1)
    never = (3600.0, 0.0)
    begin = {"nobody": (0.0, 0.0), "one": never, "crowded": never}
    monkeypatch.setattr(standby, "BEGIN_SECONDS", begin)


async def share_automatically(running: RunningNode, model: Published) -> None:
    """Agree, and serve whatever is needed."""
    await running.ask("POST", "/consent", {"share": False})
    await running.ask("POST", "/models/choose", {"model": str(model.manifest)})
    await running.ask("POST", "/consent", {"share": True})
    await running.node.sharing.settled()


async def test_an_answer_goes_on_when_the_only_computer_with_some_layers_is_killed(
    tmp_path: Path, processes: Processes, model: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ClientOptions(data_dir=processes.data("alone"), model=str(model.manifest), alone=True)
    async with Client(options) as client:
        wanted = await client.answer(await client.request(PROMPT, max_tokens=TOKENS))
        layout = usual_layout(client.model.plan)
    # Room for the first span and, besides, for any of the others.
    room = max(layout.memory(span) for span in (FIRST, SECOND, Span(5, 8)))
    room += layout.handing_on_bytes(FIRST.stop)
    assert room < layout.memory(Span(0, 8))
    with_memory(monkeypatch, (1 << 30) + room)
    adopt_guide(tmp_path / "first", model.manifest)
    async with running_node(tmp_path / "first", public=True) as running:
        node = running.node
        name = f"{node.ready_line()['peer_id']}@{node.endpoint.address}"
        words = ["--bootstrap", name, "--model", str(model.manifest), "--units"]
        others = [processes.node(*words, span) for span in ("3:5", "5:8")]
        assert await asyncio.to_thread(lambda: all(other.ready for other in others))
        await until(lambda: node.network.directory.machine.store.writer_count == len(others))
        await share_automatically(running, model)
        assert node.sharing.order is not None
        assert node.sharing.order.span == FIRST
        node.standing_by._chance = lambda: 0.0
        await until(lambda: node.beside.ready is not None)
        assert node.beside.ready is not None
        assert node.beside.ready[1] == SECOND
        assert not node.beside.is_up

        options = ClientOptions(
            data_dir=processes.data("client"), bootstraps=[name], model=str(model.manifest)
        )
        async with Client(options) as client:
            answer = Answer()
            request = await client.request(PROMPT, max_tokens=TOKENS)
            pieces = client.generator.write(request, answer)
            while len(answer.tokens) < 20:
                await anext(pieces)
            others[0].signal(signal.SIGKILL)
            async for _ in pieces:
                pass
        assert (answer.tokens, answer.text) == (wanted.tokens, wanted.text)
        assert answer.repairs >= 1
        peers = {part.span: part.peer for part in answer.parts}
        assert peers[FIRST] == node.identity.peer_id
        assert peers[SECOND] == node.beside.name
        status = await running.ask("GET", "/status")
        assert status["model"]["beside"].startswith("Also serves layers 3 to 4 of ")
