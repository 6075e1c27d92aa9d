"""One computer's machine: what it answers, what it refuses, what it believes."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadInput
from app.ids import ModelId, PeerId, Span
from app.net.address_groups import AddressRules
from app.net.dht_messages import (
    MAX_CONTACTS,
    Contact,
    FindNodes,
    FindRecords,
    Nodes,
    Records,
    Store,
    Stored,
)
from app.net.identity import Identity, new_identity
from app.net.kademlia import Kademlia, RecordSearch, credible
from app.net.kademlia_keys import MODELS, Shelf, id_bytes, node_id
from app.net.kademlia_table import BUCKET_SIZE
from app.net.records import Announcement, sign_announcement
from app.net.wire import Refused, SignedRecord

OWN = PeerId(b"own" + bytes(29))
ASKER = PeerId(b"asker" + bytes(27))
MODEL = ModelId(b"m" * 32)
SHELF = Shelf("model", MODEL)
WALL = 1_800_000_000.0


def machine() -> Kademlia:
    return Kademlia(OWN, AddressRules())


def contact(chance: Random) -> Contact:
    numbers = [8, *chance.choices(range(1, 255), k=3)]
    return Contact(peer=chance.randbytes(32), addresses=[f"{'.'.join(map(str, numbers))}:4600"])


def offer(host: Identity, **changes: Any) -> SignedRecord:
    fields: dict[str, Any] = {
        "peer": bytes(host.peer_id),
        "sequence": 1,
        "issued_at": WALL,
        "expires_at": WALL + 60,
        "addresses": ["8.8.8.8:4600"],
        "model": MODEL,
        "span": Span(0, 6),
        **changes,
    }
    return sign_announcement(host, Announcement(**fields))


def ask(node: Kademlia, request: Any, asker: PeerId = ASKER, wall: float = WALL) -> Any:
    return node.answer(request, asker, now=0.0, now_wall=wall)


def store(node: Kademlia, host: Identity, **changes: Any) -> Any:
    return ask(node, Store(record=offer(host, **changes), shelf="model"), host.peer_id)


# ── answering ────────────────────────────────────────────────────────────────


def test_it_tells_whom_it_reached_near_a_point_and_never_the_asker() -> None:
    node, chance = machine(), Random(1)
    known = [contact(chance) for _ in range(40)]
    for one in known:
        node.table.heard(one, 0.0)
    target = node_id(known[0].peer)
    answer = ask(node, FindNodes(target=id_bytes(target)))
    assert answer.contacts[0] == known[0]
    assert len(answer.contacts) == MAX_CONTACTS
    again = ask(node, FindNodes(target=id_bytes(target)), PeerId(known[0].peer))
    assert known[0] not in again.contacts


def test_an_asker_that_can_be_reached_is_looked_at_before_it_is_told_to_others() -> None:
    node = machine()
    request = FindNodes(target=bytes(32), reachable=["8.8.4.4:4600"])
    assert ask(node, request).contacts == []
    assert node.table.next_offered() == Contact(peer=ASKER, addresses=["8.8.4.4:4600"])


def test_an_asker_is_not_looked_for_where_it_does_not_speak_from() -> None:
    node = machine()
    request = FindNodes(target=bytes(32), reachable=["8.8.4.4:4600"])
    node.answer(request, ASKER, now=0.0, now_wall=WALL, seen_at=["9.9.9.9:4600"])
    assert node.table.next_offered() is None
    node.answer(request, ASKER, now=0.0, now_wall=WALL, seen_at=["8.8.4.4:1"])
    assert node.table.next_offered() == Contact(peer=ASKER, addresses=["8.8.4.4:4600"])


def test_a_bootstrap_given_by_name_may_speak_from_anywhere() -> None:
    named = Contact(peer=b"n" * 32, addresses=["start.example:4600"])
    assert machine().speaks_from(named, ["9.9.9.9:4600"])


def test_an_asker_in_a_home_is_not_dialled() -> None:
    node = machine()
    ask(node, FindNodes(target=bytes(32), reachable=["192.168.1.1:80"]))
    assert node.table.next_offered() is None


def test_an_asker_that_claims_nonsense_breaks_a_rule() -> None:
    with pytest.raises(BadInput, match="bad address"):
        ask(machine(), FindNodes(target=bytes(32), reachable=["over there"]))


def test_what_a_writer_brings_is_told_to_others() -> None:
    node, host = machine(), new_identity()
    assert store(node, host) == Stored(count=1)
    answer = ask(node, FindRecords(key=id_bytes(SHELF.key)))
    assert answer == Records(contacts=[], records=[offer(host)], count=1, vouched=b"\x01")
    assert ask(node, FindRecords(key=id_bytes(MODELS.key))).records == []


def test_nobody_writes_for_another() -> None:
    node, host = machine(), new_identity()
    with pytest.raises(BadInput, match="another computer"):
        ask(node, Store(record=offer(host), shelf="model"))
    assert len(node.store) == 0


def test_what_nobody_signed_is_not_kept() -> None:
    node, host = machine(), new_identity()
    forged = SignedRecord(body=offer(host).body, signature=bytes(64))
    with pytest.raises(BadInput, match="did not sign"):
        ask(node, Store(record=forged, shelf="model"), host.peer_id)


def test_an_offer_is_not_kept_under_a_group_that_it_does_not_touch() -> None:
    node, host = machine(), new_identity()
    with pytest.raises(BadInput, match="group"):
        ask(node, Store(record=offer(host), shelf="group", group=9), host.peer_id)


def test_a_wrong_clock_is_told_and_is_no_offence() -> None:
    node, host = machine(), new_identity()
    request = Store(record=offer(host), shelf="model")
    assert ask(node, request, host.peer_id, WALL + 3600).code == "stale"


def test_what_others_should_keep_is_refused() -> None:
    node, chance, host = machine(), Random(2), new_identity()
    nearer = 0
    while nearer < BUCKET_SIZE:
        one = contact(chance)
        if node_id(one.peer) ^ SHELF.key < node_id(OWN) ^ SHELF.key:
            node.table.heard(one, 0.0)
            nearer = len(node.table)
    answer = store(node, host)
    assert isinstance(answer, Refused)
    assert answer.code == "not_near"


def test_what_the_asker_has_already_is_not_sent_again() -> None:
    node = machine()
    hosts = [new_identity() for _ in range(3)]
    for host in hosts:
        store(node, host)
    search = RecordSearch(SHELF, machine())
    first = search.question(1)
    search.take(first, ask(node, first), WALL)
    second = search.question(2)
    assert ask(node, second) == Records(contacts=[], count=3, same=True)
    store(node, hosts[0], sequence=2)
    assert len(ask(node, second).records) == 3


def test_a_writer_that_speaks_from_one_network_counts_for_it_whatever_it_announces() -> None:
    node = machine()
    for number in range(65):
        host = new_identity()
        request = Store(record=offer(host, addresses=[f"8.8.{number}.1:1"]), shelf="model")
        answer = node.answer(
            request, host.peer_id, now=0.0, now_wall=WALL, seen_at=[f"9.9.9.{number}:5"]
        )
    assert isinstance(answer, Refused)
    assert answer.code == "crowded"


# ── believing ────────────────────────────────────────────────────────────────


def records(*told: SignedRecord, **changes: Any) -> Records:
    return msgspec.structs.replace(
        Records(contacts=[], records=list(told), count=len(told)), **changes
    )


def take(search: RecordSearch, answer: Records) -> list[Contact]:
    return search.take(search.question(0), answer, WALL)


HOME = ["192.168.1.7:4600", "8.8.8.8:4600", "127.0.0.1:22", "start.example:22"]
NEIGHBOUR, OUTSIDE, HERE = "192.168.1.9:4600", "9.9.9.9:4600", "127.0.0.1:4600"


def dialled(search: RecordSearch) -> list[str]:
    (found,) = search.found
    return found.addresses


@pytest.mark.parametrize(
    ("speaker", "places"),
    [(None, [1, 3]), (OUTSIDE, [1, 3]), (NEIGHBOUR, [0, 1, 3]), (HERE, [0, 1, 2, 3])],
)
def test_a_record_is_no_better_than_the_word_of_who_tells_it(
    speaker: str | None, places: list[int]
) -> None:
    search = RecordSearch(SHELF, machine())
    answer = records(offer(new_identity(), addresses=HOME))
    search.take(search.question(0), answer, WALL, speaker)
    assert dialled(search) == [HOME[place] for place in places]


@pytest.mark.parametrize("told_by", [(OUTSIDE, NEIGHBOUR), (NEIGHBOUR, OUTSIDE)])
def test_the_nearest_of_those_that_tell_a_record_counts(told_by: tuple[str, str]) -> None:
    search, host = RecordSearch(SHELF, machine()), new_identity()
    for speaker in told_by:
        answer = records(offer(host, addresses=HOME))
        search.take(search.question(0), answer, WALL, speaker)
    assert dialled(search) == [HOME[0], HOME[1], HOME[3]]
    newer = records(offer(host, addresses=HOME, sequence=2))
    search.take(search.question(0), newer, WALL, OUTSIDE)
    assert dialled(search) == [HOME[1], HOME[3]]


@pytest.mark.parametrize(
    ("writer", "places"), [(OUTSIDE, [1, 3]), (NEIGHBOUR, [0, 1, 3]), (HERE, [0, 1, 2, 3])]
)
def test_a_keeper_nearby_does_not_lend_its_word_to_a_writer(writer: str, places: list[int]) -> None:
    """Neither to who asks it nor to its own questions."""
    node, host = Kademlia(OWN, AddressRules(local=True)), new_identity()
    request = Store(record=offer(host, addresses=HOME), shelf="model")
    node.answer(request, host.peer_id, now=0.0, now_wall=WALL, seen_at=[writer])
    search = RecordSearch(SHELF, machine())
    asked = search.question(0)
    search.take(asked, ask(node, asked), WALL, HERE)
    assert dialled(search) == [HOME[place] for place in places]
    own = RecordSearch(SHELF, node)
    own.keep_own(node.store.find(SHELF.key, WALL, limit=9, seed=0)[0])
    assert dialled(own) == [HOME[place] for place in places]


def test_an_answer_that_vouches_for_other_records_than_it_tells_breaks_a_rule() -> None:
    search = RecordSearch(SHELF, machine())
    with pytest.raises(BadInput, match="vouches"):
        take(search, records(offer(new_identity()), vouched=b"\x01\x01"))
    assert search.found == []


def test_a_neighbour_names_neighbours_and_nobody_on_this_computer() -> None:
    node = Kademlia(OWN, AddressRules(local=True))
    told = [Contact(peer=bytes([n]) * 32, addresses=[a]) for n, a in enumerate(HOME[:3])]
    assert node.readable(told, NEIGHBOUR) == told[:2]
    assert node.readable(told, OUTSIDE) == node.readable(told) == told[1:2]
    assert node.readable(told, HERE) == told


def test_the_newest_offer_of_each_writer_is_found() -> None:
    host, other = new_identity(), new_identity()
    search = RecordSearch(SHELF, machine())
    take(search, records(offer(host, sequence=2, span=Span(1, 2)), offer(other)))
    take(search, records(offer(host, sequence=1)))
    spans = {found.peer: found.span for found in search.found}
    assert spans == {host.peer_id: Span(1, 2), other.peer_id: Span(0, 6)}
    assert search.count == 1


@pytest.mark.parametrize(
    "wrong",
    [
        records(SignedRecord(body=b"garbage", signature=bytes(64))),
        records(offer(new_identity(), model=b"o" * 32)),
        records(offer(new_identity()), count=0),
        records(count=3, same=True),
        records(contacts=[Contact(peer=b"p" * 32, addresses=["nowhere"])]),
    ],
    ids=["forged", "another model", "contradiction", "same as nothing", "no address"],
)
def test_an_answer_that_breaks_a_rule_is_not_believed(wrong: Records) -> None:
    search = RecordSearch(SHELF, machine())
    with pytest.raises(BadInput):
        take(search, wrong)
    assert search.found == []
    assert search.count == 0


def test_an_offer_outside_the_group_asked_for_breaks_a_rule() -> None:
    search = RecordSearch(Shelf("group", MODEL, 3), machine())
    with pytest.raises(BadInput, match="another key"):
        take(search, records(offer(new_identity())))


def test_what_expired_on_its_way_is_left_out_and_is_no_offence() -> None:
    search = RecordSearch(SHELF, machine())
    old = offer(new_identity(), issued_at=WALL - 60, expires_at=WALL - 1)
    take(search, records(old))
    assert search.found == []


def test_contacts_in_a_home_are_left_out() -> None:
    search = RecordSearch(SHELF, machine())
    both = Contact(peer=b"p" * 32, addresses=["192.168.1.1:80", "8.8.8.8:1"])
    home = Contact(peer=b"q" * 32, addresses=["10.0.0.1:80"])
    contacts = take(search, records(contacts=[both, home]))
    assert contacts == [Contact(peer=b"p" * 32, addresses=["8.8.8.8:1"])]


def test_a_liar_cannot_make_others_leave_records_out() -> None:
    host, hidden = new_identity(), new_identity()
    node = machine()
    for one in (host, hidden):
        store(node, one)
    search = RecordSearch(SHELF, machine())
    take(search, records(offer(host)))  # the liar keeps one to itself
    asked = search.question(1)
    search.take(asked, ask(node, asked), WALL)
    assert {found.peer for found in search.found} == {host.peer_id, hidden.peer_id}


def test_one_that_exaggerates_does_not_make_a_key_crowded() -> None:
    assert credible([]) == 0
    assert credible([5]) == 5
    assert credible([5, 1 << 20, 7]) == 7


CONTACTS = st.builds(
    Contact,
    peer=st.binary(min_size=32, max_size=32),
    addresses=st.lists(st.text(min_size=3, max_size=30), min_size=1, max_size=2),
)


@settings(deadline=None, max_examples=100)
@given(
    st.builds(
        Records,
        contacts=st.lists(CONTACTS, max_size=4),
        records=st.lists(
            st.builds(
                SignedRecord,
                body=st.binary(max_size=80),
                signature=st.binary(min_size=64, max_size=64),
            ),
            max_size=3,
        ),
        count=st.integers(0, 10),
        same=st.booleans(),
    )
)
def test_any_answer_is_taken_or_breaks_a_rule(answer: Records) -> None:
    search = RecordSearch(SHELF, machine())
    try:
        contacts = take(search, answer)
    except BadInput:
        return
    assert all(AddressRules().allows(a) for one in contacts for a in one.addresses)


def test_a_look_up_begins_at_the_nearest_and_at_the_bootstraps() -> None:
    node, chance = machine(), Random(3)
    bootstrap = contact(chance)
    assert node.lookup(node_id(OWN), [bootstrap]).next_questions(0.0) == [bootstrap]
    node.table.heard(bootstrap, 0.0)
    assert node.lookup(node_id(OWN), [bootstrap]).next_questions(0.0) == [bootstrap]


def test_who_knows_nobody_says_so() -> None:
    assert ask(machine(), FindNodes(target=bytes(32))) == Nodes(contacts=[])
