"""Hundreds of uneven computers that each decide by themselves what to serve of one model.

Run by `benchmarks/swarm_sim.py`. The decisions are the program's own
(`app/swarm/placement.py`), on views that are 10 to 30 seconds old; what they decide upon comes
over lines of home speed. Compared with the best that any fixed assignment could give: each token
costs every block once, so the swarm writes at most (sum of all speeds) / (blocks) tokens a
second, whoever serves what. What it does give is the largest flow through the spans as they meet.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import hypot
from random import Random
from statistics import fmean
from typing import Final

from app.ids import PeerId, Span
from app.swarm.coverage import replicas
from app.swarm.layout import Layout
from app.swarm.placement import Own, Server, may_leave, place
from benchmarks.sim.clockwork import Clockwork

GB: Final = 1 << 30
LOOK_SECONDS: Final = 300.0
STALE_SECONDS: Final = (10.0, 30.0)
EXPIRES_SECONDS: Final = 60.0
SAMPLE_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Scene:
    """What is played.

    Attributes:
        unit_bytes: the model's.
        join_seconds: between two that come to the swarm, which is empty at first.
        settle_seconds: then nobody comes or goes for so long ...
        calm_seconds: ... and longer, while moves are counted.
        churn_seconds: then so long computers go without a word, and others come.
        churn_an_hour: the part of all that is replaced in an hour.
    """

    computers: int = 200
    seed: int = 1
    unit_bytes: tuple[int, ...] = (GB // 2, *[GB // 2] * 80, GB // 2)
    room_bytes_per_block: int = GB // 40
    join_seconds: float = 12.0
    settle_seconds: float = 5400.0
    calm_seconds: float = 3600.0
    churn_seconds: float = 3600.0
    churn_an_hour: float = 0.3


@dataclass
class Computer:
    """One of them. `history` is what it announced, with the time; None is nothing any more."""

    peer: PeerId
    room_bytes: int
    speed: float
    line: float
    where: tuple[float, float]
    current: Span | None = None
    coming: Span | None = None
    held: set[int] = field(default_factory=set)
    history: deque[tuple[float, Server | None]] = field(default_factory=lambda: deque(maxlen=9))
    alive: bool = True


@dataclass
class Outcome:
    """What was found. Shares are of the bound and of the units; the calm hour's moves are those
    of all computers together."""

    scene: Scene
    efficiency: float = 0.0
    covered_twice: float = 0.0
    hops: float = 0.0
    ready_after_seconds: float | None = None
    twice_after_seconds: float | None = None
    moves_calm: int = 0
    moves_in_all: int = 0
    churn_efficiency: list[float] = field(default_factory=list)
    churn_covered: list[float] = field(default_factory=list)
    churn_holes: list[int] = field(default_factory=list)

    @property
    def moves_per_computer_hour(self) -> float:
        """After settling, while nobody comes or goes."""
        return self.moves_calm / self.scene.computers / (self.scene.calm_seconds / 3600.0)


class Placing:
    """Plays a scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        rooms = [scene.room_bytes_per_block] * (len(scene.unit_bytes) - 2)
        self.layout = Layout(scene.unit_bytes, [0, *rooms, 0])
        self.clockwork = Clockwork()
        self.computers: list[Computer] = []
        self.outcome = Outcome(scene)
        self._random = Random(scene.seed)
        self._gone: list[Computer] = []

    def play(self) -> Outcome:
        """From the empty swarm to the end of the churn."""
        scene, clockwork, outcome = self.scene, self.clockwork, self.outcome
        for number in range(scene.computers):
            clockwork.after(number * scene.join_seconds, self._join)
        clockwork.after(SAMPLE_SECONDS, self._watch_beginning)
        grown = scene.computers * scene.join_seconds + scene.settle_seconds
        clockwork.run(grown)
        before = outcome.moves_in_all
        clockwork.run(grown + scene.calm_seconds)
        outcome.moves_calm = outcome.moves_in_all - before
        outcome.efficiency, outcome.covered_twice = self.efficiency(), self.covered_twice()
        outcome.hops = self._hops()
        pause = 3600.0 / (scene.churn_an_hour * scene.computers)
        end = clockwork.now + scene.churn_seconds
        for number in range(1, int(scene.churn_seconds / pause)):
            clockwork.after(number * pause, self._replace_one)
        while clockwork.now < end:
            clockwork.run(min(end, clockwork.now + SAMPLE_SECONDS))
            outcome.churn_efficiency.append(self.efficiency())
            outcome.churn_covered.append(self.covered_twice())
            outcome.churn_holes.append(sum(count == 0 for count in self._counts()))
        return outcome

    # ── what is measured ─────────────────────────────────────────────────────

    def efficiency(self) -> float:
        """The throughput as a share of the bound on any fixed assignment."""
        bound = sum(one.speed for one in self.computers) / self.layout.work_before[-1]
        served = [
            (one.current, one.speed / self.layout.work(one.current))
            for one in self.computers
            if one.current is not None
        ]
        return largest_flow(self.layout.units, served) / bound

    def covered_twice(self) -> float:
        """The share of units that at least two serve, ready."""
        counts = self._counts()
        return sum(count >= 2 for count in counts) / len(counts)

    def _counts(self) -> list[int]:
        spans = [one.current for one in self.computers if one.current is not None]
        return replicas(spans, self.layout.units)

    def _hops(self) -> float:
        """The mean over the units of what part of a chain a computer is, turned round."""
        lengths = [len(one.current) for one in self.computers if one.current is not None]
        return self.layout.units / fmean(lengths)

    def _watch_beginning(self) -> None:
        outcome, counts = self.outcome, self._counts()
        if outcome.ready_after_seconds is None and min(counts) >= 1:
            outcome.ready_after_seconds = self.clockwork.now
        if outcome.twice_after_seconds is None and min(counts) >= 2:
            outcome.twice_after_seconds = self.clockwork.now
        else:
            self.clockwork.after(SAMPLE_SECONDS, self._watch_beginning)

    # ── what computers do ────────────────────────────────────────────────────

    def _join(self) -> None:
        chance = self._random
        one = Computer(
            PeerId(chance.randbytes(32)),
            room_bytes=int(chance.uniform(2.0, 24.0) * GB),
            speed=20.0 * 20.0 ** chance.random(),
            line=chance.uniform(3e6, 12e6),
            where=(chance.random(), chance.random()),
        )
        self.computers.append(one)
        self._look(one)

    def _replace_one(self) -> None:
        leaving = self.computers.pop(self._random.randrange(len(self.computers)))
        leaving.alive = False
        self._gone.append(leaving)
        self.clockwork.after(EXPIRES_SECONDS, partial(self._announce, leaving))
        self._join()

    def _look(self, one: Computer) -> None:
        if not one.alive:
            return
        if one.coming is None:
            placement = place(
                self.layout, self._view(one), self._own(one), draw=self._random.random()
            )
            if placement is not None:
                if one.current is not None:
                    self.outcome.moves_in_all += 1
                self._fetch(one, placement.span, placement.missing_bytes)
        wait = LOOK_SECONDS * self._random.uniform(0.7, 1.3)
        self.clockwork.after(wait, partial(self._look, one))

    def _fetch(self, one: Computer, span: Span, missing_bytes: int) -> None:
        one.coming = span
        self._announce(one)
        seconds = max(60.0, missing_bytes / one.line)
        self.clockwork.after(seconds, partial(self._arrived, one))

    def _arrived(self, one: Computer) -> None:
        if not one.alive:
            return
        span = one.coming
        assert span is not None
        one.held |= set(range(span.start, span.stop))
        if one.current is None or may_leave(self._view(one), one.peer, one.current, span):
            one.current = span
        one.coming = None
        self._announce(one)

    def _own(self, one: Computer) -> Own:
        return Own(
            one.peer,
            one.room_bytes,
            one.speed,
            current=one.current,
            held=one.held,
            line_bytes_per_second=one.line,
        )

    def _announce(self, one: Computer) -> None:
        span = one.current or one.coming
        record = None
        if one.alive and span is not None:
            record = Server(
                one.peer,
                span,
                # How fast it will be is not known before it computes.
                0.0 if one.current is None else one.speed / self.layout.work(span),
                ready=one.current is not None,
                moves_to=one.coming if one.current is not None else None,
            )
        one.history.append((self.clockwork.now, record))

    def _view(self, one: Computer) -> list[Server]:
        """What it knows of the others."""
        as_of = self.clockwork.now - self._random.uniform(*STALE_SECONDS)
        found = []
        for other in itertools.chain(self.computers, self._gone):
            record = next((r for at, r in reversed(other.history) if at <= as_of), None)
            if record is not None and other is not one:
                far = 0.005 + 0.04 * hypot(
                    one.where[0] - other.where[0], one.where[1] - other.where[1]
                )
                found.append(replace(record, one_way_seconds=far))
        return found


