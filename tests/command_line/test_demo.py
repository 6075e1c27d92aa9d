"""The demo's parts; the demo itself runs in tests/e2e."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.client import ClientOptions
from app.command_line import demo
from app.errors import EngineFault
from app.ids import PeerId, Span
from app.swarm.generate import Answer
from app.swarm.token_chain import ChainPart


@given(blocks=st.integers(1, 200), nodes=st.integers(1, 8))
def test_a_model_is_shared_out_whole_and_evenly(blocks: int, nodes: int) -> None:
    spans = demo.share_out(blocks, nodes)
    assert len(spans) == min(nodes, blocks)
    assert (spans[0].start, spans[-1].stop) == (0, blocks + 2)
    assert all(before.stop == after.start for before, after in pairwise(spans))
    own = [len(span) - (span.start == 0) - (span.stop == blocks + 2) for span in spans]
    assert min(own) >= 1
    assert max(own) - min(own) <= 1


def let_nodes_be(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Start this Python program wherever a node would be started."""
    start = asyncio.create_subprocess_exec

    async def instead(*command: str, **wanted: Any) -> asyncio.subprocess.Process:
        return await start(sys.executable, "-c", program, **wanted)

    monkeypatch.setattr("asyncio.create_subprocess_exec", instead)


READY = 'print(\'{"ready": true, "peer_id": "abc", "listen": "1.2.3.4:5"}\', flush=True)\n'


async def test_a_node_is_started_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_nodes_be(monkeypatch, READY + "import time\ntime.sleep(60)")
    node = await demo.start_node([], log=tmp_path / "log")
    assert node.bootstrap == "abc@1.2.3.4:5"
    await demo.stop_node(node.process)
    assert node.process.returncode is not None
    await demo.stop_node(node.process)


async def test_a_node_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "STOP_SECONDS", 0.05)
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    let_nodes_be(monkeypatch, deaf + READY + "time.sleep(60)")
    node = await demo.start_node([], log=tmp_path / "log")
    await demo.stop_node(node.process)
    assert node.process.returncode == -9


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys\nsys.exit('potluck: no room')", "a node did not start: potluck: no room"),
        ("", "a node did not start: it said nothing"),
        ("print('hello', flush=True)\nimport time\ntime.sleep(60)", "it said nothing"),
        ("import time\ntime.sleep(60)", "it said nothing"),
    ],
    ids=["refuses", "ends", "says something else", "says nothing"],
)
async def test_a_node_that_does_not_start_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(demo, "START_SECONDS", 0.5 if "sleep" in program else 60.0)
    let_nodes_be(monkeypatch, program)
    with pytest.raises(EngineFault, match=words):
        await demo.start_node([], log=tmp_path / "log")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Stands in for processes: what became of each node, by its folder's name."""
    fates: dict[str, str] = {}

    async def start_node(arguments: Sequence[str], *, log: Path) -> demo.NodeProcess:
        name = Path(arguments[1]).name
        await asyncio.sleep(0)
        if fates.get(name) == "broken":
            raise EngineFault(f"{name} did not start")
        fates[name] = "runs"
        ready = {"peer_id": name * 4, "listen": "1.2.3.4:5", "units": arguments[-1]}
        process: Any = SimpleNamespace(name=name)
        return demo.NodeProcess(process, ready)

    async def stop_node(process: Any) -> None:
        fates[process.name] = "stopped"

    monkeypatch.setattr(demo, "start_node", start_node)
    monkeypatch.setattr(demo, "stop_node", stop_node)
    return fates


async def test_a_swarm_is_put_away_to_the_last_node(tmp_path: Path, nodes: dict[str, str]) -> None:
    async with AsyncExitStack() as stack:
        name = await demo.start_swarm(tmp_path, [Span(0, 5), Span(5, 10)], stack)
        assert name == f"{'bootstrap' * 4}@1.2.3.4:5"
        assert nodes == {"bootstrap": "runs", "node0": "runs", "node1": "runs"}
    assert set(nodes.values()) == {"stopped"}


async def test_when_one_node_does_not_start_the_others_are_put_away_too(
    tmp_path: Path, nodes: dict[str, str]
) -> None:
    nodes["node0"] = "broken"
    with pytest.raises(EngineFault, match="node0 did not start"):
        async with AsyncExitStack() as stack:
            await demo.start_swarm(tmp_path, [Span(0, 5), Span(5, 7), Span(7, 10)], stack)
    assert nodes == dict.fromkeys(("bootstrap", "node1", "node2"), "stopped") | {"node0": "broken"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int], list[int]], list[str]]:
    """Lets the chain and the whole model give these tokens; the questions asked."""

    def give(chained: list[int], alone: list[int]) -> list[str]:
        questions: list[str] = []

        async def ask(options: ClientOptions, question: str, *, show: bool) -> Answer:
            questions.append(question)
            parts = [ChainPart(PeerId(bytes(32)), Span(0, 10))]
            tokens = alone if options.alone else chained
            return Answer(text="hi", tokens=tokens, parts=parts, tokens_per_second=5.0)

        monkeypatch.setattr(demo, "_ask", ask)
        return questions

    return give


@pytest.mark.parametrize(
    ("alone", "code", "words"),
    [([1, 2], 0, "are the very same as"), ([1, 3], 1, "are NOT the same as")],
)
async def test_the_demo_says_whether_the_tokens_are_the_same(
    nodes: dict[str, str],
    asked: Callable[[list[int], list[int]], list[str]],
    capsys: pytest.CaptureFixture[str],
    alone: list[int],
    code: int,
    words: str,
) -> None:
    questions = asked([1, 2], alone)
    given = argparse.Namespace(nodes=2, question="Why?", json=True)
    assert await demo.demo(given) == code
    assert questions == ["Why?", "Why?"]
    assert set(nodes.values()) == {"stopped"}
    lines = capsys.readouterr().out.splitlines()
    assert words in lines[-2]
    report = json.loads(lines[-1])
    assert report["identical"] is (code == 0)
    assert report["tokens"] == [1, 2]
    assert report["chain"] == [{"peer_id": "a" * 52, "units": "0:10"}]
    assert (report["tokens_per_second"], report["alone_tokens_per_second"]) == (5.0, 5.0)


async def test_without_a_question_the_demo_has_its_own_and_no_line_for_programs(
    nodes: dict[str, str],
    asked: Callable[[list[int], list[int]], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    questions = asked([1], [1])
    assert await demo.demo(argparse.Namespace(nodes=1, question=None, json=False)) == 0
    assert questions == [demo.QUESTION] * 2
    assert not capsys.readouterr().out.splitlines()[-1].startswith("{")
