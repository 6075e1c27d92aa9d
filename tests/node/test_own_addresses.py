"""Where others can dial this computer; see app/node/own_addresses.py."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

from app.ids import PeerId
from app.net.address_groups import AddressRules
from app.net.endpoint import Endpoint
from app.net.observed import Observed
from app.node.own_addresses import CARDS_SECONDS, OwnAddresses, card_addresses, own_address
from tests.helpers.virtual_clock import VirtualClock

INTERNET, HOUSE = AddressRules(), AddressRules(local=True)
BOOTSTRAP = PeerId(bytes(32))


def endpoint(address: str = "0.0.0.0:4433") -> Endpoint:
    return cast(Endpoint, SimpleNamespace(address=address, observed=Observed()))


def own(
    where: Endpoint, cards: Sequence[str] = ("127.0.0.1", "192.168.1.7"), given: Sequence[str] = ()
) -> OwnAddresses:
    return OwnAddresses(where, clock=VirtualClock(), given=given, cards=lambda: cards)


def test_one_that_listens_at_one_address_is_there() -> None:
    assert own(endpoint("127.0.0.1:4433")).now(INTERNET) == ["127.0.0.1:4433"]


def test_what_the_owner_says_stands() -> None:
    assert own(endpoint(), given=["router.example:80"]).now(INTERNET) == ["router.example:80"]


def test_in_a_house_one_on_every_network_is_at_its_cards_but_never_at_loopback() -> None:
    assert own(endpoint()).now(HOUSE) == ["192.168.1.7:4433"]


def test_a_home_address_is_of_no_use_on_the_internet() -> None:
    assert own(endpoint()).now(INTERNET) == []
    assert own(endpoint(), cards=["192.168.1.7", "1.2.3.4"]).now(INTERNET) == ["1.2.3.4:4433"]


def test_only_what_the_socket_takes_is_named() -> None:
    cards = ["192.168.1.7", "fd00::7"]
    assert own(endpoint(), cards).now(HOUSE) == ["192.168.1.7:4433"]
    assert own(endpoint("[::]:4433"), cards).now(HOUSE) == ["192.168.1.7:4433", "[fd00::7]:4433"]


def test_without_any_network_the_others_are_on_this_computer() -> None:
    assert own(endpoint(), cards=["127.0.0.1"]).now(HOUSE) == ["127.0.0.1:4433"]


def test_where_several_others_see_it_comes_first() -> None:
    where = endpoint()
    for number in range(3):
        where.observed.note(PeerId(bytes([number]) * 32), f"8.{number}.0.1:1", "1.2.3.4:50000")
    addresses = own(where)
    assert addresses.now() == ["1.2.3.4:50000", "192.168.1.7:4433"]
    assert addresses.now(INTERNET) == ["1.2.3.4:50000"]


def test_while_few_see_it_the_word_of_a_bootstrap_counts_and_no_other() -> None:
    where = endpoint()
    where.observed.note(PeerId(b"l" * 32), "8.8.8.8:1", "9.9.9.9:53")
    assert own(where).now(INTERNET, [BOOTSTRAP]) == []
    where.observed.note(BOOTSTRAP, "8.8.4.4:1", "1.2.3.4:50000")
    assert own(where).now(INTERNET, [BOOTSTRAP]) == ["1.2.3.4:50000"]


def test_a_network_that_is_joined_later_is_found_and_is_not_asked_for_each_time() -> None:
    clock, answers = VirtualClock(), [["10.0.0.2"], ["192.168.1.7"]]
    addresses = OwnAddresses(endpoint(), clock=clock, cards=lambda: answers.pop(0))
    assert addresses.now() == addresses.now() == ["10.0.0.2:4433"]
    clock.advance(CARDS_SECONDS)
    assert addresses.now() == ["192.168.1.7:4433"]


def test_the_cards_of_this_computer_have_addresses_that_others_could_dial() -> None:
    found = card_addresses()
    assert found
    assert not any(ipaddress.ip_address(address).is_link_local for address in found)


def test_this_computer_reaches_itself_by_loopback() -> None:
    assert own_address(endpoint("0.0.0.0:7")) == "127.0.0.1:7"
    assert own_address(endpoint("[::]:7")) == "[::1]:7"
    assert own_address(endpoint("192.168.1.7:7")) == "192.168.1.7:7"
