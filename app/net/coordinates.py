"""Where computers stand in the network, so that round trips need not be measured pair by pair.

Every computer gives itself a place (`wire.Place`): a point in three dimensions and a height,
in milliseconds. The estimated round trip of two computers is the distance of their points
plus both heights: the points stand for the way across the network, a height for the way of
one computer to it (a home line, a busy router), which no other way avoids. Places are found
as springs find their rest (Vivaldi: Dabek, Cox, Kaashoek, Morris, SIGCOMM 2004): with each
measured round trip this computer moves a little along the line to the other one, by more when
it knows little and the other one much.

A place is a stranger's word, and round trips can be drawn out by whoever answers. What one
sample may do is therefore bounded: see `Coordinates`. Only the own place is moved, never what
is remembered of others, and only others that have proven who they are move it.

Pure: time comes in as an argument. Its counterpart is the same code on every other computer;
`app/net/connection.py` carries places in heartbeats, `app/net/endpoint.py` owns one
`Coordinates` for its name, and records (`app/net/records.py`) tell places to everybody.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from app.ids import PeerId
from app.net.wire import MAX_PLACE_MILLISECONDS, Place

SECONDS_BETWEEN_SAMPLES: Final = 1.0
"""Of one peer: hearts that beat faster while they are busy say no more about where they are."""
ROUND_TRIPS_KEPT: Final = 8
"""The least of so many counts: a queue makes a round trip longer, nothing makes it shorter."""
MOST_PEERS: Final = 256
"""As many as an endpoint has connections; beyond it whoever was heard of longest ago goes."""
LONGEST_ROUND_TRIP_SECONDS: Final = 10.0
MOST_MOVED_MS: Final = 20.0
"""No sample moves this computer further, whatever it says."""
OUTLIER_TIMES: Final = 2.0
OUTLIER_MS: Final = 5.0
"""A sample that is off by more than so many times what samples of the others are off (the
median), and by more than so many milliseconds, moves this computer as if it were off by that."""
PEERS_FOR_OUTLIERS: Final = 5
LEAST_ERROR: Final = 0.02
LEAST_TRUSTED_ERROR: Final = 0.1
"""Whoever says that it is surer than this is believed to be this sure."""
MOST_TRUST: Final = 2.0
"""... and nobody is believed to be more than so many times as sure as this computer is."""
LEAST_HEIGHT_MS: Final = 0.1
"""Above nothing, or heights could never grow: they are stretched in proportion."""
LEAST_JUDGED_MS: Final = 5.0
"""Errors of shorter round trips are taken as parts of this: between two computers of one house
the timers of their programs are most of what is measured."""
REMEMBERED_TOO: Final = 3
"""With each sample so many older ones of other peers are looked at again: a computer with few
samples finds its place in a third of them."""
POSITION_STEP: Final = 0.4
ERROR_STEP: Final = 0.1
GRAVITY_MS: Final = 3000.0
"""All pull themselves towards the origin a little, or all of them could be made to drift."""
IGNORANCE_SECONDS: Final = 0.1

ORIGIN: Final = Place(x=0.0, y=0.0, z=0.0, height=10.0, error=1.0)
"""Where a computer stands that knows nothing yet."""

_Point = tuple[float, float, float]


def distance_seconds(one: Place, other: Place) -> float:
    """The estimated round trip between two places, in seconds; finite and never negative.

    Places come from strangers: whoever wants to seem near can. What a computer measured
    itself (`Coordinates.round_trip_seconds`) is the better guess.
    """
    return (math.dist(_point(one), _point(other)) + one.height + other.height) / 1000.0


def uncertainty_seconds(one: Place, other: Place) -> float:
    """By how much `distance_seconds` may easily be off, in seconds; finite, never negative.

    The errors that both say of themselves; of a computer that knows nothing yet, a tenth of a
    second more than nothing.
    """
    error = max(one.error, other.error)
    return error * distance_seconds(one, other) + error * error * IGNORANCE_SECONDS


@dataclass(slots=True)
class _Measured:
    """What is known of one peer.

    Attributes:
        round_trips: the last ones, in milliseconds.
        heard_at, counted_at: when the last was measured, and the last that counted.
        place: where it said that it stands, within bounds.
        off_ms: by how much the last guess was off.
    """

    round_trips: deque[float] = field(default_factory=lambda: deque(maxlen=ROUND_TRIPS_KEPT))
    heard_at: float = -math.inf
    counted_at: float = -math.inf
    place: Place | None = None
    off_ms: float | None = None


class Coordinates:
    """This computer's place, moved by what it measures.

    Against strangers: at most one sample of a peer in `SECONDS_BETWEEN_SAMPLES` counts; no
    sample moves this computer by more than `MOST_MOVED_MS`; one that fits much worse than
    those of the other peers moves it no more than one that fits badly; nobody counts as
    surer than `LEAST_TRUSTED_ERROR` or twice as sure as this computer; what is no number,
    or out of bounds, is left out.
    Against a majority of liars among its peers no computer can find its place.

    Args:
        own: this computer's name; two computers at one point are pushed apart in a direction
            made of their names.
        start: where it stands at first, `ORIGIN` if nowhere is known.
    """

    def __init__(self, own: PeerId, start: Place | None = None) -> None:
        self._own = own
        self._place = ORIGIN if start is None else _bounded(start)
        # Whose turn it is to be looked at again first.
        self._peers: OrderedDict[PeerId, _Measured] = OrderedDict()

    @property
    def place(self) -> Place:
        """Where this computer stands; always within the bounds of `wire.Place`."""
        return self._place

    def round_trip_seconds(self, peer: PeerId) -> float | None:
        """The least of the last measured round trips; None if there is none."""
        known = self._peers.get(peer)
        return min(known.round_trips) / 1000.0 if known is not None else None

    def forget(self, peer: PeerId) -> None:
        """What was measured of a peer that is gone; the place stays."""
        self._peers.pop(peer, None)

    def measured(
        self, peer: PeerId, place: Place | None, round_trip_seconds: float, *, now: float
    ) -> bool:
        """Take in a measured round trip, and where the peer says it stands, if it says so.

        Args:
            round_trip_seconds: what is not above 0, or above `LONGEST_ROUND_TRIP_SECONDS`, is
                left out.
            now: seconds of `Clock.monotonic`.

        Returns:
            Whether it counted: the place and its error may be others now.
        """
        if not 0.0 < round_trip_seconds <= LONGEST_ROUND_TRIP_SECONDS:
            return False
        known = self._peers.setdefault(peer, _Measured())
        known.heard_at = now
        if len(self._peers) > MOST_PEERS:
            del self._peers[min(self._peers, key=lambda name: self._peers[name].heard_at)]
        known.round_trips.append(1000.0 * round_trip_seconds)
        if place is None or now - known.counted_at < SECONDS_BETWEEN_SAMPLES:
            return False
        known.counted_at = now
        known.place = _bounded(place)
        self._peers.move_to_end(peer)
        self._move(peer, known)
        for _ in range(min(REMEMBERED_TOO, len(self._peers) - 1)):
            name, remembered = next(iter(self._peers.items()))
            self._peers.move_to_end(name)
            self._move(name, remembered)
        return True

    def _move(self, peer: PeerId, known: _Measured) -> None:
        here, other = self._place, known.place
        if other is None:
            return
        round_trip = min(known.round_trips)
        along, apart = _direction(_point(here), _point(other), self._own + peer)
        guess = apart + here.height + other.height
        off = round_trip - guess
        limit = self._most_off(peer)
        known.off_ms = abs(off)
        off = max(-limit, min(limit, off))
        trusted = max(other.error, LEAST_TRUSTED_ERROR, here.error / MOST_TRUST)
        weight = here.error / (here.error + trusted)
        share = ERROR_STEP * weight
        error = share * abs(off) / max(round_trip, LEAST_JUDGED_MS) + (1.0 - share) * here.error
        push = POSITION_STEP * weight * off
        push = max(-MOST_MOVED_MS, min(MOST_MOVED_MS, push))
        x, y, z = (at + push * step for at, step in zip(_point(here), along, strict=True))
        pull = 1.0 - min(1.0, math.hypot(x, y, z) / GRAVITY_MS**2)
        stretch = push * (here.height + other.height) / max(guess, LEAST_HEIGHT_MS)
        self._place = _bounded(Place(x * pull, y * pull, z * pull, here.height + stretch, error))

    def _most_off(self, peer: PeerId) -> float:
        """How far off a sample of this peer may be, in milliseconds, before it is cut."""
        others = [
            known.off_ms
            for name, known in self._peers.items()
            if name != peer and known.off_ms is not None
        ]
        if len(others) < PEERS_FOR_OUTLIERS:
            return math.inf
        return max(OUTLIER_MS, OUTLIER_TIMES * median(others))


def _point(place: Place) -> _Point:
    return (place.x, place.y, place.z)


def _direction(one: _Point, other: _Point, names: bytes) -> tuple[_Point, float]:
    """The direction from `other` to `one`, of length 1, and how far they are apart."""
    apart = math.dist(one, other)
    if apart > 1e-6:
        x, y, z = ((here - there) / apart for here, there in zip(one, other, strict=True))
        return (x, y, z), apart
    digest = hashlib.sha256(names).digest()
    x, y, z = (int.from_bytes(digest[at : at + 4]) / 2**31 - 1.0 for at in (0, 4, 8))
    length = math.hypot(x, y, z) or 1.0
    return (x / length, y / length, z / length), apart


def _bounded(place: Place) -> Place:
    """The nearest place that may be said; what is no number counts as knowing nothing."""
    if not all(map(math.isfinite, (*_point(place), place.height, place.error))):
        return ORIGIN
    x, y, z = (
        max(-MAX_PLACE_MILLISECONDS, min(MAX_PLACE_MILLISECONDS, at)) for at in _point(place)
    )
    height = max(LEAST_HEIGHT_MS, min(MAX_PLACE_MILLISECONDS, place.height))
    return Place(x, y, z, height, max(LEAST_ERROR, min(1.0, place.error)))
