"""Seconds from the death of a helper to the next token, on loopback and over 50 ms links.

    python3 dev.py run python benchmarks/repair.py

Real nodes, each a process with a worker of its own: a chain of three and for each of them a
spare. In each run one of the chain, the first, the middle or the last, is killed with
SIGKILL in the middle of a greedy answer, and the answer goes on. The text has to be that of
an undisturbed run. The baseline is what a token takes in the same run before the kill.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.chat.client import Client, ClientOptions
from app.command_line.demo import NodeProcess, start_node, stop_node
from app.ids import peer_text
from app.net.addresses import parse_address
from app.swarm.generate import Answer
from benchmarks.figures import last_line, milliseconds
from benchmarks.links import Link

SPANS: Final = ("0:4", "4:7", "7:10")
QUESTION: Final = [{"role": "user", "content": "What is Potluck?"}]
TOKENS: Final = 40
KILL_AFTER_TOKENS: Final = 8
LINK_SECONDS: Final = 0.025
"""Each way; there and back that is 50 ms."""


@dataclass
class Recovery:
    """What became of one kill."""

    position: int
    seconds: float
    repairs: int
    token_seconds: float


@dataclass
class Swarm:
    """A bootstrap and two nodes for each span."""

    folder: Path
    delay_seconds: float
    stack: AsyncExitStack
    bootstrap: str = ""
    nodes: dict[str, NodeProcess] = field(default_factory=dict)
    started: int = 0

    async def start(self, *arguments: str) -> NodeProcess:
        """Start a node behind a link of its own."""
        link = await self.stack.enter_async_context(Link(delay_seconds=self.delay_seconds))
        self.started += 1
        folder = self.folder / f"node{self.started}"
        folder.mkdir(mode=0o700)
        (folder / "settings.toml").write_text("threads = 1\n")
        words = ["--data-dir", str(folder), "--listen", "127.0.0.1:0", "--announce", link.address]
        node = await start_node([*words, *arguments], log=self.folder / f"node{self.started}.log")
        self.stack.push_async_callback(stop_node, node.process)
        link.target = parse_address(node.ready["listen"])
        peer = str(node.ready["peer_id"])
        self.nodes[peer] = node
        if not self.bootstrap:
            self.bootstrap = f"{peer}@{link.address}"
        return node

    async def spare(self, span: str) -> NodeProcess:
        """A node for these units."""
        return await self.start("--bootstrap", self.bootstrap, "--units", span)


async def undisturbed(client: Client) -> list[int]:
    """What the chain writes when nothing happens."""
    return (await client.answer(await client.request(QUESTION, max_tokens=TOKENS))).tokens


async def kill_one(swarm: Swarm, folder: Path, position: int, wanted: Sequence[int]) -> Recovery:
    """Kill the computer at this place of the chain, and wait for the next token.

    Raises:
        RuntimeError: the text is another one than without the kill.
    """
    options = ClientOptions(data_dir=folder, bootstraps=[swarm.bootstrap])
    async with Client(options) as client:
        request = await client.request(QUESTION, max_tokens=TOKENS)
        answer = Answer()
        times: list[float] = []
        killed_at, recovered = 0.0, 0.0
        async for _ in client.generator.write(request, answer):
            times.append(time.monotonic())
            if killed_at and not recovered:
                recovered = times[-1] - killed_at
            if not killed_at and len(answer.tokens) >= KILL_AFTER_TOKENS:
                peer = answer.parts[position].peer
                assert peer is not None
                swarm.nodes.pop(peer_text(peer)).process.kill()
                killed_at = time.monotonic()
    if answer.tokens != list(wanted):
        raise RuntimeError(f"another text after the loss of computer {position}")
    before = times[:KILL_AFTER_TOKENS]
    token_seconds = median(b - a for a, b in itertools.pairwise(before))
    return Recovery(position, recovered, answer.repairs, token_seconds)


async def measure(folder: Path, *, delay_seconds: float, rounds: int) -> list[Recovery]:
    """Every place of the chain, `rounds` times."""
    (folder / "client").mkdir(mode=0o700)
    async with AsyncExitStack() as stack:
        swarm = Swarm(folder, delay_seconds, stack)
        await swarm.start("--public")  # serves nothing: without it nobody could join any more
        for span in [*SPANS, *SPANS]:
            await swarm.spare(span)
        options = ClientOptions(data_dir=folder / "client", bootstraps=[swarm.bootstrap])
        async with Client(options) as client:
            wanted = await undisturbed(client)
        found = []
        for round_number in range(rounds):
            for position, span in enumerate(SPANS):
                if round_number:
                    await swarm.spare(span)
                found.append(await kill_one(swarm, folder / "client", position, wanted))
        return found


def report(found: Sequence[Recovery]) -> dict[str, object]:
    """The fields of one measurement."""
    seconds = [recovery.seconds for recovery in found]
    return {
        "median": round(median(seconds), 2),
        "max": round(max(seconds), 2),
        "kills": len(found),
        "by_position": {
            str(place): round(median(r.seconds for r in found if r.position == place), 2)
            for place in sorted({r.position for r in found})
        },
        "token_ms_before": milliseconds(median(r.token_seconds for r in found)),
        "repairs": sum(r.repairs for r in found),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Seconds from a helper's death to the next token.")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    fields: dict[str, object] = {}
    for name, delay in (("loopback", 0.0), ("links_50ms", LINK_SECONDS)):
        with tempfile.TemporaryDirectory(prefix="potluck-repair-") as folder:
            found = asyncio.run(measure(Path(folder), delay_seconds=delay, rounds=options.rounds))
        fields[name] = report(found)
        print(f"{name}: {fields[name]}", file=sys.stderr)
        seconds = [recovery.seconds for recovery in found]
        suffix = "" if delay == 0 else "_50ms"
        fields[f"recovery_seconds{suffix}"] = round(median(seconds), 2)
    print(last_line({**fields, "model": "the guide", "chain": list(SPANS)}))


if __name__ == "__main__":
    main()
