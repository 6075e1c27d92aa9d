"""The owner's conversations, kept in one SQLite file in the data folder.

Never lost silently: what happens when the file is damaged, locked or of a newer version is
`app/chat/conversation_file.py`'s. `app/chat/answering.py` writes the answers; the shapes are the
API's.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from app.api.shapes import (
    MAX_TITLE_CHARACTERS,
    Conversation,
    ConversationHead,
    ConversationOptions,
    MessageView,
)
from app.chat.conversation_file import ConversationFile
from app.clock import Clock
from app.errors import Refusal
from app.sentences import Sentence, say

FILE: Final = "conversations.sqlite3"
FACTS: Final = (
    *("error", "model", "chain", "readers", "tokens", "tokens_per_second", "first_token_seconds"),
    *("repairs", "remark", "error_said", "remark_said"),
)
"""The fields of a message that only answers have; kept together, as JSON."""
LATEST_SECONDS: Final = 253_402_300_799.0
"""The end of the year 9999; a moment beyond it is none."""
_STEERING: Final = dict.fromkeys(
    (*range(32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), " "
)
"""Characters that steer a terminal or turn the direction of writing; not for a title."""

T = TypeVar("T")


class Conversations:
    """All conversations; every method may be called from the event loop."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._file = ConversationFile(folder / FILE, clock=clock)
        self._clock = clock
        self._left_out: set[tuple[str, str]] = set()
        # One thread: SQLite is used by one at a time, and the order of writes is kept.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="conversations")

    @property
    def remarks(self) -> list[Sentence]:
        """For the person: which damaged files were put aside, and what cannot be shown."""
        if not self._left_out:
            return self._file.remarks
        left_out = say("conversation_rows_left_out", count=len(self._left_out), file=FILE)
        return [*self._file.remarks, left_out]

    @property
    def problem(self) -> Sentence | None:
        """Why nothing goes into the file at present; None when all is well."""
        return self._file.problem

    async def open(self) -> None:
        """Open the file, making it if it is new; what is wrong is told, not raised."""
        with contextlib.suppress(Refusal):
            await self._run(lambda database: None)

    async def close(self) -> None:
        """Write what is left and let go of the file."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._file.close)
        self._thread.shutdown(wait=False)

    # ── conversations ────────────────────────────────────────────────────────

    async def all(self) -> list[ConversationHead]:
        """Every conversation, the one changed last first."""
        return await self._run(self._heads)

    async def get(self, conversation: str) -> Conversation:
        """One with its messages in order.

        Raises:
            Refusal: there is none such ("unknown_conversation").
        """
        return await self._run(lambda database: self._conversation(database, conversation))

    async def create(self, options: ConversationOptions) -> Conversation:
        """A new, empty conversation."""
        name, now = secrets.token_hex(8), self._clock.wall()

        def insert(database: sqlite3.Connection) -> Conversation:
            row = (name, "", now, now, msgspec.json.encode(options).decode())
            database.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?)", row)
            return self._conversation(database, name)

        return await self._run(insert)

    async def change(
        self,
        conversation: str,
        *,
        title: str | None = None,
        options: ConversationOptions | None = None,
    ) -> None:
        """Another title or other options; None leaves them.

        Raises:
            Refusal: there is none such ("unknown_conversation").
        """

        def update(database: sqlite3.Connection) -> None:
            _require(database, conversation)
            if title is not None:
                _set(database, conversation, "title", _line(title)[:MAX_TITLE_CHARACTERS])
            if options is not None:
                _set(database, conversation, "options", msgspec.json.encode(options).decode())

        await self._run(update)

    async def delete(self, conversation: str) -> None:
        """Remove a conversation with its messages.

        Raises:
            Refusal: there is none such ("unknown_conversation").
        """

        def remove(database: sqlite3.Connection) -> None:
            _require(database, conversation)
            database.execute("DELETE FROM conversations WHERE id = ?", (conversation,))

        await self._run(remove)

    # ── messages ─────────────────────────────────────────────────────────────

    async def add(
        self, conversation: str, message: MessageView, *, replaces: int | None = None
    ) -> MessageView:
        """Add a message at the end; its id is given here.

        Args:
            replaces: this message and all after it go first.

        Raises:
            Refusal: no such conversation or message; nothing was changed.
        """
        now = self._clock.wall()

        def insert(database: sqlite3.Connection) -> MessageView:
            _require(database, conversation)
            if replaces is not None:
                _cut(database, conversation, replaces)
            row = (conversation, message.role, message.content, now, message.state)
            added = database.execute(
                "INSERT INTO messages (conversation, role, content, created_at, state, facts)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*row, _facts(message)),
            )
            _touch(database, conversation, message, now)
            assert added.lastrowid is not None
            return msgspec.structs.replace(message, id=added.lastrowid, created_at=now)

        return await self._run(insert)

    async def update(self, message: MessageView) -> None:
        """Keep what a message says now; one that is gone by now stays gone."""

        def write(database: sqlite3.Connection) -> None:
            database.execute(
                "UPDATE messages SET content = ?, state = ?, facts = ? WHERE id = ?",
                (message.content, message.state, _facts(message), message.id),
            )

        await self._run(write)

    async def remove_from(self, conversation: str, message: int) -> None:
        """Remove a message and all after it.

        Raises:
            Refusal: there is none such ("unknown_message").
        """
        await self._run(lambda database: _cut(database, conversation, message))

    # ── reading ──────────────────────────────────────────────────────────────

    def _heads(self, database: sqlite3.Connection) -> list[ConversationHead]:
        rows = database.execute(
            "SELECT id, title, created_at, changed_at,"
            " (SELECT COUNT(*) FROM messages WHERE conversation = c.id), rowid"
            " FROM conversations c ORDER BY changed_at DESC, rowid DESC"
        )
        heads = []
        for name, title, created_at, changed_at, count, number in rows:
            if not isinstance(name, str):  # nobody could ask for it
                self._left_out.add(("conversation", str(number)))
                continue
            head = ConversationHead(
                id=name,
                title=_line(title),
                created_at=_moment(created_at),
                changed_at=_moment(changed_at),
                messages=count,
            )
            heads.append(head)
        return heads

    def _conversation(self, database: sqlite3.Connection, conversation: str) -> Conversation:
        name, title, created_at, changed_at, options = _require(database, conversation)
        rows = database.execute(
            "SELECT id, role, content, created_at, state, facts FROM messages"
            " WHERE conversation = ? ORDER BY id",
            (conversation,),
        )
        messages = []
        for row in rows:
            if isinstance(row[2], str):
                messages.append(_message(row))
            else:
                self._left_out.add(("message", str(row[0])))
        return Conversation(
            id=name,
            title=_line(title),
            created_at=_moment(created_at),
            changed_at=_moment(changed_at),
            options=_options(options),
            messages=messages,
        )

    # ── the file ─────────────────────────────────────────────────────────────

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction, in the database's thread.

        Raises:
            Refusal: it cannot be done at all now ("conversations_closed").
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._file.use, work)
        except sqlite3.Error as error:
            words = say("conversations_closed", file=FILE, reason=str(error))
            raise Refusal(words, code="conversations_closed") from None


def _options(text: str) -> ConversationOptions:
    """How answers are to be written; the usual way where a row is damaged."""
    try:
        return msgspec.json.decode(text, type=ConversationOptions)
    except (ValueError, TypeError):
        return ConversationOptions()


def _message(row: tuple[Any, ...]) -> MessageView:
    """A message; of a damaged row its words, and not who answered and how."""
    number, role, content, created_at, state, facts = row
    plain = {"id": number, "role": role, "content": content, "created_at": _moment(created_at)}
    try:
        kept = msgspec.json.decode(facts, type=dict[str, Any])
        known = {name: kept[name] for name in FACTS if name in kept}
        return msgspec.convert(plain | {"state": state} | known, MessageView)
    except (ValueError, TypeError):
        who: Literal["user", "assistant"] = "user" if role == "user" else "assistant"
        moment = _moment(created_at)
        return MessageView(id=number, role=who, content=content, created_at=moment)


def _moment(value: object) -> float:
    """Seconds since 1970 as they are kept; 0 for what is no moment."""
    if isinstance(value, int | float) and 0 <= value <= LATEST_SECONDS:
        return float(value)
    return 0.0


def _line(text: object) -> str:
    """A title as one line, whatever a person or a damaged row gave."""
    return " ".join(text.translate(_STEERING).split()) if isinstance(text, str) else ""


def _facts(message: MessageView) -> str:
    return msgspec.json.encode({name: getattr(message, name) for name in FACTS}).decode()


def _require(database: sqlite3.Connection, conversation: str) -> tuple[str, Any, Any, Any, Any]:
    """A conversation's row; only its id is sure to be what it should."""
    row: tuple[str, Any, Any, Any, Any] | None = database.execute(
        "SELECT id, title, created_at, changed_at, options FROM conversations WHERE id = ?",
        (conversation,),
    ).fetchone()
    if row is None:
        raise Refusal(say("no_conversation"), code="unknown_conversation")
    return row


