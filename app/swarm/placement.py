"""Which units of a model this computer should serve, so that the swarm as a whole gains most.

Pure. Who serves what goes in, as it was announced a while ago, and a decision comes out: first
every unit is to be served by somebody, then by two, then the weakest part of the model is to
let more through (`app/swarm/throughput.py`), then chains are to be short. Because a slice cannot
be entered in its middle, spans begin and end where others do, or at cut points that every
computer derives alike from the sizes of the units.

All weigh the same sum, and a place is left only for one that is clearly better by it, so moves
come to an end. Looks are stale and others look too, so of many who could help only some act on
each look (`draw`), and whoever moves says first where to (`Server.moves_to`).
Counterparts: `app/node/moving.py` acts on this in the node, `app/swarm/route.py` joins the spans;
for which units a computer stands by besides, `app/swarm/standby.py` says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from app.ids import PeerId, Span
from app.swarm.coverage import replicas
from app.swarm.layout import Layout
from app.swarm.throughput import Floats, Numbers, Served, Throughput

ENOUGH: Final = 2
"""So many computers are to serve each unit before anything else counts."""
CLEARLY_BETTER: Final = 1.1
"""A place is left for one that is worth this much more, the cost of moving not counted. It lets
the parts of a model differ by a twentieth: what a place is worth falls with the square of what is
there."""
MOVE_PAYS_SECONDS: Final = 14_400.0
"""What moving costs is spread over so long; most computers are on for some hours."""
LINE_BYTES_PER_SECOND: Final = 2.5e6
"""How fast units come, until that was measured."""
SOON_SECONDS: Final = 1800.0
"""Whoever serves nothing yet begins with what is here in so long; more may follow."""
MOUNT_SECONDS: Final = 20.0
SESSION_SECONDS: Final = 5.0
"""What it costs each conversation on the old units that somebody else takes over."""
LONGER_IS_BETTER: Final = 0.1
"""How much chains count: half as many computers in a row are worth 1.07 times the throughput."""
HOP_SECONDS: Final = 0.002
UNKNOWN_SECONDS: Final = 0.025
"""One way to a computer of which nothing is known."""
ACTORS: Final = 40
"""So many of the computers that look in the same few minutes act: two or three while it is not
known yet what the ones before did."""
ACTORS_FOR_HOLES: Final = 80
"""... where a unit is served by nobody: it matters more that somebody comes soon."""
FASTEST: Final = 50.0
"""A speed is believed up to so many times the middle one of all."""
BUSY_SHARE: Final = 0.5
"""What is lost of a computer, to one more conversation, when all its places are taken."""
WITHOUT_EMBEDDING: Final = 0.05
"""What a place is worth less that leaves the embedding to others, though chains may enter there."""
MANY_COME: Final = 80
"""A place that nobody's spans meet yet is worth something in the hope that somebody comes and
fills up the rest between boundaries that are in use; without it, long spans would shut out all
computers too small for them. Among so many computers it is half of what it would be then."""
LEAK_SHARE: Final = 1e-3
"""What a part that nobody serves is taken to let through, of what this computer could."""
ALIKE: Final = 0.02
"""Places that differ in worth by less are equally good: chance takes one of them."""
DEEP: Final = 0.01
"""What a place is worth less for each halving that led to a boundary where nobody is yet."""
FEW: Final = 8
"""While fewer computers serve the model and a unit is missing, every unit that fits counts;
later it counts more that strangers meet."""
CELLS_DEPTH: Final = 5
"""The model is halved so often, which makes up to 32 parts; smaller computers halve further."""
MOST_POINTS: Final = 160

Reason = Literal["first", "nobody", "twice", "faster", "shorter"]


@dataclass(frozen=True)
class Server:
    """Another computer, as it was announced.

    Attributes:
        tokens_per_second: through all its units, measured; 0.0 is unknown.
        load: which part of its places is taken, 0 to 1.
        ready: False while the units are still on their way.
        moves_to: the units on their way there, which it will serve instead.
        besides: it is here for a while only (`app/swarm/standby.py`). Placement goes on as if it
            were not: else others would go where they are not needed once it has left.
        one_way_seconds: how far it is; None is unknown.
    """

    peer: PeerId
    span: Span
    tokens_per_second: float
    load: float = 0.0
    ready: bool = True
    moves_to: Span | None = None
    besides: bool = False
    one_way_seconds: float | None = None

    @property
    def goal(self) -> Span:
        """What it will serve as far as is known."""
        return self.moves_to or self.span


@dataclass(frozen=True)
class Own:
    """This computer.

    Attributes:
        room_bytes: for units in memory, with the conversations on them.
        work_per_second: how fast it computes, in the layout's work; 0.0 is unknown.
        current: what it serves now.
        held: units on its disk.
        line_bytes_per_second: how fast others come.
        sessions: conversations on what it serves now.
    """

    peer: PeerId
    room_bytes: int
    work_per_second: float
    current: Span | None = None
    held: Collection[int] = ()
    line_bytes_per_second: float = LINE_BYTES_PER_SECOND
    sessions: int = 0


@dataclass(frozen=True)
class Placement:
    """Where to be. `gain` is how much more that is worth than the place until now (1.0 for the
    same, or where there was none); `missing_bytes` have to be downloaded for it."""

    span: Span
    reason: Reason
    gain: float = 1.0
    missing_bytes: int = 0


def place(layout: Layout, servers: Sequence[Server], own: Own, *, draw: float) -> Placement | None:
    """Where this computer is needed most, if it is nowhere yet; else where to move, if anywhere.

    Args:
        servers: everybody else who announced units of the model.
        draw: a random number from 0 to below 1.

    Returns:
        None to stay, or if not even one unit fits.
    """
    others = [each for each in servers if each.peer != own.peer and not each.besides]
    choice = _Choice(layout, others, own)
    if not choice.count:
        return None
    whole = Span(0, layout.units)
    if own.current == whole:
        return None
    if own.current is None:
        if layout.memory(whole) <= own.room_bytes:
            # It weakens no part, and answers without a chain.
            return Placement(whole, "first", 1.0, layout.missing_bytes(whole, own.held))
        best = choice.best(draw, choice.soon_here())
        return Placement(choice.span(best), "first", 1.0, choice.missing_bytes(best))
    return choice.move(draw)


def may_leave(servers: Sequence[Server], own: PeerId, old: Span, new: Span) -> bool:
    """Whether all units that would be left are served by somebody else who stays.

    Of two who want to leave the same units at the same time, the one with the higher name may.
    """
    return all(unit in new or unit in _safe(servers, own) for unit in range(old.start, old.stop))


class _Choice:
    """All places there are for this computer, as columns, and what each is worth."""

    def __init__(self, layout: Layout, servers: Sequence[Server], own: Own) -> None:
        self._layout = layout
        self._own = own
        self._servers = [each for each in servers if each.goal.stop <= layout.units]
        self._goals = [each.goal for each in self._servers]
        self._points = self._boundaries()
        self._places = {unit: number for number, unit in enumerate(self._points)}
        self._starts, self._stops = self._candidates()
        self.count = len(self._starts)
        if self.count:
            self._weigh()

    def span(self, number: int) -> Span:
        """A place, by its number."""
        return Span(self._points[self._starts[number]], self._points[self._stops[number]])

    def missing_bytes(self, number: int) -> int:
        """What has to come for a place."""
        return self._layout.missing_bytes(self.span(number), self._own.held)

    def soon_here(self) -> NDArray[np.bool_]:
        """Which places' units come soon; all places where none does."""
        missing = np.array(self._layout.missing_before(self._own.held))
        points = np.array(self._points)
        sizes = missing[points[self._stops]] - missing[points[self._starts]]
        soon = np.asarray(sizes <= SOON_SECONDS * self._own.line_bytes_per_second)
        return soon if soon.any() else np.ones(self.count, bool)

    def best(self, draw: float, allowed: NDArray[np.bool_] | None = None) -> int:
        """The number of the place that is needed most; of those worth as much, a chance one."""
        needed = (self._holes * (self._layout.units + 1) + self._thin) * 3 + self._meets
        if allowed is not None:
            needed = np.where(allowed, needed, -1)
        worth = np.where(needed == needed.max(), self._worth, -1.0)
        alike = np.flatnonzero(worth >= (1.0 - ALIKE) * worth.max())
        return int(alike[int(draw * len(alike))])

    def move(self, draw: float) -> Placement | None:
        """The place to move to, if the gain is clear, nobody is left alone, and chance wills."""
        own = self._own
        assert own.current is not None
        now = self._number(own.current)
        if now is None:
            return None  # the room has shrunk; whoever serves it knows whether it still fits
        safe = _safe(self._servers, own.peer)
        bound = [unit for unit in range(own.current.start, own.current.stop) if unit not in safe]
        allowed = np.ones(self.count, bool)
        if bound:
            points = np.array(self._points)
            allowed = (points[self._starts] <= bound[0]) & (points[self._stops] > bound[-1])
        turn = draw * (len(self._servers) + 1)
        best = self.best(turn % 1.0, allowed)
        reason = self._reason(now, best)
        if reason is None or turn >= (ACTORS_FOR_HOLES if reason == "nobody" else ACTORS):
            return None
        gain = float(self._worth[best] / max(self._worth[now], 1e-12))
        return Placement(self.span(best), reason, gain, self.missing_bytes(best))

    def _reason(self, now: int, best: int) -> Reason | None:
        if best == now:
            return None
        needed = (self._holes[best], self._thin[best])
        if needed != (self._holes[now], self._thin[now]):
            if needed < (self._holes[now], self._thin[now]):
                return None
            return "nobody" if needed[0] > self._holes[now] else "twice"
        seconds = self.missing_bytes(best) / max(1e-6, self._own.line_bytes_per_second)
        seconds += MOUNT_SECONDS + SESSION_SECONDS * self._own.sessions
        asked = CLEARLY_BETTER + seconds / MOVE_PAYS_SECONDS
        if self._worth[best] < asked * self._worth[now]:
            return None
        return "faster" if self._gains[best] > self._gains[now] else "shorter"

    def _number(self, span: Span) -> int | None:
        start, stop = self._places.get(span.start), self._places.get(span.stop)
        found = np.flatnonzero((self._starts == start) & (self._stops == stop))
        return int(found[0]) if found.size else None

    # ── which places there are ───────────────────────────────────────────────

    def _boundaries(self) -> list[int]:
        """Where spans may begin and end: the model's cut points, and where others do."""
        layout, room = self._layout, self._own.room_bytes
        depth = layout.depth_for(room, CELLS_DEPTH)
        points = {0, layout.units} | {unit for unit, at in layout.cuts.items() if at <= depth}
        if self._own.current is not None:
            points |= {self._own.current.start, self._own.current.stop}
        ends = Counter(end for span in self._goals for end in (span.start, span.stop))
        for end, _ in ends.most_common(max(0, MOST_POINTS - len(points))):
            points.add(end)
        self._inhabited = {0, layout.units} | set(ends)
        if len(self._servers) < FEW and min(replicas(self._goals, layout.units)) == 0:
            points |= {layout.farthest(point, room) for point in points}
            points |= {layout.nearest(point, room) for point in points}
        return sorted(points)

    def _candidates(self) -> tuple[Numbers, Numbers]:
        points = np.array(self._points)
        starts, stops = np.triu_indices(len(points), 1)
        before = np.array([self._layout.memory_before[point] for point in points])
        besides = np.array([self._layout.memory_besides(point) for point in points])
        fits = before[stops] - before[starts] + besides[stops] <= self._own.room_bytes
        if self._own.current is not None:  # it is in memory already
            current = self._own.current
            fits |= (points[starts] == current.start) & (points[stops] == current.stop)
        return starts[fits], stops[fits]

    # ── what each is worth ───────────────────────────────────────────────────

    def _weigh(self) -> None:
        layout = self._layout
        self._count_needed()
        points = np.array(self._points)
        work = np.array([layout.work_before[point] for point in self._points])
        shares = (work - work[0]) / (work[-1] - work[0])
        speed = self._speed()
        network = Throughput(
            shares,
            [
                Served(self._entered(span.start), self._places[span.stop], rate)
                for span, rate in zip(self._goals, self._rates(), strict=True)
                if span.start in self._places and span.stop in self._places
            ],
            leak=LEAK_SHARE * speed / layout.work_before[-1],
        )
        starts = np.array([self._entered(self._points[start]) for start in self._starts])
        rates = speed / np.maximum(work[self._stops] - work[self._starts], layout.least_work)
        self._gains = np.maximum(
            network.gains(starts, self._stops, rates), self._hoped(network, shares, starts, rates)
        )
        share = np.maximum(shares[self._stops] - shares[starts], 1e-3)
        chain_seconds = (HOP_SECONDS + self._neighbours()) / share
        depth = np.array(
            [0 if p in self._inhabited else layout.cuts.get(p, 2 * CELLS_DEPTH) for p in points]
        )
        rough = DEEP * (depth[self._starts] + depth[self._stops])
        rough += np.where(points[self._starts] == 1, WITHOUT_EMBEDDING, 0.0)
        self._worth = (
            self._gains * chain_seconds**-LONGER_IS_BETTER * (1.0 - np.minimum(0.5, rough))
        )

    def _hoped(self, network: Throughput, shares: Floats, starts: Numbers, rates: Floats) -> Floats:
        """What each place would add, if others joined it to the next boundaries in use."""
        used = np.flatnonzero([point in self._inhabited for point in self._points])
        before = used[np.searchsorted(used, starts, "right") - 1]
        behind = used[np.searchsorted(used, self._stops, "left")]
        part = (shares[self._stops] - shares[starts]) / np.maximum(
            shares[behind] - shares[before], 1e-9
        )
        others = np.maximum(1.0, 1.0 / np.maximum(part, 1e-9) - 1.0)
        hope = len(self._servers) / (len(self._servers) + MANY_COME)
        hoped = hope / others * part * network.gains(before, behind, rates)
        return np.where((before == starts) & (behind == self._stops), 0.0, hoped)

    def _entered(self, unit: int) -> int:
        """The point where chains enter at a unit: the embedding may be skipped."""
        return 0 if unit <= 1 else self._places[unit]

    def _speed(self) -> float:
        """This computer's, or that of the middle of the others while it is unknown."""
        return self._own.work_per_second if self._own.work_per_second > 0 else self._middle()

    def _middle(self) -> float:
        """The speed of the middle one of the others."""
        speeds = [each.tokens_per_second * self._layout.work(each.span) for each in self._servers]
        return median(
            [speed for speed in speeds if speed > 0] or [self._own.work_per_second or 1.0]
        )

    def _rates(self) -> list[float]:
        """What each of the others lets through where it is going to be."""
        middle = self._middle()
        rates = []
        for each in self._servers:
            speed = each.tokens_per_second * self._layout.work(each.span) or middle
            rate = min(speed, FASTEST * middle) / self._layout.work(each.goal)
            rates.append(rate * (1.0 - BUSY_SHARE * each.load))
        return rates

    def _neighbours(self) -> Floats:
        """How far it is on the average to the nearest before and behind each place."""
        arriving: dict[int, float] = {}
        leaving: dict[int, float] = {}
        for each in self._servers:
            away = UNKNOWN_SECONDS if each.one_way_seconds is None else each.one_way_seconds
            for nearest, end in ((arriving, each.goal.stop), (leaving, each.goal.start)):
                nearest[end] = min(away, nearest.get(end, away))
        before = np.array([arriving.get(point, UNKNOWN_SECONDS) for point in self._points])
        behind = np.array([leaving.get(point, UNKNOWN_SECONDS) for point in self._points])
        return np.asarray((before[self._starts] + behind[self._stops]) / 2)

    def _count_needed(self) -> None:
        """For each place: how many units nobody else serves, and how many only one does, all in
        chains that lead through; units of a place that leads nowhere do not count."""
        units = self._layout.units
        spans = set(self._goals)
        bare = [count == 0 for count in replicas(self._goals, units)]
        reached, reaching = _reached(units, spans, bare), _reaching(units, spans, bare)
        joined = [span for span in self._goals if reached[span.start] and reaching[span.stop]]
        counts = np.array(replicas(joined, units))
        holes = np.concatenate([[0], np.cumsum(counts == 0)])
        thin = np.concatenate([[0], np.cumsum((counts > 0) & (counts < ENOUGH))])
        points = np.array(self._points)
        starts, stops = points[self._starts], points[self._stops]
        joins = np.array(reached)[starts] & np.array(reaching)[stops]
        self._holes: Numbers = np.where(joins, holes[stops] - holes[starts], 0)
        self._thin: Numbers = np.where(joins, thin[stops] - thin[starts], 0)
        # Of places that fill as much of a hole, those leave the fewest behind that begin or end
        # where others do.
        used = np.array([point in self._inhabited for point in self._points]).astype(np.intp)
        self._meets: Numbers = np.where(self._holes > 0, used[self._starts] + used[self._stops], 0)


