"""Credit: the two ends of a channel agree on what may be on its way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadInput
from app.net.windows import (
    CREDIT_STEP_BYTES,
    MINIMUM_CHARGE,
    ReceiveWindow,
    SendWindow,
    frame_charge,
)
from app.net.wire import MAX_FRAME_BYTES, WINDOW_BYTES


def test_a_small_frame_is_charged_what_it_costs_to_keep() -> None:
    assert frame_charge(10) == MINIMUM_CHARGE
    assert frame_charge(MINIMUM_CHARGE + 1) == MINIMUM_CHARGE + 1


def test_a_sender_stops_when_the_window_is_full() -> None:
    window = SendWindow()
    window.spend(WINDOW_BYTES)
    assert not window.has_room(MINIMUM_CHARGE)
    with pytest.raises(ValueError, match="no credit"):
        window.spend(MINIMUM_CHARGE)
    window.returned(MINIMUM_CHARGE)
    assert window.has_room(MINIMUM_CHARGE)


def test_credit_for_what_was_never_sent_is_refused() -> None:
    window = SendWindow()
    window.spend(1000)
    with pytest.raises(BadInput, match="1000 were sent"):
        window.returned(1001)


def test_a_sender_that_overruns_the_credit_is_refused() -> None:
    window = ReceiveWindow()
    window.arrived(WINDOW_BYTES)
    with pytest.raises(BadInput, match="without credit"):
        window.arrived(MINIMUM_CHARGE)


def test_credit_is_given_back_in_steps() -> None:
    window = ReceiveWindow()
    window.arrived(CREDIT_STEP_BYTES)
    assert window.taken(CREDIT_STEP_BYTES - MINIMUM_CHARGE) == 0
    assert window.taken(MINIMUM_CHARGE) == CREDIT_STEP_BYTES


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(min_value=5, max_value=MAX_FRAME_BYTES + 4), max_size=40))
def test_an_honest_pair_never_gets_stuck_and_never_overruns(frames: list[int]) -> None:
    sender, receiver = SendWindow(), ReceiveWindow()
    arrived: list[int] = []
    for frame in frames:
        charge = frame_charge(frame)
        while not sender.has_room(charge):
            assert arrived, "the sender waits although everything was taken"
            credit = receiver.taken(arrived.pop(0))
            if credit:
                sender.returned(credit)
        sender.spend(charge)
        receiver.arrived(charge)
        arrived.append(charge)
