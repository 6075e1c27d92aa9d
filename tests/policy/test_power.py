"""Graphics cards, with a stand-in for NVIDIA's library that answers as the real one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pynvml
import pytest

from app.clock import Clock
from app.policy.power import LIMITS_FILE, SILENT_SECONDS, STUCK_SECONDS, Card, Cards
from tests.helpers.virtual_clock import VirtualClock


class Nvml:
    """Two cards by default; each has a limit, and may refuse another one."""

    NVMLError = pynvml.NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(
        self, *, cards: int = 2, rights: bool = True, driver: bool = True, counter: bool = True
    ) -> None:
        self.limits = [300_000] * cards
        self.rights = rights
        self.driver = driver
        self.open = 0
        self.silent: set[int] = set()
        self.least = 100_000
        self.milliwatts = 120_500
        self.millijoules = 7_000
        self.counter = counter

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.driver:
            raise pynvml.NVMLError_LibraryNotFound()
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.limits)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> bytes:  # noqa: N802
        return b"GPU-%d" % handle

    def nvmlDeviceGetTemperature(self, handle: int, kind: int) -> int:  # noqa: N802
        return self._told(handle, 60 + handle)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        return self._told(handle, self.milliwatts)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        if not self.counter:
            raise pynvml.NVMLError_NotSupported()
        return self._told(handle, self.millijoules)

    def nvmlDeviceGetPowerManagementLimit(self, handle: int) -> int:  # noqa: N802
        return self._told(handle, self.limits[handle])

    def nvmlDeviceSetPowerManagementLimit(self, handle: int, milliwatts: int) -> None:  # noqa: N802
        if not self.rights:
            raise pynvml.NVMLError_NoPermission()
        if milliwatts < self.least:
            raise pynvml.NVMLError_InvalidArgument()
        self.limits[handle] = milliwatts

    def _told(self, handle: int, value: int) -> int:
        if handle in self.silent:
            raise pynvml.NVMLError_NotSupported()
        return value


def opened(folder: Path, nvml: Any, clock: Clock | None = None) -> Cards:
    cards = Cards(folder, nvml=nvml, clock=clock)
    cards.open()
    return cards


def test_without_a_driver_there_are_no_cards(tmp_path: Path) -> None:
    cards = opened(tmp_path, Nvml(driver=False))
    assert len(cards) == 0
    assert cards.read() == []
    assert cards.joules() is None
    assert not cards.limit(100.0)
    cards.close()


def test_this_computers_own_library_is_asked_without_harm(tmp_path: Path) -> None:
    cards = Cards(tmp_path)
    cards.open()
    assert len(cards.read()) == len(cards)
    cards.close()
    cards.close()


def test_heat_power_and_energy_are_read(tmp_path: Path) -> None:
    cards = opened(tmp_path, Nvml())
    assert cards.read() == [Card(60.0, 120.5), Card(61.0, 120.5)]
    assert cards.joules() == 14.0
    assert cards.metering == "counter"


def test_a_card_that_does_not_tell_is_unknown_and_not_zero(tmp_path: Path) -> None:
    nvml = Nvml()
    nvml.silent.add(1)
    cards = opened(tmp_path, nvml)
    assert cards.read()[1] == Card(None, None)
    assert cards.joules() is None
    assert cards.metering == "", "one silent card makes the sum unknown"


def test_a_counter_that_stands_still_while_power_is_drawn_does_not_count(tmp_path: Path) -> None:
    clock, nvml = VirtualClock(), Nvml(cards=1)
    cards = opened(tmp_path, nvml, clock)
    clock.advance(STUCK_SECONDS)
    cards.read()
    ways = [cards.metering]
    nvml.millijoules += 1000
    cards.read()
    ways.append(cards.metering)
    nvml.milliwatts = 0
    clock.advance(STUCK_SECONDS)
    cards.read()
    ways.append(cards.metering)
    assert ways == ["readings", "counter", "counter"], "drawing nothing, it has nothing to count"


def test_a_card_that_fell_silent_is_not_believed_at_once(tmp_path: Path) -> None:
    clock, nvml = VirtualClock(), Nvml(cards=1, counter=False)
    cards = opened(tmp_path, nvml, clock)
    cards.sample()
    ways = [cards.metering]
    nvml.silent.add(0)
    cards.sample()
    assert cards.joules() is None
    ways.append(cards.metering)
    nvml.silent.clear()
    cards.read()
    ways.append(cards.metering)
    clock.advance(SILENT_SECONDS)
    cards.read()
    ways.append(cards.metering)
    assert ways == ["readings", "", "", "readings"]


def test_a_limit_is_shared_among_the_cards_and_restored_at_the_end(tmp_path: Path) -> None:
    nvml = Nvml()
    cards = opened(tmp_path, nvml)
    assert cards.limit(400.0)
    assert nvml.limits == [200_000, 200_000]
    assert cards.limit(300.0)
    assert nvml.limits == [150_000, 150_000]
    cards.close()
    assert nvml.limits == [300_000, 300_000]
    assert nvml.open == 0
    assert not (tmp_path / LIMITS_FILE).exists()


def test_a_lifted_limit_is_restored_at_once(tmp_path: Path) -> None:
    nvml = Nvml()
    cards = opened(tmp_path, nvml)
    cards.limit(400.0)
    assert not cards.limit(None)
    assert nvml.limits == [300_000, 300_000]


def test_a_cap_above_what_is_set_already_needs_no_setting(tmp_path: Path) -> None:
    nvml = Nvml(rights=False)
    assert opened(tmp_path, nvml).limit(900.0)
    assert nvml.limits == [300_000, 300_000]
    assert not (tmp_path / LIMITS_FILE).exists()


def test_a_looser_cap_never_goes_above_what_it_was(tmp_path: Path) -> None:
    nvml = Nvml()
    cards = opened(tmp_path, nvml)
    cards.limit(400.0)
    assert cards.limit(900.0)
    assert nvml.limits == [300_000, 300_000]


def test_without_rights_the_driver_does_not_hold_it(tmp_path: Path) -> None:
    nvml = Nvml(rights=False)
    assert not opened(tmp_path, nvml).limit(200.0)
    assert nvml.limits == [300_000, 300_000]
    assert not (tmp_path / LIMITS_FILE).exists()


def test_a_limit_lower_than_a_card_can_is_not_half_set(tmp_path: Path) -> None:
    nvml = Nvml()
    assert not opened(tmp_path, nvml).limit(150.0)
    assert nvml.limits == [300_000, 300_000]


def test_after_a_crash_the_next_start_restores_the_limit(tmp_path: Path) -> None:
    nvml = Nvml()
    opened(tmp_path, nvml).limit(400.0)  # and then the process is killed
    assert nvml.limits == [200_000, 200_000]
    opened(tmp_path, nvml)
    assert nvml.limits == [300_000, 300_000]
    assert not (tmp_path / LIMITS_FILE).exists()


def test_what_could_not_be_restored_after_a_crash_is_not_changed(tmp_path: Path) -> None:
    nvml = Nvml()
    assert not opened(tmp_path / "gone", nvml).limit(400.0)
    assert nvml.limits == [300_000, 300_000]


@pytest.mark.parametrize("data", [b"", b"{", b'{"GPU-0": "x"}', b"\xff"])
def test_a_damaged_note_of_limits_stops_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / LIMITS_FILE).write_bytes(data)
    nvml = Nvml()
    cards = opened(tmp_path, nvml)
    assert cards.limit(400.0)
    cards.close()
    assert nvml.limits == [300_000, 300_000]
