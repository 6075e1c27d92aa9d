"""How long a datagram is on its way between computers, as far as it is known here.

Pure. Round trips that were measured count first, then the distance of the places that
computers tell (`app/net/coordinates.py`), then a guess. Used by `app/swarm/route.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.ids import PeerId
from app.net.coordinates import IGNORANCE_SECONDS, SECONDS_BETWEEN_SAMPLES, Coordinates
from app.net.wire import Place

UNKNOWN_SECONDS: Final = 0.025
"""One way between computers of which nothing is known: a country's width over home lines."""
MEASURED_DOUBT: Final = 0.1
"""By how much of itself a measured round trip is easily off."""
LOCATING_ROUNDS: Final = 40

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


class Standing(Protocol):
    """Whoever stands somewhere: an offer (`app/swarm/route.py`)."""

    @property
    def peer(self) -> PeerId:
        """Its name."""
        ...

    @property
    def place(self) -> Place | None:
        """Where it says it stands; None if it says nothing."""
        ...


@dataclass(frozen=True)
class Whereabouts:
    """What this computer knows of the ways.

    Attributes:
        place: where it stands itself.
        round_trips: seconds to others and back, as measured.
    """

    place: Place | None = None
    round_trips: Mapping[PeerId, float] = field(default_factory=dict)


NOTHING_KNOWN: Final = Whereabouts()


class Ways:
    """The ways between some computers, None among them being this one; by their numbers."""

    def __init__(self, here: Whereabouts, stations: Sequence[Standing | None]) -> None:
        places = [here.place if station is None else station.place for station in stations]
        self._known = np.array([place is not None for place in places], bool)
        self._points = np.array(
            [(p.x, p.y, p.z) if p is not None else (0.0, 0.0, 0.0) for p in places], float
        ).reshape(len(places), 3)
        self._heights = np.array([0.0 if p is None else p.height for p in places], float)
        self._errors = np.array([1.0 if p is None else p.error for p in places], float)
        self._is_here = np.array([station is None for station in stations], bool)
        measured = [None if s is None else here.round_trips.get(s.peer) for s in stations]
        self._measured = np.array([np.nan if m is None else m for m in measured], float)

    def between(self, ones: Numbers, others: Numbers) -> tuple[Floats, Floats]:
        """One way from each of some to each of others, as [ones, others]: seconds, and by how
        much that may easily be off; all are finite and not negative.

        For places it is half of `distance_seconds` and of `uncertainty_seconds`.
        """
        apart = self._points[ones][:, None, :] - self._points[others][None, :, :]
        across = np.sqrt((apart * apart).sum(axis=2))
        round_trips = (across + self._heights[ones][:, None] + self._heights[others]) / 1000.0
        errors = np.maximum(self._errors[ones][:, None], self._errors[others])
        doubts = errors * round_trips + errors * errors * IGNORANCE_SECONDS
        known = self._known[ones][:, None] & self._known[others]
        seconds = np.where(known, round_trips / 2, UNKNOWN_SECONDS)
        doubts = np.where(known, doubts / 2, UNKNOWN_SECONDS)
        from_here, to_here = self._is_here[ones][:, None], self._is_here[others][None, :]
        measured = np.where(from_here, self._measured[others], np.nan)
        measured = np.where(to_here, self._measured[ones][:, None], measured)
        seconds = np.where(np.isnan(measured), seconds, measured / 2)
        doubts = np.where(np.isnan(measured), doubts, MEASURED_DOUBT * measured / 2)
        nowhere = from_here & to_here
        return np.where(nowhere, 0.0, seconds), np.where(nowhere, 0.0, doubts)


def located(
    own: PeerId, samples: Sequence[tuple[PeerId, Place, float]], start: Place | None = None
) -> Place | None:
    """Where this computer stands by some measured round trips in seconds; `start` without any.

    For one that has just come and whose own place (`Coordinates`) has had no time to settle.
    """
    if not samples:
        return start
    coordinates = Coordinates(own, start)
    now = 0.0
    for _ in range(LOCATING_ROUNDS):
        now += SECONDS_BETWEEN_SAMPLES
        for peer, place, round_trip_seconds in samples:
            coordinates.measured(peer, place, round_trip_seconds, now=now)
    return coordinates.place
