"""`potluck demo`: a whole swarm on one computer, as separate processes on loopback.

A bootstrap node and some hosts are started, the embedded guide is cut over them
and asked a question; then the same question is answered by this computer alone,
and the tokens are compared. Everything is put away at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.chat.client import Client, ClientOptions
from app.command_line.terminal import answer_line, chain_text, shown
from app.errors import EngineFault
from app.folder.data_folder import DataFolder
from app.ids import Span
from app.layer_words import layers_of
from app.swarm.generate import Answer

QUESTION: Final = "What happens when I ask a question?"
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 5.0
MAX_TOKENS: Final = 96


@dataclass(frozen=True)
class NodeProcess:
    """A node that runs as a process of its own; `ready` is what it printed first."""

    process: asyncio.subprocess.Process
    ready: dict[str, Any]

    @property
    def bootstrap(self) -> str:
        """How others name it."""
        return f"{self.ready['peer_id']}@{self.ready['listen']}"


async def start_node(arguments: Sequence[str], *, log: Path, module: str = "app") -> NodeProcess:
    """Start `potluck node` and wait until it is ready.

    Args:
        module: what to run in place of this program, from its source alone.

    Raises:
        EngineFault: it ended instead, or was not ready in `START_SECONDS`; the
            text holds the last line it wrote.
    """
    command = [sys.executable, "-m", module, "node", *arguments]
    if getattr(sys, "frozen", False):
        command = [sys.executable, "node", *arguments]
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        ready = json.loads(line)
    except (TimeoutError, ValueError):
        await stop_node(process)
        raise EngineFault(f"a node did not start: {_last_line(log)}") from None
    except BaseException:
        await stop_node(process)
        raise
    return NodeProcess(process, ready)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


async def stop_node(process: asyncio.subprocess.Process) -> None:
    """End a node, by force if it takes longer than `STOP_SECONDS`."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def share_out(block_count: int, nodes: int) -> list[Span]:
    """Cut a model over some nodes as evenly as it goes, both ends included."""
    nodes = min(nodes, block_count)
    edges = [1 + round(block_count * number / nodes) for number in range(nodes + 1)]
    edges[0], edges[-1] = 0, block_count + 2
    return [Span(start, stop) for start, stop in itertools.pairwise(edges)]


async def start_swarm(folder: Path, spans: Sequence[Span], stack: AsyncExitStack) -> str:
    """Start a bootstrap and a node for each span; return how to name the bootstrap."""

    async def start(name: str, *arguments: str) -> NodeProcess:
        place = folder / name
        place.mkdir()
        node = await start_node(
            ["--data-dir", str(place), "--listen", "127.0.0.1:0", *arguments],
            log=folder / f"{name}.log",
        )
        stack.push_async_callback(stop_node, node.process)
        return node

    bootstrap = (await start("bootstrap", "--public")).bootstrap

    head_unit = spans[-1].stop - 1

    async def start_host(number: int, span: Span) -> None:
        node = await start(f"node{number}", "--bootstrap", bootstrap, "--units", str(span))
        print(f"  node {node.ready['peer_id'][:8]} serves {layers_of(span, head_unit)}", flush=True)

    # All are waited for even if one fails: none may be left behind without its owner.
    hosts = (start_host(number, span) for number, span in enumerate(spans))
    for outcome in await asyncio.gather(*hosts, return_exceptions=True):
        if outcome is not None:
            raise outcome
    return bootstrap


async def demo(options: argparse.Namespace) -> int:
    """`potluck demo`: exit code 0 if the chain's tokens equal the whole model's."""
    question = options.question or QUESTION
    with tempfile.TemporaryDirectory(prefix="potluck-demo-") as name:
        folder = Path(name)
        data = DataFolder.open(folder / "client")
        plan = data.model(None).plan
        spans = share_out(plan.block_count, options.nodes)
        print(f"Starting a bootstrap and {len(spans)} nodes on this computer ...", flush=True)
        async with AsyncExitStack() as stack:
            bootstrap = await start_swarm(folder, spans, stack)
            print(f"\n> {question}\n", flush=True)
            chained = await _ask(
                ClientOptions(data_dir=data.folder, bootstraps=[bootstrap]), question, show=True
            )
        print(f"\nThe chain: {chain_text(chained.parts)}", flush=True)
        alone = await _ask(ClientOptions(data_dir=data.folder, alone=True), question, show=False)
    identical = chained.tokens == alone.tokens
    print(
        f"Speed: {chained.tokens_per_second:.1f} tokens a second over the chain,"
        f" {alone.tokens_per_second:.1f} in one process."
    )
    verdict = "the very same" if identical else "NOT the same"
    print(f"The {len(alone.tokens)} tokens are {verdict} as those of the whole model alone.")
    if options.json:
        print(json.dumps(_report(chained, alone)), flush=True)
    return 0 if identical else 1


async def _ask(options: ClientOptions, question: str, *, show: bool) -> Answer:
    answer = Answer()
    async with Client(options) as client:
        request = await client.request(
            [{"role": "user", "content": question}], max_tokens=MAX_TOKENS
        )
        async for piece in client.generator.write(request, answer):
            if show:
                print(shown(piece), end="", flush=True)
    if show:
        print()
    return answer


def _report(chained: Answer, alone: Answer) -> dict[str, object]:
    return {
        "identical": chained.tokens == alone.tokens,
        "text": chained.text,
        "tokens": chained.tokens,
        "chain": answer_line(chained, 0)["chain"],
        "tokens_per_second": round(chained.tokens_per_second, 3),
        "first_token_seconds": round(chained.first_token_seconds, 4),
        "alone_tokens_per_second": round(alone.tokens_per_second, 3),
        "alone_first_token_seconds": round(alone.first_token_seconds, 4),
    }
