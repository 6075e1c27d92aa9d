"""What holds across the parts of a node; see app/node/service.py. Each request is in tests/api."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.settings import read_settings
from tests.helpers.running_node import adopt_guide, running_node, until

pytestmark = pytest.mark.real


def open_to_others(folder: Path) -> set[str]:
    """Which files others on this computer could read."""
    found = set()
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # a draft that has become the file
            if path.is_file() and path.stat().st_mode & 0o077:
                found.add(path.name)
    return found


async def test_what_was_wrong_at_the_start_is_said(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('kv_tokens = "many"\nfrom_the_future = 1\n')
    (tmp_path / "sharing.json").write_text("{")
    (tmp_path / "chosen.json").write_text("{")
    (tmp_path / "served.json").write_text("{")
    (tmp_path / "traffic.json").write_text("{")
    (tmp_path / "conversations.sqlite3").write_bytes(b"no database at all" * 100)
    async with running_node(tmp_path) as running:
        status = await running.ask("GET", "/status")
        told = " ".join(status["warnings"])
        for words in (
            "kv_tokens",
            "from_the_future",
            "conversations was damaged",
            "served-damaged-",
        ):
            assert words in told
        assert status["state"] == "idle"
        # The owner's file is left for the owner to mend.
        kept = await asyncio.to_thread((tmp_path / "settings.toml").read_text)
        assert "from_the_future" in kept


async def test_a_damaged_settings_file_is_kept_aside_when_a_setting_is_changed(
    tmp_path: Path,
) -> None:
    (tmp_path / "settings.toml").write_bytes(b"theme = [[[")
    async with running_node(tmp_path) as running:
        warning, *_ = (await running.ask("GET", "/status"))["warnings"]
        assert "the defaults hold" in warning
        await running.ask("PATCH", "/settings", {"notify_pauses": True})
        warning, *_ = (await running.ask("GET", "/status"))["warnings"]
        found = await asyncio.to_thread(lambda: list(tmp_path.glob("settings-damaged-*.toml")))
        assert [path.name in warning for path in found] == [True]
        assert found[0].read_bytes() == b"theme = [[["


async def test_chats_go_on_while_another_program_has_their_file(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        await running.ask("POST", "/conversations", {}, expect=201)
    other = sqlite3.connect(tmp_path / "conversations.sqlite3", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    async with running_node(tmp_path) as running:
        made = await running.ask("POST", "/conversations", {"max_tokens": 4}, expect=201)
        path = f"/conversations/{made['id']}/messages"
        events = [event async for event in running.events("POST", path, {"content": "Hello."})]
        assert events[-1][1]["state"] == "done"
        told = " ".join((await running.ask("GET", "/status"))["warnings"])
        assert "Another program is using conversations.sqlite3" in told
        other.execute("ROLLBACK")
        other.close()
    async with running_node(tmp_path) as running:
        assert len(await running.ask("GET", "/conversations")) == 2


async def test_consent_with_settings_that_cannot_be_is_no_consent(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        body = {"share": True, "settings": {"kv_tokens": 1}}
        await running.ask("POST", "/consent", body, expect=400)
        assert (await running.ask("GET", "/status"))["consented"] is None


async def test_a_new_key_for_other_computers_holds_at_once(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        service = running.node.service
        assert service.admission("t").key == ""
        await running.ask("PATCH", "/settings", {"api_key": "0123456789abcdef"})
        assert service.admission("t").key == "0123456789abcdef"
        await running.ask("PATCH", "/settings", {"api_key": "short"}, expect=400)


async def test_slow_mode_is_shown_and_kept(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        assert (await running.ask("POST", "/slow-mode", {"on": True}))["slow_mode"]
    async with running_node(tmp_path) as running:
        assert (await running.ask("GET", "/status"))["slow_mode"]
        assert not (await running.ask("POST", "/slow-mode", {"on": False}))["slow_mode"]


async def test_settings_changed_at_once_by_several_programs_are_all_kept(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        await running.ask("PATCH", "/settings", {"schedule": "mon-fri 18-8"})
        names = ("cpu_percent_in_use", "cpu_percent_away", "threads", "max_sessions")
        await asyncio.gather(
            *(
                running.ask("PATCH", "/settings", {name: value})
                for name in names
                for value in range(1, 7)
            )
        )
        view = (await running.ask("GET", "/settings"))["settings"]
        values = {setting["name"]: setting["value"] for setting in view}
        assert values["schedule"] == "mon-fri 18-8"
        assert all(values[name] in range(1, 7) for name in names)
        settings = read_settings(tmp_path / "settings.toml")
        assert settings.settings == running.node.data.settings
        assert settings.complaints == ()


async def test_one_stray_word_in_the_settings_lets_nothing_be_shared_until_it_is_mended(
    tmp_path: Path,
) -> None:
    (tmp_path / "settings.toml").write_text("cpu_percent_away = 7\noops\n")
    async with running_node(tmp_path) as running:
        await running.ask("POST", "/consent", {"share": True})
        await running.ask("POST", "/share-anyway", {})
        status = await running.ask("GET", "/status")
        assert (status["state"], status["pause"]["reason"]) == ("problem", "problem")
        assert "your limits stand in it" in status["headline"]
        assert any("settings.toml is damaged" in warning for warning in status["warnings"])
        await running.ask("PATCH", "/settings", {"theme": "dark"})
        await running.node.sharing.settled()
        status = await running.ask("GET", "/status")
        assert status["state"] == "sharing"
        assert not any("is damaged" in warning for warning in status["warnings"])
        (kept,) = (warning for warning in status["warnings"] if "was kept as" in warning)
        assert "settings-damaged-" in kept
        assert running.node.data.settings.cpu_percent_away == 7


async def test_an_address_that_cannot_be_used_is_refused_before_it_is_kept(
    tmp_path: Path,
) -> None:
    async with running_node(tmp_path) as running:
        for bad in ({"listen": "127.0.0.1:99999"}, {"listen": "192.0.2.1:0"}, {"api": "[::::]:8"}):
            await running.ask("PATCH", "/settings", {"threads": 2, **bad}, expect=400)
        assert not (tmp_path / "settings.toml").exists()
        await running.ask("PATCH", "/settings", {"api": "127.0.0.1:0"})


async def test_a_new_token_holds_while_the_node_runs(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        await running.ask("GET", "/status")
        old = running.token
        draft = tmp_path / "mine"
        draft.write_text("b" * 64)
        draft.chmod(0o600)
        draft.replace(tmp_path / "api-token")
        await running.ask("GET", "/status")
        headers = {"Authorization": f"Bearer {old}"}
        async with running.http.get(f"{running.url}/potluck/v1/status", headers=headers) as reply:
            assert reply.status == 401


if sys.platform != "win32":

    async def test_pipes_among_the_files_hold_nothing_up(tmp_path: Path) -> None:
        names = ("settings.toml", "sharing.json", "chosen.json", "served.json", "node.json")
        for name in (*names, "traffic.json", "speed.json", "engine.json", "window.pid"):
            os.mkfifo(tmp_path / name)
        (tmp_path / "manifests").mkdir()
        os.mkfifo(tmp_path / "manifests" / ("a" * 64 + ".json"))
        async with asyncio.timeout(120), running_node(tmp_path) as running:
            status = await running.ask("GET", "/status")
            assert status["state"] == "idle"
            assert any("settings.toml cannot be read" in words for words in status["warnings"])
            await running.ask("PATCH", "/settings", {"threads": 2}, expect=400)

    async def test_what_the_node_writes_is_for_its_owner_alone(tmp_path: Path) -> None:
        os.chmod(tmp_path, 0o755)
        async with running_node(tmp_path) as running:
            await running.ask("PATCH", "/settings", {"api_key": "0123456789abcdef"})
            await running.ask("POST", "/consent", {"share": False})
            await running.ask("POST", "/conversations", {}, expect=201)
            await until((tmp_path / "node.json").exists)
            assert open_to_others(tmp_path) <= {"node.lock"}

    async def test_a_data_folder_that_is_removed_is_said(tmp_path: Path) -> None:
        folder = tmp_path / "data"
        async with running_node(folder) as running:
            token = running.token
            folder.rename(tmp_path / "moved")
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{running.url}/potluck/v1/status"
            async with asyncio.timeout(30):
                while True:
                    async with running.http.get(url, headers=headers) as reply:
                        told = " ".join((await reply.json())["warnings"])
                    if "was removed" in told:
                        break
                    await asyncio.sleep(0.1)


async def test_a_model_s_file_is_taken_or_refused_in_one_line(tmp_path: Path, guide: Path) -> None:
    letter = tmp_path / "letter.json"
    letter.write_text("Dear Anna")
    async with running_node(tmp_path / "data") as running:
        before = await running.ask("GET", "/status")
        offers = await running.ask("POST", "/models/add", {"path": str(guide)})
        assert "guide" in [offer["name"] for offer in offers]
        for path in (str(letter), str(tmp_path / "gone.json"), "a\0.json", "/"):
            refused = await running.ask("POST", "/models/add", {"path": path}, expect=400)
            assert refused["code"] == "invalid_value"
            assert "\n" not in refused["words"]
        # Knowing a model shares nothing.
        after = await running.ask("GET", "/status")
        assert after["model"] == before["model"]


async def test_the_log_tells_what_happened_and_no_secrets(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    with at_info():
        async with running_node(tmp_path) as running:
            await running.ask("POST", "/consent", {"share": True})
            await running.ask("POST", "/models/choose", {"model": "guide"})
            await until(lambda: running.node.sharing.phase == "serving")
            running.sensors.set(on_battery=True)
            await running.node.service.governor._look()
            await running.node.service.governor.reconsider()
            await running.ask("POST", "/share-anyway", {"seconds": 60})
            await running.ask("POST", "/pause", {"kind": "resume"})
            await running.ask("PATCH", "/settings", {"api_key": "short secret"}, expect=400)
            text = (await running.ask("GET", "/logs"))["text"]
    for line in (
        "agreed to share",
        "chosen to share: all 8 layers of guide",
        "sharing all 8 layers of guide",
        "Paused: on battery",
        "Sharing anyway",
        "Paused by you",
        "stopped sharing guide",
        "settings refused: api_key",
    ):
        assert line in text
    assert "short secret" not in text


@contextmanager
def at_info() -> Iterator[None]:
    """As the node's own command has it."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(before)
