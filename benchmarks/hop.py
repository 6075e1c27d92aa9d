"""Milliseconds that each further computer adds to a token, on loopback.

    python3 dev.py run python benchmarks/hop.py

Real nodes, each a process with a worker of its own, and a real client: the same
greedy text is written by the whole model in one process and by chains of 1 to 4
hosts, a few tokens each in turn, so that what else the computer does meets all of
them alike. A token is timed from its sending to the choice of the next one.

`hop_ms` is the slope over the number of hosts, where the whole model counts as 0
hosts: in each round the median slope between all pairs of points, and of the
rounds the median. `petals_shape` repeats it for two hosts and a random model of
8 x 512, for which Petals was measured (`benchmarks/README.md`).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.chat.client import whole_engine
from app.chat.talk import conversation_directory
from app.clock import SystemClock
from app.command_line.demo import share_out, start_node, stop_node
from app.folder.data_folder import OpenModel, resources_folder
from app.ids import PeerId, Span
from app.net.addresses import parse_bootstrap
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.swarm.chain import RingChain
from app.swarm.local_chain import LocalChain
from app.swarm.route import Link, Offer, Route
from app.swarm.sampling import SamplingOptions, choose
from app.swarm.token_chain import ModelShape, TokenChain
from benchmarks.figures import last_line, middle, milliseconds, slope
from benchmarks.models import PublishedModel, Shape, publish_here, write_random_model

MOST_HOSTS: Final = 4
PROMPT: Final = tuple(range(40, 56))
ROUNDS: Final = 21
TOKENS_A_ROUND: Final = 6
PETALS_SHAPE: Final = Shape(blocks=8, width=512, feed_forward=1408, heads=8, kv_heads=8)
PETALS_HOSTS: Final = (2,)
ROOM: Final = len(PROMPT) + ROUNDS * TOKENS_A_ROUND + 1

Rounds = dict[int, list[float]]
"""For each number of hosts (0: the whole model in one process) seconds a token, by round."""


class Writer:
    """Writes a greedy text over one chain, a few tokens at a time."""

    def __init__(self, chain: TokenChain) -> None:
        self.chain = chain
        self.tokens = list(PROMPT)
        self._known = 0
        self._options = SamplingOptions()

    async def write(self, count: int) -> float:
        """Write `count` tokens; the median of their times in seconds."""
        times = []
        for _ in range(count):
            started = time.perf_counter()
            candidates = await self.chain.step(self._known, self.tokens[self._known :])
            token = choose(
                candidates.ids[0],
                candidates.logits[0],
                self._options,
                earlier=self.tokens,
                draw=0.0,
            )
            times.append(time.perf_counter() - started)
            self._known = len(self.tokens)
            self.tokens.append(token)
        return median(times)


def spans_of(block_count: int, counts: Sequence[int]) -> dict[int, list[Span]]:
    """For each number of hosts the spans of its chain.

    The cuts of short chains are among those of the longest, so that some hosts
    serve in several chains and fewer processes have to run.
    """
    finest = share_out(block_count, max(counts))
    chains = {}
    for count in counts:
        edges = [round(len(finest) * number / count) for number in range(count + 1)]
        chains[count] = [
            Span(finest[start].start, finest[stop - 1].stop)
            for start, stop in itertools.pairwise(edges)
        ]
    return chains


async def start_hosts(
    model: PublishedModel,
    spans: Sequence[Span],
    folder: Path,
    stack: AsyncExitStack,
    *,
    module: str = "app",
) -> tuple[PeerId, str]:
    """Start a bootstrap and a host for each span; return where the bootstrap is."""
    common = ["--listen", "127.0.0.1:0"]
    place = folder / "bootstrap"
    node = await start_node(
        ["--data-dir", str(place), *common, "--public"], log=folder / "bootstrap.log"
    )
    stack.push_async_callback(stop_node, node.process)
    for number, span in enumerate(spans):
        place = folder / f"host{number}"
        model.stock(place, span)
        arguments = ["--data-dir", str(place), *common, "--bootstrap", node.bootstrap]
        arguments += ["--model", str(model.manifest), "--units", str(span)]
        host = await start_node(arguments, log=folder / f"host{number}.log", module=module)
        stack.push_async_callback(stop_node, host.process)
    return parse_bootstrap(node.bootstrap)


async def open_chain(
    endpoint: Endpoint, model: OpenModel, offers: Mapping[Span, Offer], spans: Sequence[Span]
) -> RingChain:
    """A chain over exactly these spans."""
    plan = model.plan
    return RingChain(
        endpoint,
        ModelShape(model.id, plan.width, plan.vocabulary_size, plan.head_unit),
        Route(tuple(Link(offers[span], span) for span in spans), False, False),
        tokens=ROOM,
        candidates=SamplingOptions().candidates,
    )


async def measure(file: Path, counts: Sequence[int], folder: Path) -> Rounds:
    """Seconds a token for the whole model and for chains of so many hosts, in turn.

    Raises:
        RuntimeError: a chain wrote another text than the whole model.
    """
    model = publish_here(file, folder)
    chains = spans_of(model.plan.block_count, counts)
    every = sorted({span for spans in chains.values() for span in spans}, key=str)
    data, opened = model.stock(folder / "client", model.plan.whole)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        bootstrap = await start_hosts(model, every, folder, stack)
        endpoint = await stack.enter_async_context(
            Endpoint(new_identity(), listen=("0.0.0.0", 0), handlers={}, clock=clock)
        )
        directory = await stack.enter_async_context(
            conversation_directory(endpoint, [bootstrap], (), clock)
        )
        offers = {
            record.span: Offer(PeerId(record.peer), tuple(record.addresses), record.span, 1.0, ROOM)
            for record in await directory.lookup(opened.id)
            if record.span is not None
        }
        engine = await stack.enter_async_context(whole_engine(data, opened))
        whole = LocalChain(engine, tokens=ROOM, candidates=SamplingOptions().candidates)
        stack.push_async_callback(whole.close)
        writers = {0: Writer(whole)}
        for count, spans in chains.items():
            chain = await open_chain(endpoint, opened, offers, spans)
            writers[count] = Writer(await stack.enter_async_context(chain))
        rounds: Rounds = {count: [] for count in writers}
        for _ in range(ROUNDS):
            for count, writer in writers.items():
                rounds[count].append(await writer.write(TOKENS_A_ROUND))
    for count, writer in writers.items():
        if writer.tokens != writers[0].tokens:
            raise RuntimeError(f"the chain of {count} wrote another text than the whole model")
    return rounds


def report(rounds: Rounds) -> dict[str, object]:
    """The fields of one measurement."""
    slopes = [
        slope(dict(zip(rounds, times, strict=True))) for times in zip(*rounds.values(), strict=True)
    ]
    return {
        "hop_ms": milliseconds(middle(slopes)),
        "whole_ms": milliseconds(middle(rounds[0])),
        "chain_ms": {
            str(count): milliseconds(middle(times)) for count, times in rounds.items() if count
        },
    }


def guide() -> Path:
    """The model that ships with the program."""
    found = [
        path
        for path in sorted((resources_folder() / "models").glob("guide-*.gguf"))
        if "draft" not in path.name
    ]
    if not found:
        raise FileNotFoundError("there is no guide in resources/models; give a file with --gguf")
    return found[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Milliseconds that each hop adds to a token.")
    parser.add_argument("--gguf", type=Path, help="another model than the embedded guide")
    parser.add_argument("--quick", action="store_true", help="leave the 8 x 512 model out")
    options = parser.parse_args()
    file = options.gguf or guide()
    with tempfile.TemporaryDirectory(prefix="potluck-hop-") as name:
        folder = Path(name)
        (folder / "first").mkdir()
        counts = range(1, MOST_HOSTS + 1)
        fields = report(asyncio.run(measure(file, counts, folder / "first")))
        fields["model"] = file.name
        if not options.quick:
            (folder / "petals").mkdir()
            random = write_random_model(folder / "random-8x512.gguf", PETALS_SHAPE)
            found = report(asyncio.run(measure(random, PETALS_HOSTS, folder / "petals")))
            fields["petals_shape"] = {**found, "model": PETALS_SHAPE.text}
    print(last_line(fields))


if __name__ == "__main__":
    main()
