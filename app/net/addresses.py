"""Addresses as people and peers write them: `HOST:PORT`, `[HOST]:PORT`, `PEERID@HOST:PORT`.

Pure: nothing is looked up. A host may be a name, an IPv4 or an IPv6 address.
`app/net/endpoint.py` is what turns them into somewhere to send.
"""

from __future__ import annotations

import ipaddress
import re

from app.ids import PeerId, parse_peer

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_MAX_NAME_CHARACTERS = 253
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_PORT = 65535


def parse_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT` or `[IPV6]:PORT`; port 0 means "any" where one listens.

    Raises:
        ValueError: the text is no address; the message says what is expected.
    """
    host, _, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        known = _is_ip(host, version=6)
    else:
        known = _is_ip(host, version=4) or (
            len(host) <= _MAX_NAME_CHARACTERS and _NAME.fullmatch(host) is not None
        )
    if not known or _PORT.fullmatch(port) is None or int(port) > _MAX_PORT:
        raise ValueError(
            f"{text[:80]!r} is not an address; write HOST:PORT with a port up to 65535, or"
            " [HOST]:PORT for IPv6"
        )
    return host, int(port)


def format_address(host: str, port: int) -> str:
    """Write what `parse_address` reads; an IPv4 address in IPv6 clothes is undressed."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return f"{host}:{port}"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return f"[{host}]:{port}"
        return f"{address.ipv4_mapped}:{port}"
    return f"{host}:{port}"


def parse_bootstrap(text: str) -> tuple[PeerId, str]:
    """Read `PEERID@HOST:PORT` into the PeerId and a checked `HOST:PORT`.

    Raises:
        ValueError: the text is neither; the message says what is expected.
    """
    peer, separator, address = text.strip().partition("@")
    if not separator:
        raise ValueError(f"{text[:80]!r} is not PEERID@HOST:PORT")
    host, port = parse_address(address)
    if port == 0:
        raise ValueError(f"{text[:80]!r} needs a port other than 0")
    return parse_peer(peer), format_address(host, port)


def is_loopback(host: str) -> bool:
    """Whether a numeric address never leaves this computer."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _is_ip(host: str, *, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False
