"""What the window asks of a real node, and what it is told; see app/api/control.py."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from app.api.shapes import (
    Conversation,
    ConversationHead,
    LogsView,
    ModelOffer,
    SettingsView,
    Snapshot,
)
from app.ids import Span
from tests.helpers.held_answers import hold_answers
from tests.helpers.running_node import WHOLE, RunningNode, SetSensors, adopt_guide, running_node

pytestmark = pytest.mark.real

WAIT_SECONDS = 60.0
CLOCK_SECONDS = 5.0
"""So far may somebody set the clock while a test runs."""


async def until(running: RunningNode, state: str, *, seconds: float = WAIT_SECONDS) -> Snapshot:
    """The first snapshot with this state."""
    async with asyncio.timeout(seconds):
        while True:
            status = msgspec.convert(await running.ask("GET", "/status"), Snapshot)
            if status.state == state:
                return status
            await asyncio.sleep(0.02)


async def written(running: RunningNode, conversation: str, words: str, **more: Any) -> Any:
    """Say something, and give the message that came of it."""
    body = {"content": words, **more}
    events = running.events("POST", f"/conversations/{conversation}/messages", body)
    # A crowded host makes an answer wait, and that is said in between.
    told = [event async for event in events if event[0] != "waiting"]
    assert [name for name, _ in told[:-1]] == ["delta"] * (len(told) - 1)
    name, message = told[-1]
    assert name == "message"
    assert "".join(body["text"] for _, body in told[:-1]) == message["content"]
    return message


# ── consent, sharing, pauses ─────────────────────────────────────────────────


async def test_nothing_is_shared_before_the_owner_agrees(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        status = await until(running, "idle")
        assert (status.consented, status.sharing_wanted) == (None, False)
        assert status.pause is not None
        assert status.pause.reason == "no_consent"
        await running.ask("POST", "/models/choose", {"model": "guide"})
        assert (await until(running, "idle")).disk_used_bytes == 0
        agreed = await running.ask("POST", "/consent", {"share": True})
        assert agreed["consented"] is True
        status = await until(running, "sharing")
        assert "share all 8 layers of Potluck Guide" in status.headline
        assert status.model is not None
        assert [holder.mine for holder in status.model.holders] == [True]


async def test_who_only_wants_to_chat_shares_nothing_and_is_answered(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        body = {"share": False, "settings": {"language": "en"}, "start_at_login": True}
        status = await running.ask("POST", "/consent", body)
        assert (status["state"], status["consented"]) == ("idle", False)
        made = await running.ask("POST", "/conversations", {"model": "guide"}, expect=201)
        message = await written(running, made["id"], "What is Potluck?")
        assert (message["state"], message["chain"]) == ("done", ["this computer"])
        assert running.node.sharing.order is None


async def test_a_pause_frees_the_memory_and_lasts_until_it_is_ended(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        worker = psutil.Process(running.node.status()["worker_pid"])
        began = time.time()
        status = await running.ask("POST", "/pause", {"kind": "seconds", "seconds": 900})
        assert not worker.is_running()
        assert (status["state"], status["pause"]["reason"]) == ("paused", "manual")
        assert (
            began - CLOCK_SECONDS <= status["pause"]["until"] - 900 <= time.time() + CLOCK_SECONDS
        )
        assert status["pause"]["can_override"] is False
        told = running.node.status()  # what `potluck status` shows
        assert (told["state"], told["headline"]) == ("paused", status["headline"])
        assert told["paused_until"] == status["pause"]["until"]
        # Chat goes on, alone, while nothing is shared.
        made = await running.ask("POST", "/conversations", {}, expect=201)
        assert (await written(running, made["id"], "What is Potluck?"))["state"] == "done"

        await running.ask("POST", "/resume")
        assert (await until(running, "sharing")).pause is None


async def test_a_pause_by_hand_survives_a_restart(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        await running.ask("POST", "/consent", {"share": True})
        await running.ask("POST", "/models/choose", {"model": "guide", "start": 0, "stop": 4})
        await until(running, "sharing")
        await running.ask("POST", "/pause", {"kind": "resume"})
    async with running_node(tmp_path) as running:
        status = await until(running, "paused")
        assert status.headline == "Paused by you (until you resume)"
        await running.ask("POST", "/share-anyway", {"seconds": 60})
        assert (await until(running, "paused")).pause is not None
        await running.ask("POST", "/resume")
        assert "3 layers of Potluck Guide" in (await until(running, "sharing")).headline


async def test_an_automatic_pause_names_its_reason_and_can_be_overruled(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    sensors = SetSensors()
    sensors.set(on_battery=True)
    async with running_node(tmp_path, sensors=sensors) as running:
        await running.ask("POST", "/consent", {"share": True})
        await running.ask("POST", "/models/choose", {"model": "guide"})
        status = await until(running, "paused")
        assert status.headline == "Paused: on battery (until plugged in)"
        assert status.pause is not None
        assert status.pause.can_override
        await running.ask("POST", "/share-anyway", {"seconds": 600})
        assert "sharing anyway" in (await until(running, "sharing")).headline


async def test_a_strangers_answer_goes_on_elsewhere_when_the_owner_pauses(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two computers serve the same layers; the one that answers pauses in the middle."""
    go_on = hold_answers(monkeypatch)
    places = [tmp_path / name for name in ("first", "second", "asks")]
    async with running_node(places[0], manifest=guide, units=WHOLE, public=True) as first:
        bootstrap = f"{first.node.ready_line()['peer_id']}@{first.node.endpoint.address}"
        adopt_guide(places[2], guide)
        async with running_node(places[2], bootstraps=(bootstrap,)) as asks:
            made = await asks.ask("POST", "/conversations", {"model": "guide"}, expect=201)
            path = f"/conversations/{made['id']}/messages"
            stream = asks.events("POST", path, {"content": "Tell me a story."})
            begun = await asks.first_words(stream)
            async with running_node(
                places[1], manifest=guide, units=WHOLE, bootstraps=(bootstrap,)
            ) as second:
                worker = psutil.Process(first.node.status()["worker_pid"])
                await first.ask("POST", "/pause", {"kind": "resume"})
                assert not worker.is_running()
                go_on.set()
                name, message = [event async for event in stream][-1]
                goes_on_at = str(second.node.ready_line()["peer_id"])
    assert (name, message["state"]) == ("message", "done")
    assert message["repairs"] >= 1
    assert message["content"].startswith(begun)
    assert message["chain"] == [goes_on_at[:8]]


