"""The simulated swarm: time that passes in order, and a small scene that is found right."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from app.errors import BadInput
from app.ids import Span
from app.net.dht_messages import FindNodes, Nodes
from app.net.kademlia_keys import id_bytes, node_id
from app.net.records import Announcement, StaleRecord
from app.net.wire import SignedRecord
from benchmarks.sim.clockwork import Clockwork
from benchmarks.sim.discovery import Discovery, Found, Scene, fields, percentile, table
from benchmarks.sim.network import DIAL_SECONDS, Conduct, Issued, Network
from benchmarks.swarm_sim import DEFAULT_NODES, scene_of


def test_what_is_due_happens_in_order_and_nothing_before_its_time() -> None:
    clockwork = Clockwork()
    seen: list[tuple[str, float]] = []
    due = [("late", 2.0), ("early", 1.0), ("after early", 1.0), ("never", 9.0)]

    def note(name: str) -> None:
        seen.append((name, clockwork.now))

    for name, seconds in due:
        clockwork.after(seconds, partial(note, name))
    clockwork.run(5.0)
    assert seen == [("early", 1.0), ("after early", 1.0), ("late", 2.0)]
    assert clockwork.now == 5.0


def test_only_records_that_were_issued_are_read_and_only_in_their_time() -> None:
    issued = Issued()
    offer = Announcement(
        peer=b"p" * 32, sequence=1, issued_at=0.0, expires_at=9.0, model=b"m" * 32, span=Span(0, 1)
    )
    record = issued.issue(offer, Random(1))
    assert issued.open_signed(record, 8.0) == offer
    with pytest.raises(StaleRecord):
        issued.open_signed(record, 9.0)
    with pytest.raises(BadInput):
        issued.open_signed(SignedRecord(body=record.body, signature=bytes(64)), 8.0)


def test_who_is_gone_costs_the_asker_a_dial_in_vain() -> None:
    clockwork = Clockwork()
    network = Network(clockwork, Random(1))
    asker, other = network.add(Conduct.HONEST), network.add(Conduct.HONEST)
    question = FindNodes(target=id_bytes(node_id(b"x")))
    answers: list[tuple[object, float]] = []
    for _ in range(2):
        network.ask(
            asker, other.contact, question, "look-up", lambda a: answers.append((a, clockwork.now))
        )
        clockwork.run(clockwork.now + 10)
        if other.alive:
            network.remove(other)
    assert answers[0][0] == Nodes(contacts=[])
    assert answers[1][0] is None
    assert answers[1][1] == pytest.approx(10.0 + DIAL_SECONDS)
    assert network.sent == {"look-up": 2}


def test_in_a_small_swarm_with_hostile_computers_and_churn_all_is_found() -> None:
    scene = Scene(
        nodes=200,
        hostile=0.1,
        join_seconds=40.0,
        warm_seconds=110.0,
        measured_seconds=60.0,
        lookups=60,
    )
    found = Discovery(scene).play()
    assert found.asked >= 40
    assert found.success == 1.0
    assert found.offers_found / found.offers > 0.99
    assert 1 <= max(found.hops) <= 6
    assert percentile(found.messages, 0.95) < 50


def test_the_same_seed_plays_the_same_scene() -> None:
    def play(seed: int) -> tuple[int, list[int]]:
        scene = Scene(
            nodes=30,
            join_seconds=20.0,
            warm_seconds=100.0,
            measured_seconds=30.0,
            lookups=15,
            seed=seed,
        )
        found = Discovery(scene).play()
        return found.asked, found.messages

    assert play(3) == play(3)


def test_the_last_line_tells_the_worst_success() -> None:
    results = [
        Found(nodes=10, right=9, asked=10, offers=4, offers_found=4, hops=[1, 3], messages=[5, 7]),
        Found(nodes=20, right=10, asked=10),
    ]
    told = fields(results)
    assert told["lookup_success"] == 0.9
    assert "10" in table(results).splitlines()[1]
    assert percentile([], 0.95) == 0


@pytest.mark.parametrize("nodes", DEFAULT_NODES)
def test_every_default_scene_has_the_churn_and_the_hostile_ones(nodes: int) -> None:
    scene = scene_of(nodes, 1)
    assert (scene.churn_an_hour, scene.hostile) == (0.3, 0.05)
