"""Addresses that a stranger may name, and which of them count as one hand's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.net.address_groups import AddressRules, hand_of

INTERNET = AddressRules()
HOUSE = AddressRules(local=True)


@pytest.mark.parametrize("address", ["8.8.8.8:4600", "[2a00:1450:4001::1]:4600"])
def test_public_addresses_are_allowed_everywhere(address: str) -> None:
    assert INTERNET.allows(address)
    assert HOUSE.allows(address)


@pytest.mark.parametrize(
    "address", ["192.168.1.1:80", "127.0.0.1:22", "10.0.0.1:4600", "[fe80::1]:1", "[::1]:80"]
)
def test_nobody_on_the_internet_is_sent_into_a_home(address: str) -> None:
    assert not INTERNET.allows(address)
    assert HOUSE.allows(address)


@pytest.mark.parametrize(
    "address", ["router.example:80", "224.0.0.1:80", "0.0.0.0:80", "8.8.8.8:0", "[::]:80"]
)
def test_names_and_addresses_of_nobody_are_never_allowed(address: str) -> None:
    assert not INTERNET.allows(address)
    assert not HOUSE.allows(address)


def test_an_address_in_ipv6_clothes_is_seen_through() -> None:
    assert not INTERNET.allows("[::ffff:192.168.1.1]:80")
    assert INTERNET.groups(["[::ffff:8.8.8.8]:1"]) == INTERNET.groups(["8.8.8.9:2"])


def test_neighbours_count_together_on_the_internet_and_alone_in_a_house() -> None:
    assert len(INTERNET.groups(["8.8.8.8:1", "8.8.8.200:2"])) == 1
    assert len(INTERNET.groups(["8.8.8.8:1", "8.8.9.8:1"])) == 2
    assert len(INTERNET.groups(["[2a00:1:2:3::1]:1", "[2a00:1:2:4::9]:1"])) == 1
    assert len(HOUSE.groups(["10.0.0.1:1", "10.0.0.1:2"])) == 2


def test_strangers_from_the_internet_count_together_in_a_swarm_that_begins_in_a_house_too() -> None:
    assert HOUSE.groups(["8.8.8.8:1", "8.8.8.200:2"]) == INTERNET.groups(["8.8.8.8:1"])


def test_a_name_that_a_person_gave_is_a_group_of_its_own() -> None:
    assert INTERNET.groups(["Start.Example.:1"]) == INTERNET.groups(["start.example:2"])


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_judged_or_is_no_address(text: str) -> None:
    try:
        allowed = INTERNET.allows(text)
    except ValueError:
        return
    assert isinstance(allowed, bool)
    assert len(INTERNET.groups([text])) == 1


def test_one_hand_s_addresses_are_those_of_one_line_or_one_in_a_house() -> None:
    assert hand_of("8.8.8.8:1") == hand_of("8.8.8.77:2")
    assert hand_of("10.0.0.1:1") != hand_of("10.0.0.1:2")
