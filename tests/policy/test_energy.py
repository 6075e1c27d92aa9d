"""Readings of power become energy, well enough to keep a cap by; see app/policy/energy.py."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy.energy import EnergyMeter
from app.policy.pacing import Pacer
from app.policy.power import SAMPLE_SECONDS, Cards
from tests.helpers.virtual_clock import VirtualClock
from tests.policy.test_power import Nvml, opened

LAG_SECONDS = 0.1
# Power of a card in milliwatts, every 100 ms, over one burst of work, as such a card tells it.
BURST = [41_200, 43_900, 187_300, 268_800, 281_400, 279_900, 282_100, 190_600, 88_300, 52_700]


def test_nothing_is_known_before_the_first_reading() -> None:
    meter = EnergyMeter()
    assert meter.joules(5.0) is None
    meter.add(100.0, 5.0)
    assert meter.joules(5.0) == 0.0


def test_between_two_readings_the_power_is_the_line_through_both() -> None:
    meter = EnergyMeter()
    meter.add(100.0, 10.0)
    meter.add(300.0, 12.0)
    assert meter.joules(12.0) == 400.0
    assert meter.joules(12.5) == 550.0, "and since the last one it is what it was"
    meter.add(100.0, 13.0)
    assert meter.joules(13.0) == 600.0


def test_a_reading_from_before_the_last_changes_nothing() -> None:
    meter = EnergyMeter()
    meter.add(100.0, 10.0)
    meter.add(100.0, 11.0)
    meter.add(900.0, 10.5)
    assert meter.joules(11.0) == 100.0


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0.01, 10)), min_size=2, max_size=50))
def test_the_sum_lies_between_the_least_and_the_most_power(
    readings: list[tuple[float, float]],
) -> None:
    meter, now = EnergyMeter(), 0.0
    for watts, seconds in readings:
        meter.add(watts, now)
        last, now = now, now + seconds
    joules, powers = meter.joules(last), [watts for watts, _ in readings]
    assert joules is not None
    assert min(powers) * last - 1e-6 <= joules <= max(powers) * last + 1e-6


def test_a_card_without_a_counter_is_read_and_added_up(tmp_path: Path) -> None:
    clock, nvml = VirtualClock(), Nvml(cards=1, counter=False)
    cards = opened(tmp_path, nvml, clock)
    assert cards.metering == "readings"
    assert cards.joules() is None, "nobody has sampled yet"
    for milliwatts in BURST:
        nvml.milliwatts = milliwatts
        cards.sample()
        clock.advance(0.1)
    middle = sum(BURST[1:-1]) + (BURST[0] + BURST[-1]) / 2
    assert cards.joules() == pytest.approx((middle + BURST[-1]) * 0.1 / 1000)
    cards.forget_samples()
    assert cards.joules() is None


class Working:
    """A card that draws 300 W while it computes and 40 W while it rests, and what it drew.

    Its readings follow within a tenth of a second, as those of such cards do.
    """

    def __init__(self, folder: Path, *, cap_watts: float) -> None:
        self.clock = VirtualClock()
        self.nvml = Nvml(cards=1, counter=False)
        self.cards: Cards = opened(folder, self.nvml, self.clock)
        self.joules = 0.0
        self._told_watts = 40.0
        self._random = random.Random(7)
        self._sample_at = 0.0
        self.pacer = Pacer(
            clock=self.clock,
            processor_seconds=lambda: 0.0,
            joules=self.cards.joules,
            processors=4,
        )
        self.cards.sample()
        self.pacer.set_caps(cpu_fraction=None, power_watts=cap_watts)

    def passes(self, seconds: float, watts: float) -> None:
        """Time in which it draws so much, sampled as the governor does."""
        steps = max(1, round(seconds / 0.005))
        for _ in range(steps):
            step = seconds / steps
            self._told_watts += (watts - self._told_watts) * (1 - math.exp(-step / LAG_SECONDS))
            self.nvml.milliwatts = round(1000 * self._told_watts)
            self.clock.advance(step)
            self.joules += watts * step
            if self.clock.monotonic() >= self._sample_at:
                self._sample_at = self.clock.monotonic() + self._random.uniform(*SAMPLE_SECONDS)
                self.cards.sample()


@pytest.mark.parametrize("batch_seconds", [0.013, 0.08, 0.5])
@pytest.mark.parametrize("cap_watts", [80.0, 150.0, 240.0])
def test_a_power_cap_is_kept_and_used_by_readings_alone(
    tmp_path: Path, cap_watts: float, batch_seconds: float
) -> None:
    card = Working(tmp_path, cap_watts=cap_watts)
    began = card.clock.monotonic()
    while card.clock.monotonic() - began < 60.0:
        card.passes(batch_seconds, 300.0)
        rest = card.pacer.rest_seconds(batch_seconds)
        while rest > 0:
            card.passes(min(max(rest, 0.001), 0.25), 40.0)
            rest = card.pacer.rest_seconds(0.0)
    mean = card.joules / (card.clock.monotonic() - began)
    assert 0.9 * cap_watts <= mean <= 1.03 * cap_watts
