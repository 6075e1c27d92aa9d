"""What every node must answer on the control API, real or scripted.

`tests/api/test_control_contract.py` runs this against a node that serves the embedded guide
and against `tests/helpers/fake_node_api.py`, which the window's tests speak to: what the
window meets in a test is then what it meets in life.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from app.api.shapes import (
    AnswerWaiting,
    Conversation,
    ConversationHead,
    LogsView,
    MessageView,
    ModelOffer,
    SettingsView,
    Snapshot,
)
from tests.helpers.running_node import Asking

LONG = "Tell me a long story."
WAIT_SECONDS = 60.0
CLOCK_SECONDS = 5.0
"""So far may somebody set the clock while a test runs."""


@dataclass(frozen=True)
class Subject:
    """A node that shares a model.

    Attributes:
        other: one more model, that it offers and may be chosen.
        hold_answers: lets no answer come to its end while a test runs.
    """

    asking: Asking
    other: str
    hold_answers: Callable[[pytest.MonkeyPatch], object]

    async def status(self) -> Snapshot:
        """The node's state now."""
        return msgspec.convert(await self.asking.ask("GET", "/status"), Snapshot)

    async def sharing(self) -> Snapshot:
        """The state once it shares again."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                status = await self.status()
                if status.state == "sharing":
                    return status
                await asyncio.sleep(0.02)

    async def value(self, name: str) -> Any:
        """One setting."""
        view = msgspec.convert(await self.asking.ask("GET", "/settings"), SettingsView)
        return next(setting.value for setting in view.settings if setting.name == name)

    async def begin(self, **options: Any) -> str:
        """The path of a new conversation."""
        body = {"max_tokens": 24, **options}
        made = await self.asking.ask("POST", "/conversations", body, expect=201)
        return f"/conversations/{made['id']}"

    async def say(self, path: str, words: str, **more: Any) -> Any:
        """Say something, and give the message that came of it."""
        body = {"content": words, **more}
        return await self.answer("POST", f"{path}/messages", body)

    async def answer(self, method: str, path: str, body: Any = None) -> Any:
        """The message at the end of a stream, which has to be whole."""
        told = [event async for event in self.asking.events(method, path, body)]
        for name, body in told:
            assert name != "waiting" or msgspec.convert(body, AnswerWaiting)
        told = [(name, body) for name, body in told if name != "waiting"]
        assert [name for name, _ in told] == ["delta"] * (len(told) - 1) + ["message"]
        message = told[-1][1]
        assert "".join(body["text"] for _, body in told[:-1]) == message["content"]
        assert {body["message"] for _, body in told[:-1]} <= {message["id"]}
        return message

    async def conversation(self, path: str) -> Conversation:
        """A conversation as it is kept."""
        return msgspec.convert(await self.asking.ask("GET", path), Conversation)

    async def written(self, path: str) -> MessageView:
        """The last message, once nobody writes it any more."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                last = (await self.conversation(path)).messages[-1]
                if last.state != "writing":
                    return last
                await asyncio.sleep(0.02)

    async def refused(self, method: str, path: str, body: Any, status: int) -> str:
        """What a refused request is called; its words have to be one line."""
        told = await self.asking.ask(method, path, body, expect=status)
        assert set(told) == {"code", "words", "said"}
        assert told["words"]
        assert "\n" not in told["words"]
        return str(told["code"])


