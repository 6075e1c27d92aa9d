"""Bad input is counted by peer; too much of it has a price, and an end."""

from __future__ import annotations

from app.ids import PeerId
from app.net.offences import MAX_BAD_INPUTS, MAX_OFFENDERS, REFUSED_SECONDS, Offences

PEER = PeerId(b"p" * 32)


def test_a_few_mistakes_are_only_counted() -> None:
    offences = Offences()
    for _ in range(MAX_BAD_INPUTS - 1):
        assert not offences.count(PEER, 0.0)
    assert offences.counts == {PEER: MAX_BAD_INPUTS - 1}
    assert offences.refused_seconds(PEER, 0.0) == 0.0


def test_too_many_are_refused_for_a_while_and_then_forgotten() -> None:
    offences = Offences()
    outcomes = [offences.count(PEER, 10.0) for _ in range(MAX_BAD_INPUTS)]
    assert outcomes[-1]
    assert offences.refused_seconds(PEER, 10.0) == REFUSED_SECONDS
    assert offences.refused_seconds(PEER, 10.0 + REFUSED_SECONDS) == 0.0
    assert offences.counts == {}


def test_many_offenders_take_no_more_room_than_allowed() -> None:
    offences = Offences()
    for number in range(MAX_OFFENDERS + 10):
        offences.count(PeerId(number.to_bytes(32, "big")), 0.0)
    assert len(offences.counts) == MAX_OFFENDERS
    assert PeerId(bytes(32)) not in offences.counts
