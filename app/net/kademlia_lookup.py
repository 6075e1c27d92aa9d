"""One iterative look-up: whom to ask next, and what was found, over several disjoint paths.

Pure: time is an argument, in seconds of `Clock.monotonic`; `app/net/dht.py` sends the
questions. Each path starts from other contacts and keeps to what they tell; no computer
is asked by two paths. Who lies can lead its own path astray, not the others. Distances
are computed here from the ids that contacts have; nobody's word is taken for them.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from app.ids import PeerId
from app.net.address_groups import AddressRules
from app.net.dht_messages import Contact
from app.net.kademlia_keys import REPLICAS, NodeId, node_id

PATHS = 3
ALPHA = 3
"""Questions under way on each path."""
STALL_SECONDS = 1.5
"""Longer than a new connection takes at 300 ms there and back. Whoever has not answered by
then holds up nobody any more, though its answer still counts."""
MAX_QUESTIONS = 128
"""Ten times what a sound look-up takes; then liars have won, and it ends."""
MAX_ON_PATH = 32
"""Contacts a path keeps in mind, the nearest."""
MAX_PER_GROUP_ON_PATH = 4
MAX_BAD_INTRODUCTIONS = 3
"""After so many contacts that never answered, and more bad than good ones, nothing that the
one who told of them said is followed any further."""


class _State(Enum):
    NEW = auto()
    ASKED = auto()
    ANSWERED = auto()
    FAILED = auto()


_Key = tuple[bytes, tuple[str, ...]]
"""A computer at certain addresses. Told of with a false address, a computer is another
candidate: else a liar could make all paths fail where only its own should."""


@dataclass(slots=True)
class _Candidate:
    contact: Contact
    peer: PeerId
    distance: int
    depth: int
    introducer: PeerId | None
    state: _State = _State.NEW
    path: int = -1
    asked_at: float = 0.0


@dataclass(slots=True)
class _Path:
    """What one path knows, the nearest first."""

    known: list[_Candidate] = field(default_factory=list)
    keys: set[_Key] = field(default_factory=set)
    groups: Counter[str] = field(default_factory=Counter)


class Lookup:
    """Seeks the `width` reachable computers nearest to a point.

    Args:
        seeds: where to begin, the nearest first; dealt out to the paths in turn.
        own: this computer, which is never asked.

    Attributes:
        questions: how many were asked in all.
    """

    def __init__(
        self,
        target: NodeId,
        seeds: Sequence[Contact],
        *,
        own: PeerId,
        rules: AddressRules,
        width: int = REPLICAS,
        paths: int = PATHS,
        alpha: int = ALPHA,
    ) -> None:
        self.target = target
        self.questions = 0
        self._own = own
        self._rules = rules
        self._width = width
        self._alpha = alpha
        self._candidates: dict[_Key, _Candidate] = {}
        self._answered: dict[PeerId, _Candidate] = {}
        self._paths = [_Path() for _ in range(max(1, min(paths, len(seeds))))]
        self._good: Counter[PeerId] = Counter()
        self._bad: Counter[PeerId] = Counter()
        for number, contact in enumerate(seeds):
            self._learn(self._paths[number % len(self._paths)], contact, None, depth=1)

    # ── asking ───────────────────────────────────────────────────────────────

    def next_questions(self, now: float) -> list[Contact]:
        """Whom to ask now; each is named once. Answer with `answered` or `failed`."""
        found: list[Contact] = []
        for number, path in enumerate(self._paths):
            under_way = sum(1 for c in path.known if c.path == number and self._waits(c, now))
            for candidate in self._window(path, now):
                if under_way >= self._alpha or self.questions >= MAX_QUESTIONS:
                    break
                if candidate.state is _State.NEW:
                    candidate.state, candidate.path = _State.ASKED, number
                    candidate.asked_at = now
                    self.questions += 1
                    under_way += 1
                    found.append(candidate.contact)
        return found

    def done(self, now: float) -> bool:
        """Whether every path's nearest have all answered."""
        return all(
            candidate.state is _State.ANSWERED
            or (candidate.state is _State.NEW and self.questions >= MAX_QUESTIONS)
            for path in self._paths
            for candidate in self._window(path, now)
        )

    def answered(self, asked: Contact, contacts: Sequence[Contact]) -> None:
        """One answered with these contacts; they are followed on its own path only."""
        candidate = self._candidates.get(_key(asked))
        if candidate is None or candidate.state is not _State.ASKED:
            return
        candidate.state = _State.ANSWERED
        self._answered.setdefault(candidate.peer, candidate)
        if candidate.introducer is not None:
            self._good[candidate.introducer] += 1
        path = self._paths[candidate.path]
        for contact in contacts:
            self._learn(path, contact, candidate.peer, depth=candidate.depth + 1)

    def failed(self, asked: Contact) -> None:
        """One did not answer, or answered nonsense."""
        candidate = self._candidates.get(_key(asked))
        if candidate is None or candidate.state is not _State.ASKED:
            return
        candidate.state = _State.FAILED
        if candidate.introducer is not None:
            self._bad[candidate.introducer] += 1

    # ── what was found ───────────────────────────────────────────────────────

    def closest(self) -> list[Contact]:
        """The nearest of all that answered, at most `width`."""
        return [candidate.contact for candidate in self._nearest()[: self._width]]

    @property
    def answerers(self) -> frozenset[PeerId]:
        """Who answered."""
        return frozenset(self._answered)

    @property
    def answers(self) -> int:
        """How many answered."""
        return len(self._answered)

    @property
    def hops(self) -> int:
        """How many computers told of each other until the nearest was found; 0 for none."""
        nearest = self._nearest()
        return nearest[0].depth if nearest else 0

    # ── inside ───────────────────────────────────────────────────────────────

    def _nearest(self) -> list[_Candidate]:
        return sorted(self._answered.values(), key=_distance)

    def _waits(self, candidate: _Candidate, now: float) -> bool:
        return candidate.state is _State.ASKED and now - candidate.asked_at < STALL_SECONDS

    def _window(self, path: _Path, now: float) -> list[_Candidate]:
        """The nearest `width` of a path that may still be of use."""
        found: list[_Candidate] = []
        for candidate in path.known:
            if (
                candidate.state is _State.ANSWERED
                or self._waits(candidate, now)
                or (candidate.state is _State.NEW and not self._distrusted(candidate.introducer))
            ):
                found.append(candidate)
            if len(found) == self._width:
                break
        return found

    def _distrusted(self, introducer: PeerId | None) -> bool:
        if introducer is None:
            return False
        bad = self._bad[introducer]
        return bad >= MAX_BAD_INTRODUCTIONS and bad > self._good[introducer]

    def _learn(
        self, path: _Path, contact: Contact, introducer: PeerId | None, *, depth: int
    ) -> None:
        peer = PeerId(contact.peer)
        key = _key(contact)
        if peer == self._own or key in path.keys:
            return
        candidate = self._candidates.get(key)
        distance = candidate.distance if candidate is not None else node_id(peer) ^ self.target
        if len(path.known) >= MAX_ON_PATH and distance >= path.known[-1].distance:
            return
        groups = self._rules.groups(contact.addresses) if introducer is not None else frozenset()
        if any(path.groups[group] >= MAX_PER_GROUP_ON_PATH for group in groups):
            return
        if candidate is None:
            candidate = _Candidate(contact, peer, distance, depth, introducer)
            self._candidates[key] = candidate
        bisect.insort(path.known, candidate, key=_distance)
        path.keys.add(key)
        path.groups.update(groups)
        del path.known[MAX_ON_PATH:]


def _key(contact: Contact) -> _Key:
    return contact.peer, tuple(contact.addresses)


def _distance(candidate: _Candidate) -> int:
    return candidate.distance
