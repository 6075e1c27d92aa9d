"""Announcements: signed by whom they speak of, sound, and alive for a while only."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadInput, BadSignature
from app.ids import Span
from app.net.identity import Identity, new_identity
from app.net.records import (
    CLOCK_SKEW_SECONDS,
    MAX_LIFETIME_SECONDS,
    RECORD_DOMAIN,
    Announcement,
    StaleRecord,
    newest_of,
    open_record,
    sign_announcement,
    supersedes,
)
from app.net.wire import SignedRecord

NOW = 1_800_000_000.0
WRITER = new_identity()


def announcement(identity: Identity = WRITER, **changed: object) -> Announcement:
    sound = Announcement(
        peer=bytes(identity.peer_id),
        sequence=5,
        issued_at=NOW,
        expires_at=NOW + 60,
        addresses=["192.0.2.1:4600", "[2001:db8::1]:4600"],
        model=b"m" * 32,
        model_name="guide",
        span=Span(0, 6),
        layers_per_second=100.0,
        kv_tokens_free=4096,
        sessions=2,
        moves_to=Span(6, 9),
        besides=True,
        public=True,
        version="0.1.0",
    )
    return msgspec.structs.replace(sound, **changed)


def signed(body: bytes, identity: Identity = WRITER) -> SignedRecord:
    return SignedRecord(body=body, signature=identity.sign(RECORD_DOMAIN + body))


def signed_fields(**changed: object) -> SignedRecord:
    fields = msgspec.to_builtins(announcement(), builtin_types=(bytes,))
    return signed(msgspec.msgpack.encode({**fields, **changed}))


def test_what_was_announced_is_read() -> None:
    assert open_record(sign_announcement(WRITER, announcement()), now_wall=NOW) == announcement()


def test_nobody_announces_for_another() -> None:
    with pytest.raises(ValueError, match="signed by the computer it speaks of"):
        sign_announcement(new_identity(), announcement())


def test_a_record_signed_by_another_is_refused() -> None:
    body = sign_announcement(WRITER, announcement()).body
    with pytest.raises(BadSignature):
        open_record(signed(body, new_identity()), now_wall=NOW)


def test_a_signature_for_another_purpose_is_refused() -> None:
    body = sign_announcement(WRITER, announcement()).body
    with pytest.raises(BadSignature):
        open_record(SignedRecord(body=body, signature=WRITER.sign(body)), now_wall=NOW)


def test_a_changed_record_is_refused() -> None:
    record = sign_announcement(WRITER, announcement())
    changed = record.body.replace(b"guide", b"guild")
    with pytest.raises(BadSignature):
        open_record(SignedRecord(body=changed, signature=record.signature), now_wall=NOW)


@pytest.mark.parametrize("now", [NOW + 60, NOW + 3600, NOW - CLOCK_SKEW_SECONDS - 1])
def test_outside_its_time_a_record_is_stale(now: float) -> None:
    record = sign_announcement(WRITER, announcement())
    with pytest.raises(StaleRecord, match="clock"):
        open_record(record, now_wall=now)


def test_a_clock_that_is_a_little_slow_is_forgiven() -> None:
    record = sign_announcement(WRITER, announcement())
    assert open_record(record, now_wall=NOW - CLOCK_SKEW_SECONDS).sequence == 5


@pytest.mark.parametrize(
    "changed",
    [
        {"expires_at": NOW},
        {"expires_at": NOW + MAX_LIFETIME_SECONDS + 1},
        {"expires_at": float("inf")},
        {"issued_at": float("nan")},
        {"layers_per_second": float("nan")},
        {"layers_per_second": -1.0},
        {"addresses": ["no address"]},
        {"addresses": ["192.0.2.1:1"] * 9},
        {"span": [3, 3]},
        {"span": [0, 5000]},
        {"peer": bytes(31)},
        {"sequence": -1},
        {"sessions": -1},
        {"model_name": "x" * 65},
        {"public": "yes"},
    ],
)
def test_a_record_that_breaks_a_rule_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        open_record(signed_fields(**changed), now_wall=NOW)


def test_a_record_over_the_limit_is_refused() -> None:
    with pytest.raises(BadInput, match="4096"):
        open_record(signed_fields(more=bytes(4096)), now_wall=NOW)


def test_fields_of_a_later_version_are_ignored() -> None:
    assert open_record(signed_fields(mood="sunny"), now_wall=NOW) == announcement()


def test_we_do_not_announce_what_others_would_refuse() -> None:
    with pytest.raises(ValueError, match="readers would refuse"):
        sign_announcement(WRITER, announcement(expires_at=NOW - 1))
    with pytest.raises(ValueError, match="over the 4096"):
        sign_announcement(WRITER, announcement(version="x" * 5000))


def test_the_newest_of_one_writer_and_model_wins() -> None:
    old, new = announcement(), announcement(sequence=6)
    assert supersedes(new, old)
    assert not supersedes(old, new)
    assert not supersedes(old, old)
    assert not supersedes(announcement(sequence=6, model=b"o" * 32), old)
    assert not supersedes(announcement(new_identity(), sequence=6), old)


def test_of_what_several_tell_the_newest_counts() -> None:
    old, new = announcement(), announcement(sequence=6)
    other_model = announcement(model=b"o" * 32)
    other_writer = announcement(new_identity())
    told = [[old, other_model], [new], [old, other_writer]]
    assert newest_of(told) == [new, other_model, other_writer]
    assert newest_of([]) == []


@settings(deadline=None, max_examples=200)
@given(body=st.binary(max_size=200))
def test_signed_noise_is_bad_input(body: bytes) -> None:
    with pytest.raises(BadInput):
        open_record(signed(body), now_wall=NOW)


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_mutated_record_is_bad_input_even_when_signed(data: st.DataObject) -> None:
    body = bytearray(sign_announcement(WRITER, announcement()).body)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    try:
        found = open_record(signed(bytes(body)), now_wall=NOW)
    except BadInput:
        return
    assert found.peer == WRITER.peer_id