async def test_quitting_ends_the_node(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        await running.ask("POST", "/quit")
        async with asyncio.timeout(WAIT_SECONDS):
            await running.node.wait_until_quit()


# ── settings, models, disk, logs ─────────────────────────────────────────────


async def test_settings_are_described_changed_and_kept(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        view = msgspec.convert(await running.ask("GET", "/settings"), SettingsView)
        quota = next(s for s in view.settings if s.name == "disk_quota_bytes")
        assert quota.value == quota.default
        assert all(s.label and s.words and s.section for s in view.settings)
        changed = await running.ask("PATCH", "/settings", {"kv_tokens": 4096})
        assert {s["name"]: s["value"] for s in changed["settings"]}["kv_tokens"] == 4096
        for wrong in ({"kv_tokens": 1}, {"no_such": 1}, {"kv_tokens": 8192, "listen": 5}):
            refused = await running.ask("PATCH", "/settings", wrong, expect=400)
            assert refused["code"] == "invalid_value"
            assert "\n" not in refused["words"]
        assert running.node.data.settings.kv_tokens == 4096
        later = await running.ask("PATCH", "/settings", {"listen": "127.0.0.1:0"})
        assert any("starts the next time" in remark for remark in later["remarks"])
    async with running_node(tmp_path) as running:
        assert running.node.data.settings.kv_tokens == 4096


async def test_rules_that_allow_no_work_say_so_at_once(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        view = await running.ask("PATCH", "/settings", {"schedule": "never"})
        assert any("sharing never starts" in remark for remark in view["remarks"])
        status = await running.ask("GET", "/status")
        assert any("sharing never starts" in words for words in status["warnings"])


async def test_a_model_is_offered_with_what_to_expect_of_it(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        offer = msgspec.convert(await running.offer(), ModelOffer)
        assert (offer.units, offer.fits_units, offer.suggested_stop) == (10, 10, 10)
        assert offer.missing_bytes == offer.bytes
        assert (offer.held_bytes, offer.expected_tokens_per_second) == (0, None)
        assert not offer.chosen
        await running.ask("POST", "/consent", {"share": True})
        await running.ask("POST", "/models/choose", {"model": "guide", "start": 2, "stop": 6})
        await until(running, "sharing")
        offer = msgspec.convert(await running.offer(), ModelOffer)
        assert (offer.suggested_start, offer.suggested_stop, offer.chosen) == (2, 6, True)
        assert offer.missing_bytes == 0
        assert offer.expected_tokens_per_second is not None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "no-such"}, 404, "unknown_model"),
        ({"model": "guide", "start": 3}, 400, "invalid_value"),
        ({"model": "guide", "start": 5, "stop": 5}, 400, "invalid_value"),
        ({"model": "guide", "start": 0, "stop": 11}, 400, "invalid_value"),
        ({"start": 0}, 400, "invalid_value"),
    ],
)
async def test_a_choice_that_cannot_be_is_refused(
    tmp_path: Path, guide: Path, body: Any, status: int, code: str
) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        refused = await running.ask("POST", "/models/choose", body, expect=status)
        assert refused["code"] == code
        assert (await running.ask("GET", "/status"))["model"] is None


