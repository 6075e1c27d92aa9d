"""What holds across the parts of a node; see app/service.py. Each request is in tests/api."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from tests.helpers.running_node import running_node


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
        (warning,) = (await running.ask("GET", "/status"))["warnings"]
        assert "the defaults hold" in warning
        await running.ask("PATCH", "/settings", {"notify_pauses": True})
        (warning,) = (await running.ask("GET", "/status"))["warnings"]
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
