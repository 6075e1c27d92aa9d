"""The conversations of the scripted node: kept in memory, answered with the same words.

The other half is `tests/helpers/fake_node_api.py`; both keep the contract of a real node
(`tests/api/control_contract.py`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from app.api.shapes import (
    AnswerDelta,
    AnswerWaiting,
    Conversation,
    ConversationChange,
    ConversationHead,
    ConversationOptions,
    MessageView,
    ModelOffer,
    SayRequest,
)
from app.errors import Refusal
from app.sentences import say
from app.tasks import TaskOwner
from tests.helpers.fake_node_data import ANSWER, OFFERS, OTHER_ANSWER

BUSY = "An answer is being written; stop it first, or wait."
WAITS = say("waiting_for_layers", layers=say("layer_range", first=4, last=6))
NOT_SERVED = "Nobody serves layers 3 to 9 of this model now."


class FakeConversations:
    """Conversations with a script; tests change what it says and look at what was asked.

    Attributes:
        asked: every wish that arrived, in order, as (name, request).
        piece_seconds: between two pieces of an answer.
        answer: what is answered next.
        not_served: answers fail, because nobody serves the model.
        refusal: why nothing may be said now, if so.
        offers: the models it knows.
        waits_at: after so many characters an answer waits, once, until `go_on` is set or it
            is stopped: tests look at an answer in the middle, however long they take.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.answer = ANSWER
        self.piece_seconds = 0.0
        self.piece_characters = 24
        self.not_served = False
        self.refusal: Refusal | None = None
        self.offers: list[ModelOffer] = list(OFFERS)
        self.waits_at: int | None = None
        self.go_on = asyncio.Event()
        self._waiting: set[str] = set()
        self._conversations: dict[str, Conversation] = {}
        self._numbers = itertools.count(1)
        self._stopped: set[str] = set()
        self._written: dict[str, asyncio.Event] = {}
        self._tasks: TaskOwner | None = None

    def use(self, tasks: TaskOwner) -> None:
        """Let answers be written by tasks of this owner."""
        self._tasks = tasks

    def _known(self, model: str | None) -> None:
        if model is not None and all(offer.name != model for offer in self.offers):
            raise Refusal(f"No model is called {model!r} here.", code="unknown_model")

    def put(self, conversation: Conversation) -> None:
        """Have a conversation from before."""
        self._conversations[conversation.id] = conversation

    def _one(self, key: str) -> Conversation:
        if key not in self._conversations:
            raise Refusal("There is no such conversation.", code="unknown_conversation")
        return self._conversations[key]

    async def conversations(self) -> list[ConversationHead]:
        heads = [
            ConversationHead(
                id=one.id,
                title=one.title,
                created_at=one.created_at,
                changed_at=one.changed_at,
                messages=len(one.messages),
            )
            for one in self._conversations.values()
        ]
        return sorted(heads, key=lambda head: -head.changed_at)

    async def create_conversation(self, options: ConversationOptions) -> Conversation:
        self._known(options.model)
        key, now = f"c{next(self._numbers)}", time.time()
        made = Conversation(
            id=key, title="", created_at=now, changed_at=now, options=options, messages=[]
        )
        self._conversations[key] = made
        return made

    async def conversation(self, conversation: str) -> Conversation:
        return self._one(conversation)

    async def change_conversation(self, conversation: str, change: ConversationChange) -> None:
        self.asked.append(("change", change))
        if change.options is not None:
            self._known(change.options.model)
        given = {
            name: value
            for name, value in (("title", change.title), ("options", change.options))
            if value is not None
        }
        self._keep(conversation, **given)

    def _keep(self, key: str, **changes: Any) -> None:
        self._conversations[key] = msgspec.structs.replace(
            self._one(key), changed_at=time.time(), **changes
        )

    async def delete_conversation(self, conversation: str) -> None:
        self._one(conversation)
        await self.stop(conversation)
        del self._conversations[conversation]

    async def say(self, conversation: str, request: SayRequest) -> int:
        self.asked.append(("say", request))
        kept = self._quiet(conversation).messages
        if request.replaces is not None:
            if all(message.id != request.replaces for message in kept):
                raise Refusal("There is no such message any more.", code="unknown_message")
            kept = [message for message in kept if message.id < request.replaces]
        now = time.time()
        question = MessageView(
            id=next(self._numbers), role="user", content=request.content, created_at=now
        )
        title = self._one(conversation).title or request.content[:40]
        self._keep(conversation, messages=[*kept, question], title=title)
        return self._begin(conversation)

    async def regenerate(self, conversation: str) -> int:
        self.asked.append(("regenerate", conversation))
        messages = self._quiet(conversation).messages
        if not messages:
            raise Refusal("Nothing was said yet that could be answered.", code="nothing_said")
        self._keep(conversation, messages=messages[:-1])
        self.answer = OTHER_ANSWER
        return self._begin(conversation)

    def _quiet(self, key: str) -> Conversation:
        one = self._one(key)
        if self.refusal is not None:
            raise self.refusal
        if key in self._written:
            raise Refusal(BUSY, code="busy")
        return one

    def _begin(self, key: str) -> int:
        assert self._tasks is not None
        answer = MessageView(
            id=next(self._numbers),
            role="assistant",
            content="",
            created_at=time.time(),
            state="writing",
        )
        self._keep(key, messages=[*self._one(key).messages, answer])
        self._stopped.discard(key)
        self._written[key] = asyncio.Event()
        self._tasks.start(self._write(key, answer), name=f"answer in {key}")
        return answer.id

    async def _write(self, key: str, answer: MessageView) -> None:
        """Write an answer piece by piece, whoever looks on."""
        began, at = time.monotonic(), 0
        if self.not_served:
            answer = msgspec.structs.replace(answer, state="failed", error=NOT_SERVED)
        while answer.state == "writing" and at < len(self.answer):
            at += self.piece_characters
            answer = msgspec.structs.replace(answer, content=self.answer[:at])
            self._show(key, answer)
            if self.waits_at is not None and at >= self.waits_at:
                await self._wait(key, answer)
            await asyncio.sleep(self.piece_seconds)
            if key in self._stopped:
                answer = msgspec.structs.replace(answer, state="stopped")
        if answer.state != "failed":
            answer = self._signed(key, answer, time.monotonic() - began)
        written = self._written.pop(key)
        self._show(key, answer)
        written.set()

    async def _wait(self, key: str, answer: MessageView) -> None:
        """Nothing comes for a while."""
        self.waits_at = None
        self._waiting.add(key)
        self._show(key, answer)
        await self.go_on.wait()
        self._waiting.discard(key)

    def _show(self, key: str, answer: MessageView) -> None:
        if key in self._conversations:
            self._keep(key, messages=[*self._one(key).messages[:-1], answer])
        if key in self._written:
            before, self._written[key] = self._written[key], asyncio.Event()
            before.set()

    def _signed(self, key: str, answer: MessageView, seconds: float) -> MessageView:
        alone = self._one(key).options.alone
        helpers = ["kq3vtz7m", "p5ad2wxe"]
        tokens = len(answer.content.split())
        return msgspec.structs.replace(
            answer,
            state="done" if answer.state == "writing" else answer.state,
            model="Qwen3 8B",
            chain=["this computer"] if alone else helpers,
            readers=[] if alone else helpers,
            tokens=tokens,
            tokens_per_second=tokens / max(0.1, seconds) if self.piece_seconds else 14.2,
            first_token_seconds=0.4,
        )

    async def follow(
        self, conversation: str
    ) -> AsyncGenerator[AnswerDelta | AnswerWaiting | MessageView, None]:
        shown, written = 0, self._written.get(conversation)
        told = False
        while written is not None:
            answer = self._one(conversation).messages[-1]
            if len(answer.content) > shown:
                yield AnswerDelta(message=answer.id, text=answer.content[shown:])
                shown = len(answer.content)
            elif conversation in self._waiting and not told:
                told = True
                yield AnswerWaiting(message=answer.id, words=WAITS.words, said=WAITS.said)
            elif answer.state == "writing":
                await written.wait()
                written = self._written.get(conversation, written)
            else:
                yield answer
                return

    async def stop(self, conversation: str) -> None:
        self.asked.append(("stop", conversation))
        self._stopped.add(conversation)
        if conversation in self._waiting:
            self.go_on.set()
        while (written := self._written.get(conversation)) is not None:
            await written.wait()
