"""How long the ways are, as far as anybody knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from app.ids import PeerId
from app.net.coordinates import ORIGIN, distance_seconds, uncertainty_seconds
from app.net.wire import Place
from app.swarm.distances import (
    MEASURED_DOUBT,
    NOTHING_KNOWN,
    UNKNOWN_SECONDS,
    Ways,
    Whereabouts,
    located,
)

ANN, BEN = PeerId(b"a" * 32), PeerId(b"b" * 32)
HERE = Place(0.0, 0.0, 0.0, 2.0, 0.1)
NEAR = Place(3.0, 4.0, 0.0, 1.0, 0.2)
FAR = Place(0.0, 60.0, 80.0, 5.0, 0.5)


@dataclass(frozen=True)
class Somebody:
    peer: PeerId
    place: Place | None = None


def way(here: Whereabouts, one: Somebody | None, other: Somebody | None) -> tuple[float, float]:
    seconds, doubts = Ways(here, [one, other]).between(np.array([0]), np.array([1]))
    return float(seconds[0, 0]), float(doubts[0, 0])


def half(one: Place, other: Place) -> tuple[float, float]:
    return distance_seconds(one, other) / 2, uncertainty_seconds(one, other) / 2


def test_between_places_it_is_half_of_their_round_trip() -> None:
    ann, ben = Somebody(ANN, NEAR), Somebody(BEN, FAR)
    here = Whereabouts(HERE)
    assert way(here, ann, ben) == pytest.approx(half(NEAR, FAR))
    assert way(here, None, ben) == pytest.approx(half(HERE, FAR))
    assert way(here, ann, None) == pytest.approx(half(NEAR, HERE))


def test_what_was_measured_counts_more_than_what_places_say() -> None:
    here = Whereabouts(HERE, {ANN: 0.02})
    expected = (0.01, 0.01 * MEASURED_DOUBT)
    assert way(here, None, Somebody(ANN, FAR)) == pytest.approx(expected)
    assert way(here, Somebody(ANN), None) == pytest.approx(expected)
    # What this computer measured says nothing of the ways between others.
    assert way(here, Somebody(ANN, NEAR), Somebody(BEN, FAR)) == pytest.approx(half(NEAR, FAR))


def test_of_nobody_known_a_country_is_guessed() -> None:
    guess = (UNKNOWN_SECONDS, UNKNOWN_SECONDS)
    assert way(NOTHING_KNOWN, None, Somebody(ANN, NEAR)) == guess
    assert way(Whereabouts(HERE), Somebody(ANN), Somebody(BEN, NEAR)) == guess


def test_from_here_to_here_is_no_way() -> None:
    assert way(Whereabouts(HERE), None, None) == (0.0, 0.0)


def test_a_newcomer_finds_its_place_by_what_it_measures() -> None:
    others = [
        (PeerId(bytes([number]) * 32), place)
        for number, place in enumerate(
            [
                Place(40.0, 0.0, 0.0, 1.0, 0.1),
                Place(-40.0, 0.0, 0.0, 1.0, 0.1),
                Place(0.0, 40.0, 0.0, 1.0, 0.1),
                Place(0.0, -40.0, 0.0, 1.0, 0.1),
            ]
        )
    ]
    truth = Place(10.0, 20.0, 0.0, 3.0, 0.1)
    samples = [(peer, place, distance_seconds(truth, place)) for peer, place in others]
    found = located(ANN, samples)
    assert found is not None
    for _, place, seconds in samples:
        assert distance_seconds(found, place) == pytest.approx(seconds, rel=0.15)
    assert located(ANN, []) is None
    assert located(ANN, [], ORIGIN) == ORIGIN
