"""Is a token's time over a chain what it was predicted to be?

    python3 dev.py run python benchmarks/routing.py

Nine real nodes of different speeds (`benchmarks/uneven.py`), three for each third of the
guide, and a client; they stand on a plane, have home lines, and every datagram between two of
them takes as long as they are apart. Nobody is told where anybody stands: nodes find their
places by their heartbeats with the three bootstraps among them. Then the client predicts all 27
chains from what is announced, and writes a few tokens over a dozen of them, whose ways, those
between the hosts included, nobody has measured before.

`prediction_error_percent` is the median of how far the predictions are off;
`baseline_error_percent` the same for one that only adds up the layers' times, as chains were
chosen before. `chosen_over_best_percent` is how much longer a token takes over the chain that
would be chosen than over the best of those measured.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import os
import random
import socket
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


from app.chat.talk import conversation_directory, offers_of
from app.clock import SystemClock
from app.command_line.demo import start_node, stop_node
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import PeerId, Span, peer_text
from app.net.addresses import parse_bootstrap
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.swarm.chain import RingChain
from app.swarm.distances import Whereabouts
from app.swarm.route import Costs, Link, Offer, Prediction, Route
from app.swarm.sampling import SamplingOptions, choose
from app.swarm.token_chain import ModelShape
from benchmarks.figures import last_line, milliseconds
from benchmarks.links import Address
from benchmarks.links import Link as SlowLink
from benchmarks.uneven import LAYER_VARIABLE

SPANS: Final = (Span(0, 4), Span(4, 7), Span(7, 10))
LAYER_MS: Final = (1.0, 4.0, 12.0)
"""Of the three computers that serve the same units."""
SETTLE_SECONDS: Final = 40.0
"""For heartbeats to tell where everybody stands, and for announcements to carry it."""
CHAINS: Final = 12
TOKENS: Final = 14
WARM_UP_TOKENS: Final = 3
ROOM: Final = 64
PROMPT: Final = tuple(range(40, 48))
GREEDY: Final = SamplingOptions()


@dataclass(frozen=True)
class Spot:
    """Where a computer stands, in milliseconds of round trip, and what its home line adds."""

    x: float
    y: float
    line: float

    def one_way_seconds(self, other: Spot) -> float:
        """How long a datagram takes to another spot."""
        across = math.hypot(self.x - other.x, self.y - other.y)
        return (across + self.line + other.line) / 2000


@dataclass
class World:
    """Where everybody stands; sockets that nobody has entered are the client's."""

    client: Spot
    spots: dict[Address, Spot] = field(default_factory=dict)

    def at(self, address: Address) -> Spot:
        """Where a socket stands."""
        return self.spots.get(address, self.client)


class FarLink(SlowLink):
    """Stands in front of one computer; the way to it depends on who dials."""

    def __init__(self, target: Address, world: World) -> None:
        super().__init__(target)
        self._world = world
        self._here = world.at(target)

    def delay_from(self, dialler: Address) -> float:
        """As far as the two are apart."""
        return self._here.one_way_seconds(self._world.at(dialler))


@dataclass(frozen=True)
class Tried:
    """A chain: what was predicted, and seconds a token as measured."""

    links: tuple[Link, ...]
    predicted: Prediction
    measured: float = math.nan

    @property
    def error(self) -> float:
        """How far the prediction is off, as a part of what was measured."""
        return abs(self.predicted.seconds_per_token - self.measured) / self.measured

    @property
    def baseline_error(self) -> float:
        """The same for the layers' times alone."""
        return abs(self.predicted.compute - self.measured) / self.measured


def spot(chance: random.Random) -> Spot:
    """Somewhere on a continent, behind some home line."""
    return Spot(chance.uniform(0, 70), chance.uniform(0, 50), chance.uniform(2, 14))


