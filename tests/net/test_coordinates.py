"""Where a computer finds itself by its round trips, and how little liars can do about it."""

from __future__ import annotations

import math
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import PeerId
from app.net.coordinates import (
    LONGEST_ROUND_TRIP_SECONDS,
    MOST_MOVED_MS,
    MOST_PEERS,
    ORIGIN,
    PEERS_FOR_OUTLIERS,
    ROUND_TRIPS_KEPT,
    Coordinates,
    distance_seconds,
    uncertainty_seconds,
)
from app.net.wire import MAX_PLACE_MILLISECONDS, Place
from benchmarks.coordinates import Scene, World, at_share, percent_errors

OWN = PeerId(bytes(32))
NAN = math.nan


def peer(number: int) -> PeerId:
    return PeerId(number.to_bytes(32))


def moved_ms(one: Place, other: Place) -> float:
    return math.dist((one.x, one.y, one.z), (other.x, other.y, other.z))


def is_sound(place: Place) -> bool:
    return (
        all(abs(at) <= MAX_PLACE_MILLISECONDS for at in (place.x, place.y, place.z))
        and 0.0 < place.height <= MAX_PLACE_MILLISECONDS
        and 0.0 < place.error <= 1.0
    )


def hear_friends(mind: Coordinates, *, second: int) -> None:
    """Eight honest computers answer, 40 ms away in as many directions."""
    for number in range(8):
        angle = math.tau * number / 8
        place = Place(30 * math.cos(angle), 30 * math.sin(angle), 0.0, 5.0, 0.1)
        mind.measured(peer(number + 1), place, 0.04, now=float(second))


def settled() -> Coordinates:
    """A computer that found its place among its friends."""
    mind = Coordinates(OWN)
    for second in range(200):
        hear_friends(mind, second=second)
    return mind


# ── guessing ─────────────────────────────────────────────────────────────────


def test_a_distance_is_the_way_across_and_both_lines() -> None:
    one, other = Place(0.0, 30.0, 0.0, 5.0, 0.1), Place(40.0, 0.0, 0.0, 7.0, 0.2)
    assert distance_seconds(one, other) == pytest.approx(0.062)
    assert distance_seconds(other, one) == distance_seconds(one, other)
    assert uncertainty_seconds(one, other) == pytest.approx(0.2 * 0.062 + 0.004)


def test_who_knows_nothing_is_most_uncertain() -> None:
    sure = Place(0.0, 0.0, 0.0, 1.0, 0.02)
    assert uncertainty_seconds(sure, sure) < 0.001
    assert uncertainty_seconds(sure, ORIGIN) > 0.1


# ── finding the place ────────────────────────────────────────────────────────


def test_a_computer_between_eight_others_finds_its_way_to_each() -> None:
    place = settled().place
    assert place.error < 0.05
    assert distance_seconds(place, Place(30.0, 0.0, 0.0, 5.0, 0.1)) == pytest.approx(0.04, rel=0.05)


def test_two_that_begin_at_one_point_come_apart() -> None:
    one, other = Coordinates(peer(1)), Coordinates(peer(2))
    for second in range(100):
        one.measured(peer(2), other.place, 0.1, now=float(second))
        other.measured(peer(1), one.place, 0.1, now=float(second))
    assert distance_seconds(one.place, other.place) == pytest.approx(0.1, rel=0.02)


def test_a_conversation_begins_where_its_computer_stands() -> None:
    start = settled().place
    assert Coordinates(peer(99), start).place == start
    assert Coordinates(peer(99)).place == ORIGIN


def test_the_least_of_the_last_round_trips_counts() -> None:
    mind = Coordinates(OWN)
    assert mind.round_trip_seconds(peer(1)) is None
    for seconds in (0.05, 0.3, 0.2):
        mind.measured(peer(1), None, seconds, now=0.0)
    assert mind.round_trip_seconds(peer(1)) == pytest.approx(0.05)
    for _ in range(ROUND_TRIPS_KEPT):
        mind.measured(peer(1), None, 0.2, now=0.0)
    assert mind.round_trip_seconds(peer(1)) == pytest.approx(0.2)
    mind.forget(peer(1))
    assert mind.round_trip_seconds(peer(1)) is None


