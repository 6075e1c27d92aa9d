"""The owner's conversations, answered by a real node; see app/chat/answering.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from app.api.shapes import AnswerDelta, ConversationOptions, MessageView, SayRequest
from app.chat.opened_model import OpenedModel
from app.errors import Refusal
from app.ids import Span
from tests.helpers.held_answers import hold_answers
from tests.helpers.running_node import WHOLE, RunningNode, adopt_guide, running_node

pytestmark = pytest.mark.real

T = TypeVar("T")


STORY = {"content": "Tell me a story."}


async def followed(running: RunningNode, conversation: str) -> tuple[str, MessageView]:
    """The text of the deltas, and the message at the end."""
    text, end = "", None
    async for piece in running.node.answering.follow(conversation):
        if isinstance(piece, AnswerDelta):
            text += piece.text
        elif isinstance(piece, MessageView):
            end = piece
    assert end is not None
    return text, end


async def test_everybody_who_follows_hears_the_whole_answer(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering, kept = running.node.answering, running.node.conversations
        made = await kept.create(ConversationOptions(max_tokens=40))
        await answering.say(made.id, SayRequest(content="Tell me a story."))
        early = asyncio.gather(followed(running, made.id))
        async for _ in answering.follow(made.id):
            break
        late = await followed(running, made.id)
        assert [late] == list(await early)
        assert late[0] == late[1].content
        assert (await kept.get(made.id)).messages[-1] == late[1]


async def test_two_who_ask_at_once_are_not_both_let_in(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering, kept = running.node.answering, running.node.conversations
        made = await kept.create(ConversationOptions(max_tokens=200, temperature=2.0))
        outcomes = await asyncio.gather(
            *(answering.say(made.id, SayRequest(content=f"{n}")) for n in range(2)),
            return_exceptions=True,
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        assert [refusal.code for refusal in refused] == ["busy"]
        await answering.stop(made.id)


async def test_what_is_refused_because_an_answer_is_written_changes_nothing(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering, kept = running.node.answering, running.node.conversations
        made = await kept.create(ConversationOptions(max_tokens=4))
        await answering.say(made.id, SayRequest(content="first"))
        await followed(running, made.id)
        first = (await kept.get(made.id)).messages
        outcomes = await asyncio.gather(
            *(answering.say(made.id, SayRequest(content=f"more {n}")) for n in range(3)),
            answering.say(made.id, SayRequest(content="instead", replaces=first[0].id)),
            answering.regenerate(made.id),
            return_exceptions=True,
        )
        refused = [outcome.code for outcome in outcomes if isinstance(outcome, Refusal)]
        assert refused == ["busy"] * 4
        await answering.stop(made.id)
        messages = (await kept.get(made.id)).messages
        assert messages[:2] == first
        assert [(m.role, m.content) for m in messages[2:3]] == [("user", "more 0")]
        assert [m.role for m in messages[3:]] == ["assistant"]


async def test_an_answer_that_cannot_be_begun_leaves_the_place_to_the_next(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering, kept = running.node.answering, running.node.conversations
        made = await kept.create(ConversationOptions(max_tokens=4))
        refused, told, _ = await asyncio.gather(
            answering.say(made.id, SayRequest(content="x", replaces=77)),
            _all_of(answering.follow(made.id)),
            answering.stop(made.id),
            return_exceptions=True,
        )
        assert isinstance(refused, Refusal)
        assert (refused.code, told) == ("unknown_message", [])
        assert (await kept.get(made.id)).messages == []
        await answering.say(made.id, SayRequest(content="and now?"))
        assert (await followed(running, made.id))[1].state == "done"


async def test_a_stop_comes_in_time_for_an_answer_that_is_only_about_to_begin(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering, kept = running.node.answering, running.node.conversations
        made = await kept.create(ConversationOptions(max_tokens=900, temperature=2.0))
        await asyncio.gather(
            answering.say(made.id, SayRequest(content="Tell me a story.")),
            *(answering.stop(made.id) for _ in range(3)),
        )
        (_, answer) = (await kept.get(made.id)).messages
        assert answer.state == "stopped"


async def test_an_answer_at_the_end_of_the_program_is_kept_as_far_as_it_came(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_answers(monkeypatch)
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering = running.node.answering
        made = await running.node.conversations.create(ConversationOptions())
        await answering.say(made.id, SayRequest(content="Tell me a story."))
        begun = ""
        async for piece in answering.follow(made.id):
            if isinstance(piece, AnswerDelta):
                begun = piece.text
                break
    async with running_node(tmp_path) as running:
        (_, answer) = (await running.node.conversations.get(made.id)).messages
        assert answer.state == "stopped"
        assert answer.content == begun != ""
        assert "what there was is kept" in answer.error


async def test_the_beginning_is_left_out_when_it_does_not_fit_and_that_is_said(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering, kept = running.node.answering, running.node.conversations
        made = await kept.create(ConversationOptions(max_tokens=8))
        await kept.add(made.id, _message("user", "word " * 700))
        await kept.add(made.id, _message("assistant", "yes"))
        await kept.add(made.id, _message("user", "word " * 400))
        await kept.add(made.id, _message("assistant", "yes"))
        await answering.say(made.id, SayRequest(content="What is Potluck?"))
        _, end = await followed(running, made.id)
        assert end.state == "done"
        assert "left out" in end.remark
        assert (await kept.get(made.id)).messages[-1].remark == end.remark


async def test_of_a_conversation_of_any_length_the_end_is_answered(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering, kept = running.node.answering, running.node.conversations
        made = await kept.create(ConversationOptions(max_tokens=4))
        for role in ("user", "assistant") * 15:
            await kept.add(made.id, _message(role, "word " * 40_000))
        await answering.say(made.id, SayRequest(content="What is Potluck?"))
        _, end = await followed(running, made.id)
        assert (end.state, end.error) == ("done", "")
        assert "left out" in end.remark


async def test_one_message_that_is_too_long_fails_with_the_reason(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering = running.node.answering
        made = await running.node.conversations.create(ConversationOptions())
        await answering.say(made.id, SayRequest(content="word " * 3000))
        _, end = await followed(running, made.id)
        assert (end.state, "nothing was sent" in end.error) == ("failed", True)


async def test_nothing_to_regenerate_is_said(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        made = await running.node.conversations.create(ConversationOptions())
        with pytest.raises(Refusal) as caught:
            await running.node.answering.regenerate(made.id)
        assert caught.value.code == "nothing_said"
        with pytest.raises(Refusal):
            await running.node.answering.say("no-such", SayRequest(content="x"))


async def test_a_conversation_that_is_deleted_stops_its_answer(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        answering, kept = running.node.answering, running.node.conversations
        made = await kept.create(ConversationOptions(max_tokens=900, temperature=2.0))
        await answering.say(made.id, SayRequest(content="Tell me a story."))
        await answering.delete(made.id)
        assert await kept.all() == []
        assert running.node.desk.writing == 0


async def _all_of(told: AsyncIterator[T]) -> list[T]:
    return [piece async for piece in told]


def _message(role: str, content: str) -> MessageView:
    return MessageView(id=0, role=role, content=content, created_at=0.0)  # type: ignore[arg-type]


async def test_an_answer_says_what_it_waits_for_until_it_goes_on(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenedModel, "is_here", False)  # else it would write on by itself
    monkeypatch.setattr("app.folder.tally._day", lambda clock: "2030-01-01")  # it does not end
    host, other, asks = (tmp_path / name for name in ("host", "other", "asks"))
    adopt_guide(asks, guide)
    async with running_node(host, manifest=guide, units=Span(0, 4), public=True) as first:
        bootstrap = (f"{first.node.ready_line()['peer_id']}@{first.node.endpoint.address}",)
        async with (
            running_node(other, manifest=guide, units=Span(4, 10), bootstraps=bootstrap) as second,
            running_node(asks, bootstraps=bootstrap) as running,
        ):
            options = {"model": "guide", "max_tokens": 12}
            made = await running.ask("POST", "/conversations", options, expect=201)
            path = f"/conversations/{made['id']}/messages"
            _ = [event async for event in running.events("POST", path, STORY)]
            await second.ask("POST", "/pause", {"kind": "resume"})
            told = running.events("POST", path, STORY)
            waits = [body["words"] async for body in waiting_until_layers_are_missing(told)]
            assert waits[0] == "A helper left; another takes over…"
            # Who comes later hears it too.
            late = running.events("GET", f"/conversations/{made['id']}/events")
            assert (await anext(late))[1]["words"] == waits[-1]
            await second.ask("POST", "/resume")
            async with asyncio.timeout(60):
                names = [name async for name, _ in told]
            assert names[-1] == "message"
            assert "delta" in names
            repairs = (await running.ask("GET", "/status"))["repairs"]
            assert repairs["today"] == repairs["ever"] >= 1
            kept = await running.node.conversations.get(made["id"])
            assert (kept.messages[-1].state, kept.messages[-1].repairs) == ("done", repairs["ever"])


async def waiting_until_layers_are_missing(
    told: AsyncIterator[tuple[str, Any]],
) -> AsyncIterator[Any]:
    """What the stream says of waiting, up to the layers that nobody serves."""
    async with asyncio.timeout(60):
        async for name, body in told:
            if name != "waiting":
                continue
            yield body
            if body["words"] == "Waiting for somebody who serves layers 4 to 8…":
                assert body["said"]["code"] == "waiting_for_layers"
                return
