"""A power cap is kept in the way that works; see app/policy/power_cap.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.policy import power_cap as module
from app.policy.power_cap import PowerCap
from app.tasks import TaskOwner
from tests.helpers.running_node import until
from tests.helpers.virtual_clock import VirtualClock
from tests.policy.test_power import Nvml, opened


async def test_the_driver_keeps_it_where_it_may(tmp_path: Path) -> None:
    nvml = Nvml(cards=1)
    cap = PowerCap(opened(tmp_path, nvml))
    assert await cap.hold(150.0) is None, "nothing is left to rests"
    assert (cap.kept_by, nvml.limits) == ("driver", [150_000])
    assert await cap.hold(None) is None
    assert nvml.limits == [300_000]


@pytest.mark.parametrize("counter", [True, False])
async def test_without_rights_rests_keep_it_where_the_energy_is_known(
    tmp_path: Path, counter: bool
) -> None:
    cards = opened(tmp_path, Nvml(cards=1, rights=False, counter=counter), VirtualClock())
    cap = PowerCap(cards)
    assert await cap.hold(150.0) == 150.0
    assert cap.kept_by == "rests"
    assert cards.joules() is not None, "the first reading is taken at once"


async def test_what_nothing_keeps_is_said_and_not_tried_again(tmp_path: Path) -> None:
    nvml = Nvml(cards=1, rights=False)
    nvml.silent.add(0)
    cap = PowerCap(opened(tmp_path, nvml))
    assert cap.can_keep(150.0), "the driver has not been asked yet"
    assert await cap.hold(150.0) is None
    assert (cap.kept_by, cap.can_keep(150.0)) == ("", False)
    await cap.hold(None)
    assert not cap.can_keep(150.0)
    assert cap.can_keep(200.0), "another cap may be one that the driver takes"


async def test_without_cards_nothing_keeps_it(tmp_path: Path) -> None:
    assert not PowerCap(opened(tmp_path, Nvml(driver=False))).can_keep(150.0)


async def test_power_is_read_only_while_rests_keep_the_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE_SECONDS", (0.001, 0.002))
    clock = VirtualClock()
    nvml = Nvml(cards=1, rights=False, counter=False)
    cards = opened(tmp_path, nvml, clock)
    cap = PowerCap(cards)
    async with TaskOwner("test") as owner:
        owner.start(cap.keep_sampling(), name="power readings")
        await cap.hold(150.0)
        clock.advance(1.0)
        nvml.milliwatts = 0
        # A straight line from 120.5 W down to nothing, where the last reading alone says 120.5 J.
        await until(lambda: cards.joules() == pytest.approx(60.25))
        await cap.hold(None)
        assert cards.joules() is None
