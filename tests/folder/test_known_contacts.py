"""Computers met are there again after a restart; see app/folder/known_contacts.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.folder.known_contacts import FILE, MOST_BYTES, MOST_CONTACTS, KnownContacts
from app.ids import PeerId, peer_text
from app.net.dht_messages import MAX_CONTACT_ADDRESSES, Contact

PEERS = [PeerId(bytes([number]) * 32) for number in range(MOST_CONTACTS + 6)]


def contact(number: int, *addresses: str) -> Contact:
    return Contact(peer=PEERS[number], addresses=list(addresses) or ["192.0.2.1:4600"])


def test_who_was_met_is_known_after_a_restart(tmp_path: Path) -> None:
    met = [contact(0), contact(1, "192.0.2.2:4600", "[2001:db8::1]:4600")]
    KnownContacts(tmp_path).keep(met)
    assert KnownContacts(tmp_path).load() == met
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_a_new_folder_knows_nobody(tmp_path: Path) -> None:
    assert KnownContacts(tmp_path).load() == []
    KnownContacts(tmp_path).keep([])
    assert not (tmp_path / FILE).exists()


def test_new_ones_come_first_and_the_oldest_go(tmp_path: Path) -> None:
    known = KnownContacts(tmp_path)
    known.keep([contact(number) for number in range(MOST_CONTACTS)])
    known.keep([contact(number) for number in range(MOST_CONTACTS, MOST_CONTACTS + 4)])
    found = KnownContacts(tmp_path).load()
    assert len(found) == MOST_CONTACTS
    assert [one.peer for one in found[:5]] == [*PEERS[MOST_CONTACTS : MOST_CONTACTS + 4], PEERS[0]]


def test_one_that_moved_is_known_where_it_is_now(tmp_path: Path) -> None:
    known = KnownContacts(tmp_path)
    known.keep([contact(0, "192.0.2.1:1")])
    known.keep([contact(0, "192.0.2.1:2")])
    assert KnownContacts(tmp_path).load() == [contact(0, "192.0.2.1:2")]


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    known = KnownContacts(tmp_path)
    known.keep([contact(0), contact(1)])
    (tmp_path / FILE).unlink()
    known.keep([contact(1), contact(0)])
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        "null",
        "[1]",
        '["nobody"]',
        json.dumps([f"{peer_text(PEERS[0])}@192.0.2.1:0"]),
        json.dumps([f"{peer_text(PEERS[0])}@h:1 {peer_text(PEERS[1])}@h:1"]),
        json.dumps([" ".join([f"{peer_text(PEERS[0])}@h:1"] * (MAX_CONTACT_ADDRESSES + 1))]),
        json.dumps([f"{peer_text(peer)}@h:1" for peer in PEERS]),
        "[" * 100_000,
        " " * (MOST_BYTES + 1),
    ],
)
def test_a_damaged_file_is_told_and_begins_anew(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(text)
    known = KnownContacts(tmp_path)
    assert known.load() == []
    assert "begins anew" in caplog.text
    known.keep([contact(0)])
    assert KnownContacts(tmp_path).load() == [contact(0)]


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.recursive(st.none() | st.text() | st.floats() | st.binary(), st.lists, max_leaves=8))
def test_whatever_the_file_holds_the_program_goes_on(tmp_path: Path, content: Any) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content, default=str).encode()
    (tmp_path / FILE).write_bytes(data)
    assert all(isinstance(one.peer, bytes) for one in KnownContacts(tmp_path).load())


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    KnownContacts(tmp_path / "gone").keep([Contact(peer=PeerId(b"p" * 32), addresses=["h:1"])])
    assert "cannot be kept" in caplog.text
