"""Addresses are read strictly, and written so that they can be read again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import PeerId, peer_text
from app.net.addresses import format_address, is_loopback, parse_address, parse_bootstrap

PEER = PeerId(bytes(range(32)))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:4000", "127.0.0.1", 4000),
        (" example.org:1 ", "example.org", 1),
        ("my-pc.local:65535", "my-pc.local", 65535),
        ("[::1]:4000", "::1", 4000),
        ("[fe80::1]:0", "fe80::1", 0),
        ("0.0.0.0:0", "0.0.0.0", 0),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)
    assert parse_address(format_address(host, port)) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "host", "host:", ":4000", "host:65536", "host:-1", "host:4 0"),
        *("::1:4000", "[::1]", "[host]:1", "[127.0.0.1]:1", "a b:1", "host:\uff14"),
        *("-x.org:1", "a..b:1", "x" * 64 + ":1", "x." * 130 + "x:1", "host/path:1"),
    ],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


def test_a_bootstrap_is_a_peer_at_an_address() -> None:
    assert parse_bootstrap(f"{peer_text(PEER)}@[::1]:4000") == (PEER, "[::1]:4000")


@pytest.mark.parametrize(
    "text",
    ["", "host:1", "@host:1", f"{peer_text(PEER)}@host:0", "abc@host:1", f"{peer_text(PEER)}@"],
)
def test_a_bootstrap_that_cannot_be_dialled_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"PEERID|peer id|HOST:PORT|port"):
        parse_bootstrap(text)


def test_an_ipv4_address_in_ipv6_clothes_is_undressed() -> None:
    assert format_address("::ffff:192.0.2.1", 7) == "192.0.2.1:7"


@pytest.mark.parametrize(
    ("host", "stays"),
    [
        *(("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("::ffff:127.0.0.1", True)),
        *(("192.168.0.1", False), ("fe80::1%2", False), ("localhost", False)),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, stays: bool) -> None:
    assert is_loopback(host) is stays


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=80))
def test_any_text_is_an_address_or_a_clear_refusal(text: str) -> None:
    try:
        host, port = parse_address(text)
    except ValueError:
        return
    assert parse_address(format_address(host, port)) == (host, port)
