"""Which addresses probably belong to one hand, so that one hand cannot fill a table.

Pure. Keys are free, addresses are not: whoever rents a /24 has 256 of them, and who has
one IPv6 line has a /48 of them. What strangers may occupy is therefore counted by group.
Used by the routing table (`app/net/kademlia_table.py`), by look-ups and by the store.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from app.net.addresses import parse_address

IPV4_GROUP_BITS = 24
IPV6_GROUP_BITS = 48
Kind = Literal["public", "private", "name", "unusable"]
_IPV4_INSIDE = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "::/96")))
"""Mapped, translated (RFC 6052) and compatible addresses: the last 32 bits are IPv4."""
_LAST_OF_NOBODY = 1
"""`::` and `::1`, which are no IPv4 addresses."""


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What a contact's address may look like, and which ones are counted together.

    Attributes:
        local: this swarm lives on one computer or in one house, or begins there. Then private
            addresses are allowed, and each counts for itself; on the internet nobody is sent
            to dial into somebody's home network. Public ones count by their groups everywhere.
    """

    local: bool = False

    def allows(self, address: str) -> bool:
        """Whether a stranger's contact may carry this address.

        Raises:
            ValueError: it is no address at all.
        """
        kind = kind_of(address)
        return kind == "public" or (self.local and kind == "private")

    def groups(self, addresses: Iterable[str]) -> frozenset[str]:
        """The groups that these addresses count for.

        Raises:
            ValueError: one of them is no address at all.
        """
        return frozenset(hand_of(a) if self.local else _group(a) for a in addresses)


def rules_for(addresses: Iterable[str]) -> AddressRules:
    """Private addresses are used only in a swarm that begins at one.

    Args:
        addresses: those of the bootstraps, or this computer's own when it is the first.
    """
    internet = AddressRules()
    local = AddressRules(local=True)
    return AddressRules(local=any(local.allows(a) and not internet.allows(a) for a in addresses))


def hand_of(address: str) -> str:
    """What one computer's address counts for, whatever kind of swarm it is: its group, or, in a
    house, itself.

    Raises:
        ValueError: it is no address at all.
    """
    return _group(address) if kind_of(address) == "public" else address


def can_be_dialled(address: str) -> bool:
    """Whether somebody may be there: not without a port, and neither everybody nor nobody.

    Raises:
        ValueError: it is no address at all.
    """
    return kind_of(address) != "unusable"


@lru_cache(maxsize=1 << 16)
def kind_of(address: str) -> Kind:
    """Who may be there: anybody on the internet, somebody in reach of private addresses (this
    computer included), whoever a name leads to, or nobody in particular.

    Raises:
        ValueError: it is no address at all.
    """
    host, port = parse_address(address)
    number = number_of(host)
    if number is None:
        return "name"  # nobody looks names up for a stranger
    if port == 0 or number.is_multicast or number.is_unspecified:
        return "unusable"
    return "public" if number.is_global else "private"


@lru_cache(maxsize=1 << 16)
def _group(address: str) -> str:
    host, _ = parse_address(address)
    number = number_of(host)
    if number is None:
        return host.lower().rstrip(".")
    bits = IPV4_GROUP_BITS if number.version == 4 else IPV6_GROUP_BITS
    return str(ipaddress.ip_network((number, bits), strict=False))


def number_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """A numeric host, without what it is dressed in: some IPv6 addresses only say where to go
    with IPv4. None for a name."""
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(number, ipaddress.IPv6Address):
        if any(number in network for network in _IPV4_INSIDE) and int(number) > _LAST_OF_NOBODY:
            return ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        return number.sixtofour or number
    return number
