"""Tokens a second that a chain gives when many people write at once.

    python3 dev.py run python benchmarks/load.py

Real nodes, each a process with a worker of its own, and real clients, each with one
session: 1, 2, 4, 8 and 16 of them write greedy texts over the same chain, for a second or
two in turn, in several rounds. A speedup is what so many write in a second over what one
does, the median of the rounds.

- `speedup_8` and the other fields at the top: one host computes for real, a random model
  whose decodes wait for memory (`benchmarks/real_load.py`); `engine_speedup_8` is what
  llama.cpp alone gains from eight rows on this computer, in the same run.
- `two_hosts`: the same model cut in two; both share the computer's cores and its memory.
- `paced`: three hosts that run the embedded guide and take as long as a large span would
  (`benchmarks/paced.py`), because three computers do not fit on one. Every text has to be
  the one that a client alone gets. `crowd` in it is what becomes of four who write when one
  client reads four long prompts beside them: milliseconds a token with and without.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.chat.talk import conversation_directory
from app.clock import SystemClock
from app.command_line.demo import share_out
from app.folder.data_folder import OpenModel
from app.ids import PeerId, Span
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.swarm.chain import RingChain
from app.swarm.route import Link, Offer, Route
from app.swarm.sampling import SamplingOptions, choose
from app.swarm.token_chain import Candidates, ChainBroken, MemoryLost, ModelShape
from benchmarks.figures import last_line, milliseconds
from benchmarks.hop import guide, start_hosts
from benchmarks.models import PublishedModel, publish_here, write_random_model
from benchmarks.real_load import SHAPE, engine_fields, measure_engine

PACED_HOSTS: Final = 3
COUNTS: Final = (1, 2, 4, 8, 16)
PARTS: Final = ("real", "two_hosts", "paced")
PROMPT_ROWS: Final = 16
ROOM: Final = 512
LONG_PROMPT_ROWS: Final = 448
ROUNDS: Final = 3
SECONDS: Final = 1.5
WARM_UP_TOKENS: Final = 3
CROWD_WRITERS: Final = 4
GREEDY: Final = SamplingOptions()


@dataclass
class Writer:
    """Writes greedy text over one chain, for as long as it is let."""

    chain: RingChain
    prompt: Sequence[int]
    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    known: int = 0
    repairs: int = 0

    async def _step(self, known: int) -> Candidates:
        """On a computer that is busy with other things a host may seem to stand still."""
        while True:
            try:
                return await self.chain.step(known, self.tokens[known:])
            except MemoryLost:
                raise
            except ChainBroken:
                self.repairs += 1
                await self.chain.mend(self.chain.links)

    async def write(self, until: float, *, least: int = 0) -> int:
        """Go on writing until then; how many tokens came in time."""
        self.seconds = []
        count = 0
        while time.perf_counter() < until or count < least:
            if len(self.tokens) >= ROOM:
                self.begin_again()
            began = time.perf_counter()
            candidates = await self._step(self.known)
            self.known = len(self.tokens)
            self.tokens.append(
                choose(
                    candidates.ids[0],
                    candidates.logits[0],
                    GREEDY,
                    earlier=self.tokens,
                    draw=0.0,
                )
            )
            now = time.perf_counter()
            if now < until:
                self.seconds.append(now - began)
            count += 1
        return len(self.seconds)

    def begin_again(self) -> None:
        """From the prompt on, which the hosts know still."""
        if self.known:
            del self.tokens[len(self.prompt) + 1 :]
            self.known = len(self.prompt)
        else:
            self.tokens = list(self.prompt)


@dataclass(frozen=True)
class Load:
    """What so many writers got in one round: tokens of each, and seconds of every token."""

    tokens: list[int]
    seconds: list[float]
    elapsed: float
    processor_seconds: dict[str, float]

    @property
    def per_second(self) -> float:
        """Tokens a second of all together."""
        return sum(self.tokens) / self.elapsed

    @property
    def fairness(self) -> float:
        """What the slowest got, as a share of what the fastest did."""
        return min(self.tokens) / max(1, max(self.tokens))


class Bench:
    """The hosts, and clients made as they are needed. Use `close` on the stack it was given."""

    def __init__(self, model: OpenModel, offers: Mapping[Span, Offer], stack: AsyncExitStack):
        self._model = model
        self._offers = offers
        self._stack = stack

    async def client(self) -> Endpoint:
        """A computer of its own."""
        return await self._stack.enter_async_context(
            Endpoint(new_identity(), listen=("0.0.0.0", 0), handlers={}, clock=SystemClock())
        )

    async def chain(self, client: Endpoint, *, tokens: int = ROOM) -> RingChain:
        """A session over all hosts."""
        plan = self._model.plan
        links = tuple(Link(offer, span) for span, offer in self._offers.items())
        chain = RingChain(
            client,
            ModelShape(self._model.id, plan.width, plan.vocabulary_size, plan.head_unit),
            Route(links, False, False),
            tokens=tokens,
            candidates=GREEDY.candidates,
        )
        return await self._stack.enter_async_context(chain)


def processor_seconds() -> dict[str, float]:
    """What the clients, the nodes and their workers have used so far."""
    own = psutil.Process()
    used = {"clients": sum(own.cpu_times()[:2]), "nodes": 0.0, "workers": 0.0}
    for process in own.children(recursive=True):
        line = process.cmdline()
        kind = "workers" if "app.engine.worker" in line or line[-1:] == ["worker"] else "nodes"
        used[kind] += sum(process.cpu_times()[:2])
    return used


async def write_together(writers: Sequence[Writer], seconds: float, *, go_on: bool = False) -> Load:
    """Everybody writes for so long."""
    before = processor_seconds()
    began = time.perf_counter()
    counts = await asyncio.gather(*(writer.write(began + seconds) for writer in writers))
    every = [each for writer in writers for each in writer.seconds[1:]]
    used = {kind: after - before[kind] for kind, after in processor_seconds().items()}
    return Load(list(counts), every, seconds, used)


def threads_of_each(hosts: int) -> int:
    """As far as the cores allow, hosts stand for computers of their own."""
    return max(1, (os.cpu_count() or 1) // hosts)


async def start(
    model: PublishedModel, folder: Path, stack: AsyncExitStack, *, hosts: int, module: str
) -> tuple[OpenModel, dict[Span, Offer]]:
    """Hosts for the whole model, in order."""
    spans = share_out(model.plan.block_count, hosts)
    for number in range(hosts):
        place = folder / f"host{number}"
        place.mkdir()
        (place / "settings.toml").write_text(
            f"max_sessions = 24\nkv_tokens = {24 * ROOM}\nthreads = {threads_of_each(hosts)}\n"
        )
    return await offers_of(model, spans, folder, stack, module=module)


async def offers_of(
    model: PublishedModel,
    spans: Sequence[Span],
    folder: Path,
    stack: AsyncExitStack,
    *,
    module: str = "app",
) -> tuple[OpenModel, dict[Span, Offer]]:
    """Start hosts for these spans, with the settings in their folders; who they are."""
    bootstrap = await start_hosts(model, spans, folder, stack, module=module)
    _, opened = model.stock(folder / "client", Span(0, 1))
    endpoint = await stack.enter_async_context(
        Endpoint(new_identity(), listen=("0.0.0.0", 0), handlers={}, clock=SystemClock())
    )
    asking = conversation_directory(endpoint, [bootstrap], (), SystemClock())
    records = await (await stack.enter_async_context(asking)).lookup(opened.id)
    offers = {
        record.span: Offer(PeerId(record.peer), tuple(record.addresses), record.span, 1.0, ROOM)
        for record in records
        if record.span is not None
    }
    return opened, {span: offers[span] for span in spans}


async def measure(
    file: Path,
    folder: Path,
    *,
    counts: Sequence[int],
    rounds: int,
    seconds: float,
    hosts: int,
    module: str = "app",
) -> dict[str, object]:
    """All fields for one chain; of one that is paced also `crowd`, and texts are compared.

    Raises:
        RuntimeError: a client wrote another text in company than alone.
    """
    paced = module != "app"
    published = publish_here(file, folder)
    async with AsyncExitStack() as stack:
        model, offers = await start(published, folder, stack, hosts=hosts, module=module)
        bench = Bench(model, offers, stack)
        writers = []
        for number in range(max(counts)):
            prompt = [40 + (number + row) % 200 for row in range(PROMPT_ROWS)]
            writers.append(Writer(await bench.chain(await bench.client()), prompt))
            writers[-1].begin_again()
            await writers[-1].write(0.0, least=WARM_UP_TOKENS)
        loads: dict[int, list[Load]] = {count: [] for count in counts}
        for _ in range(rounds):
            for count in counts:
                loads[count].append(await write_together(writers[:count], seconds))
        fields = report(loads)
        if paced:  # the sums of the other model's 16-bit floats depend on the company a little
            await _check_texts(writers[: min(4, len(writers))])
            writing = writers[:CROWD_WRITERS]
            fields["crowd"] = await measure_crowd(bench, writing, rounds, seconds)
    repairs = sum(writer.repairs for writer in writers)
    return {"hosts": hosts, **fields, "repairs": repairs, "model": file.name}


async def _check_texts(writers: Sequence[Writer]) -> None:
    """In company everybody writes what it would alone."""
    for writer in writers:
        together = list(writer.tokens)
        writer.begin_again()
        await writer.write(0.0, least=8)
        if any(one != other for one, other in zip(together, writer.tokens, strict=False)):
            raise RuntimeError("a client wrote another text in company than alone")


async def measure_crowd(
    bench: Bench, writers: Sequence[Writer], rounds: int, seconds: float
) -> dict[str, object]:
    """Four who write, with and without one client that reads four long prompts."""
    reader = await bench.client()
    chains = [await bench.chain(reader) for _ in range(4)]
    alone, beside, read = [], [], 0
    for number in range(rounds):
        alone.append(await write_together(writers, seconds))
        until = time.perf_counter() + seconds
        prompts = [
            asyncio.ensure_future(_read(chain, until, seed=number + at))
            for at, chain in enumerate(chains)
        ]
        beside.append(await write_together(writers, seconds))
        read += sum(await asyncio.gather(*prompts))
    return {
        "alone_ms": milliseconds(median(s for load in alone for s in load.seconds)),
        "beside_ms": milliseconds(median(s for load in beside for s in load.seconds)),
        "beside_p95_ms": milliseconds(percentile([s for load in beside for s in load.seconds])),
        "beside_fairness": round(median(load.fairness for load in beside), 3),
        "prompt_rows_per_second": round(read / (rounds * seconds), 1),
    }


async def _read(chain: RingChain, until: float, *, seed: int) -> int:
    """Read long prompts until then; rows read."""
    rows = 0
    for turn in itertools.count():
        if time.perf_counter() >= until:
            return rows
        await chain.step(0, [(seed + turn + row) % 200 + 40 for row in range(LONG_PROMPT_ROWS)])
        rows += LONG_PROMPT_ROWS
    return rows


def percentile(values: Sequence[float], share: float = 0.95) -> float:
    """The value that so large a share stays below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def report(loads: Mapping[int, Sequence[Load]]) -> dict[str, object]:
    """The fields about equal writers."""
    ones = loads[1]
    fields: dict[str, object] = {
        f"speedup_{count}": round(
            median(
                many.per_second / one.per_second
                for many, one in zip(loads[count], ones, strict=True)
            ),
            2,
        )
        for count in loads
        if count > 1
    }
    fields["sessions"] = {
        str(count): {
            "tokens_per_second": round(median(load.per_second for load in of_count), 1),
            "token_ms": milliseconds(median(s for load in of_count for s in load.seconds)),
            "token_p95_ms": milliseconds(
                percentile([s for load in of_count for s in load.seconds])
            ),
            "fairness": round(median(load.fairness for load in of_count), 3),
            "processor_ms_per_token": {
                kind: milliseconds(
                    sum(load.processor_seconds[kind] for load in of_count)
                    / max(1, sum(sum(load.tokens) for load in of_count))
                )
                for kind in of_count[0].processor_seconds
            },
        }
        for count, of_count in loads.items()
    }
    return fields


