"""The database of the owner's conversations: opened, mended, or replaced for a while.

A damaged file is put aside as it is and a new one begun. One that cannot be used (locked by
another program, not to be written, of a newer version) is left alone: conversations then live
in memory, with what could be read of the file, and go into it when it can be used again. Each
is said in `problem` or `remarks`. What stands in the tables, `app/chat/conversations.py` knows.

Used by one thread at a time; everything here blocks on the disk.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from app.clock import Clock
from app.keeping import set_aside
from app.sentences import Sentence, say

logger = logging.getLogger(__name__)

VERSION: Final = 1
LOCK_SECONDS: Final = 2.0
"""How long another program may hold the file before we say so."""
RETRY_SECONDS: Final = 10.0
RETRY_LOCK_SECONDS: Final = 0.1
"""Somebody waits for an answer: a file that was locked is only knocked at."""

TABLES: Final = {
    "conversations": ("id", "title", "created_at", "changed_at", "options"),
    "messages": ("id", "conversation", "role", "content", "created_at", "state", "facts"),
}
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
_TOUCHED: Final = "CREATE TABLE touched (id TEXT PRIMARY KEY);" + "".join(
    f"CREATE TRIGGER {table}_{event} AFTER {event} ON {table}"
    f" BEGIN INSERT OR IGNORE INTO touched VALUES ({row}.{column}); END;"
    for table, column in (("conversations", "id"), ("messages", "conversation"))
    for event, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old"))
)
"""In memory only: which conversations are to be taken over into the file."""
_INTERRUPTED: Final = say("interrupted")
_BELONGING: Final = ("", "-wal", "-shm")
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

T = TypeVar("T")


class _Damaged(sqlite3.DatabaseError):
    """The file opens, and is not what it should be."""


class _Newer(sqlite3.OperationalError):
    """A newer version wrote it."""


class ConversationFile:
    """The database wherever it is at present.

    Attributes:
        remarks: sentences for the person about files that were put aside.
        problem: why nothing goes into the file at present; None when all is well.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._database: sqlite3.Connection | None = None
        self._in_memory = False
        self._number = 0
        self._tried_at = 0.0
        self._swept = False
        self.remarks: list[Sentence] = []
        self.problem: Sentence | None = None

    def use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction; what goes wrong with the file is dealt with first.

        Raises:
            sqlite3.Error: it cannot even be done in memory.
        """
        database = self._ready()
        try:
            return _transact(database, work)
        except sqlite3.Error as error:
            if self._in_memory:
                raise
            logger.warning("%s: %s", self._path.name, error)
            database = self._replaced(error)
        try:
            return _transact(database, work)
        except sqlite3.Error as error:
            if self._in_memory:
                raise
            return _transact(self._go_into_memory(error), work)

    def close(self) -> None:
        """Let go of the file; what is only in memory goes into it if that is possible now."""
        if self._in_memory:
            self._try_file()
        self._let_go()

    # ── which database ───────────────────────────────────────────────────────

    def _ready(self) -> sqlite3.Connection:
        if self._database is None:
            return self._opened(LOCK_SECONDS)
        if not self._in_memory and _file_number(self._path) != self._number:
            # Somebody has removed or replaced the file: what was in it is written anew.
            self._go_into_memory(FileNotFoundError("it was removed"), take=True)
            self._try_file()
        if self._in_memory and self._clock.monotonic() - self._tried_at >= RETRY_SECONDS:
            self._try_file()
        return self._database

    def _opened(self, lock_seconds: float) -> sqlite3.Connection:
        """The file, or a new one in place of a damaged one, or memory."""
        try:
            self._database = self._open_or_renew(lock_seconds)
        except (sqlite3.Error, OSError) as error:
            return self._go_into_memory(error)
        self._in_memory, self.problem = False, None
        self._number = _file_number(self._path)
        return self._database

    def _open_or_renew(self, lock_seconds: float) -> sqlite3.Connection:
        try:
            return self._open(lock_seconds)
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise  # locked, or the folder cannot be written: nothing is wrong with the file
            aside = set_aside(self._path, self._clock.wall(), endings=_BELONGING)
            remark = say("conversations_damaged", reason=str(error), file=aside.name)
            self.remarks.append(remark)
            logger.warning("%s", remark)
            return self._open(lock_seconds)

    def _open(self, lock_seconds: float) -> sqlite3.Connection:
        database = _open(self._path, lock_seconds)
        if not self._swept:
            try:
                _transact(database, _mark_interrupted)
            except BaseException:
                database.close()
                raise
            self._swept = True
        return database

    def _replaced(self, error: sqlite3.Error) -> sqlite3.Connection:
        """After a failure in the middle: the same file if it is sound, else what there can be."""
        if _is_busy(error):
            return self._go_into_memory(error)
        self._let_go()
        return self._opened(RETRY_LOCK_SECONDS)

    def _let_go(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._database = None

    # ── memory ───────────────────────────────────────────────────────────────

    def _go_into_memory(self, error: Exception, *, take: bool = False) -> sqlite3.Connection:
        """Use memory from now on; with `take`, all of it is to go into the file afterwards."""
        memory = _connect(":memory:", 0.0)
        memory.execute("PRAGMA foreign_keys = ON")
        memory.executescript(_SCHEMA)
        with contextlib.suppress(sqlite3.Error):
            if take and self._database is not None:
                _copy(self._database, memory)
            else:
                _copy_readable(self._path, memory)
        self._let_go()
        # Numbers that the file does not use, so that messages keep theirs when they go there.
        most = int(self._clock.wall() * 1000)
        memory.execute("DELETE FROM sqlite_sequence WHERE name = 'messages'")
        memory.execute("INSERT INTO sqlite_sequence VALUES ('messages', ?)", (most,))
        memory.executescript(_TOUCHED)
        if take:
            memory.execute("INSERT INTO touched SELECT id FROM conversations")
        memory.commit()
        self._database, self._in_memory = memory, True
        self._tried_at = self._clock.monotonic()
        self.problem = _told(self._path, error)
        logger.warning("%s", self.problem)
        return memory

    def _try_file(self) -> None:
        """Go back to the file with what was written in memory, if it can be used again."""
        memory = self._database
        assert memory is not None
        self._tried_at = self._clock.monotonic()
        try:
            database = self._open_or_renew(RETRY_LOCK_SECONDS)
        except (sqlite3.Error, OSError) as error:
            self.problem = _told(self._path, error)
            return
        try:
            _transact(database, lambda file: _take_over(memory, file))
        except sqlite3.Error as error:
            database.close()
            self.problem = _told(self._path, error)
            return
        memory.close()
        self._database, self._in_memory, self.problem = database, False, None
        self._number = _file_number(self._path)


def _transact(database: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    with database:
        return work(database)


def _open(path: Path, lock_seconds: float) -> sqlite3.Connection:
    """Open and check."""
    with contextlib.suppress(OSError):
        # Made by us and for the owner alone; what SQLite lays beside it takes over its mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    database = _connect(path, lock_seconds)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise _Newer("a newer Potluck wrote it")
        # Looked at before anything is written: what is put aside stays as it was.
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise _Damaged("its pages contradict each other")
        is_new = version == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone()
        if not is_new:
            _check_tables(database)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        if is_new:
            database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    except BaseException:
        database.close()
        raise
    return database


def _connect(place: Path | str, lock_seconds: float) -> sqlite3.Connection:
    database = sqlite3.connect(place, timeout=lock_seconds, check_same_thread=False)
    # A word that the disk has spoiled costs that word, not all conversations.
    database.text_factory = lambda data: data.decode("utf-8", errors="replace")
    return database


def _check_tables(database: sqlite3.Connection) -> None:
    for table, columns in TABLES.items():
        here = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        if not here.issuperset(columns):
            raise _Damaged(f"the table {table} is missing, or a part of it")


def _mark_interrupted(database: sqlite3.Connection) -> None:
    """What was being written when the program ended is written no more."""
    database.execute(
        "UPDATE messages SET state = 'stopped', facts = json_set(CASE WHEN json_valid(facts) THEN"
        " facts ELSE '{}' END, '$.error', ?, '$.error_said', json(?)) WHERE state = 'writing'",
        (_INTERRUPTED.words, msgspec.json.encode(_INTERRUPTED.said).decode()),
    )


def _copy_readable(path: Path, memory: sqlite3.Connection) -> None:
    """Take along what can be read of a file that cannot be written."""
    if not path.is_file():
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    file = sqlite3.connect(uri, uri=True, timeout=RETRY_LOCK_SECONDS)
    file.text_factory = lambda data: data.decode("utf-8", errors="replace")
    try:
        if file.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            _copy(file, memory)
    finally:
        file.close()


def _copy(source: sqlite3.Connection, memory: sqlite3.Connection) -> None:
    with memory:
        for table in TABLES:
            _insert(memory, table, _rows(source, table))


def _file_number(path: Path) -> int:
    """What tells a file from another one of its name; 0 when there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _take_over(memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
    """Put what was changed in memory in the place of what the file says about it."""
    touched = [row[0] for row in memory.execute("SELECT id FROM touched")]
    for conversation in touched:
        file.execute("DELETE FROM conversations WHERE id = ?", (conversation,))
        _insert(file, "conversations", _rows(memory, "conversations", "id", conversation))
        for row in _rows(memory, "messages", "conversation", conversation):
            taken = file.execute("SELECT 1 FROM messages WHERE id = ?", (row[0],)).fetchone()
            _insert(file, "messages", [(None if taken else row[0], *row[1:])])


def _rows(
    database: sqlite3.Connection, table: str, column: str = "", value: object = None
) -> list[tuple[Any, ...]]:
    names = ", ".join(TABLES[table])
    if not column:
        return database.execute(f"SELECT {names} FROM {table}").fetchall()
    text = f"SELECT {names} FROM {table} WHERE {column} = ? ORDER BY id"
    return database.execute(text, (value,)).fetchall()


def _insert(database: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    columns = TABLES[table]
    places = ", ".join("?" * len(columns))
    database.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
        rows,
    )


def _is_damage(error: sqlite3.Error) -> bool:
    if isinstance(error, _Damaged):
        return True
    return _code(error) in _DAMAGE


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: sqlite3.Error) -> int:
    """SQLite's number for what went wrong, without its finer distinctions."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _told(path: Path, error: Exception) -> Sentence:
    """Why the file is not used, what was kept, and what to do."""
    if isinstance(error, _Newer):
        return say("conversations_newer", file=path.name)
    if isinstance(error, sqlite3.Error) and _is_busy(error):
        return say("conversations_locked", file=path.name)
    return say("conversations_closed", file=str(path), reason=str(error))
