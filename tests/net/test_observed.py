"""Where others say they see this computer; see app/net/observed.py."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.ids import PeerId
from app.net.observed import MAX_REMEMBERED, Observed

HERE = "1.2.3.4:4433"
VICTIM = "9.9.9.9:53"
HOUSE = "192.168.1.7:4433"


def peer(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def told(*reports: tuple[str, str]) -> Observed:
    observed = Observed()
    for number, (peer_address, seen_at) in enumerate(reports):
        observed.note(peer(number), peer_address, seen_at)
    return observed


def test_an_address_is_believed_when_three_of_different_networks_say_it() -> None:
    assert told(("8.1.0.1:1", HERE), ("8.2.0.1:1", HERE)).agreed() == []
    assert told(*((f"8.{n}.0.1:1", HERE) for n in range(3))).agreed() == [HERE]


def test_a_whole_network_says_it_once() -> None:
    assert told(*((f"8.1.0.{n}:1", VICTIM) for n in range(9))).agreed() == []


def test_a_peer_that_says_it_again_says_it_once() -> None:
    observed = Observed()
    for number in range(5):
        observed.note(peer(1), f"8.{number}.0.1:1", VICTIM)
    assert observed.agreed() == []


def test_what_half_of_them_deny_is_not_believed() -> None:
    liars = [(f"8.{n}.0.1:1", VICTIM) for n in range(3)]
    honest = [(f"7.{n}.0.1:1", HERE) for n in range(3)]
    assert told(*liars, *honest).agreed() == []
    assert told(*liars, *honest, ("6.1.0.1:1", HERE)).agreed() == [HERE]


def test_each_family_has_its_own_address() -> None:
    there = "[2a01:4f8::1]:4433"
    both = [(f"8.{n}.0.1:1", HERE) for n in range(3)]
    both += [(f"[2a0{n}:1::1]:1", there) for n in range(3)]
    assert told(*both).agreed() == [HERE, there]


def test_in_a_house_each_computer_counts() -> None:
    assert told(*((f"192.168.1.{n}:1", HOUSE) for n in (2, 3, 4))).agreed() == [HOUSE]


def test_nobody_is_found_at_loopback_or_nowhere() -> None:
    for nowhere in ("127.0.0.1:4433", "[::1]:9", "0.0.0.0:4433", "nonsense", "a.example:7", "::"):
        observed = told(*((f"8.{n}.0.1:1", nowhere) for n in range(3)))
        assert observed.agreed() == observed.said_by([peer(0)]) == []


def test_a_line_with_a_new_address_is_believed_again() -> None:
    old, new = HERE, "1.2.3.5:4433"
    reports = [(f"8.{n}.0.1:1", old) for n in range(MAX_REMEMBERED)]
    assert told(*reports).agreed() == [old]
    reports += [(f"7.{n}.0.1:1", new) for n in range(MAX_REMEMBERED // 2 + 1)]
    assert told(*reports).agreed() == [new]


def test_the_word_of_one_that_a_person_named_can_be_asked_for() -> None:
    observed = told(("8.1.0.1:1", HERE), ("8.2.0.1:1", VICTIM))
    assert observed.said_by([peer(0)]) == [HERE]


@given(st.lists(st.tuples(st.integers(0, 40), st.text(max_size=300)), max_size=60))
@settings(deadline=None)
def test_whatever_they_say_is_read(reports: list[tuple[int, str]]) -> None:
    observed = Observed()
    for number, seen_at in reports:
        observed.note(peer(number), f"8.{number}.0.1:1", seen_at)
    assert len(observed.said_by([peer(number) for number in range(41)])) <= MAX_REMEMBERED
    assert len(observed.agreed()) <= 2