def test_one_sample_of_a_peer_counts_in_a_second() -> None:
    mind = Coordinates(OWN)
    assert mind.measured(peer(1), ORIGIN, 0.1, now=5.0)
    before = mind.place
    assert not mind.measured(peer(1), ORIGIN, 0.1, now=5.9)
    assert mind.place == before
    assert mind.measured(peer(2), ORIGIN, 0.1, now=5.9)
    assert mind.measured(peer(1), ORIGIN, 0.1, now=6.0)


def test_a_peer_that_says_no_place_moves_nobody() -> None:
    mind = Coordinates(OWN)
    assert not mind.measured(peer(1), None, 0.1, now=0.0)
    assert mind.place == ORIGIN
    assert mind.round_trip_seconds(peer(1)) == pytest.approx(0.1)


def test_no_more_peers_are_remembered_than_there_can_be() -> None:
    mind = Coordinates(OWN)
    for number in range(MOST_PEERS + 1):
        mind.measured(peer(number), ORIGIN, 0.1, now=float(number))
    assert mind.round_trip_seconds(peer(0)) is None
    assert mind.round_trip_seconds(peer(1)) is not None


# ── liars ────────────────────────────────────────────────────────────────────


def test_no_sample_moves_a_newcomer_far() -> None:
    mind = Coordinates(OWN)
    mind.measured(peer(1), Place(-9_000.0, 0.0, 0.0, 0.0, 0.0), 5.0, now=0.0)
    assert 0.0 < moved_ms(mind.place, ORIGIN) <= MOST_MOVED_MS


def test_two_liars_among_eight_honest_peers_hardly_move_a_computer() -> None:
    mind = settled()
    before = mind.place
    for second in range(300, 400):
        hear_friends(mind, second=second)
        for liar in (66, 67):
            lie = Place(2_000.0, 2_000.0, 0.0, 0.0, 0.0)
            mind.measured(peer(liar), lie, 0.5, now=float(second))
    assert moved_ms(mind.place, before) < 10.0
    assert mind.place.error < 0.25


def test_who_knows_fewer_others_than_that_believes_them() -> None:
    mind = Coordinates(OWN)
    for number in range(PEERS_FOR_OUTLIERS):
        mind.measured(peer(number), Place(100.0, 0.0, 0.0, 1.0, 0.1), 0.02, now=0.0)
    assert mind.place.x > 10.0


@pytest.mark.parametrize("seconds", [0.0, -1.0, NAN, math.inf, LONGEST_ROUND_TRIP_SECONDS + 0.1])
def test_a_round_trip_that_cannot_be_is_left_out(seconds: float) -> None:
    mind = Coordinates(OWN)
    assert not mind.measured(peer(1), ORIGIN, seconds, now=0.0)
    assert (mind.place, mind.round_trip_seconds(peer(1))) == (ORIGIN, None)


ANYTHING = st.floats(allow_nan=True, allow_infinity=True)
PLACES = st.builds(Place, ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)


@settings(deadline=None, max_examples=100)
@given(PLACES, st.lists(st.tuples(st.integers(1, 9), PLACES, ANYTHING), max_size=20))
def test_whatever_is_said_the_place_is_one_that_can_be_told(
    start: Place, samples: list[tuple[int, Place, float]]
) -> None:
    mind = Coordinates(OWN, start)
    for second, (number, place, seconds) in enumerate(samples):
        mind.measured(peer(number), place, seconds, now=float(second))
        assert is_sound(mind.place)
    assert math.isfinite(distance_seconds(mind.place, mind.place))


# ── a whole swarm ────────────────────────────────────────────────────────────


def test_200_computers_guess_each_others_distance_among_liars() -> None:
    world = World(Scene(computers=200, samples=100, liars=0.05, seed=1))
    world.run()
    guessed, baseline = percent_errors(world)
    assert median(guessed) < 15.0
    assert median(guessed) < median(baseline) / 2
    assert at_share(guessed, 0.9) < at_share(baseline, 0.9) / 2


def test_liars_do_not_set_everybody_adrift() -> None:
    world = World(Scene(computers=60, samples=400, liars=0.1, seed=2))
    world.run()
    places = [world.minds[at].place for at in world.honest]
    middle = (sum(p.x for p in places), sum(p.y for p in places), sum(p.z for p in places))
    assert math.hypot(*middle) / len(places) < 150.0
    assert median(percent_errors(world)[0]) < 10.0
