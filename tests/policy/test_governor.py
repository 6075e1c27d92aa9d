"""The governor: what the owner decides holds at once, is kept, and reaches the node."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import threading
import time
from pathlib import Path

import msgspec
import pytest

from app.api.shapes import LimitInForce
from app.errors import EngineFault, UsageError
from app.policy import governor as governor_module
from app.policy import power_cap as power_cap_module
from app.policy.governor import Governor, local_time, month_name, next_month, next_morning
from app.policy.manual import load_manual
from app.policy.pacing import Pacer
from app.policy.power import SILENT_SECONDS, Cards
from app.policy.readings import NOTHING_KNOWN
from app.policy.traffic import TRAFFIC_FILE
from app.policy.verdict import MEGABIT_BYTES, Machine
from app.preferences import Settings
from tests.helpers.governor_desk import AWAY, Desk, until
from tests.policy.test_power import Nvml


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_nothing_is_shared_before_consent_and_then_at_once(desk: Desk) -> None:
    async with desk.open() as governor:
        assert desk.node.told == ["pause: no_consent"]
        await governor.consent(share=True)
        assert desk.node.told[1:] == ["6 threads", "resume"]
        assert governor.verdict.state == "sharing"
    assert load_manual(desk.folder).consented is True


async def test_only_to_chat_is_kept_too(desk: Desk) -> None:
    async with desk.open() as governor:
        await governor.consent(share=False)
        assert governor.verdict.words == "Not sharing: you chose only to chat"
    assert load_manual(desk.folder).consented is False


async def test_a_pause_holds_when_the_call_returns_and_after_a_restart(desk: Desk) -> None:
    async with desk.open() as governor:
        await governor.consent(share=True)
        await governor.pause(until=desk.clock.wall() + 900)
        assert desk.node.told[-1] == "pause: manual"
        assert governor.verdict.until == desk.clock.wall() + 900
    again = Desk(desk.folder)
    again.clock = desk.clock
    async with again.open() as governor:
        assert again.node.told == ["pause: manual"]
        desk.clock.advance(901)
        await governor.reconsider()
        assert again.node.told[-1] == "resume"


async def test_resuming_ends_the_pause(desk: Desk) -> None:
    async with desk.open() as governor:
        await governor.consent(share=True)
        await governor.pause(until=None)
        await governor.resume()
        assert governor.verdict.state == "sharing"
        assert desk.node.told[-1] == "resume"


async def test_share_anyway_overrules_for_a_while(desk: Desk) -> None:
    desk.sensors.readings = dataclasses.replace(AWAY, on_battery=True)
    async with desk.open() as governor:
        await governor.consent(share=True)
        assert governor.verdict.reason == "battery"
        assert governor.verdict.can_override
        await governor.share_anyway(3600)
        assert governor.verdict.overruled
        desk.clock.advance(3601)
        await governor.reconsider()
        assert governor.verdict.reason == "battery"


async def test_a_rule_made_stricter_later_wins_over_share_anyway(desk: Desk) -> None:
    desk.sensors.readings = dataclasses.replace(AWAY, other_cpu_percent=90.0)
    async with desk.open() as governor:
        await governor.consent(share=True)
        await governor.share_anyway(3600)
        await governor.use_settings(Settings(language="de"))
        assert governor.verdict.overruled, "that has nothing to do with it"
        await governor.use_settings(Settings(schedule="never"))
        assert desk.node.told[-1] == "pause: schedule"
        assert governor.verdict.can_override
    # It is kept, so a restart does not bring the earlier wish back.
    async with desk.open(Settings(schedule="never")) as governor:
        assert governor.verdict.reason == "schedule"
        await governor.share_anyway(60)
        assert governor.verdict.overruled, "said again, it is the latest word"


async def test_a_rule_made_looser_leaves_share_anyway_as_it_is(desk: Desk) -> None:
    desk.sensors.readings = dataclasses.replace(AWAY, on_battery=True)
    async with desk.open(Settings(schedule="never")) as governor:
        await governor.consent(share=True)
        await governor.share_anyway(3600)
        await governor.use_settings(Settings())
        assert governor.verdict.overruled
    async with desk.open() as governor:
        assert governor.verdict.overruled, "nor does a restart"
    # Switched off and on again: that it is on is the later word.
    async with desk.open() as governor:
        await governor.use_settings(Settings(pause_on_battery=False))
        assert governor.verdict.state == "sharing"
        await governor.use_settings(Settings())
        assert governor.verdict.reason == "battery"


async def test_a_rule_changed_while_potluck_was_off_wins_over_share_anyway(desk: Desk) -> None:
    desk.sensors.readings = dataclasses.replace(AWAY, on_battery=True)
    async with desk.open() as governor:
        await governor.consent(share=True)
        await governor.share_anyway(3600)
    async with desk.open(Settings(schedule="never")) as governor:
        assert not governor.verdict.overruled
        assert desk.node.told[-1].startswith("pause")


async def test_a_later_rule_wins_even_where_it_cannot_be_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise UsageError("the disk is full")

    async with desk.open() as governor:
        await governor.consent(share=True)
        await governor.share_anyway(3600)
        monkeypatch.setattr(governor_module, "save_manual", fail)
        await governor.use_settings(Settings(schedule="never"))
        assert desk.node.told[-1] == "pause: schedule"
        assert "the disk is full" in caplog.text
    async with desk.open(Settings(schedule="never")) as governor:
        assert governor.verdict.reason == "schedule"


async def test_the_loop_follows_the_sensors(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    async with desk.open() as governor:
        await governor.consent(share=True)
        desk.sensors.readings = dataclasses.replace(AWAY, full_screen=True)
        await until(lambda: desk.node.told[-1] == "pause: full_screen")
        assert governor.verdict.reason == "full_screen"
        desk.sensors.readings = dataclasses.replace(AWAY, idle_seconds=0.0)
        await until(lambda: desk.node.told[-2:] == ["2 threads", "resume"])
        assert governor.verdict.state == "sharing"
        assert governor.verdict.in_use
    assert desk.sensors.closed == 1


async def test_sensors_that_hang_count_as_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    async with desk.open() as governor:
        await governor.consent(share=True)
        assert not governor.verdict.in_use
        monkeypatch.setattr(governor_module, "READ_SECONDS", 0.05)  # for those that hang alone
        desk.sensors.stuck = threading.Event()
        await until(lambda: governor.verdict.in_use)
        assert governor.readings.idle_seconds is None
        asked = len(desk.sensors.asked)
        await asyncio.sleep(0.2)
        assert len(desk.sensors.asked) == asked, "no second one is sent after the first"
        monkeypatch.setattr(governor_module, "READ_SECONDS", 30.0)
        stuck, desk.sensors.stuck = desk.sensors.stuck, None
        stuck.set()
        await until(lambda: not governor.verdict.in_use)


async def test_a_sensor_that_fails_counts_as_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    async with desk.open() as governor:
        await governor.consent(share=True)
        desk.sensors.broken = True
        await until(lambda: governor.verdict.in_use)
        desk.sensors.broken = False
        await until(lambda: not governor.verdict.in_use)


async def test_other_settings_hold_at_once(desk: Desk) -> None:
    async with desk.open() as governor:
        await governor.consent(share=True)
        desk.node.told.clear()
        await governor.use_settings(Settings(cpu_percent_away=50))
        assert desk.node.told == ["4 threads"]
        await governor.use_settings(Settings(cpu_percent_away=50, schedule="never"))
        assert desk.node.told[-1] == "pause: schedule"
        assert any("no hour of the week" in remark.words for remark in governor.remarks())


async def test_the_same_verdict_is_told_once(desk: Desk) -> None:
    async with desk.open() as governor:
        await governor.consent(share=True)
        told, changes = list(desk.node.told), desk.changes
        for _ in range(3):
            await governor.reconsider()
        assert (desk.node.told, desk.changes) == (told, changes)


async def test_a_node_that_fails_to_pause_does_not_end_the_governor(desk: Desk) -> None:
    desk.node.fault = EngineFault("the worker does not stop")
    async with desk.open() as governor:
        await governor.consent(share=True)
        await governor.pause(until=None)
        assert governor.verdict.reason == "manual"


async def test_a_decision_that_cannot_be_kept_holds_all_the_same_and_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise UsageError("the disk is full: this holds now, but will be forgotten")

    async with desk.open() as governor:
        await governor.consent(share=True)
        monkeypatch.setattr(governor_module, "save_manual", fail)
        with pytest.raises(UsageError, match="holds now"):
            await governor.pause(until=None)
        assert desk.node.told[-1] == "pause: manual"


async def test_caps_reach_the_network(desk: Desk) -> None:
    async with desk.open(Settings(upload_mbit_away=4.0)) as governor:
        await governor.consent(share=True)
        while desk.traffic.sending(1200) is not None:
            pass
        await governor.slow_mode(on=True)
        limits = {limit.name: limit for limit in governor.limits()}
        assert (limits["upload"].asked, limits["upload"].words) == (1.0, "Upload in slow mode")
        assert limits["download"].asked == 2.0
    assert load_manual(desk.folder).slow_mode


async def test_a_month_used_up_pauses_and_is_kept(desk: Desk) -> None:
    async with desk.open(Settings(monthly_budget_gb=0.001)) as governor:
        await governor.consent(share=True)
        for _ in range(1000):
            desk.traffic.sending(1200)
        await governor.reconsider()
        assert governor.verdict.reason == "budget"
        month = next(limit for limit in governor.limits() if limit.name == "month")
        assert month.measured == pytest.approx(0.0012)
    assert (desk.folder / TRAFFIC_FILE).exists()


async def test_a_power_cap_is_set_in_the_driver_and_restored(desk: Desk) -> None:
    desk.gpu = True
    async with desk.open(Settings(power_cap_watts=150)) as governor:
        await governor.consent(share=True)
        assert desk.nvml.limits == [150_000]
        power = next(limit for limit in governor.limits() if limit.name == "power")
        assert (power.how, power.asked, power.measured) == ("NVML power limit", 150.0, 120.5)
        await governor.pause("gpu", until=None)
        assert desk.nvml.limits == [300_000], "a card that rests needs no limit"
        await governor.resume("gpu")
        assert desk.nvml.limits == [150_000]
    assert desk.nvml.limits == [300_000]


async def test_without_rights_a_power_cap_is_kept_by_resting(desk: Desk) -> None:
    desk.gpu = True
    desk.nvml.rights = False
    async with desk.open(Settings(power_cap_watts=150)) as governor:
        await governor.consent(share=True)
        power = next(limit for limit in governor.limits() if limit.name == "power")
        assert power.how == "duty cycle"


async def test_a_power_cap_that_nothing_keeps_lets_no_card_compute(desk: Desk) -> None:
    desk.gpu = True
    desk.nvml.rights = False
    desk.nvml.silent.add(0)
    async with desk.open(Settings(power_cap_watts=150)) as governor:
        await governor.consent(share=True)
        assert governor.verdict.state == "sharing", "the processor may go on"
        assert [caps.gpu for caps in desk.node.caps] == [False]
        assert not governor.unknown_card_allowed
        power = next(limit for limit in governor.limits() if limit.name == "power")
        assert "cannot be kept" in power.how
        assert power.measured is None
        await governor.reconsider()
        assert [caps.gpu for caps in desk.node.caps] == [False], "it stays so"
        await governor.use_settings(Settings())
        assert governor.verdict.caps.gpu
        assert governor.unknown_card_allowed


async def test_a_computer_without_readable_cards_keeps_no_power_cap(desk: Desk) -> None:
    desk.nvml = Nvml(driver=False)
    async with desk.open(Settings(power_cap_watts=150)) as governor:
        await governor.consent(share=True)
        assert not governor.unknown_card_allowed
        power = next(limit for limit in governor.limits() if limit.name == "power")
        assert "cannot be kept" in power.how


async def test_a_card_that_falls_silent_rests_until_it_tells_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    desk.gpu = True
    desk.nvml = Nvml(cards=1, rights=False, counter=False)
    async with desk.open(Settings(power_cap_watts=150)) as governor:
        await governor.consent(share=True)
        assert governor.verdict.caps.gpu
        desk.nvml.silent.add(0)
        await until(lambda: not desk.node.caps[-1].gpu)
        desk.nvml.silent.clear()
        desk.clock.advance(SILENT_SECONDS)
        await until(lambda: desk.node.caps[-1].gpu)


async def test_readings_alone_show_the_power_that_a_cap_is_kept_by(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(power_cap_module, "SAMPLE_SECONDS", (0.001, 0.002))
    samples, sample = 0, Cards.sample

    def counted(cards: Cards) -> None:
        nonlocal samples
        sample(cards)
        samples += 1

    monkeypatch.setattr(Cards, "sample", counted)
    desk.gpu = True
    desk.nvml = Nvml(cards=1, rights=False, counter=False)
    async with desk.open(Settings(power_cap_watts=150)) as governor:
        await governor.consent(share=True)
        desk.nvml.milliwatts = 200_000
        rests = []
        for _ in range(20):
            desk.clock.advance(1.0)
            enough = samples + 2  # the first may have begun before
            await until(lambda enough=enough: samples >= enough)  # type: ignore[misc]
            rests.append(desk.pacer.rest_seconds(1.0))
        power = next(limit for limit in governor.limits() if limit.name == "power")
        assert power.how == "duty cycle"
        assert power.measured == pytest.approx(200.0, rel=0.1)
        assert max(rests) > 5.0, "20 s at 200 W are 6.7 s too many for 150 W"


async def test_every_limit_has_the_shape_of_the_api(desk: Desk) -> None:
    desk.gpu = True
    settings = Settings(power_cap_watts=150, monthly_budget_gb=5.0, upload_mbit_away=3.0)
    async with desk.open(settings) as governor:
        await governor.consent(share=True)
        for limit in governor.limits():
            fields = {"name": limit.name, "words": limit.words, "unit": limit.unit}
            figures = {"asked": limit.asked, "measured": limit.measured, "how": limit.how}
            assert msgspec.convert({**fields, **figures}, LimitInForce).words
        assert {limit.name for limit in governor.limits()} == {
            *("cpu", "gpu", "power", "upload", "month", "disk")
        }


async def test_a_command_that_said_to_share_is_consent_for_this_run_only(desk: Desk) -> None:
    desk.sensors.readings = dataclasses.replace(NOTHING_KNOWN, other_cpu_percent=99.0)
    async with desk.open(as_told=True) as governor:
        assert (governor.verdict.state, governor.verdict.in_use) == ("sharing", False)
        await governor.pause(until=None)
        assert governor.verdict.reason == "manual"
        await governor.resume()
        await governor.use_settings(Settings(schedule="never"))
        assert desk.node.told[-1] == "pause: schedule", "what the owner has fixed holds"
    assert load_manual(desk.folder).consented is None


async def test_parts_are_paused_apart(desk: Desk) -> None:
    desk.gpu = True
    async with desk.open() as governor:
        await governor.consent(share=True)
        await governor.pause("cpu", until=None)
        assert governor.verdict.state == "sharing"
        assert not governor.verdict.caps.cpu
        await governor.pause("gpu", until=None)
        assert desk.node.told[-1] == "pause: manual"
        await governor.resume()
        assert governor.verdict.caps.cpu
        assert governor.verdict.caps.gpu


async def test_a_damaged_file_of_decisions_shares_nothing_and_is_named(desk: Desk) -> None:
    (desk.folder / "sharing.json").write_bytes(b"{")
    async with desk.open() as governor:
        assert desk.node.told == ["pause: no_consent"]
        assert "could not be read" in governor.remarks()[0].words
        assert "could not be read" in governor.verdict.words


def test_a_governor_that_was_not_entered_has_no_verdict(desk: Desk) -> None:
    cards = Cards(desk.folder, nvml=desk.nvml)
    pacer = Pacer(
        clock=desk.clock, processor_seconds=lambda: 0.0, joules=lambda: None, processors=1
    )
    governor = Governor(
        desk.folder,
        Settings(),
        desk.node,
        sensors=desk.sensors,
        traffic=desk.traffic,
        pacer=pacer,
        cards=cards,
        machine=lambda: Machine(1),
        clock=desk.clock,
    )
    with pytest.raises(RuntimeError, match="not entered"):
        _ = governor.verdict


def test_the_owners_calendar() -> None:
    now = datetime.datetime(2026, 12, 31, 23, 30).timestamp()
    assert (local_time(now).hour, local_time(now).weekday) == (23, 3)
    assert month_name(now) == "2026-12"
    assert next_month(now) == datetime.datetime(2027, 1, 1).timestamp()
    assert next_month(next_month(now)) == datetime.datetime(2027, 2, 1).timestamp()
    assert next_morning(now) == datetime.datetime(2027, 1, 1, 6).timestamp()
    early = datetime.datetime(2026, 12, 31, 0, 10).timestamp()
    assert time.localtime(next_morning(early)).tm_mday == 1
    assert MEGABIT_BYTES == 1e6 / 8
