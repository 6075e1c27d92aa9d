"""Hearsay: which addresses this computer dials on whose word.

Pure. Addresses come in records, in answers and from clients: a stranger's word. Whoever names
one has this computer send there, so nobody may name what its own word could not come from:
somebody on the internet nothing in this house, somebody in this house nothing on this computer,
somebody in one private network nothing in another one. A word comes from where whoever gives it
is seen to speak, never from where it says that it is.

That two computers have one public address does not make them one house: providers put many
customers behind one. So it gives nobody a word about private addresses.

Used where strangers' addresses are read (`app/net/kademlia.py`) and dialled
(`app/net/dialling.py`). What an address may look like in a swarm at all, whoever names it, is in
`app/net/address_groups.py`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from app.net.address_groups import Kind, kind_of, number_of
from app.net.addresses import parse_address

INTERNET: Final = "the internet"
THIS_COMPUTER: Final = "this computer"
_PRIVATE: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "fe80::/10",
    )
)
"""Each counts as one network: a house or a firm may have several parts of one of them."""
_OTHER_BITS: Final = {4: 24, 6: 48}
"""What else is private counts by the size of what one owner usually has."""
ALL_VOUCHED: Final = 0xFF
"""A record names eight addresses at most."""


@lru_cache(maxsize=1 << 14)
def network_of(address: str) -> str:
    """The network of a numeric address, by name; "" for a name, many computers, or no port.

    Raises:
        ValueError: it is no address at all.
    """
    kind: Kind = kind_of(address)
    number = number_of(parse_address(address)[0])
    if number is None or kind in ("name", "unusable"):
        return ""
    if kind == "public":
        return INTERNET
    if number.is_loopback:
        return THIS_COMPUTER
    for network in _PRIVATE:
        if number in network:
            return str(network)
    return str(ipaddress.ip_network((number, _OTHER_BITS[number.version]), strict=False))


def is_name(address: str) -> bool:
    """Whether it has to be looked up; where it leads is judged then.

    Raises:
        ValueError: it is no address at all.
    """
    return kind_of(address) == "name"


def word_of(speaker: str | None) -> str:
    """The network that a word comes from.

    Args:
        speaker: where who gives it is seen to speak from, as `HOST:PORT`; who is not known to
            be nearer speaks from the internet.
    """
    return (network_of(speaker) if speaker is not None else "") or INTERNET


def word_from(addresses: Iterable[str]) -> str | None:
    """Of the addresses where a computer was dialled, the one whose word counts for least: it may
    have answered at any of them."""
    found = list(addresses)
    return next((a for a in found if word_of(a) == INTERNET), found[0] if found else None)


def may_lead(network: str, *, word: str) -> bool:
    """Whether this computer sends to a network on a word from another one, both as
    `network_of` names them."""
    if network in ("", THIS_COMPUTER):
        return network == word == THIS_COMPUTER
    return network == INTERNET or word in (network, THIS_COMPUTER)


def believed(addresses: Iterable[str], speaker: str | None) -> list[str]:
    """Those that may be dialled on the word of who speaks from there, in their order. Names
    stay: `may_lead` is to be asked again when they were looked up."""
    word = word_of(speaker)
    return [text for text in addresses if _is_believed(text, word)]


def vouched(addresses: Sequence[str], speaker: str | None) -> int:
    """The same as a number: bit i is set for address i. A keeper tells it of each record
    (`dht_messages.Records`), because only the keeper saw where the writer spoke from."""
    kept = set(believed(addresses, speaker))
    return sum(1 << i for i, text in enumerate(addresses) if text in kept)


def picked(addresses: Sequence[str], bits: int) -> list[str]:
    """The addresses whose bits are set, as `vouched` sets them."""
    return [text for i, text in enumerate(addresses) if bits >> i & 1]


def _is_believed(text: str, word: str) -> bool:
    try:
        return is_name(text) or may_lead(network_of(text), word=word)
    except ValueError:
        return False
