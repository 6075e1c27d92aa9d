"""The owner's conversations, answered: what is said, what is written, what is kept.

An answer belongs to the node, not to the window that asked: it is written on when the
window goes, and whoever comes back can follow it from its beginning. The texts are kept
by `app/chat/conversations.py` and written by `app/chat/desk.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from types import TracebackType
from typing import Final

import msgspec

from app.api.control_port import Order, Written
from app.api.shapes import (
    AnswerDelta,
    AnswerWaiting,
    Conversation,
    ConversationOptions,
    MessageView,
    SayRequest,
)
from app.chat.conversations import Conversations
from app.chat.desk import Desk
from app.clock import Clock
from app.errors import PotluckError, PromptTooLong, Refusal
from app.sentences import Sentence, say, sentence_of
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

SAVE_SECONDS: Final = 1.0
"""How much of an answer a sudden end of the program may cost."""
INTERRUPTED: Final = say("interrupted")
LEFT_OUT: Final = say("beginning_left_out")
MOST_HISTORY_CHARACTERS: Final = 1 << 20
"""What is sent to be counted in tokens; more fits no model, and a template has a bound too."""


class _Writing:
    """One answer in the making; followers wait for `moved` and read `text` and `waiting`.

    It holds its conversation's place from before the question is kept: `begun` is set when
    the answer is being written or, with `task` None, is not going to be. `ending` is set
    while the answer is kept for the last time, which nobody interrupts.
    """

    def __init__(self, message: MessageView) -> None:
        self.message = message
        self.text = ""
        self.waiting: Sentence | None = None
        self.done = False
        self.ending = False
        self.begun = asyncio.Event()
        self.moved = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def move(self) -> None:
        """Wake who follows."""
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()


class Answering:
    """Writes answers into conversations, one at a time in each. Use with `async with`."""

    def __init__(self, conversations: Conversations, desk: Desk, *, clock: Clock) -> None:
        self._conversations = conversations
        self._desk = desk
        self._clock = clock
        self._tasks = TaskOwner("answering")
        self._writing: dict[str, _Writing] = {}
        self._stopping = False

    async def __aenter__(self) -> Answering:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        await self._tasks.close()

    async def say(self, conversation: str, request: SayRequest) -> int:
        """Add what the person says and begin the answer; the number of its message.

        Raises:
            Refusal: an answer is being written ("busy"), or there is no such conversation
                or message; nothing was changed.
        """
        with self._place(conversation) as writing:
            await self._conversations.add(
                conversation, _message("user", request.content), replaces=request.replaces
            )
            return await self._begin(conversation, writing)

    async def regenerate(self, conversation: str) -> int:
        """Write the last answer again; the number of the new message.

        Raises:
            Refusal: as `say`, or nothing was said yet ("nothing_said").
        """
        with self._place(conversation) as writing:
            messages = (await self._conversations.get(conversation)).messages
            asked = [at for at, message in enumerate(messages) if message.role != "assistant"]
            if not asked:
                raise Refusal(say("nothing_said"), code="nothing_said")
            if answers := messages[asked[-1] + 1 :]:
                await self._conversations.remove_from(conversation, answers[0].id)
            return await self._begin(conversation, writing)

    async def follow(
        self, conversation: str
    ) -> AsyncGenerator[AnswerDelta | AnswerWaiting | MessageView, None]:
        """The answer being written, from its beginning, and at the end its message."""
        writing = self._writing.get(conversation)
        shown = 0
        told: Sentence | None = None
        while writing is not None:
            if len(writing.text) > shown:
                text, shown, told = writing.text[shown:], len(writing.text), None
                yield AnswerDelta(message=writing.message.id, text=text)
            elif writing.waiting != told and not writing.done:
                told = writing.waiting
                yield _waiting(writing.message.id, told)
            elif writing.done:
                if writing.begun.is_set() and writing.task is not None:
                    yield writing.message
                return
            else:
                await writing.moved.wait()

    async def stop(self, conversation: str) -> None:
        """Stop the answer being written and keep what there is; returns when it has stopped."""
        writing = self._writing.get(conversation)
        if writing is None:
            return
        await writing.begun.wait()
        if writing.task is not None:
            if not writing.ending:
                writing.task.cancel()
            await asyncio.wait({writing.task})

    async def delete(self, conversation: str) -> None:
        """Remove a conversation and give back what it held.

        Raises:
            Refusal: there is none such.
        """
        await self.stop(conversation)
        await self._conversations.delete(conversation)
        await self._desk.forget(conversation)

    def writing_text(self, conversation: Conversation) -> Conversation:
        """The conversation with what is written at this moment, ahead of what is kept."""
        writing = self._writing.get(conversation.id)
        if writing is None or writing.done:
            return conversation
        now = msgspec.structs.replace(writing.message, content=writing.text)
        messages = [now if m.id == now.id else m for m in conversation.messages]
        return msgspec.structs.replace(conversation, messages=messages)

    # ── writing ──────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _place(self, conversation: str) -> Iterator[_Writing]:
        """Hold the conversation's place; it is given back when no answer was begun.

        Taken before anything is awaited or changed, so that of several who ask at once one
        is let in, and what the others asked changes nothing.

        Raises:
            Refusal: somebody else holds it ("busy").
        """
        if conversation in self._writing:
            raise Refusal(say("being_written"), code="busy")
        writing = _Writing(_message("assistant", "", state="writing"))
        self._writing[conversation] = writing
        try:
            yield writing
        finally:
            if writing.task is None:
                self._leave(conversation, writing)
            writing.begun.set()

    def _leave(self, conversation: str, writing: _Writing) -> None:
        self._writing.pop(conversation, None)
        writing.done = True
        writing.move()

    async def _begin(self, conversation: str, writing: _Writing) -> int:
        whole = await self._conversations.get(conversation)
        writing.message = await self._conversations.add(conversation, writing.message)
        writing.task = self._tasks.start(
            self._write(whole, writing), name=f"answer in {conversation}"
        )
        return writing.message.id

    async def _write(self, conversation: Conversation, writing: _Writing) -> None:
        written = Written(waits=lambda: _wait(writing, written))
        end = msgspec.structs.replace(writing.message, state="done")
        try:
            end = await self._write_fitting(conversation, writing, written, end)
        except asyncio.CancelledError:
            end = msgspec.structs.replace(end, state="stopped")
            if self._stopping:
                end = _with_error(end, INTERRUPTED)
            raise
        except PotluckError as error:
            logger.info("an answer failed: %s", error)
            end = _with_error(msgspec.structs.replace(end, state="failed"), sentence_of(error))
        except Exception as error:  # the edge of one answer; the log has the rest
            logger.exception("an answer failed by a mistake")
            sentence = say("our_mistake", kind=type(error).__name__)
            end = _with_error(msgspec.structs.replace(end, state="failed"), sentence)
        finally:
            writing.message = _final(end, writing, written)
            await self._end(conversation.id, writing)

    async def _write_fitting(
        self,
        conversation: Conversation,
        writing: _Writing,
        written: Written,
        end: MessageView,
    ) -> MessageView:
        """Write; while the conversation is too long, its oldest exchange is left out."""
        history = _history(conversation)
        cut = _shortened(history, MOST_HISTORY_CHARACTERS)
        while True:
            if cut:
                end = msgspec.structs.replace(end, remark=LEFT_OUT.words, remark_said=LEFT_OUT.said)
            order = _order(conversation.options, history)
            try:
                await self._write_order(conversation.id, order, writing, written)
            except PromptTooLong as error:
                if not _shortened(history, int(error.share_that_fits * _characters(history))):
                    raise
                cut = True
            else:
                return end

    async def _write_order(
        self, key: str, order: Order, writing: _Writing, written: Written
    ) -> None:
        saved_at = self._clock.monotonic()
        async with aclosing(self._desk.write(order, written, key=key)) as pieces:
            async for piece in pieces:
                writing.text += piece
                writing.move()
                if self._clock.monotonic() - saved_at >= SAVE_SECONDS:
                    saved_at = self._clock.monotonic()
                    await self._conversations.update(_so_far(writing))

    async def _end(self, conversation: str, writing: _Writing) -> None:
        """Keep the answer before its end is told, whatever ended it."""
        writing.ending = True
        try:
            await self._conversations.update(writing.message)
        except Refusal as error:
            writing.message = _with_error(writing.message, sentence_of(error))
        finally:
            self._leave(conversation, writing)


def _wait(writing: _Writing, written: Written) -> None:
    writing.waiting = written.waiting
    writing.move()


def _waiting(message: int, what: Sentence | None) -> AnswerWaiting:
    if what is None:
        return AnswerWaiting(message=message, words="")
    return AnswerWaiting(message=message, words=what.words, said=what.said)


def _message(role: str, content: str, *, state: str = "done") -> MessageView:
    return msgspec.convert(
        {"id": 0, "role": role, "content": content, "created_at": 0.0, "state": state}, MessageView
    )


def _with_error(message: MessageView, error: Sentence) -> MessageView:
    return msgspec.structs.replace(message, error=error.words, error_said=error.said)


def _history(conversation: Conversation) -> list[dict[str, str]]:
    return [
        {"role": message.role, "content": message.content}
        for message in conversation.messages
        if message.content
    ]


def _characters(history: list[dict[str, str]]) -> int:
    return sum(len(message["content"]) for message in history)


def _shortened(history: list[dict[str, str]], most_characters: int) -> bool:
    """Leave out the oldest exchanges until the rest is so short; whether any could be.

    What was said last always stays.
    """
    characters = _characters(history)
    first = 0
    while characters > most_characters and len(history) - first >= 3:
        characters -= _characters(history[first : first + 2])
        first += 2
    del history[:first]
    return first > 0


def _order(options: ConversationOptions, history: list[dict[str, str]]) -> Order:
    system = [{"role": "system", "content": options.system}] if options.system else []
    return Order(
        model=options.model,
        messages=[*system, *history],
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        seed=options.seed,
        alone=options.alone,
        over_swarm=options.over_swarm,
    )


def _so_far(writing: _Writing) -> MessageView:
    return msgspec.structs.replace(writing.message, content=writing.text)


def _final(end: MessageView, writing: _Writing, written: Written) -> MessageView:
    if written.remark is not None and not end.remark:
        remark = written.remark
        end = msgspec.structs.replace(end, remark=remark.words, remark_said=remark.said)
    return msgspec.structs.replace(
        end,
        id=writing.message.id,
        created_at=writing.message.created_at,
        content=writing.text,
        model=written.title,
        chain=written.chain,
        readers=written.readers,
        tokens=written.tokens,
        tokens_per_second=round(written.tokens_per_second, 3),
        first_token_seconds=round(written.first_token_seconds, 4),
        repairs=written.repairs,
    )
