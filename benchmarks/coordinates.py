"""How well round trips are guessed from places in the network, where nobody measured them.

    python3 dev.py run python benchmarks/coordinates.py

The program's own `app/net/coordinates.py` on 200 computers with virtual time: cities on a
plane, a home line each, noise on every round trip, queues now and then, and 5 % liars that
say they stand somewhere else, are sure of it, and answer late. Each takes in 100 samples from
two dozen peers; then the guesses for all pairs of honest computers are compared with the true
round trips. The baseline guesses the same for all pairs: the median of what was measured.

Then twelve real endpoints on loopback, with links between them that take their time, do the
same for twenty seconds with real heartbeats; half of their pairs are not connected.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.clock import SystemClock
from app.ids import PeerId
from app.net.addresses import parse_address
from app.net.coordinates import Coordinates, distance_seconds
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.wire import Place
from benchmarks.figures import last_line
from benchmarks.links import Link

PEERS: Final = 24
"""Connections of one computer that it hears of itself over; half of them it made itself."""
CITIES: Final = 30
REAL_SECONDS: Final = 20.0
"""How long the real computers have; a sample of each peer in each second."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is tried.

    Attributes:
        samples: taken in by each computer.
        liars: the share of computers that lie.
        noise: the mean of what is added to each round trip, as a part of it.
        queues: the share of round trips that wait in a queue of up to `queue_ms`.
    """

    computers: int = 200
    samples: int = 100
    liars: float = 0.05
    noise: float = 0.05
    queues: float = 0.1
    queue_ms: float = 200.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class _Spot:
    x: float
    y: float
    line_ms: float


class World:
    """The computers of a scene, where they truly are, and what they think."""

    def __init__(self, scene: Scene, peers: int = PEERS) -> None:
        self.scene = scene
        self.chance = chance = random.Random(scene.seed)
        cities = [(chance.uniform(0, 200), chance.uniform(0, 120)) for _ in range(CITIES)]
        self.spots = [
            _Spot(x + chance.gauss(0, 2), y + chance.gauss(0, 2), chance.lognormvariate(1.8, 0.6))
            for x, y in (chance.choice(cities) for _ in range(scene.computers))
        ]
        self.names = [PeerId(chance.randbytes(32)) for _ in self.spots]
        self.minds = [Coordinates(name) for name in self.names]
        order = list(range(scene.computers))
        chance.shuffle(order)
        count = round(scene.liars * scene.computers)
        self.liars, self.honest = set(order[:count]), sorted(order[count:])
        self.peers = self._acquaint(peers // 2)
        self.measured: list[float] = []

    def true_seconds(self, one: int, other: int) -> float:
        """The round trip of two computers without noise or queues."""
        here, there = self.spots[one], self.spots[other]
        way = math.dist((here.x, here.y), (there.x, there.y))
        return (way + here.line_ms + there.line_ms) / 1000

    def run(self) -> None:
        """Every honest computer takes its samples, one each second, from its peers."""
        for second in range(self.scene.samples):
            for computer in self.honest:
                peer = self.chance.choice(self.peers[computer])
                seconds, place = self._sample(computer, peer)
                self.measured.append(seconds)
                mind = self.minds[computer]
                mind.measured(self.names[peer], place, seconds, now=2.0 * second)

    def _acquaint(self, own: int) -> list[list[int]]:
        known: list[set[int]] = [set() for _ in self.spots]
        for computer, peers in enumerate(known):
            others = [other for other in range(len(known)) if other != computer]
            for other in self.chance.sample(others, min(own, len(others))):
                peers.add(other)
                known[other].add(computer)
        return [sorted(peers) for peers in known]

    def _sample(self, computer: int, peer: int) -> tuple[float, Place]:
        scene, chance = self.scene, self.chance
        seconds = self.true_seconds(computer, peer)
        seconds *= 1 + chance.expovariate(1 / scene.noise)
        if chance.random() < scene.queues:
            seconds += chance.uniform(0, scene.queue_ms) / 1000
        if peer not in self.liars:
            return seconds, self.minds[peer].place
        x, y, z = (chance.uniform(-1000, 1000) for _ in range(3))
        return seconds + chance.uniform(0, 0.5), Place(x, y, z, height=0.0, error=0.0)


def percent_errors(world: World) -> tuple[list[float], list[float]]:
    """How far the guesses of all honest pairs are off, and those of the baseline, sorted."""
    everywhere = median(world.measured)
    guessed, baseline = [], []
    for at, one in enumerate(world.honest):
        for other in world.honest[at + 1 :]:
            truth = world.true_seconds(one, other)
            guess = distance_seconds(world.minds[one].place, world.minds[other].place)
            guessed.append(100 * abs(guess - truth) / truth)
            baseline.append(100 * abs(everywhere - truth) / truth)
    return sorted(guessed), sorted(baseline)


def at_share(ordered: Sequence[float], share: float) -> float:
    """The value that this share of a sorted list does not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(scene: Scene) -> dict[str, object]:
    """The fields of the last line."""
    world = World(scene)
    world.run()
    guessed, baseline = percent_errors(world)
    return {
        "median_error_percent": round(median(guessed), 1),
        "p90_error_percent": round(at_share(guessed, 0.9), 1),
        "baseline_median_error_percent": round(median(baseline), 1),
        "baseline_p90_error_percent": round(at_share(baseline, 0.9), 1),
        "own_error": round(median(world.minds[at].place.error for at in world.honest), 3),
        "computers": scene.computers,
        "samples": scene.samples,
        "liars_percent": round(100 * scene.liars, 1),
    }


async def real_errors(world: World) -> list[float]:
    """Errors in percent of real endpoints that a world's distances lie between, sorted.

    Each of a computer's dials goes through a link that takes as long as the two are apart.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        endpoints = [
            await stack.enter_async_context(
                Endpoint(new_identity(), listen=("127.0.0.1", 0), handlers={}, clock=clock)
            )
            for _ in world.spots
        ]
        for one, dialled in enumerate(world.peers):
            for other in (peer for peer in dialled if peer > one):
                far = endpoints[other]
                delay = world.true_seconds(one, other) / 2
                link = Link(parse_address(far.address), delay_seconds=delay)
                await stack.enter_async_context(link)
                await endpoints[one].open_channel(far.peer_id, [link.address], "hop")
        await asyncio.sleep(REAL_SECONDS)
        places = [endpoint.place for endpoint in endpoints]
    errors = []
    for one, here in enumerate(places):
        for other, there in enumerate(places[:one]):
            if here is None or there is None:
                raise RuntimeError("a computer has not found its place")
            truth = world.true_seconds(one, other)
            errors.append(100 * abs(distance_seconds(here, there) - truth) / truth)
    return sorted(errors)


def main() -> None:
    """Run the scene that was asked for, the one without liars, and a few real computers."""
    parser = argparse.ArgumentParser(description="How well round trips are guessed.")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"without liars: {figures(Scene(liars=0.0, seed=options.seed))}")
    real = asyncio.run(real_errors(World(Scene(computers=12, liars=0.0, seed=options.seed), 6)))
    print(
        last_line(
            {
                **figures(Scene(seed=options.seed)),
                "real_median_error_percent": round(median(real), 1),
                "real_p90_error_percent": round(at_share(real, 0.9), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