def largest_flow(units: int, served: Iterable[tuple[Span, float]]) -> float:
    """How many tokens a second spans with these rates give together, meeting exactly; the
    embedding may be skipped. Shortest ways first (Edmonds and Karp)."""
    room: defaultdict[int, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
    for span, rate in served:
        start = 0 if span.start <= 1 < span.stop else span.start
        room[start][span.stop] += rate
        room[span.stop][start] += 0.0
    flow = 0.0
    while True:
        came: dict[int, int] = {0: 0}
        waiting = deque([0])
        while waiting and units not in came:
            point = waiting.popleft()
            for further, left in room[point].items():
                if left > 1e-9 and further not in came:
                    came[further] = point
                    waiting.append(further)
        if units not in came:
            return flow
        steps: list[tuple[int, int]] = []
        point = units
        while point:
            steps.append((came[point], point))
            point = came[point]
        least = min(room[one][other] for one, other in steps)
        for one, other in steps:
            room[one][other] -= least
            room[other][one] += least
        flow += least


def table(outcomes: Sequence[Outcome]) -> str:
    """What people read."""
    lines = [
        "computers  seed  throughput  twice  moves/h  while churning: throughput  twice  holes"
    ]
    for one in outcomes:
        lines.append(
            f"{one.scene.computers:>9}  {one.scene.seed:>4}  {one.efficiency:>10.1%}"
            f"  {one.covered_twice:>5.1%}  {one.moves_per_computer_hour:>7.3f}"
            f"  {_mean(one.churn_efficiency):>27.1%}  {_mean(one.churn_covered):>5.1%}"
            f"  {max(one.churn_holes, default=0):>5}"
        )
    return "\n".join(lines)


def fields(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """For the last line: the worst of all."""
    return {
        "placement_efficiency": round(min(one.efficiency for one in outcomes), 4),
        "units_covered_twice": round(min(one.covered_twice for one in outcomes), 4),
        "moves_per_computer_hour": round(max(o.moves_per_computer_hour for o in outcomes), 4),
        "churn_efficiency": round(min(_mean(one.churn_efficiency) for one in outcomes), 4),
        "churn_covered_twice": round(min(_mean(one.churn_covered) for one in outcomes), 4),
    }


def _mean(figures: Sequence[float]) -> float:
    return fmean(figures) if figures else 0.0
