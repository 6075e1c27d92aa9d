"""Whether a host whose promised room is all in use stays within what was counted for it.

    python3 dev.py run python benchmarks/memory.py [--tokens 8192]

Two real nodes, each a process with a worker of its own, serve a random model with hidden states
4096 wide, and eight clients fill all the room for conversations that the nodes promise. Then half
of each conversation is taken back and written anew, so that the worker has to put its memory in
order (`app/engine/ordered_room.py`). Memory is looked at fifty times a second.

- `taken_over_counted`: what both processes of the host that hands on took at most, over what was
  counted for its span before it was chosen (`app/engine/footprint.py`): the worker from its
  start, the node from when it was ready. `last_...` is the host that ends the model.
- `hosts`: the same in megabytes for each, and of what it is made.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.clock import SystemClock
from app.command_line.demo import share_out
from app.engine.footprint import footprint
from app.engine.mounting import BATCH_ROWS
from app.ids import Span
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.swarm.chain import RingChain
from app.swarm.layout import Layout
from benchmarks.figures import last_line
from benchmarks.load import Bench, offers_of
from benchmarks.models import PublishedModel, Shape, publish_here, write_random_model

SHAPE: Final = Shape(
    blocks=2, width=4096, feed_forward=4096, heads=32, kv_heads=8, vocabulary=32_000, context=2048
)
SESSIONS: Final = 8
STEP: Final = 256
LOOK_SECONDS: Final = 0.02
MEGABYTE: Final = 1e6


@dataclass
class Host:
    """One host's two processes, and the most they had."""

    span: Span
    node: psutil.Process
    worker: psutil.Process
    began: int
    worker_most: int = 0
    node_most: int = 0

    def look(self) -> None:
        """Once more."""
        self.worker_most = max(self.worker_most, self.worker.memory_info().rss)
        self.node_most = max(self.node_most, self.node.memory_info().rss - self.began)


def hosts_of(spans: Sequence[Span]) -> list[Host]:
    """The hosts that run, by the folder each was given."""
    found = []
    for number, span in enumerate(spans):
        (node,) = [
            process
            for process in psutil.Process().children()
            if any(word.endswith(f"host{number}") for word in process.cmdline())
        ]
        workers = [child for child in node.children() if child.cmdline()[-1:] != ["window"]]
        worker = max(workers, key=lambda child: child.memory_info().rss)
        found.append(Host(span, node, worker, node.memory_info().rss))
    return found


async def keep_looking(hosts: Sequence[Host]) -> None:
    """Until it is cancelled."""
    while True:
        for host in hosts:
            host.look()
        await asyncio.sleep(LOOK_SECONDS)


async def write(chain: RingChain, start: int, stop: int) -> None:
    """Positions of one conversation, a prompt's worth at a time."""
    for position in range(start, stop, STEP):
        count = min(STEP, stop - position)
        await chain.step(position, [40 + row % 200 for row in range(count)])


async def fill(bench: Bench, tokens: int, stack: AsyncExitStack) -> None:
    """All the room there is, by conversations of the same length; then half of it anew, twice."""
    each = tokens // SESSIONS
    chains = []
    for _ in range(SESSIONS):
        client = Endpoint(new_identity(), listen=("0.0.0.0", 0), handlers={}, clock=SystemClock())
        await stack.enter_async_context(client)
        chains.append(await bench.chain(client, tokens=each))
    await asyncio.gather(*(write(chain, 0, each) for chain in chains))
    for _ in range(2):
        await asyncio.gather(*(write(chain, each // 2, each) for chain in chains))


async def measure(folder: Path, *, tokens: int) -> dict[str, object]:
    """All fields."""
    file = folder / "random-2x4096.gguf"
    await asyncio.to_thread(write_random_model, file, SHAPE)
    published = publish_here(file, folder)
    spans = share_out(SHAPE.blocks, 2)
    for number in range(len(spans)):
        (folder / f"host{number}").mkdir()
        words = f"max_sessions = {SESSIONS}\nkv_tokens = {tokens}\n"
        (folder / f"host{number}" / "settings.toml").write_text(words)
    async with AsyncExitStack() as stack:
        model, offers = await offers_of(published, spans, folder, stack)
        hosts = hosts_of(spans)
        looking = asyncio.ensure_future(keep_looking(hosts))
        await fill(Bench(model, offers, stack), tokens, stack)
        looking.cancel()
    return report(published, hosts, tokens=tokens)


def report(published: PublishedModel, hosts: Sequence[Host], *, tokens: int) -> dict[str, object]:
    """What was taken over what was counted, and both in megabytes."""
    plan = published.plan
    taken = footprint(plan, tokens=tokens, batch_rows=BATCH_ROWS)
    layout = Layout(
        [unit.payload_bytes for unit in plan.units],
        taken.unit_bytes,
        handing_on_bytes=taken.handing_on_bytes,
        span_bytes=taken.span_bytes,
    )
    shares = []
    rows = []
    for host in hosts:
        counted = layout.memory(host.span)
        shares.append(round((host.worker_most + host.node_most) / counted, 3))
        parts = {
            "counted": counted,
            "worker": host.worker_most,
            "node": host.node_most,
            "weights": sum(
                plan.units[unit].payload_bytes for unit in range(host.span.start, host.span.stop)
            ),
            "handed_on": layout.handing_on_bytes(host.span.stop),
        }
        rows.append({name: round(size / MEGABYTE, 1) for name, size in parts.items()})
    return {
        "taken_over_counted": shares[0],
        "last_taken_over_counted": shares[-1],
        "tokens": tokens,
        "hosts": rows,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Memory of a full host against what was counted.")
    parser.add_argument("--tokens", type=int, default=8192, help="room for conversations")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="potluck-memory-") as name:
        print(last_line(asyncio.run(measure(Path(name), tokens=options.tokens))))


if __name__ == "__main__":
    main()
