"""Is what is announced found? The section of `benchmarks/swarm_sim.py` on discovery.

Computers come and go, some are hostile, some serve spans of models. Ordinary ones look
models up now and then, and what they find is compared with what is really there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from statistics import mean
from typing import Final

from app.ids import ModelId, Span
from app.net.kademlia_lookup import Lookup
from app.net.records import Announcement
from benchmarks.sim.clockwork import Clockwork
from benchmarks.sim.driving import REPUBLISH_SECONDS, Driver
from benchmarks.sim.network import FAKES_FOR_EACH_NODE, HOSTILE, Computer, Conduct, Network

UNITS: Final = 64
HOSTS_OF_ALL: Final = 0.1
"""Of ten computers one serves; the others only keep records and ask."""
SETTLE_SECONDS: Final = 60.0
"""An offer younger than that may be on its way still."""
UPKEEP: Final = ("joining", "checks", "refreshing")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is simulated; rates are shares, times are seconds."""

    nodes: int
    churn_an_hour: float = 0.3
    hostile: float = 0.05
    join_seconds: float = 300.0
    warm_seconds: float = 600.0
    measured_seconds: float = 1200.0
    lookups: int = 2000
    seed: int = 1


@dataclass(kw_only=True)
class Found:
    """What came out of a scene.

    Attributes:
        right, asked: look-ups that told of every unit that somebody serves, and all.
        offers_found, offers: offers of living hosts that were told, and all there were.
        hops, messages: of each look-up of one key; questions, not counting answers.
        upkeep: messages for each computer and hour, without writing.
        writing: messages for each serving computer and hour.
    """

    nodes: int
    right: int = 0
    asked: int = 0
    offers_found: int = 0
    offers: int = 0
    hops: list[int] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    upkeep: float = 0.0
    writing: float = 0.0
    seconds: float = 0.0

    @property
    def success(self) -> float:
        """The share of look-ups that were right."""
        return self.right / self.asked if self.asked else 0.0