def _safe(servers: Sequence[Server], own: PeerId) -> set[int]:
    """The units that somebody else serves who is not about to leave them before this one may."""
    safe: set[int] = set()
    for server in servers:
        if server.peer == own or not server.ready or server.besides:
            continue
        units = set(range(server.span.start, server.span.stop))
        if server.moves_to is not None and server.peer > own:
            units &= set(range(server.moves_to.start, server.moves_to.stop))
        safe |= units
    return safe


def _reached(
    units: int, spans: Collection[Span], bare: Sequence[bool], *, skips_first: bool = True
) -> list[bool]:
    """For each boundary whether a chain can come there from the beginning, if somebody came for
    the units that nobody serves; the embedding may be skipped."""
    reached = [False] * (units + 1)
    reached[0], reached[1] = True, skips_first
    starting: defaultdict[int, set[int]] = defaultdict(set)
    for span in spans:
        starting[span.start].add(span.stop)
    for point in range(units):
        if reached[point]:
            for stop in starting[point]:
                reached[stop] = True
            reached[point + 1] |= bare[point]
    return reached


def _reaching(units: int, spans: Collection[Span], bare: Sequence[bool]) -> list[bool]:
    """For each boundary whether a chain can come from there to the end, likewise."""
    mirrored = [Span(units - span.stop, units - span.start) for span in spans]
    return _reached(units, mirrored, bare[::-1], skips_first=False)[::-1]
