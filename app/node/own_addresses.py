"""Where others can dial this computer: what its announcements name, best guess first.

Counterparts: `app/net/observed.py`, what others say they see; `app/node/announcing.py` and
`app/net/dht.py`, which tell it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Collection, Sequence
from typing import Final

import psutil

from app.clock import Clock
from app.ids import PeerId
from app.net.address_groups import AddressRules
from app.net.addresses import format_address, is_loopback, parse_address
from app.net.endpoint import Endpoint
from app.net.wire import MAX_ADDRESSES

EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What an endpoint on every network is bound to, and where it reaches itself."""
CARDS_SECONDS: Final = 20.0
"""How old what is known of the network cards may be: asking takes a millisecond, and each
question to the directory wants to know."""
_FAR_AWAY: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that nobody has; only the way there is asked for, nothing is sent."""


class OwnAddresses:
    """Where this computer's endpoint can be dialled, as far as it can tell.

    Args:
        given: where its owner says; then nothing is guessed.
        cards: the addresses of the network cards.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        clock: Clock,
        given: Sequence[str] = (),
        cards: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._given = tuple(given)
        self._ask_cards = cards or card_addresses
        self._cards: Sequence[str] = ()
        self._asked_at = float("-inf")

    def now(self, rules: AddressRules | None = None, named: Collection[PeerId] = ()) -> list[str]:
        """Where others may dial it; empty when nothing tells.

        One that listens on every network is where enough others see it and where its cards
        are; while not enough do, also where somebody sees it whom a person named.

        Args:
            rules: of the swarm; what is not dialled in it is then left out of the guesses.
            named: the computers that a person named.
        """
        if self._given:
            return list(self._given)
        if parse_address(self._endpoint.address)[0] not in EVERYWHERE:
            return [self._endpoint.address]
        observed = self._endpoint.observed
        agreed = observed.agreed()
        word = [] if agreed else observed.said_by(named)
        found = dict.fromkeys([*agreed, *self._of_cards(), *word])
        return [a for a in found if rules is None or rules.allows(a)][:MAX_ADDRESSES]

    def _of_cards(self) -> list[str]:
        now = self._clock.monotonic()
        if now - self._asked_at >= CARDS_SECONDS:
            self._asked_at, self._cards = now, self._ask_cards()
        host, port = parse_address(self._endpoint.address)
        takes = [each for each in self._cards if ":" not in each or host == "::"]
        outside = [each for each in takes if not is_loopback(each)]
        return [format_address(each, port) for each in outside or takes]


def card_addresses() -> list[str]:
    """What the network cards of this computer that are up are called, loopback included; those
    of the usual ways out first."""
    states = psutil.net_if_stats()
    found = [
        str(address.address)
        for name, addresses in psutil.net_if_addrs().items()
        if name in states and states[name].isup
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    ]
    usable = [each for each in found if not _is_of_one_wire(each)]
    ways_out = _ways_out()
    return sorted(usable, key=lambda each: each not in ways_out)


def own_address(endpoint: Endpoint) -> str:
    """Where this computer reaches itself."""
    host, port = parse_address(endpoint.address)
    return format_address(EVERYWHERE.get(host, host), port)


def _is_of_one_wire(address: str) -> bool:
    """Whether it means something on one wire only, so that others cannot dial it."""
    return "%" in address or ipaddress.ip_address(address).is_link_local


def _ways_out() -> list[str]:
    found = []
    for family, far in _FAR_AWAY:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((far, 9))
            found.append(str(asking.getsockname()[0]))
    return found
