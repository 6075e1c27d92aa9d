"""A small swarm whose computers come and go, with and without standing by.

Run by `benchmarks/swarm_sim.py`. The first spans are placed as in `benchmarks/sim/placing.py`;
besides, each computer decides every quarter of a minute by the program's own
`app/swarm/standby.py` what it keeps ready and whether it serves that too. What is measured is how
much of the time the model was not whole, and how many of its units fewer than two served.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from statistics import fmean
from typing import Final

from app.ids import PeerId, Span
from app.swarm.coverage import replicas
from app.swarm.placement import Server
from app.swarm.standby import Need, Patience, need_of, spare
from benchmarks.sim.placing import EXPIRES_SECONDS, GB, STALE_SECONDS, Computer, Placing, Scene

LOOK_SECONDS: Final = 15.0
CHOOSE_SECONDS: Final = 300.0
BEGIN_SECONDS: Final = 8.0
"""From deciding to serve until it is served: loading, and being announced."""
QUOTA_BYTES: Final = 40 * GB


@dataclass
class Second:
    """What a computer keeps ready besides, and serves; `history` as of `Computer`."""

    name: PeerId
    patience: Patience = field(default_factory=Patience)
    ready: Span | None = None
    serves: Span | None = None
    fetching: bool = False
    choose_at: float = 0.0
    history: deque[tuple[float, Server | None]] = field(default_factory=lambda: deque(maxlen=9))


class Standing(Placing):
    """Plays a scene.

    Args:
        stands_by: whether anybody does.

    Attributes:
        begun: how often somebody served a second span.
        broken: for each look of the churn, whether some unit was served by nobody.
        thin: likewise the part of the units that fewer than two served.
    """

    def __init__(self, scene: Scene, *, stands_by: bool) -> None:
        super().__init__(scene)
        self._stands_by = stands_by
        # Of its own, so that the same computers come and go whether anybody stands by or not.
        self._chance = Random(scene.seed)
        self._seconds: dict[PeerId, Second] = {}
        self.begun = 0
        self.broken: list[bool] = []
        self.thin: list[float] = []
        grown = scene.computers * scene.join_seconds + scene.settle_seconds + scene.calm_seconds
        self.clockwork.after(grown, self._sample)

    def _sample(self) -> None:
        counts = self._counts()
        self.broken.append(min(counts) == 0)
        self.thin.append(fmean(count < 2 for count in counts))
        self.clockwork.after(LOOK_SECONDS, self._sample)

    def _counts(self) -> list[int]:
        spans = [one.current for one in self.computers if one.current is not None]
        spans += [s.serves for one in self.computers if (s := self._of(one)).serves is not None]
        return replicas([span for span in spans if span is not None], self.layout.units)

    def _of(self, one: Computer) -> Second:
        if one.peer not in self._seconds:
            self._seconds[one.peer] = Second(PeerId(hashlib.sha256(one.peer).digest()))
        return self._seconds[one.peer]

    # ── coming and going ─────────────────────────────────────────────────────

    def _join(self) -> None:
        super()._join()
        if self._stands_by:
            self.clockwork.after(LOOK_SECONDS, partial(self._look_besides, self.computers[-1]))

    def _replace_one(self) -> None:
        super()._replace_one()
        gone = self._gone[-1]
        self._of(gone).serves = None
        self.clockwork.after(EXPIRES_SECONDS, partial(self._tell, gone))

    # ── standing by ──────────────────────────────────────────────────────────

    def _look_besides(self, one: Computer) -> None:
        others, self._random = self._random, self._chance
        if one.alive:
            self._stand_by(one)
        self._random = others

    def _stand_by(self, one: Computer) -> None:
        second = self._of(one)
        if second.ready is not None and not _apart(second.ready, one.current):
            second.ready = second.serves = None
            second.patience.begin_anew()
            self._tell(one)
        need = self._meet_need(one, second)
        if need is None and second.serves is None and self.clockwork.now >= second.choose_at:
            second.choose_at = self.clockwork.now + CHOOSE_SECONDS * self._about()
            self._choose(one, second)
        wait = LOOK_SECONDS * self._about()
        if second.patience.due_at is not None:
            wait = min(wait, max(0.5, second.patience.due_at - self.clockwork.now))
        self.clockwork.after(wait, partial(self._look_besides, one))

    def _meet_need(self, one: Computer, second: Second) -> Need | None:
        if second.ready is None:
            return None
        need = self._need(one, second)
        meets = second.patience.look(need, now=self.clockwork.now, draw=self._random.random())
        if meets != (second.serves is not None):
            if (self._need(one, second) is not None) != meets:
                second.patience.call_off()
            elif meets:
                self.clockwork.after(BEGIN_SECONDS, partial(self._begin, one))
            else:
                second.serves = None
                self._tell(one)
        return need

    def _need(self, one: Computer, second: Second) -> Need | None:
        assert second.ready is not None
        load = None if second.serves is None else 0.0
        return need_of([*self._view(one), *self._view_besides(one)], second.ready, own_load=load)

    def _begin(self, one: Computer) -> None:
        second = self._of(one)
        if one.alive and second.ready is not None and second.patience.meets:
            second.serves = second.ready
            self.begun += 1
            self._tell(one)

    def _choose(self, one: Computer, second: Second) -> None:
        if one.current is None or second.fetching:
            return
        own = self._own(one)
        own = replace(own, room_bytes=one.room_bytes - self.layout.memory(one.current))
        view = [*self._view(one), *self._view_besides(one)]
        draw = self._random.random()
        span = spare(self.layout, view, own, most_bytes=QUOTA_BYTES, draw=draw)
        if span == second.ready:
            return
        second.ready = None
        second.patience.begin_anew()
        if span is not None:
            second.fetching = True
            seconds = self.layout.missing_bytes(span, one.held) / one.line
            self.clockwork.after(max(1.0, seconds), partial(self._is_ready, one, span))

    def _is_ready(self, one: Computer, span: Span) -> None:
        second = self._of(one)
        second.fetching, second.ready = False, span
        one.held |= set(range(span.start, span.stop))

    def _tell(self, one: Computer) -> None:
        second, record = self._of(one), None
        if one.alive and second.serves is not None:
            speed = one.speed / 2 / self.layout.work(second.serves)
            record = Server(second.name, second.serves, speed, besides=True)
        second.history.append((self.clockwork.now, record))

    def _view_besides(self, one: Computer) -> Iterator[Server]:
        """What it knows of the others' second spans."""
        as_of = self.clockwork.now - self._random.uniform(*STALE_SECONDS)
        for peer, second in self._seconds.items():
            record = next((r for at, r in reversed(second.history) if at <= as_of), None)
            if record is not None and peer != one.peer:
                yield record

    def _about(self) -> float:
        return self._random.uniform(2 / 3, 4 / 3)


