"""Computers fail in the middle of an answer, and the answer is the same."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from app.chat.client import Client, ClientOptions, lookup_all
from app.ids import PeerId, parse_peer, peer_text
from app.swarm.generate import Answer
from tests.e2e.conftest import Published
from tests.helpers.processes import NodeProcess, Processes, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = "the rest of them"
TOKENS = 160
LONG_TOKENS = 40
LONG_PROMPT = " ".join([PROMPT] * 300)
NOTICED_SECONDS = 20.0
"""One that is silent is given up after a second or two, and after thirty by whoever has no
heartbeat."""

Helpers = Callable[[int], list[NodeProcess]]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """The processes of this module."""
    with Processes(tmp_path_factory.mktemp("failures")) as started:
        yield started


@pytest.fixture(scope="module")
def first(processes: Processes, model: Published) -> NodeProcess:
    """A bootstrap that serves the first half too; only what comes after it is broken."""
    return processes.node("--public", "--model", str(model.manifest), "--units", "0:4")


@pytest.fixture
def helpers(processes: Processes, model: Published, first: NodeProcess) -> Helpers:
    """Starts nodes that serve the second half."""

    def start(count: int) -> list[NodeProcess]:
        words = ["--bootstrap", first.name, "--model", str(model.manifest), "--units", "4:8"]
        nodes = [processes.node(*words) for _ in range(count)]
        assert [node.ready["units"] for node in nodes] == ["4:8"] * count
        return nodes

    return start


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def wanted(processes: Processes, model: Published) -> Answer:
    """What the whole model says."""
    options = ClientOptions(data_dir=processes.data("alone"), model=str(model.manifest), alone=True)
    async with Client(options) as client:
        return await client.answer(await client.request(PROMPT, max_tokens=TOKENS))


@pytest_asyncio.fixture(loop_scope="module")
async def client(
    processes: Processes, model: Published, first: NodeProcess
) -> AsyncIterator[Client]:
    """Somebody who asks."""
    options = ClientOptions(
        data_dir=processes.data("client"), bootstraps=[first.name], model=str(model.manifest)
    )
    async with Client(options) as asking:
        yield asking


async def begin(client: Client) -> tuple[Answer, AsyncIterator[str]]:
    """An answer of which a few tokens are written."""
    answer = Answer()
    request = await client.request(PROMPT, max_tokens=TOKENS)
    pieces = client.generator.write(request, answer)
    while len(answer.tokens) < 20:
        await anext(pieces)
    return answer, pieces


async def finish(pieces: AsyncIterator[str]) -> float:
    """Let it be written to its end; the longest wait for a piece, in seconds."""
    longest, seen = 0.0, time.monotonic()
    async for _ in pieces:
        longest = max(longest, time.monotonic() - seen)
        seen = time.monotonic()
    return longest


def second_of(answer: Answer, nodes: list[NodeProcess]) -> NodeProcess:
    """Which of these nodes is the second computer of the chain."""
    peer = answer.parts[1].peer
    assert peer is not None
    (found,) = [node for node in nodes if node.ready["peer_id"] == peer_text(peer)]
    return found


async def listed(directory: NodeProcess, name: str) -> None:
    """Wait until a computer can be found."""
    known = [(parse_peer(str(directory.ready["peer_id"])), str(directory.ready["listen"]))]
    async with asyncio.timeout(60):
        while name not in [peer_text(PeerId(found.peer)) for found in await lookup_all(known)]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_chain_with_a_gap_names_what_is_missing(
    processes: Processes, model: Published, first: NodeProcess
) -> None:
    words = ["chat", PROMPT, "--bootstrap", first.name, "--model", str(model.manifest)]
    done = await asyncio.to_thread(processes.run, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "potluck: nobody serves layers 4 to 6 of this model now."
        " Wait until others have come, or run the whole model on this computer with --alone.\n"
    )


async def test_a_worker_that_dies_in_the_middle_changes_nothing(
    client: Client, helpers: Helpers, wanted: Answer
) -> None:
    (node,) = helpers(1)
    answer, pieces = await begin(client)
    worker = node.worker()
    worker.kill()
    await finish(pieces)
    assert answer.tokens == wanted.tokens
    assert answer.text == wanted.text
    assert answer.repairs >= 1
    assert node.worker().pid != worker.pid
    assert node.stop() == 0


async def test_a_computer_that_stands_still_is_noticed_and_replaced(
    client: Client, helpers: Helpers, wanted: Answer
) -> None:
    nodes = helpers(2)
    answer, pieces = await begin(client)
    frozen = second_of(answer, nodes)
    family = frozen.family()
    for process in family:
        process.suspend()
    try:
        assert await finish(pieces) < NOTICED_SECONDS
        assert answer.tokens == wanted.tokens
        assert answer.repairs >= 1
        assert second_of(answer, nodes) is not frozen
    finally:
        for process in family:
            process.resume()
    for node in nodes:
        assert node.stop() == 0


async def test_who_asks_runs_the_ends_that_nobody_serves(
    processes: Processes, model: Published, wanted: Answer
) -> None:
    bootstrap = processes.node("--public")
    words = ["--bootstrap", bootstrap.name, "--model", str(model.manifest)]
    nodes = [processes.node(*words, "--units", units) for units in ("1:4", "4:7")]
    assert all(node.ready for node in nodes)
    options = ClientOptions(
        data_dir=processes.data("ends"), bootstraps=[bootstrap.name], model=str(model.manifest)
    )
    async with Client(options) as client:
        answer = await client.answer(await client.request(PROMPT, max_tokens=40))
        units = [part.span for part in answer.parts]
        entries = client.model.manifest.units
        held = [unit for unit, entry in enumerate(entries) if client.data.store.has(entry)]
    assert [str(span) for span in units] == ["0:1", "1:4", "4:7", "7:8"]
    assert [part.peer is None for part in answer.parts] == [True, False, False, True]
    assert answer.tokens == wanted.tokens[:40]
    assert held == [0, 7]
    assert not list((processes.data("ends") / "mounts").iterdir())
    for node in [*nodes, bootstrap]:
        assert node.stop() == 0


async def test_a_computer_that_vanishes_is_replaced(
    processes: Processes, model: Published, wanted: Answer
) -> None:
    words = ["--model", str(model.manifest), "--units"]
    bootstrap = processes.node("--public", *words, "0:4")
    words = ["--bootstrap", bootstrap.name, *words, "4:8"]
    nodes = [processes.node(*words) for _ in range(2)]
    assert [node.ready["units"] for node in nodes] == ["4:8", "4:8"]
    options = ClientOptions(
        data_dir=processes.data("client"), bootstraps=[bootstrap.name], model=str(model.manifest)
    )
    async with Client(options) as client:
        answer, pieces = await begin(client)
        gone = second_of(answer, nodes)
        gone.signal(signal.SIGKILL)
        assert await finish(pieces) < NOTICED_SECONDS
    assert answer.tokens == wanted.tokens
    assert answer.repairs >= 1
    assert second_of(answer, nodes) is not gone


async def test_who_leaves_hands_over_what_it_knows(
    processes: Processes, model: Published, first: NodeProcess
) -> None:
    """Its heir's owner allows little, so computing a long conversation again would take long."""
    alone = ClientOptions(
        data_dir=processes.data("long alone"), model=str(model.manifest), alone=True
    )
    async with Client(alone) as client:
        request = await client.request(LONG_PROMPT, max_tokens=LONG_TOKENS)
        wanted = await client.answer(request)
    words = ["--bootstrap", first.name, "--model", str(model.manifest), "--units", "4:8"]
    leaving = processes.node(*words)
    assert leaving.ready["units"] == "4:8"
    asking = ClientOptions(
        data_dir=processes.data("long"), bootstraps=[first.name], model=str(model.manifest)
    )
    async with Client(asking) as client:
        answer = Answer()
        pieces = client.generator.write(request, answer)
        await anext(pieces)
        heir = processes.node(*words, settings="cpu_percent_in_use = 4\ncpu_percent_away = 4\n")
        await listed(first, await asyncio.to_thread(lambda: str(heir.ready["peer_id"])))
        await anext(pieces)
        leaving.signal(signal.SIGTERM)
        while second_of(answer, [leaving, heir]) is leaving:  # its last words, not too fast
            await anext(pieces)
            await asyncio.sleep(0.05)
        await finish(pieces)
    assert answer.tokens == wanted.tokens
    assert answer.repairs >= 1
    assert leaving.process.wait(30) == 0
    until(lambda: heir.status.get("sessions_inherited") == 1)
    assert heir.status["positions_computed"] <= LONG_TOKENS
    assert heir.stop() == 0
