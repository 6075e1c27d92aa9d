"""Where the owner's choice and the rules meet; see app/node/wishes.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import Refusal, UsageError
from app.folder.choice import CHOICE_FILE, Choice, load_choice, save_choice
from app.folder.known_models import KnownModels
from app.ids import Span
from app.node.wishes import checked_span
from tests.helpers.running_node import WHOLE, SetSensors, adopt_guide, running_node, until

pytestmark = pytest.mark.real


async def test_what_the_command_line_says_is_consent_for_this_run_only(
    tmp_path: Path, guide: Path
) -> None:
    sensors = SetSensors()
    sensors.set(on_battery=True, idle_seconds=None, full_screen=None)
    async with running_node(tmp_path, manifest=guide, units=WHOLE, sensors=sensors) as running:
        status = await running.ask("GET", "/status")
        assert "all 8 layers of Potluck Guide" in status["headline"]
    async with running_node(tmp_path, sensors=sensors) as running:
        status = await running.ask("GET", "/status")
        assert (status["consented"], status["state"]) == (None, "idle")


async def test_a_pause_by_hand_holds_against_the_command_line_too(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        await running.ask("POST", "/pause", {"kind": "resume"})
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        assert running.node.ready_line()["units"] is None
        assert (await running.ask("GET", "/status"))["state"] == "paused"


async def test_heat_pauses_even_what_was_told(tmp_path: Path, guide: Path) -> None:
    sensors = SetSensors()
    sensors.set(temperature_celsius=120.0)
    async with running_node(tmp_path, manifest=guide, units=WHOLE, sensors=sensors) as running:
        status = await running.ask("GET", "/status")
        assert status["pause"]["reason"] == "temperature"
        assert not status["pause"]["can_override"]


async def test_a_full_disk_is_said_to_whoever_typed_the_command(
    tmp_path: Path, guide: Path
) -> None:
    sensors = SetSensors()
    sensors.set(disk_free_bytes=1000)
    with pytest.raises(Refusal, match="is full"):
        async with running_node(tmp_path, manifest=guide, units=WHOLE, sensors=sensors):
            pass


async def test_who_agreed_and_chose_nothing_shares_what_costs_nothing(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        await running.ask("POST", "/consent", {"share": True})
        await until(lambda: running.node.sharing.phase == "serving")
        assert not (tmp_path / CHOICE_FILE).exists()


async def test_settings_that_need_it_mount_again(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        before = running.node.status()["worker_pid"]
        await running.ask("PATCH", "/settings", {"theme": "dark"})
        assert running.node.status()["worker_pid"] == before
        await running.ask("PATCH", "/settings", {"kv_tokens": 2048})
        await running.node.sharing.settled()
        assert running.node.status()["worker_pid"] != before
        assert running.node.status()["tokens_free"] == 2048


async def test_a_choice_of_a_model_that_is_gone_is_no_obstacle(tmp_path: Path, guide: Path) -> None:
    save_choice(tmp_path, Choice("ab" * 32, Span(0, 3)))
    async with running_node(tmp_path) as running:
        assert (await running.ask("GET", "/status"))["state"] == "idle"
    assert load_choice(tmp_path) is not None


async def test_a_span_is_checked(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        model = await KnownModels(running.node.data).find("guide")
    assert checked_span(model, 2, 5) == Span(2, 5)
    for start, stop in ((0, 11), (5, 5), (-1, 3)):
        with pytest.raises(UsageError):
            checked_span(model, start, stop)
