"""The arithmetic around measuring predictions; see benchmarks/routing.py."""

from __future__ import annotations

import pytest

from app.ids import PeerId
from app.swarm.route import Costs, Link, Offer, Prediction
from benchmarks.routing import (
    LAYER_MS,
    SPANS,
    Spot,
    Tried,
    World,
    all_chains,
    free_address,
    report,
    some_of,
)


def offer(number: int, speed: float) -> Offer:
    span = SPANS[number % len(SPANS)]
    return Offer(PeerId(bytes([number]) * 32), (), span, speed, 100)


def tried(compute: float, network: float, measured: float) -> Tried:
    link = Link(offer(0, 1.0), SPANS[0])
    return Tried((link,), Prediction(network, compute, 0.0, 0.0), measured)


def test_ways_are_as_long_as_spots_are_apart_and_their_lines_take() -> None:
    here, there = Spot(0.0, 0.0, 2.0), Spot(30.0, 40.0, 8.0)
    assert here.one_way_seconds(there) == pytest.approx(0.030)
    assert there.one_way_seconds(here) == pytest.approx(0.030)
    world = World(here, {("127.0.0.1", 7): there})
    assert world.at(("127.0.0.1", 7)) == there
    assert world.at(("127.0.0.1", 8)) == here


def test_a_free_port_is_on_this_computer() -> None:
    host, port = free_address()
    assert host == "127.0.0.1"
    assert port > 0


def test_every_chain_is_looked_at_the_best_first() -> None:
    count = len(SPANS) * len(LAYER_MS)
    chains = all_chains([offer(number, 10.0 + number) for number in range(count)], Costs())
    assert len(chains) == len(LAYER_MS) ** len(SPANS)
    assert {link.offer.peer[0] for link in chains[0].links} == {6, 7, 8}
    assert {link.offer.peer[0] for link in chains[-1].links} == {0, 1, 2}
    some = some_of(chains, 5)
    assert (some[0], some[-1], len(some)) == (chains[0], chains[-1], 5)
    assert some_of(chains[:3], 5) == chains[:3]
    assert some_of(chains[:1], 5) == chains[:1]


def test_the_report_compares_with_layers_alone_and_with_the_best() -> None:
    before = [tried(0.02, 0.08, 0.11), tried(0.01, 0.1, 0.1), tried(0.03, 0.17, 0.2)]
    after = [tried(0.02, 0.09, 0.11), tried(0.01, 0.09, 0.1), tried(0.03, 0.17, 0.2)]
    found = report(before, after)
    assert found["prediction_error_percent"] == pytest.approx(9.1)
    assert found["worst_error_percent"] == pytest.approx(10.0)
    assert found["error_percent_when_all_were_dialled"] == pytest.approx(0.0)
    assert found["baseline_error_percent"] == pytest.approx(85.0)
    assert found["chosen_over_best_percent"] == pytest.approx(10.0)
    assert found["layers_alone_over_best_percent"] == 0.0
    assert found["chains"] == 3