def _apart(ready: Span, current: Span | None) -> bool:
    return current is not None and (ready.stop <= current.start or current.stop <= ready.start)


@dataclass(frozen=True)
class Compared:
    """Swarms of one size, each played both ways: shares of the time and of the units."""

    computers: int
    seeds: int
    broken: tuple[float, float]
    thin: tuple[float, float]
    moves: tuple[float, float]


def compare(computers: int, seeds: Sequence[int], *, scene: Scene | None = None) -> Compared:
    """Play them; of each pair the first is without standing by.

    Args:
        scene: what is played, whatever its size and seed; None is an hour in which as many go
            and come as there are.
    """
    base = scene or Scene(join_seconds=60.0, settle_seconds=3600.0, calm_seconds=1800.0,
                          churn_an_hour=1.0)  # fmt: skip
    broken, thin, moves = [], [], []
    for stands_by in (False, True):
        played = [
            Standing(replace(base, computers=computers, seed=seed), stands_by=stands_by)
            for seed in seeds
        ]
        outcomes = [one.play() for one in played]
        broken.append(fmean(fmean(one.broken) for one in played))
        thin.append(fmean(fmean(one.thin) for one in played))
        moves.append(fmean(each.moves_calm for each in outcomes))
    return Compared(
        computers,
        len(seeds),
        broken=(broken[0], broken[1]),
        thin=(thin[0], thin[1]),
        moves=(moves[0], moves[1]),
    )


def table(found: Sequence[Compared]) -> str:
    """What people read; each pair is without standing by, and with it."""
    lines = ["computers  swarms  model not whole  units served by less than two  moves when calm"]
    for one in found:
        lines.append(
            f"{one.computers:>9}  {one.seeds:>6}  {one.broken[0]:>6.1%} {one.broken[1]:>8.1%}"
            f"  {one.thin[0]:>19.1%} {one.thin[1]:>8.1%}  {one.moves[0]:>8.1f} {one.moves[1]:>7.1f}"
        )
    return "\n".join(lines)


def fields(found: Sequence[Compared]) -> dict[str, object]:
    """For the last line: the worst of all, with standing by."""
    return {
        "standby_not_whole": round(max(one.broken[1] for one in found), 4),
        "standby_thin": round(max(one.thin[1] for one in found), 4),
        "alone_not_whole": round(max(one.broken[0] for one in found), 4),
    }
