"""Who keeps this computer's offers is remembered, key by key."""

from __future__ import annotations

from app.ids import ModelId, PeerId
from app.net.dht_keepers import MAX_SHELVES_REMEMBERED, Keepers
from app.net.dht_messages import Contact
from app.net.kademlia_keys import MODELS, Shelf

MODEL = ModelId(b"m" * 32)
ONE, OTHER = PeerId(b"1" * 32), PeerId(b"2" * 32)


def contact(peer: PeerId) -> Contact:
    return Contact(peer=peer, addresses=["127.0.0.1:4600"])


def test_one_that_goes_keeps_nothing_any_more() -> None:
    keepers = Keepers()
    for shelf in (MODELS, Shelf("model", MODEL)):
        keepers.of(shelf).found([contact(ONE), contact(OTHER)], 0.0)
    assert ONE in keepers
    assert keepers.lost(ONE)
    assert ONE not in keepers
    assert OTHER in keepers
    assert not keepers.lost(ONE)
    keepers.clear()
    assert OTHER not in keepers


def test_the_groups_that_were_written_to_are_known() -> None:
    keepers = Keepers()
    for shelf in (MODELS, Shelf("model", MODEL), Shelf("group", MODEL, 3)):
        keepers.of(shelf)
    assert keepers.groups_of(MODEL) == [Shelf("group", MODEL, 3)]


def test_only_so_many_keys_are_remembered() -> None:
    keepers = Keepers()
    for group in range(MAX_SHELVES_REMEMBERED + 5):
        keepers.of(Shelf("group", MODEL, group))
    assert len(keepers.groups_of(MODEL)) == MAX_SHELVES_REMEMBERED
