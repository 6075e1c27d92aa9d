"""Where this computer is seen from outside, as the computers say that it dialled.

Pure. Each listener tells its dialler the address it sees it at (`wire.Challenge.observed`).
One of them may lie, to have strangers dial somebody else; so an address is believed when
several say it who do not belong to one hand (`app/net/address_groups.py`), and more of them
than say otherwise. `app/node/own_addresses.py` decides what is announced.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from app.ids import PeerId
from app.net.address_groups import AddressRules
from app.net.addresses import is_loopback, parse_address

AGREEING_GROUPS = 3
"""So many hands have to say the same: whoever owns two networks cannot yet make it up."""
MAX_REMEMBERED = 24
"""The latest reports; small enough that a line with a new address is believed again once
half of those it meets have seen that."""


class Observed:
    """What was said of this computer's address, the latest of each peer."""

    def __init__(self) -> None:
        self._reports: OrderedDict[PeerId, tuple[str, str]] = OrderedDict()

    def note(self, peer: PeerId, peer_address: str, seen_at: str) -> None:
        """A proven peer, which was dialled at `peer_address`, says where it sees this computer.

        What nobody could dial is not kept: the other side may only be on this computer, too.
        """
        if not _is_dialled(seen_at):
            return
        self._reports.pop(peer, None)
        self._reports[peer] = (peer_address, seen_at)
        while len(self._reports) > MAX_REMEMBERED:
            self._reports.popitem(last=False)

    def agreed(self) -> list[str]:
        """The addresses that are believed, at most one of a family (IPv4, IPv6)."""
        said_by: dict[str, set[str]] = {}
        for peer_address, seen_at in self._reports.values():
            said_by.setdefault(seen_at, set()).update(_hands(seen_at, peer_address))
        believed = []
        for address, hands in said_by.items():
            # A group that says two things has two voices, one on each side.
            others = sum(
                len(theirs)
                for other, theirs in said_by.items()
                if other != address and _family(other) == _family(address)
            )
            if len(hands) >= AGREEING_GROUPS and len(hands) > others:
                believed.append(address)
        return believed

    def said_by(self, peers: Collection[PeerId]) -> list[str]:
        """What these say, the latest first; for peers that a person named."""
        found = [seen_at for peer, (_, seen_at) in self._reports.items() if peer in peers]
        return found[::-1]


def _is_dialled(address: str) -> bool:
    """Whether others could dial it at all; nobody else is on this computer's loopback."""
    try:
        host, _ = parse_address(address)
        return AddressRules(local=True).allows(address) and not is_loopback(host)
    except ValueError:
        return False


def _hands(seen_at: str, peer_address: str) -> frozenset[str]:
    """Who says it: on the internet a whole network counts once, in a house each computer."""
    is_public = AddressRules().allows(seen_at)
    return AddressRules(local=not is_public).groups([peer_address])


def _family(address: str) -> bool:
    return address.startswith("[")
