"""A log that can be shown to others; see app/logs.py."""

from __future__ import annotations

import logging

from hypothesis import given
from hypothesis import strategies as st

from app.ids import PeerId, peer_text
from app.logs import MAX_LINES, RecentLines, private_words, redact

HOME = "/" + "home/ann"
PEER = peer_text(PeerId(bytes(range(32))))


def test_addresses_names_ids_and_secrets_go_and_times_stay() -> None:
    text = (
        f"12:30:45 WARNING {PEER} at 192.168.1.20:4040 and [2001:db8::1]:99 and fe80::1\n"
        f"08:01:02 INFO {HOME}/potluck of ann, key {'0f' * 32}, Bearer abc.def, ann@example.org"
    )
    shown, removed = redact(text, (HOME, "ann"))
    assert shown == (
        "12:30:45 WARNING [id] at [address] and [address] and [address]\n"
        "08:01:02 INFO [name]/potluck of [name], key [secret], [secret], [name]@example.org"
    )
    assert removed == 9


def test_ordinary_words_stay() -> None:
    text = "version 1.2.3 took 0.5 s; units 0:10; 3 of 4 layers; annotated"
    assert redact(text, ("ann",)) == (text, 0)


@given(st.ip_addresses())
def test_no_address_is_left(address: object) -> None:
    shown, removed = redact(f"from {address} came", ())
    assert str(address) not in shown.split()
    assert removed >= 1


def test_the_owner_is_among_what_is_removed() -> None:
    assert all(len(word) > 2 for word in private_words())


def test_only_the_last_lines_are_kept() -> None:
    lines = RecentLines()
    logger = logging.Logger("test")
    logger.addHandler(lines)
    for number in range(MAX_LINES + 2):
        logger.warning("line %d", number)
    kept = lines.text().splitlines()
    assert len(kept) == MAX_LINES
    assert kept[-1].endswith(f"WARNING line {MAX_LINES + 1}")
