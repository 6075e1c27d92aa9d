"""Keys follow from what is offered; holders are sought again when it is time."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from app.errors import BadInput
from app.ids import ModelId, PeerId, Span
from app.net.dht_messages import Contact
from app.net.kademlia_keys import (
    FEW_FRESH_SECONDS,
    GROUP_UNITS,
    HOLDERS_FRESH_SECONDS,
    MAX_GROUPS_ASKED,
    MODELS,
    REPLICAS,
    Holders,
    Shelf,
    groups_of,
    groups_to_ask,
    id_bytes,
    models_to_ask,
    node_id,
    point_of,
    shelf_of,
    shelves_to_write,
)
from app.net.records import Announcement

MODEL = ModelId(b"m" * 32)


def offer(span: Span | None) -> Announcement:
    return Announcement(
        peer=b"p" * 32, sequence=1, issued_at=0.0, expires_at=60.0, model=MODEL, span=span
    )


def contacts(count: int) -> list[Contact]:
    return [Contact(peer=bytes([i]) * 32, addresses=["8.8.8.8:1"]) for i in range(count)]


def test_a_computers_point_is_the_hash_of_its_name() -> None:
    peer = PeerId(b"p" * 32)
    assert id_bytes(node_id(peer)) == hashlib.sha256(peer).digest()
    assert point_of(id_bytes(node_id(peer))) == node_id(peer)


def test_every_shelf_has_a_key_of_its_own() -> None:
    other = ModelId(b"o" * 32)
    shelves = [
        MODELS,
        Shelf("model", MODEL),
        Shelf("model", other),
        *(Shelf("group", model, group) for model in (MODEL, other) for group in range(3)),
    ]
    assert len({shelf.key for shelf in shelves}) == len(shelves)


def test_a_span_touches_the_groups_it_reaches_into() -> None:
    assert list(groups_of(Span(0, 1))) == [0]
    assert list(groups_of(Span(GROUP_UNITS - 1, GROUP_UNITS))) == [0]
    assert list(groups_of(Span(GROUP_UNITS - 1, 2 * GROUP_UNITS + 1))) == [0, 1, 2]


def test_an_offer_goes_to_its_groups_only_when_the_model_is_crowded() -> None:
    span = Span(0, GROUP_UNITS + 1)
    assert shelves_to_write(offer(span), crowded=False) == [Shelf("model", MODEL), MODELS]
    assert shelves_to_write(offer(span), crowded=True)[2:] == [
        Shelf("group", MODEL, 0),
        Shelf("group", MODEL, 1),
    ]


def test_an_offer_of_everything_is_written_to_a_bounded_number_of_groups() -> None:
    shelves = shelves_to_write(offer(Span(0, 4096)), crowded=True)
    assert len(shelves) == 2 + MAX_GROUPS_ASKED


def test_a_writer_cannot_put_an_offer_where_it_does_not_belong() -> None:
    assert shelf_of(offer(Span(0, 4)), "model", 0) == Shelf("model", MODEL)
    assert shelf_of(offer(Span(0, 4)), "models", 9) == MODELS
    with pytest.raises(BadInput, match="group 1"):
        shelf_of(offer(Span(0, 4)), "group", 1)


def test_a_withdrawal_may_go_to_any_group_because_it_names_none() -> None:
    assert shelf_of(offer(None), "group", 3) == Shelf("group", MODEL, 3)


def test_a_boaster_does_not_make_clients_ask_for_ever() -> None:
    asked = groups_to_ask(MODEL, [Span(0, 4096)], None)
    assert len(asked) == MAX_GROUPS_ASKED
    assert len(groups_to_ask(MODEL, [Span(0, 4096)], 40)) == 3
    assert groups_to_ask(MODEL, [], None) == []


def test_holders_are_sought_at_first_and_again_when_it_is_long_ago() -> None:
    holders = Holders()
    assert holders.wanted(0.0)
    holders.found(contacts(REPLICAS + 3), 0.0)
    assert len(holders.contacts) == REPLICAS
    assert not holders.wanted(HOLDERS_FRESH_SECONDS - 1)
    assert holders.wanted(HOLDERS_FRESH_SECONDS)


def test_holders_are_sought_again_when_half_of_them_went() -> None:
    holders = Holders()
    holders.found(contacts(REPLICAS), 0.0)
    for contact in contacts(REPLICAS)[: REPLICAS // 2 - 1]:
        holders.failed(PeerId(contact.peer))
    assert not holders.wanted(1.0)
    holders.failed(PeerId(holders.contacts[0].peer))
    assert holders.wanted(1.0)


def test_in_a_small_swarm_they_are_sought_again_soon() -> None:
    holders = Holders()
    holders.found(contacts(2), 0.0)
    assert not holders.wanted(1.0)
    assert holders.wanted(FEW_FRESH_SECONDS)


def test_models_that_are_known_are_asked_for_first_and_then_those_offered_most() -> None:
    made_up, known, liked = (ModelId(name * 32) for name in (b"x", b"k", b"l"))
    told = [msgspec.structs.replace(offer(None), model=m) for m in (made_up, liked, known, liked)]
    assert models_to_ask(told, {known, MODEL}) == [known, liked, made_up]
