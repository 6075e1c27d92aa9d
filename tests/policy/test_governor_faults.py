"""What the governor does when something goes wrong: it rests, says so, and tries again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.policy import governor as governor_module
from app.policy.governor import Governor
from app.policy.manual import load_manual
from app.policy.power import Cards
from app.policy.verdict import Verdict
from app.preferences import Settings
from tests.helpers.governor_desk import Desk, until
from tests.helpers.virtual_clock import VirtualClock


def reason(governor: Governor) -> str:
    """Why it rests now."""
    return governor.verdict.reason


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_limits_that_could_not_be_read_let_nothing_be_shared(desk: Desk) -> None:
    for as_told in (False, True):
        async with desk.open(doubtful=True, as_told=as_told) as governor:
            await governor.consent(share=True)
            await governor.share_anyway(3600)
            assert reason(governor) == "problem"
            assert "your limits stand in it" in governor.verdict.words
            await governor.use_settings(Settings())
            assert reason(governor) == ""


async def test_a_clock_beyond_every_calendar_ends_neither_the_rules_nor_a_pause(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    right = desk.clock.wall
    async with desk.open() as governor:
        await governor.consent(share=True)
        for wild in (1e12, -1e12, 1e18):
            desk.clock.wall = lambda wild=wild: wild  # type: ignore[method-assign,misc]
            await governor.reconsider()
            await governor.pause(until=governor.tomorrow())
            assert reason(governor) == "manual"
            desk.clock.wall = right  # type: ignore[method-assign]
            await governor.resume()
            assert reason(governor) == ""


async def test_rules_that_cannot_be_judged_rest_and_are_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    async with desk.open() as governor:
        await governor.consent(share=True)
        with monkeypatch.context() as broken:

            def fails(*_: object) -> Verdict:
                raise RuntimeError("a case that nobody thought of")

            broken.setattr(governor_module, "judge", fails)
            await until(lambda: desk.node.told[-1] == "pause: problem")
            assert governor.verdict.words.startswith("Not sharing: your rules could not be judged")
            await governor.pause(until=None)  # is kept, and harms nothing
            assert load_manual(desk.folder).pause is not None
            await asyncio.sleep(0.05)
        assert caplog.text.count("Traceback") == 1, "said once, not at every look"
        assert desk.node.told.count("pause: problem") == 1
        await until(lambda: reason(governor) == "manual")
        await governor.resume()
        assert desk.node.told[-1] == "resume"


@pytest.mark.parametrize("part", ["sensors", "cards", "count"])
async def test_a_look_that_fails_rests_and_the_next_one_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(governor_module, "SAVE_SECONDS", 0.0)
    async with desk.open() as governor:
        await governor.consent(share=True)

        def fails(*_: object) -> None:
            raise RuntimeError("never seen before")

        with monkeypatch.context() as broken:
            owner, name = {
                "sensors": (desk.pacer, "measure"),
                "cards": (Cards, "read"),
                "count": (desk.traffic, "save"),
            }[part]
            broken.setattr(owner, name, fails)
            await until(lambda: "pause: problem" in desk.node.told)
        await until(lambda: governor.verdict.state == "sharing")
        assert desk.node.told[-1] == "resume"


async def test_a_node_that_fails_otherwise_is_paused_until_it_works(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor_module, "LOOK_SECONDS", 0.01)
    async with desk.open() as governor:
        await governor.consent(share=True)
        desk.node.fault = RuntimeError("a mistake of ours")
        await governor.pause(until=None)
        assert governor.verdict.state == "paused"
        desk.node.fault = None
        await until(lambda: reason(governor) == "manual")
        assert desk.node.told[-1].startswith("pause")


async def test_a_pause_holds_through_a_clock_that_is_set_right_after_a_restart(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk.open() as governor:
        await governor.consent(share=True)
        await governor.pause(until=desk.clock.wall() + 86_400)
    right = desk.clock.wall()
    desk.clock = VirtualClock(wall=right - 365 * 86_400)
    async with desk.open() as governor:
        assert reason(governor) == "manual"
        desk.clock.advance(20)
        await governor.reconsider()
        desk.clock = governor._clock = VirtualClock(wall=right + 30)
        await governor.reconsider()
        assert reason(governor) == "manual"
        assert governor.verdict.until == right + 86_400