def _cut(database: sqlite3.Connection, conversation: str, message: int) -> None:
    found = database.execute(
        "SELECT 1 FROM messages WHERE conversation = ? AND id = ?", (conversation, message)
    ).fetchone()
    if found is None:
        raise Refusal(say("no_message"), code="unknown_message")
    first = database.execute(
        "SELECT id, content FROM messages WHERE conversation = ? AND role = 'user' ORDER BY id",
        (conversation,),
    ).fetchone()
    if first is not None and first[0] >= message:
        # The question that named it goes, and the name with it, unless a person gave it.
        database.execute(
            "UPDATE conversations SET title = '' WHERE id = ? AND title = ?",
            (conversation, _title_of(first[1])),
        )
    database.execute(
        "DELETE FROM messages WHERE conversation = ? AND id >= ?", (conversation, message)
    )


def _title_of(question: object) -> str:
    words = _line(question)
    return words if len(words) <= 60 else words[:59].rstrip() + "…"


def _touch(
    database: sqlite3.Connection, conversation: str, message: MessageView, now: float
) -> None:
    """Move a conversation to the top; the first thing a person says names it."""
    _set(database, conversation, "changed_at", now)
    if message.role == "user":
        database.execute(
            "UPDATE conversations SET title = ? WHERE id = ? AND title = ''",
            (_title_of(message.content), conversation),
        )


def _set(database: sqlite3.Connection, conversation: str, column: str, value: object) -> None:
    assert column in ("title", "options", "changed_at")
    database.execute(f"UPDATE conversations SET {column} = ? WHERE id = ?", (value, conversation))