class ControlContract:
    """Inherit, and give a fixture `subject`: a node that shares. Each test leaves it so."""

    # ── sharing ──────────────────────────────────────────────────────────────

    async def test_it_says_what_it_shares(self, subject: Subject) -> None:
        status = await subject.sharing()
        model = status.model
        assert status.pause is None
        assert status.consented
        assert status.sharing_wanted
        assert model is not None
        assert (model.my_start, model.my_stop) in [(h.start, h.stop) for h in model.holders]
        assert [h.peer_id for h in model.holders if h.mine] == [status.peer_id]
        assert " layers of " in status.headline
        assert f" of {model.title}" in status.headline

    async def test_it_says_who_serves_each_model_and_what_it_is_to_it(
        self, subject: Subject
    ) -> None:
        status = await subject.sharing()
        names = {offer.name for offer in await self._offers(subject)}
        assert {one.name for one in status.coverage} == names
        for one in status.coverage:
            assert len(one.replicas) == one.units
            assert one.missing == [unit for unit, count in enumerate(one.replicas) if not count]
            assert max(one.replicas) <= one.computers
            assert (one.my_start is None) == (one.my_stop is None) == (one.my_place == "none")
            assert not one.joins or one.computers
        assert status.model is not None
        (mine,) = [one for one in status.coverage if one.model_id == status.model.model_id]
        assert (mine.my_start, mine.my_stop) == (status.model.my_start, status.model.my_stop)
        assert min(mine.replicas[mine.my_start : mine.my_stop]) >= 1
        held = [h for h in status.model.holders if h.ready]
        assert mine.replicas == [
            sum(h.start <= unit < h.stop for h in held) for unit in range(mine.units)
        ]
        assert 0 <= status.repairs.today <= status.repairs.ever

    async def test_a_pause_by_hand_names_itself_and_its_end(self, subject: Subject) -> None:
        await subject.sharing()
        wish = {"kind": "seconds", "seconds": 900}
        began = time.time()
        await subject.asking.ask("POST", "/pause", wish)
        status = await subject.status()
        assert status.state == "paused"
        assert not status.sharing_wanted
        assert status.pause is not None
        assert (status.pause.reason, status.pause.can_override) == ("manual", False)
        assert status.pause.until is not None
        assert began - CLOCK_SECONDS <= status.pause.until - 900 <= time.time() + CLOCK_SECONDS
        assert status.headline == status.pause.words
        assert status.headline.startswith("Paused by you (until ")
        assert {one.my_place for one in status.coverage} == {"none"}
        assert status.model is not None
        assert status.model.my_start is status.model.my_stop is None
        assert not any(holder.mine for holder in status.model.holders)
        await subject.asking.ask("POST", "/resume")
        assert (await subject.sharing()).pause is None

    async def test_until_i_resume_has_no_end_and_share_anyway_does_not_end_it(
        self, subject: Subject
    ) -> None:
        await subject.asking.ask("POST", "/pause", {"kind": "resume"})
        await subject.asking.ask("POST", "/share-anyway", {"seconds": 60})
        status = await subject.status()
        assert status.pause is not None
        assert (status.state, status.pause.until) == ("paused", None)
        assert status.headline == "Paused by you (until you resume)"
        await subject.asking.ask("POST", "/resume")
        await subject.sharing()

    async def test_one_part_can_rest(self, subject: Subject) -> None:
        body = {"kind": "resume", "what": "gpu"}
        status = msgspec.convert(await subject.asking.ask("POST", "/pause", body), Snapshot)
        assert (status.gpu_paused, status.cpu_paused) == (True, False)
        assert status.sharing_wanted
        await subject.asking.ask("POST", "/resume")
        assert not (await subject.sharing()).gpu_paused

    async def test_slow_mode_is_switched(self, subject: Subject) -> None:
        for on in (True, False):
            told = await subject.asking.ask("POST", "/slow-mode", {"on": on})
            assert told["slow_mode"] is on

    async def test_who_takes_consent_back_shares_nothing(self, subject: Subject) -> None:
        await subject.asking.ask("POST", "/consent", {"share": False})
        status = await subject.status()
        assert (status.state, status.consented, status.sharing_wanted) == ("idle", False, False)
        assert status.pause is not None
        assert (status.pause.reason, status.pause.can_override) == ("no_consent", False)
        assert status.headline == status.pause.words == "Not sharing: you chose only to chat"
        agreed = {"share": True, "settings": {"cpu_percent_in_use": 31}, "start_at_login": True}
        told = await subject.asking.ask("POST", "/consent", agreed)
        assert told["consented"] is True
        assert await subject.value("cpu_percent_in_use") == 31
        assert await subject.value("start_at_login") is True
        # Saying yes again says nothing about the login.
        await subject.asking.ask("POST", "/consent", {"share": True})
        assert await subject.value("start_at_login") is True
        await subject.sharing()

    async def test_the_stream_begins_with_the_state_and_tells_each_change(
        self, subject: Subject
    ) -> None:
        await subject.sharing()
        events = subject.asking.events("GET", "/events")
        name, first = await anext(events)
        assert (name, first["state"]) == ("status", "sharing")
        await subject.asking.ask("POST", "/pause", {"kind": "resume"})
        async with asyncio.timeout(WAIT_SECONDS):
            async for name, told in events:
                if name == "status" and told["state"] == "paused":
                    break
        await events.aclose()  # type: ignore[attr-defined]
        assert set(told) == set(first)
        await subject.asking.ask("POST", "/resume")
        await subject.sharing()

    # ── settings, models, disk, logs ─────────────────────────────────────────

    async def test_settings_are_changed_all_or_none(self, subject: Subject) -> None:
        view = await subject.asking.ask("PATCH", "/settings", {"max_sessions": 5})
        assert msgspec.convert(view, SettingsView) is not None
        wrong: tuple[dict[str, Any], ...] = (
            {"max_sessions": 900},
            {"max_sessions": 6, "no_such": 1},
            {"max_sessions": 7, "listen": "nowhere"},
        )
        for values in wrong:
            assert await subject.refused("PATCH", "/settings", values, 400) == "invalid_value"
        assert await subject.value("max_sessions") == 5

    async def test_rules_that_allow_no_work_are_remarked_on(self, subject: Subject) -> None:
        view = await subject.asking.ask("PATCH", "/settings", {"schedule": "never"})
        sentence = "Your schedule allows no hour of the week, so sharing never starts."
        assert sentence in view["remarks"]
        assert sentence in (await subject.status()).warnings
        view = await subject.asking.ask("PATCH", "/settings", {"schedule": ""})
        assert sentence not in view["remarks"]
        assert sentence not in (await subject.status()).warnings
        await subject.sharing()

    async def test_a_model_is_chosen_and_it_alone(self, subject: Subject) -> None:
        before = await self._offers(subject)
        first = next(offer.name for offer in before if offer.chosen)
        for name in (subject.other, first):
            told = await subject.asking.ask("POST", "/models/choose", {"model": name})
            assert msgspec.convert(told, Snapshot).consented
            offers = await self._offers(subject)
            assert [offer.name for offer in offers if offer.chosen] == [name]
        unknown = {"model": "no-such"}
        assert await subject.refused("POST", "/models/choose", unknown, 404) == "unknown_model"
        await subject.sharing()

    @staticmethod
    async def _offers(subject: Subject) -> list[ModelOffer]:
        offers = msgspec.convert(await subject.asking.ask("GET", "/models"), list[ModelOffer])
        for offer in offers:
            assert 0 <= offer.fits_units <= offer.units
            assert 0 <= offer.suggested_start <= offer.suggested_stop <= offer.units
            assert 0 <= offer.held_bytes <= offer.bytes
        return offers

    async def test_freed_space_is_free(self, subject: Subject) -> None:
        before = (await subject.status()).disk_used_bytes
        told = await subject.asking.ask("POST", "/disk/free")
        assert set(told) == {"freed_bytes"}
        after = await subject.status()
        assert after.disk_unused_bytes == 0
        assert after.disk_used_bytes == before - told["freed_bytes"]

    async def test_logs_are_text_and_a_count(self, subject: Subject) -> None:
        view = msgspec.convert(await subject.asking.ask("GET", "/logs"), LogsView)
        assert view.removed >= 0
        assert "127.0.0.1" not in view.text

    # ── conversations ────────────────────────────────────────────────────────

    async def test_a_question_is_answered_and_kept(self, subject: Subject) -> None:
        path = await subject.begin()
        message = await subject.say(path, "What is Potluck?")
        assert (message["role"], message["state"]) == ("assistant", "done")
        assert message["chain"]
        assert message["tokens"] > 0
        kept = await subject.conversation(path)
        assert kept.title == "What is Potluck?"
        assert [m.role for m in kept.messages] == ["user", "assistant"]
        assert msgspec.to_builtins(kept.messages[-1]) == message
        heads = msgspec.convert(
            await subject.asking.ask("GET", "/conversations"), list[ConversationHead]
        )
        assert (heads[0].id, heads[0].messages) == (kept.id, 2)

    async def test_an_answer_is_written_again(self, subject: Subject) -> None:
        path = await subject.begin()
        assert await subject.refused("POST", f"{path}/regenerate", {}, 409) == "nothing_said"
        first = await subject.say(path, "What is Potluck?")
        again = await subject.answer("POST", f"{path}/regenerate")
        assert again["id"] != first["id"]
        kept = await subject.conversation(path)
        assert [m.id for m in kept.messages[1:]] == [again["id"]]

    async def test_a_changed_question_replaces_all_that_came_after(self, subject: Subject) -> None:
        path = await subject.begin()
        await subject.say(path, "What is Potluck?")
        first = (await subject.conversation(path)).messages[0].id
        await subject.say(path, "And a layer?")
        unknown = {"content": "What?", "replaces": first + 9999}
        assert await subject.refused("POST", f"{path}/messages", unknown, 404) == "unknown_message"
        await subject.say(path, "What is a helper?", replaces=first)
        kept = await subject.conversation(path)
        assert [m.role for m in kept.messages] == ["user", "assistant"]
        assert kept.messages[0].content == "What is a helper?"

    async def test_an_answer_is_stopped_and_another_waits_for_that(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subject.hold_answers(monkeypatch)
        path = await subject.begin(max_tokens=900)
        body = {"content": LONG}
        events = subject.asking.events("POST", f"{path}/messages", body)
        begun = await subject.asking.first_words(events)
        assert (await subject.conversation(path)).messages[-1].state == "writing"
        assert await subject.refused("POST", f"{path}/messages", body, 409) == "busy"
        assert await subject.refused("POST", f"{path}/regenerate", {}, 409) == "busy"
        await subject.asking.ask("POST", f"{path}/stop")
        name, message = [event async for event in events][-1]
        assert (name, message["state"]) == ("message", "stopped")
        assert message["content"].startswith(begun)
        assert msgspec.to_builtins((await subject.conversation(path)).messages[-1]) == message

    async def test_an_answer_is_written_on_when_nobody_listens(self, subject: Subject) -> None:
        path = await subject.begin(max_tokens=60)
        events = subject.asking.events("POST", f"{path}/messages", {"content": LONG})
        begun = await subject.asking.first_words(events)
        await events.aclose()  # type: ignore[attr-defined]
        last = await subject.written(path)
        assert last.state == "done"
        assert last.content.startswith(begun)
        assert [event async for event in subject.asking.events("GET", f"{path}/events")] == []

    async def test_a_title_and_options_are_changed(self, subject: Subject) -> None:
        path = await subject.begin(system="Be brief.")
        change = {"title": "Layers", "options": {"temperature": 0.5, "alone": True}}
        told = msgspec.convert(await subject.asking.ask("PATCH", path, change), Conversation)
        assert (told.title, told.options.temperature, told.options.alone) == ("Layers", 0.5, True)
        assert told.options.system == ""
        for place, method in (("/conversations", "POST"), (path, "PATCH")):
            model = {"model": "no-such"}
            body = model if method == "POST" else {"options": model}
            assert await subject.refused(method, place, body, 404) == "unknown_model"

    async def test_a_conversation_is_exported_as_it_is_kept(self, subject: Subject) -> None:
        path = await subject.begin(system="Be brief.")
        await subject.say(path, "What is Potluck?")
        told = await subject.asking.ask("GET", f"{path}/export?format=json")
        assert told == await subject.asking.ask("GET", path)
        wrong = f"{path}/export?format=odt"
        assert await subject.refused("GET", wrong, None, 400) == "invalid_value"

    async def test_what_is_deleted_is_gone(self, subject: Subject) -> None:
        path = await subject.begin()
        await subject.asking.ask("DELETE", path)
        gone: tuple[tuple[str, str, Any], ...] = (
            ("GET", path, None),
            ("DELETE", path, None),
            ("PATCH", path, {"title": "x"}),
            ("POST", f"{path}/messages", {"content": "x"}),
            ("POST", f"{path}/regenerate", {}),
            ("GET", f"{path}/events", None),
            ("GET", f"{path}/export", None),
        )
        for method, place, body in gone:
            assert await subject.refused(method, place, body, 404) == "unknown_conversation"
