"""A look-up finds the nearest whatever liars say, asks nobody twice, and ends."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from app.ids import PeerId
from app.net.address_groups import AddressRules
from app.net.dht_messages import MAX_CONTACTS, Contact
from app.net.kademlia_keys import REPLICAS, NodeId, node_id
from app.net.kademlia_lookup import (
    ALPHA,
    MAX_BAD_INTRODUCTIONS,
    MAX_PER_GROUP_ON_PATH,
    MAX_QUESTIONS,
    PATHS,
    STALL_SECONDS,
    Lookup,
)

RULES = AddressRules()
OWN = PeerId(b"own" + bytes(29))
Answers = Callable[[Contact], list[Contact] | None]


def contact(chance: Random) -> Contact:
    numbers = [8, *chance.choices(range(1, 255), k=3)]
    return Contact(peer=chance.randbytes(32), addresses=[f"{'.'.join(map(str, numbers))}:4600"])


class World:
    """Computers that all know each other's neighbourhoods, and some others."""

    def __init__(self, seed: int, size: int = 300) -> None:
        self.chance = Random(seed)
        self.contacts = [contact(self.chance) for _ in range(size)]
        self.by_peer = {known.peer: known for known in self.contacts}
        self.target = NodeId(self.chance.getrandbits(256))

    def nearest(self, point: int, among: list[Contact]) -> list[Contact]:
        return sorted(among, key=lambda known: node_id(known.peer) ^ point)

    def honest(self, asked: Contact) -> list[Contact] | None:
        if asked.peer not in self.by_peer:
            return None
        some = Random(asked.peer[0]).sample(self.contacts, 60)
        near = self.nearest(node_id(asked.peer), self.contacts)[:20]
        known = list({c.peer: c for c in some + near if c.peer != asked.peer}.values())
        return self.nearest(self.target, known)[:MAX_CONTACTS]

    def lookup(self, seeds: list[Contact]) -> Lookup:
        return Lookup(self.target, seeds, own=OWN, rules=RULES)


def run(lookup: Lookup, answers: Answers) -> list[Contact]:
    """Ask until it is done; everybody who was asked, in order."""
    asked: list[Contact] = []
    while not lookup.done(0.0):
        questions = lookup.next_questions(0.0)
        assert questions, "not done and nothing to ask"
        for one in questions:
            asked.append(one)
            told = answers(one)
            if told is None:
                lookup.failed(one)
            else:
                lookup.answered(one, told)
    return asked


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_computers_are_found_in_few_hops(seed: int) -> None:
    world = World(seed)
    lookup = world.lookup(world.chance.sample(world.contacts, 9))
    asked = run(lookup, world.honest)
    best = world.nearest(world.target, world.contacts)
    assert lookup.closest()[:4] == best[:4]
    assert len(lookup.closest()) == REPLICAS
    assert 1 <= lookup.hops <= 4
    assert len(asked) == lookup.questions < 50


def test_nobody_is_asked_twice_and_this_computer_never() -> None:
    world = World(7)
    own = Contact(peer=OWN, addresses=["8.8.8.8:1"])
    lookup = world.lookup([*world.chance.sample(world.contacts, 9), own])
    asked = run(lookup, lambda one: [own, *(world.honest(one) or [])][:MAX_CONTACTS])
    assert len({one.peer for one in asked}) == len(asked)
    assert OWN not in {one.peer for one in asked}


def test_each_path_has_a_few_questions_under_way() -> None:
    world = World(8)
    lookup = world.lookup(world.contacts[: 20 * PATHS])
    assert len(lookup.next_questions(0.0)) == ALPHA * PATHS
    assert lookup.next_questions(0.0) == []


def test_without_anybody_to_ask_it_is_done_at_once() -> None:
    lookup = World(9).lookup([])
    assert lookup.next_questions(0.0) == []
    assert lookup.done(0.0)
    assert lookup.closest() == []
    assert lookup.hops == 0


def test_whoever_is_slow_holds_up_nobody_and_still_counts() -> None:
    world = World(10)
    lookup = Lookup(world.target, world.contacts[:4], own=OWN, rules=RULES, paths=1)
    slow = lookup.next_questions(0.0)
    assert len(slow) == ALPHA
    assert lookup.next_questions(STALL_SECONDS / 2) == []
    (last,) = lookup.next_questions(STALL_SECONDS)
    lookup.answered(last, [])
    assert lookup.done(STALL_SECONDS)
    lookup.answered(slow[0], [])
    assert {one.peer for one in lookup.closest()} == {last.peer, slow[0].peer}


def test_an_answer_that_nobody_asked_for_is_nothing() -> None:
    world = World(11)
    lookup = world.lookup(world.contacts[:3])
    lookup.answered(world.contacts[50], world.contacts[60:70])
    lookup.failed(world.contacts[51])
    assert lookup.answers == 0
    assert lookup.questions == 0


def test_a_liar_leads_only_its_own_path_astray() -> None:
    world = World(12)
    seeds = world.chance.sample(world.contacts, 9)
    liar = seeds[0]
    # The most convincing lie: made-up computers nearer to the point than any real one.
    fakes = world.nearest(world.target, [contact(world.chance) for _ in range(20_000)])

    def answers(asked: Contact) -> list[Contact] | None:
        return fakes[:MAX_CONTACTS] if asked == liar else world.honest(asked)

    lookup = world.lookup(seeds)
    run(lookup, answers)
    best = world.nearest(world.target, [c for c in world.contacts if c != liar])
    assert lookup.closest()[:3] == best[:3]


def test_false_addresses_of_a_real_computer_do_not_hide_it() -> None:
    world = World(13)
    seeds = world.chance.sample(world.contacts, 9)
    best = world.nearest(world.target, world.contacts)[0]
    moved = Contact(peer=best.peer, addresses=["8.1.1.1:1"])

    def answers(asked: Contact) -> list[Contact] | None:
        if asked == moved:
            return None
        return [moved] if asked == seeds[0] else world.honest(asked)

    lookup = world.lookup(seeds)
    run(lookup, answers)
    assert lookup.closest()[0] == best


def test_who_told_only_of_the_dead_is_not_followed_to_the_end() -> None:
    world = World(14)
    seeds = world.contacts[:2]
    liar = seeds[0]
    dead = [contact(world.chance) for _ in range(MAX_CONTACTS)]
    lookup = Lookup(world.target, seeds, own=OWN, rules=RULES, paths=1, alpha=1)
    asked = run(
        lookup,
        lambda one: dead if one == liar else ([] if one == seeds[1] else None),
    )
    assert len(asked) == len(seeds) + MAX_BAD_INTRODUCTIONS


def test_one_network_gets_few_places_on_a_path() -> None:
    world = World(15)
    seeds = world.contacts[:1]
    crowd = [
        Contact(peer=world.chance.randbytes(32), addresses=[f"9.9.9.{i}:1"])
        for i in range(1, MAX_CONTACTS + 1)
    ]
    lookup = world.lookup(seeds)
    asked = run(lookup, lambda one: crowd if one == seeds[0] else [])
    assert len(asked) == 1 + MAX_PER_GROUP_ON_PATH


def test_endless_new_and_nearer_computers_end_it_all_the_same() -> None:
    world = World(16)

    def answers(asked: Contact) -> list[Contact] | None:
        many = [contact(world.chance) for _ in range(200)]
        return world.nearest(world.target, many)[:MAX_CONTACTS]

    lookup = world.lookup(world.contacts[:9])
    asked = run(lookup, answers)
    assert len(asked) <= MAX_QUESTIONS
