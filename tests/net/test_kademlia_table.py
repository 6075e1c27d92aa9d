"""The routing table: who comes in, who stays, who may not crowd it."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import PeerId
from app.net.address_groups import AddressRules
from app.net.dht_messages import Contact
from app.net.kademlia_keys import ID_BITS, NodeId, node_id
from app.net.kademlia_table import (
    BUCKET_SIZE,
    MAX_FAILURES,
    MAX_OFFERED,
    MAX_PER_GROUP,
    MAX_PER_GROUP_IN_BUCKET,
    QUIET_SECONDS,
    REFRESH_GAP_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    Table,
)

OWN = PeerId(b"own" + bytes(29))
RULES = AddressRules()


def random_contact(chance: Random, address: str | None = None) -> Contact:
    numbers = [8, *chance.choices(range(1, 255), k=3)]
    return Contact(
        peer=chance.randbytes(32), addresses=[address or f"{'.'.join(map(str, numbers))}:4600"]
    )


def shared_bits(contact: Contact) -> int:
    return ID_BITS - (node_id(contact.peer) ^ node_id(OWN)).bit_length()


def in_bucket(chance: Random, bits: int, count: int, address: str | None = None) -> list[Contact]:
    found: list[Contact] = []
    while len(found) < count:
        contact = random_contact(chance, address)
        if shared_bits(contact) == bits:
            found.append(contact)
    return found


def peers(contacts: list[Contact]) -> set[bytes]:
    return {contact.peer for contact in contacts}


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.integers(0, 200), st.integers(1, 30))
def test_the_closest_are_those_with_the_smallest_distance(seed: int, size: int, count: int) -> None:
    chance, table = Random(seed), Table(OWN, AddressRules(local=True))
    for _ in range(size):
        table.heard(random_contact(chance), 0.0)
    for target in (NodeId(chance.getrandbits(256)), node_id(OWN)):
        everybody = sorted(table.contacts(), key=lambda c: node_id(c.peer) ^ target)
        assert table.closest(target, count) == everybody[:count]


def test_a_computer_is_not_its_own_contact() -> None:
    table = Table(OWN, RULES)
    table.heard(Contact(peer=OWN, addresses=["8.8.8.8:1"]), 0.0)
    table.offer(Contact(peer=OWN, addresses=["8.8.8.8:1"]))
    assert len(table) == 0
    assert table.next_offered() is None


def test_who_is_only_told_of_is_not_handed_on_until_it_answered() -> None:
    table, contact = Table(OWN, RULES), random_contact(Random(1))
    table.offer(contact)
    assert table.closest(node_id(OWN), 5) == []
    assert table.next_offered() == contact
    table.heard(contact, 1.0)
    assert table.closest(node_id(OWN), 5) == [contact]
    table.offer(contact)
    assert table.next_offered() is None


def test_a_full_bucket_keeps_its_old_contacts_and_newcomers_wait() -> None:
    chance, table = Random(2), Table(OWN, RULES)
    old = in_bucket(chance, 0, BUCKET_SIZE)
    for contact in old:
        table.heard(contact, 0.0)
    late = in_bucket(chance, 0, 40)
    for contact in late:
        table.heard(contact, 1.0)
    assert peers(table.contacts()) == peers(old)
    for _ in range(MAX_FAILURES):
        table.failed(PeerId(old[3].peer))
    assert peers(table.contacts()) == peers(old) - {old[3].peer} | {late[-1].peer}


def test_who_does_not_answer_is_not_handed_on_and_goes_when_it_happens_again() -> None:
    table, contact = Table(OWN, RULES), random_contact(Random(3))
    table.heard(contact, 0.0)
    table.failed(PeerId(contact.peer))
    assert table.closest(node_id(OWN), 5) == []
    assert len(table) == 1
    table.heard(contact, 1.0)
    assert table.closest(node_id(OWN), 5) == [contact]
    for _ in range(MAX_FAILURES):
        table.failed(PeerId(contact.peer))
    assert len(table) == 0


def test_who_is_quiet_is_asked_whether_it_is_there_the_oldest_first() -> None:
    chance, table = Random(4), Table(OWN, RULES)
    early, late = random_contact(chance), random_contact(chance)
    table.heard(late, 5.0)
    table.heard(early, 0.0)
    assert table.to_check(QUIET_SECONDS - 1, 8) == []
    assert table.to_check(QUIET_SECONDS + 5, 1) == [early]
    assert table.to_check(QUIET_SECONDS + 5, 8) == [late]
    assert table.to_check(QUIET_SECONDS + 5 + RETRY_SECONDS, 8) == [early, late]


def test_who_asks_us_something_need_not_be_asked() -> None:
    table, contact = Table(OWN, RULES), random_contact(Random(5))
    table.heard(contact, 0.0)
    table.spoke(PeerId(contact.peer), QUIET_SECONDS)
    assert table.to_check(QUIET_SECONDS + 1, 8) == []


def test_one_network_cannot_fill_a_bucket() -> None:
    chance, table = Random(6), Table(OWN, RULES)
    for contact in in_bucket(chance, 0, 20, "8.8.8.8:4600"):
        table.heard(contact, 0.0)
    assert len(table) == MAX_PER_GROUP_IN_BUCKET


def test_one_network_cannot_fill_the_table() -> None:
    chance, table = Random(7), Table(OWN, RULES)
    for _ in range(2000):
        table.heard(random_contact(chance, "8.8.8.8:4600"), 0.0)
    assert len(table) == MAX_PER_GROUP
    other = in_bucket(chance, 0, 1)[0]
    table.heard(other, 0.0)
    assert other in table.contacts()


def test_moving_to_another_address_does_not_get_around_the_limit() -> None:
    chance, table = Random(8), Table(OWN, RULES)
    for contact in in_bucket(chance, 0, 8):
        table.heard(contact, 0.0)
        table.heard(Contact(peer=contact.peer, addresses=["8.8.8.8:4600"]), 1.0)
    assert len(table) == MAX_PER_GROUP_IN_BUCKET


def test_those_of_a_group_that_left_make_room_for_others_of_it() -> None:
    chance, table = Random(9), Table(OWN, RULES)
    first, second, third = in_bucket(chance, 0, 3, "8.8.8.8:4600")
    for contact in (first, second, third):
        table.heard(contact, 0.0)
    for _ in range(MAX_FAILURES):
        table.failed(PeerId(first.peer))
    assert peers(table.contacts()) == {second.peer, third.peer}


def test_made_up_computers_do_not_pile_up() -> None:
    chance, table = Random(10), Table(OWN, RULES)
    for _ in range(1000):
        table.offer(random_contact(chance))
    found = 0
    while table.next_offered() is not None:
        found += 1
    assert found == MAX_OFFERED


def test_newcomers_to_a_full_bucket_are_not_looked_at() -> None:
    chance, table = Random(10), Table(OWN, RULES)
    early, late, *others = in_bucket(chance, 0, BUCKET_SIZE + 2)
    table.offer(early)
    for contact in others:
        table.heard(contact, 0.0)
    table.offer(late)
    assert table.next_offered() is None


def test_one_that_did_not_answer_is_not_tried_on_the_word_of_others() -> None:
    table, contact = Table(OWN, RULES), random_contact(Random(11))
    table.offer(contact)
    assert table.next_offered() == contact
    table.failed(PeerId(contact.peer))
    table.offer(contact)
    assert table.next_offered() is None


def test_a_bootstrap_given_by_name_is_used_but_not_handed_on() -> None:
    table = Table(OWN, RULES)
    named = Contact(peer=b"n" * 32, addresses=["start.example:4600"])
    table.heard(named, 0.0)
    assert table.closest(node_id(OWN), 5) == [named]
    assert table.closest(node_id(OWN), 5, shareable_only=True) == []


def test_every_bucket_in_use_is_refreshed_in_turn_at_a_point_of_its_own() -> None:
    chance, table = Random(12), Table(OWN, RULES)
    assert table.to_refresh(0.0, bytes(32)) is None
    for contact in in_bucket(chance, 3, 1):
        table.heard(contact, 0.0)
    seen, now = [], 10.0
    while (target := table.to_refresh(now, chance.randbytes(32))) is not None:
        assert table.to_refresh(now, bytes(32)) is None  # one at a time
        seen.append(ID_BITS - (target ^ node_id(OWN)).bit_length())
        table.touched(target, now)
        now += REFRESH_GAP_SECONDS
    assert seen == [0, 1, 2, 3]
    assert table.to_refresh(now + REFRESH_SECONDS, bytes(32)) is not None