async def test_a_model_too_large_for_its_disk_is_refused_before_a_download(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    (tmp_path / "settings.toml").write_text("disk_quota_bytes = 1000000\n")
    async with running_node(tmp_path) as running:
        refused = await running.ask("POST", "/models/choose", {"model": "guide"}, expect=409)
        assert refused["code"] == "over_quota"
        assert "allow more disk space" in refused["words"]


async def test_another_choice_is_served_and_the_old_layers_can_go(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        await running.ask("POST", "/consent", {"share": True})
        await running.ask("POST", "/models/choose", {"model": "guide", "start": 0, "stop": 10})
        await until(running, "sharing")
        await running.ask("POST", "/models/choose", {"model": "guide", "start": 1, "stop": 3})
        await running.node.sharing.settled()
        status = await until(running, "sharing")
        assert "2 layers of Potluck Guide" in status.headline
        assert running.node.ready_line()["units"] == str(Span(1, 3))
        freed = await running.ask("POST", "/disk/free")
        assert freed["freed_bytes"] > 0
        after = await running.ask("GET", "/status")
        assert after["disk_unused_bytes"] == 0
        assert after["disk_used_bytes"] == status.disk_used_bytes - freed["freed_bytes"]


async def test_logs_tell_no_addresses(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        view = msgspec.convert(await running.ask("GET", "/logs"), LogsView)
        assert str(tmp_path) not in view.text
        assert view.removed >= 0


# ── conversations ────────────────────────────────────────────────────────────


async def test_a_conversation_is_kept_regenerated_edited_and_exported(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        options = {"model": "guide", "max_tokens": 30}
        made = await running.ask("POST", "/conversations", options, expect=201)
        name = made["id"]
        first = await written(running, name, "What is Potluck?")
        assert first["tokens"] > 0
        assert first["tokens_per_second"] > 0
        await written(running, name, "Who can read what I write?")
        told = [e async for e in running.events("POST", f"/conversations/{name}/regenerate")]
        kept = msgspec.convert(await running.ask("GET", f"/conversations/{name}"), Conversation)
        assert [m.role for m in kept.messages] == ["user", "assistant"] * 2
        assert kept.messages[-1].id == told[-1][1]["id"]
        assert kept.title == "What is Potluck?"

        await written(running, name, "What is a layer?", replaces=kept.messages[0].id)
        kept = msgspec.convert(await running.ask("GET", f"/conversations/{name}"), Conversation)
        assert [m.role for m in kept.messages] == ["user", "assistant"]
        assert kept.messages[0].content == "What is a layer?"

        change = {"title": "Layers", "options": {"model": "guide", "temperature": 0.5}}
        renamed = await running.ask("PATCH", f"/conversations/{name}", change)
        assert (renamed["title"], renamed["options"]["temperature"]) == ("Layers", 0.5)
        exported = await running.ask("GET", f"/conversations/{name}/export?format=json")
        assert exported == renamed
        await running.ask("GET", f"/conversations/{name}/export?format=odt", expect=400)
        heads = msgspec.convert(await running.ask("GET", "/conversations"), list[ConversationHead])
        assert [(head.id, head.messages) for head in heads] == [(name, 2)]
        await running.ask("DELETE", f"/conversations/{name}")
        gone = await running.ask("GET", f"/conversations/{name}", expect=404)
        assert gone["code"] == "unknown_conversation"


async def test_an_answer_is_stopped_and_keeps_what_there_is(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_answers(monkeypatch)
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        made = await running.ask("POST", "/conversations", {}, expect=201)
        path = f"/conversations/{made['id']}"
        stream = running.events("POST", f"{path}/messages", {"content": "Tell me a story."})
        begun = await running.first_words(stream)
        busy = await running.ask("POST", f"{path}/messages", {"content": "Now!"}, expect=409)
        assert busy["code"] == "busy"
        await running.ask("POST", f"{path}/stop")
        name, message = [event async for event in stream][-1]
        assert (name, message["state"]) == ("message", "stopped")
        assert message["content"] == begun
        kept = await running.ask("GET", path)
        assert kept["messages"][-1] == message


async def test_an_answer_is_written_on_when_the_window_goes(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        made = await running.ask("POST", "/conversations", {"max_tokens": 60}, expect=201)
        path = f"/conversations/{made['id']}"
        stream = running.events("POST", f"{path}/messages", {"content": "Tell me a story."})
        begun = await running.first_words(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        again = [event async for event in running.events("GET", f"{path}/events")]
        kept = await running.ask("GET", path)
        assert kept["messages"][-1]["state"] == "done"
        assert kept["messages"][-1]["content"].startswith(begun)
        if again:
            assert again[-1][1] == kept["messages"][-1]


async def test_an_answer_that_cannot_be_says_why_and_can_be_tried_again(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        made = await running.ask("POST", "/conversations", {}, expect=201)
        running.node.data.shelf._catalogue._models.clear()  # a Potluck without its own model
        message = await written(running, made["id"], "Hello")
        assert message["state"] == "failed"
        assert "no model of its own" in message["error"]
        kept = await running.ask("GET", f"/conversations/{made['id']}")
        assert [m["content"] for m in kept["messages"]] == ["Hello", ""]


async def test_a_conversation_of_an_unknown_model_is_not_begun(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        await running.ask("POST", "/conversations", {"model": "gpt-9"}, expect=404)
        await running.ask("POST", "/conversations", {"model": "/etc/hosts.json"}, expect=404)
        assert await running.ask("GET", "/conversations") == []


async def test_a_chat_does_not_wait_for_the_places_that_this_computer_gives_to_others(
    tmp_path: Path, guide: Path
) -> None:
    (tmp_path / "settings.toml").write_text("max_sessions = 1\n")
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        async with asyncio.timeout(WAIT_SECONDS):
            for _ in range(3):
                made = await running.ask("POST", "/conversations", {"max_tokens": 8}, expect=201)
                message = await written(running, made["id"], "What is a helper?")
                assert (message["state"], message["chain"]) == ("done", ["this computer"])


async def test_two_conversations_are_answered_at_once(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        made = [
            await running.ask("POST", "/conversations", {"max_tokens": 40}, expect=201)
            for _ in range(3)
        ]
        told = await asyncio.gather(
            *(written(running, one["id"], "What is a helper?") for one in made)
        )
        assert len({message["content"] for message in told}) == 1
        assert {message["state"] for message in told} == {"done"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/pause", {"kind": "seconds"}),
        ("/pause", {"kind": "tomorrow", "seconds": 5}),
        ("/pause", {"kind": "seconds", "seconds": 1e9}),
        ("/pause", {"kind": "forever"}),
        ("/share-anyway", {"seconds": -1}),
        ("/slow-mode", {}),
        ("/consent", {"share": "yes"}),
        ("/consent", {"share": True, "settings": {"cpu_percent_in_use": 900}}),
        ("/conversations", {"temperature": 99}),
        ("/conversations", {"seed": 2**63}),
        ("/conversations", {"seed": -(10**40)}),
        ("/conversations/x/messages", {"content": "x", "replaces": 10**30}),
        ("/conversations/x/messages", {"content": "x", "replaces": -1}),
        ("/models/choose", {"model": "guide", "start": 10**30}),
        ("/models/choose", {"model": "a\0.json"}),
        ("/models/choose", {"model": "a" * 3000 + ".json"}),
    ],
)
async def test_a_wrong_request_changes_nothing(tmp_path: Path, path: str, body: Any) -> None:
    async with running_node(tmp_path) as running:
        refused = await running.ask("POST", path, body, expect=400)
        assert refused["words"]
        assert refused["code"] == "invalid_value"
        status = await running.ask("GET", "/status")
        assert (status["consented"], status["state"]) == (None, "idle")
