"""The owner's conversations, kept in one SQLite file in the data folder.

Never lost silently: a damaged file is moved aside and named, one of a newer version
or locked by another program is left alone, and each is said in `problem` or `remarks`.
`app/answering.py` writes the answers into it; its shapes are those of the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from app.api.shapes import (
    MAX_TITLE_CHARACTERS,
    Conversation,
    ConversationHead,
    ConversationOptions,
    MessageView,
)
from app.clock import Clock
from app.errors import Refusal
from app.sentences import Sentence, say

logger = logging.getLogger(__name__)

FILE: Final = "conversations.sqlite3"
VERSION: Final = 1
LOCK_SECONDS: Final = 2.0
"""How long another program may hold the file before we say so."""
FACTS: Final = (
    *("error", "chain", "readers", "tokens", "tokens_per_second", "first_token_seconds"),
    *("repairs", "remark", "error_said", "remark_said"),
)
"""The fields of a message that only answers have; kept together, as JSON."""

_SCHEMA: Final = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at REAL NOT NULL,
    changed_at REAL NOT NULL, options TEXT NOT NULL
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    role TEXT NOT NULL, content TEXT NOT NULL, created_at REAL NOT NULL,
    state TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE INDEX messages_of ON messages(conversation, id);
"""
_INTERRUPTED: Final = say("interrupted")

T = TypeVar("T")


class Conversations:
    """All conversations; every method may be called from the event loop.

    Attributes:
        remarks: sentences for the person about what happened when it was opened.
        problem: why nothing can be kept at present; None when all is well.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._path = folder / FILE
        self._clock = clock
        self._database: sqlite3.Connection | None = None
        # One thread: SQLite is used by one at a time, and the order of writes is kept.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="conversations")
        self.remarks: list[Sentence] = []
        self.problem: Sentence | None = None

    async def open(self) -> None:
        """Open the file, making it if it is new; what is wrong is told, not raised."""
        with contextlib.suppress(Refusal):
            await self._run(lambda database: None)

    async def close(self) -> None:
        """Write what is left and let go of the file."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    # ── conversations ────────────────────────────────────────────────────────

    async def all(self) -> list[ConversationHead]:
        """Every conversation, the one changed last first."""
        return await self._run(_heads)

    async def get(self, conversation: str) -> Conversation:
        """One with its messages in order.

        Raises:
            Refusal: there is none such ("unknown_conversation").
        """
        return await self._run(lambda database: _conversation(database, conversation))

    async def create(self, options: ConversationOptions) -> Conversation:
        """A new, empty conversation."""
        name, now = secrets.token_hex(8), self._clock.wall()

        def insert(database: sqlite3.Connection) -> Conversation:
            row = (name, "", now, now, msgspec.json.encode(options).decode())
            database.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?)", row)
            return _conversation(database, name)

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
                _set(database, conversation, "title", title[:MAX_TITLE_CHARACTERS])
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

    # ── the file ─────────────────────────────────────────────────────────────

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction, in the database's thread.

        Raises:
            Refusal: the file cannot be used now ("conversations_closed").
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._database is None:
                self._database = self._opened()
            with self._database:
                done = work(self._database)
        except sqlite3.Error as error:
            self._close()
            self.problem = say("conversations_closed", reason=str(error))
            raise Refusal(self.problem, code="conversations_closed") from None
        self.problem = None
        return done

    def _opened(self) -> sqlite3.Connection:
        try:
            return _open(self._path)
        except sqlite3.OperationalError:
            raise  # locked, or the folder cannot be written: nothing is wrong with the file
        except sqlite3.DatabaseError as error:
            aside = self._move_aside()
            remark = say("conversations_damaged", reason=str(error), file=aside.name)
            self.remarks.append(remark)
            logger.warning("%s", remark)
            return _open(self._path)

    def _move_aside(self) -> Path:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self._clock.wall()))
        aside = self._path.with_name(f"conversations-damaged-{stamp}.sqlite3")
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}{ending}", f"{aside}{ending}")
        return aside

    def _close(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _open(path: Path) -> sqlite3.Connection:
    """Open and check; a DatabaseError that is not an OperationalError means damage."""
    database = sqlite3.connect(path, timeout=LOCK_SECONDS, check_same_thread=False)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise sqlite3.OperationalError("they were written by a newer Potluck; update this one")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its pages contradict each other")
        if version == 0:
            database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        with database:
            database.execute(
                "UPDATE messages SET state = 'stopped', facts ="
                " json_set(facts, '$.error', ?, '$.error_said', json(?)) WHERE state = 'writing'",
                (_INTERRUPTED.words, msgspec.json.encode(_INTERRUPTED.said).decode()),
            )
        with contextlib.suppress(OSError):
            path.chmod(0o600)
    except BaseException:
        database.close()
        raise
    return database


def _heads(database: sqlite3.Connection) -> list[ConversationHead]:
    rows = database.execute(
        "SELECT id, title, created_at, changed_at,"
        " (SELECT COUNT(*) FROM messages WHERE conversation = c.id)"
        " FROM conversations c ORDER BY changed_at DESC, rowid DESC"
    )
    return [
        ConversationHead(id=r[0], title=r[1], created_at=r[2], changed_at=r[3], messages=r[4])
        for r in rows
    ]


def _conversation(database: sqlite3.Connection, conversation: str) -> Conversation:
    name, title, created_at, changed_at, options = _require(database, conversation)
    rows = database.execute(
        "SELECT id, role, content, created_at, state, facts FROM messages"
        " WHERE conversation = ? ORDER BY id",
        (conversation,),
    )
    return Conversation(
        id=name,
        title=title,
        created_at=created_at,
        changed_at=changed_at,
        options=msgspec.json.decode(options, type=ConversationOptions),
        messages=[_message(row) for row in rows],
    )


def _message(row: tuple[Any, ...]) -> MessageView:
    number, role, content, created_at, state, facts = row
    kept = msgspec.json.decode(facts, type=dict[str, Any])
    return msgspec.convert(
        {
            "id": number,
            "role": role,
            "content": content,
            "created_at": created_at,
            "state": state,
        }
        | {name: kept[name] for name in FACTS if name in kept},
        MessageView,
    )


def _facts(message: MessageView) -> str:
    return msgspec.json.encode({name: getattr(message, name) for name in FACTS}).decode()


def _require(database: sqlite3.Connection, conversation: str) -> tuple[str, str, float, float, str]:
    row: tuple[str, str, float, float, str] | None = database.execute(
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
    database.execute(
        "DELETE FROM messages WHERE conversation = ? AND id >= ?", (conversation, message)
    )


def _touch(
    database: sqlite3.Connection, conversation: str, message: MessageView, now: float
) -> None:
    """Move a conversation to the top; the first thing a person says names it."""
    _set(database, conversation, "changed_at", now)
    if message.role == "user":
        words = " ".join(message.content.split())
        title = words if len(words) <= 60 else words[:59].rstrip() + "…"
        database.execute(
            "UPDATE conversations SET title = ? WHERE id = ? AND title = ''", (title, conversation)
        )


def _set(database: sqlite3.Connection, conversation: str, column: str, value: object) -> None:
    assert column in ("title", "options", "changed_at")
    database.execute(f"UPDATE conversations SET {column} = ? WHERE id = ?", (value, conversation))
