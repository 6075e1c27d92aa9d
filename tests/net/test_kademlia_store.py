"""What is kept for others: each writer its own, the newest, for its time, and not too much."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from app.errors import Refusal
from app.ids import ModelId, PeerId, Span
from app.net.kademlia_keys import MODELS, Shelf
from app.net.kademlia_store import (
    MAX_PER_GROUP,
    MAX_PER_GROUP_AND_KEY,
    MAX_PER_KEY,
    MAX_PER_MODEL_AMONG_MODELS,
    MAX_PER_WRITER,
    Kept,
    Store,
    digest,
)
from app.net.records import Announcement
from app.net.wire import SignedRecord

MODEL = ModelId(b"m" * 32)
SHELF = Shelf("model", MODEL)
NOW = 1000.0


def offer(
    writer: int,
    *,
    sequence: int = 1,
    span: Span | None = Span(0, 4),  # noqa: B008 - immutable
    model: bytes = MODEL,
    expires_at: float = NOW + 60,
) -> Announcement:
    return Announcement(
        peer=writer.to_bytes(32, "big"),
        sequence=sequence,
        issued_at=NOW,
        expires_at=expires_at,
        model=model,
        span=span,
    )


def keep(
    store: Store,
    announcement: Announcement,
    shelf: Shelf = SHELF,
    groups: Iterable[str] | None = None,
) -> int:
    record = SignedRecord(body=announcement.peer, signature=bytes(64))
    own = {announcement.peer.hex()} if groups is None else groups
    return store.keep(shelf, record, announcement, own, vouched=0)


def told(store: Store, shelf: Shelf = SHELF, now: float = NOW, seed: int = 0) -> list[Kept]:
    return store.find(shelf.key, now, limit=64, seed=seed)[0]


def test_writers_are_counted_once_however_much_they_write() -> None:
    store = Store()
    keep(store, offer(1))
    keep(store, offer(1), MODELS)
    keep(store, offer(2))
    assert (len(store), store.writer_count) == (3, 2)
    store.forget(PeerId((1).to_bytes(32, "big")))
    assert (len(store), store.writer_count) == (1, 1)


def test_what_is_kept_is_told_under_its_key_only() -> None:
    store = Store()
    assert keep(store, offer(1)) == 1
    assert keep(store, offer(2)) == 2
    assert [kept.announcement for kept in told(store)] == [offer(1), offer(2)]
    assert told(store, MODELS) == []


def test_a_newer_record_takes_the_place_of_the_older_and_not_the_reverse() -> None:
    store = Store()
    keep(store, offer(1, sequence=2))
    assert keep(store, offer(1, sequence=1, span=Span(0, 1))) == 1
    assert told(store)[0].announcement == offer(1, sequence=2)
    keep(store, offer(1, sequence=3, span=Span(5, 6)))
    assert told(store)[0].announcement.span == Span(5, 6)
    assert len(store) == 1


def test_a_withdrawal_is_remembered_and_not_told() -> None:
    store = Store()
    keep(store, offer(1, sequence=1))
    keep(store, offer(1, sequence=2, span=None))
    keep(store, offer(1, sequence=1))
    assert told(store) == []
    assert len(store) == 1


def test_records_die_by_themselves_and_leave_room() -> None:
    store = Store()
    keep(store, offer(1, expires_at=NOW + 10))
    keep(store, offer(2, expires_at=NOW + 20))
    assert len(told(store, now=NOW + 10)) == 1
    store.expire(NOW + 10)
    assert len(store) == 1
    store.expire(NOW + 20)
    assert len(store) == 0
    store.expire(NOW + 30)


def test_a_computer_that_is_gone_is_forgotten_everywhere() -> None:
    store = Store()
    for shelf in (SHELF, MODELS):
        keep(store, offer(1), shelf)
        keep(store, offer(2), shelf)
    store.forget(PeerId(offer(1).peer))
    assert [kept.announcement for kept in told(store) + told(store, MODELS)] == [offer(2)] * 2


def test_offers_of_one_out_of_sight_end_sooner_unless_it_writes_again() -> None:
    store = Store()
    for shelf in (SHELF, MODELS):
        for writer in (1, 2, 3):
            keep(store, offer(writer), shelf)
    for writer in (1, 2):
        store.hurry(PeerId(offer(writer).peer), NOW + 5)
        store.hurry(PeerId(offer(writer).peer), NOW + 7)  # later is not longer
    for shelf in (SHELF, MODELS):
        keep(store, offer(2, sequence=2), shelf)
    store.expire(NOW + 6)
    assert len(store) == 4
    assert {kept.announcement.peer for kept in told(store)} == {offer(2).peer, offer(3).peer}


def test_a_crowded_key_is_told_in_samples_that_the_seed_chooses() -> None:
    store = Store()
    for writer in range(200):
        keep(store, offer(writer))
    sample, count = store.find(SHELF.key, NOW, limit=64, seed=1)
    assert (len(sample), count) == (64, 200)
    assert store.find(SHELF.key, NOW, limit=64, seed=1)[0] == sample
    seen = {kept.announcement.peer for seed in range(20) for kept in told(store, seed=seed)}
    assert len(seen) > 190


def test_one_network_gets_its_share_of_a_key_and_no_more() -> None:
    store = Store()
    for writer in range(MAX_PER_GROUP_AND_KEY):
        keep(store, offer(writer), groups={"8.8.8.0/24"})
    with pytest.raises(Refusal) as refused:
        keep(store, offer(999), groups={"8.8.8.0/24"})
    assert refused.value.code == "crowded"
    keep(store, offer(999), groups={"8.8.9.0/24"})


def test_when_a_key_is_full_the_largest_network_makes_way() -> None:
    store = Store()
    crowd = MAX_PER_GROUP_AND_KEY
    for writer in range(crowd):
        keep(store, offer(writer), groups={"8.8.8.0/24"})
    for writer in range(crowd, MAX_PER_KEY):
        keep(store, offer(writer))
    assert keep(store, offer(10_000)) == MAX_PER_KEY
    assert len(store) == MAX_PER_KEY
    with pytest.raises(Refusal, match="key is crowded"):
        # One fewer than the limit now, but no smaller than the largest.
        keep(store, offer(10_001), groups={"8.8.8.0/24"})


def test_one_writer_cannot_fill_the_store() -> None:
    store = Store()
    for number in range(MAX_PER_WRITER):
        model = number.to_bytes(32, "big")
        keep(store, offer(1, model=model), Shelf("model", ModelId(model)))
    with pytest.raises(Refusal) as refused:
        keep(store, offer(1), SHELF)
    assert refused.value.code == "full"
    assert SHELF.key not in store._kept


def test_one_network_cannot_fill_the_store() -> None:
    store = Store()
    for number in range(MAX_PER_GROUP):
        model = (number // 32).to_bytes(32, "big")
        shelf = Shelf("model", ModelId(model))
        keep(store, offer(number, model=model), shelf, groups={"8.8.8.0/24"})
    with pytest.raises(Refusal) as refused:
        keep(store, offer(5000), groups={"8.8.8.0/24"})
    assert refused.value.code == "full"
    keep(store, offer(5000))


def test_a_popular_model_does_not_drown_the_others_among_the_models() -> None:
    store = Store()
    for writer in range(MAX_PER_MODEL_AMONG_MODELS):
        keep(store, offer(writer), MODELS)
    with pytest.raises(Refusal) as refused:
        keep(store, offer(100), MODELS)
    assert refused.value.code == "crowded"
    keep(store, offer(100, model=b"o" * 32), MODELS)


def test_all_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.net.kademlia_store.MAX_RECORDS_KEPT", 3)
    store = Store()
    for writer in range(3):
        keep(store, offer(writer))
    with pytest.raises(Refusal) as refused:
        keep(store, offer(4))
    assert refused.value.code == "full"
    keep(store, offer(1, sequence=2))


def test_a_digest_names_the_set_and_the_versions_whatever_the_order() -> None:
    one, two = offer(1), offer(2)
    assert digest([one, two]) == digest([two, one])
    assert digest([one, two]) != digest([one])
    assert digest([one]) != digest([offer(1, sequence=2)])