async def measure_all(
    parts: Sequence[str], folder: Path, *, counts: Sequence[int], rounds: int, seconds: float
) -> dict[str, object]:
    """The fields of the chains that are wanted."""
    fields: dict[str, object] = {}
    file = folder / "random-2x4096.gguf"
    if parts != ["paced"]:
        await asyncio.to_thread(write_random_model, file, SHAPE)
        threads = threads_of_each(1)
        engine = await asyncio.to_thread(measure_engine, file, threads=threads)
        fields |= engine_fields(engine)
    for part in parts:
        place = folder / part
        place.mkdir()
        found = await measure(
            guide() if part == "paced" else file,
            place,
            counts=counts,
            rounds=rounds,
            seconds=seconds,
            hosts={"real": 1, "two_hosts": 2, "paced": PACED_HOSTS}[part],
            module="benchmarks.paced" if part == "paced" else "app",
        )
        fields |= found if part == "real" else {part: found}
        if "speedup_8" in found:
            name = "speedup_8" if part == "real" else f"speedup_8_{part}"
            fields[name] = found["speedup_8"]
        shutil.rmtree(place)
    return fields


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Tokens a second of many sessions on one chain.")
    parser.add_argument("--only", choices=PARTS, help="one of the chains")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="potluck-load-") as name:
        fields = asyncio.run(
            measure_all(
                [options.only] if options.only else list(PARTS),
                Path(name),
                counts=sorted({1, *options.counts}),
                rounds=options.rounds,
                seconds=options.seconds,
            )
        )
    print(last_line(fields))


if __name__ == "__main__":
    main()