def free_address() -> Address:
    """A port of this computer that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
        return host, port


async def start_swarm(
    folder: Path, world: World, chance: random.Random, stack: AsyncExitStack
) -> list[tuple[PeerId, str]]:
    """Start the nodes; return the bootstraps, which are the first of each third."""
    bootstraps: list[str] = []
    for layer_ms in LAYER_MS:
        for span in SPANS:
            address = free_address()
            world.spots[address] = spot(chance)
            link = await stack.enter_async_context(FarLink(address, world))
            name = f"node{len(world.spots)}"
            (folder / name).mkdir(mode=0o700)
            (folder / name / "settings.toml").write_text("threads = 1\n")
            words = ["--data-dir", str(folder / name), "--listen", f"{address[0]}:{address[1]}"]
            words += ["--announce", link.address, "--units", str(span)]
            words += [word for known in bootstraps for word in ("--bootstrap", known)]
            if len(bootstraps) < len(SPANS):
                words += ["--public"]
            os.environ[LAYER_VARIABLE] = str(layer_ms)
            node = await start_node(words, log=folder / f"{name}.log", module="benchmarks.uneven")
            stack.push_async_callback(stop_node, node.process)
            if len(bootstraps) < len(SPANS):
                bootstraps.append(f"{node.ready['peer_id']}@{link.address}")
    return [parse_bootstrap(text) for text in bootstraps]


def whereabouts(endpoint: Endpoint, offers: Sequence[Offer]) -> Whereabouts:
    """What the client knows of the ways now."""
    measured = {offer.peer: endpoint.round_trip_seconds(offer.peer) for offer in offers}
    return Whereabouts(
        endpoint.place, {peer: seconds for peer, seconds in measured.items() if seconds is not None}
    )


def all_chains(offers: Sequence[Offer], costs: Costs) -> list[Tried]:
    """Every chain there is, the best first."""
    by_span = [[offer for offer in offers if offer.span == span] for span in SPANS]
    rows = [tuple(Link(offer, offer.span) for offer in row) for row in itertools.product(*by_span)]
    tried = [Tried(row, costs.predict(row)) for row in rows]
    return sorted(tried, key=lambda one: one.predicted.seconds_per_token)


def some_of(chains: Sequence[Tried], count: int) -> list[Tried]:
    """The best, the worst, and others at equal steps between."""
    count = min(count, len(chains))
    return [chains[round(at * (len(chains) - 1) / max(1, count - 1))] for at in range(count)]


async def seconds_per_token(endpoint: Endpoint, model: OpenModel, links: tuple[Link, ...]) -> float:
    """Write over just this chain; the median."""
    plan = model.plan
    shape = ModelShape(model.id, plan.width, plan.vocabulary_size, plan.head_unit)
    route = Route(links, own_embedding=False, own_head=False)
    chain = RingChain(endpoint, shape, route, tokens=ROOM, candidates=GREEDY.candidates)
    tokens, known, times = list(PROMPT), 0, []
    async with chain:
        for _ in range(TOKENS):
            began = time.perf_counter()
            found = await chain.step(known, tokens[known:])
            known = len(tokens)
            tokens.append(choose(found.ids[0], found.logits[0], GREEDY, earlier=tokens, draw=0.0))
            times.append(time.perf_counter() - began)
    return median(times[WARM_UP_TOKENS:])


async def measure(folder: Path, seed: int) -> tuple[list[Tried], list[Tried]]:
    """Chains as predicted beforehand, and as predicted when all ways from the client are known."""
    chance = random.Random(seed)
    world = World(spot(chance))
    model = DataFolder.open(folder / "client").model(None)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        bootstraps = await start_swarm(folder, world, chance, stack)
        endpoint = await stack.enter_async_context(
            Endpoint(new_identity(), listen=("127.0.0.1", 0), handlers={}, clock=clock)
        )
        directory = await stack.enter_async_context(
            conversation_directory(endpoint, bootstraps, (), clock)
        )
        await directory.lookup(model.id)
        await asyncio.sleep(SETTLE_SECONDS)
        offers = offers_of(await directory.lookup(model.id))
        if len(offers) != len(SPANS) * len(LAYER_MS):
            raise RuntimeError(f"only {len(offers)} nodes are announced")
        costs = Costs(whereabouts(endpoint, offers), head_unit=model.plan.head_unit)
        before, after = [], []
        for one in some_of(all_chains(offers, costs), CHAINS):
            measured = await seconds_per_token(endpoint, model, one.links)
            before.append(Tried(one.links, one.predicted, measured))
            print(line_of(before[-1]), file=sys.stderr)
        costs = Costs(whereabouts(endpoint, offers), head_unit=model.plan.head_unit)
        for one in before:
            after.append(Tried(one.links, costs.predict(one.links), one.measured))
    return before, after


def line_of(one: Tried) -> str:
    """A chain in one line, for people."""
    predicted = one.predicted
    names = " ".join(peer_text(link.offer.peer)[:4] for link in one.links)
    return (
        f"{names}: predicted {milliseconds(predicted.seconds_per_token):g} ms"
        f" (ways {milliseconds(predicted.network):g}, layers {milliseconds(predicted.compute):g}),"
        f" measured {milliseconds(one.measured):g}"
    )


def report(before: Sequence[Tried], after: Sequence[Tried]) -> dict[str, object]:
    """The fields of the last line."""
    best = min(one.measured for one in before)
    errors = [100 * one.error for one in before]
    return {
        "prediction_error_percent": round(median(errors), 1),
        "worst_error_percent": round(max(errors), 1),
        "error_percent_when_all_were_dialled": round(median(100 * one.error for one in after), 1),
        "baseline_error_percent": round(median(100 * one.baseline_error for one in before), 1),
        "chosen_over_best_percent": round(100 * (before[0].measured / best - 1), 1),
        "layers_alone_over_best_percent": round(
            100 * (min(before, key=lambda one: one.predicted.compute).measured / best - 1), 1
        ),
        "measured_ms": [milliseconds(one.measured) for one in before],
        "chains": len(before),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Predicted against measured time of a token.")
    parser.add_argument("--seed", type=int, default=1, help="who stands where")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="potluck-routing-") as folder:
        before, after = asyncio.run(measure(Path(folder), options.seed))
    print(last_line({**report(before, after), "model": "the guide", "seed": options.seed}))


if __name__ == "__main__":
    main()