class Discovery:
    """One scene as it plays."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.chance = Random(scene.seed)
        self.clockwork = Clockwork()
        self.network = Network(self.clockwork, self.chance)
        self.driver = Driver(self.network)
        self.found = Found(nodes=scene.nodes)
        models = max(2, scene.nodes // 100)
        self.models = [ModelId(self.chance.randbytes(32)) for _ in range(models)]
        # Some models are asked for much more than others.
        self.weights = [1 / (rank + 1) for rank in range(models)]
        self.hosts: dict[ModelId, set[Computer]] = {model: set() for model in self.models}

    def play(self) -> Found:
        """Let everybody join, warm up, and measure."""
        began = time.process_time()
        scene = self.scene
        self.network.make_fakes(FAKES_FOR_EACH_NODE * scene.nodes)
        for number in range(scene.nodes):
            hostile = number >= 8 and self.chance.random() < scene.hostile
            at = scene.join_seconds * number / scene.nodes
            self.clockwork.after(at, partial(self._enter, hostile=hostile))
        self.clockwork.run(scene.join_seconds + scene.warm_seconds)
        self.network.sent.clear()
        for number in range(scene.lookups):
            at = scene.measured_seconds * number / scene.lookups
            self.clockwork.after(at, self._look_up)
        self.clockwork.run(self.clockwork.now + scene.measured_seconds)
        hours = scene.measured_seconds / 3600
        sent = self.network.sent
        self.found.upkeep = sum(sent[name] for name in UPKEEP) / scene.nodes / hours
        self.found.writing = sent["writing"] / (scene.nodes * HOSTS_OF_ALL) / hours
        self.clockwork.run(self.clockwork.now + 30.0)
        self.found.seconds = time.process_time() - began
        return self.found

    # ── coming and going ─────────────────────────────────────────────────────

    def _enter(self, *, hostile: bool) -> None:
        conduct = self.chance.choice(HOSTILE) if hostile else Conduct.HONEST
        computer = self.network.add(conduct)
        self.driver.join(computer)
        if not hostile and self.chance.random() < HOSTS_OF_ALL:
            self._serve(computer)
        rate = -math.log(1 - self.scene.churn_an_hour) / 3600
        life_seconds = self.chance.expovariate(rate)
        self.clockwork.after(life_seconds, lambda: self._leave(computer))

    def _serve(self, computer: Computer) -> None:
        (computer.model,) = self.chance.choices(self.models, self.weights)
        length = self.chance.randrange(4, UNITS // 2)
        start = self.chance.randrange(0, UNITS - length + 1)
        computer.span = Span(start, start + length)
        self.hosts[computer.model].add(computer)
        delay = self.chance.uniform(10.0, 10.0 + REPUBLISH_SECONDS / 4)
        self.clockwork.after(delay, lambda: self.driver.announce(computer))

    def _leave(self, computer: Computer) -> None:
        self.network.remove(computer)
        if computer.model is not None:
            self.hosts[computer.model].discard(computer)
        # Another one comes in its place, as honest as it was.
        hostile = computer.conduct is not Conduct.HONEST
        self.clockwork.after(self.chance.uniform(0, 10), lambda: self._enter(hostile=hostile))

    # ── looking up ───────────────────────────────────────────────────────────

    def _look_up(self) -> None:
        asker = self.chance.choice(self.network.living)
        while asker.conduct is not Conduct.HONEST or len(asker.machine.table) == 0:
            asker = self.chance.choice(self.network.living)
        (model,) = self.chance.choices(self.models, self.weights)
        settled = self.clockwork.now - SETTLE_SECONDS
        there = {
            host
            for host in self.hosts[model]
            if host.announced_at is not None and host.announced_at < settled
        }
        if not there:
            return

        def judge(offers: Sequence[Announcement], lookups: Sequence[Lookup]) -> None:
            self._judge({host for host in there if host.alive}, offers, lookups)

        self.driver.coverage(asker, model, UNITS, judge)

    def _judge(
        self, there: set[Computer], offers: Sequence[Announcement], lookups: Sequence[Lookup]
    ) -> None:
        told = {offer.peer for offer in offers}
        served = {unit for host in there for unit in _units(host.span)}
        covered = {unit for offer in offers for unit in _units(offer.span)}
        self.found.asked += 1
        self.found.right += served <= covered
        self.found.offers += len(there)
        self.found.offers_found += sum(host.peer in told for host in there)
        self.found.keys.append(len(lookups))
        for lookup in lookups:
            self.found.hops.append(lookup.hops)
            self.found.messages.append(lookup.questions)


def _units(span: Span | None) -> range:
    return range(span.start, span.stop) if span is not None else range(0)


def percentile(values: Sequence[int], share: float) -> int:
    """The value that so large a share does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


def table(results: Sequence[Found]) -> str:
    """The results as people read them."""
    lines = [
        "  nodes  look-ups  success  offers found  hops mean/p95  messages mean/p95"
        "  upkeep/node/h  writing/host/h  CPU s"
    ]
    for found in results:
        share = found.offers_found / found.offers if found.offers else 0.0
        hops = f"{_mean(found.hops):.2f}/{percentile(found.hops, 0.95)}"
        messages = f"{_mean(found.messages):.1f}/{percentile(found.messages, 0.95)}"
        lines.append(
            f"{found.nodes:7}{found.asked:10}{found.success:9.4f}{share:14.4f}{hops:>15}"
            f"{messages:>19}{found.upkeep:15.0f}{found.writing:16.0f}{found.seconds:7.0f}"
        )
    return "\n".join(lines)


def fields(results: Sequence[Found]) -> dict[str, object]:
    """What the last line of the script tells of discovery."""
    return {
        "lookup_success": min(round(found.success, 5) for found in results),
        "discovery": {
            str(found.nodes): {
                "lookup_success": round(found.success, 5),
                "lookups": found.asked,
                "offers_found": round(found.offers_found / max(1, found.offers), 5),
                "hops_mean": round(_mean(found.hops), 2),
                "hops_p95": percentile(found.hops, 0.95),
                "messages_mean": round(_mean(found.messages), 1),
                "keys_mean": round(_mean(found.keys), 2),
                "upkeep_messages_per_node_hour": round(found.upkeep),
                "writing_messages_per_host_hour": round(found.writing),
            }
            for found in results
        },
    }


def _mean(values: Sequence[int]) -> float:
    return mean(values) if values else 0.0
