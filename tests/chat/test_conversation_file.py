"""The file of the conversations, in every state it can be in; see app/chat/conversation_file.py."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chat import conversation_file as module
from app.chat.conversation_file import RETRY_SECONDS, ConversationFile
from tests.helpers.virtual_clock import VirtualClock

NAME = "conversations.sqlite3"


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.02)
    monkeypatch.setattr(module, "RETRY_LOCK_SECONDS", 0.02)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def kept(tmp_path: Path, clock: VirtualClock) -> Iterator[ConversationFile]:
    file = ConversationFile(tmp_path / NAME, clock=clock)
    yield file
    file.close()


def put(file: ConversationFile, name: str, *words: str) -> None:
    """A conversation with a message for each word."""

    def write(database: sqlite3.Connection) -> None:
        database.execute("INSERT INTO conversations VALUES (?, '', 0, 0, '{}')", (name,))
        for word in words:
            say(database, name, word)

    file.use(write)


def say(database: sqlite3.Connection, name: str, word: str) -> None:
    database.execute(
        "INSERT INTO messages (conversation, role, content, created_at, state, facts)"
        " VALUES (?, 'user', ?, 0, 'done', '{}')",
        (name, word),
    )


def words_in(file: ConversationFile) -> dict[str, list[str]]:
    """What each conversation says, and its messages' numbers are all different."""

    def read(database: sqlite3.Connection) -> dict[str, list[str]]:
        names = [row[0] for row in database.execute("SELECT id FROM conversations ORDER BY id")]
        text = "SELECT content FROM messages WHERE conversation = ? ORDER BY id"
        return {name: [row[0] for row in database.execute(text, (name,))] for name in names}

    return file.use(read)


def make(folder: Path, clock: VirtualClock) -> Path:
    """A file with one conversation."""
    file = ConversationFile(folder / NAME, clock=clock)
    put(file, "old", "one", "two")
    file.close()
    return folder / NAME


def drop_a_table(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("DROP TABLE messages")
    database.commit()
    database.close()


def drop_a_column(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("ALTER TABLE messages DROP COLUMN facts")
    database.commit()
    database.close()


def strange_tables(path: Path) -> None:
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE conversations (x)")
    database.commit()
    database.close()


DAMAGES = {
    "garbage": lambda path: path.write_bytes(b"no database " * 99),
    "garbage header": lambda path: path.write_bytes(b"\xa5" * 100 + path.read_bytes()[100:]),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[:12_288]),
    "cut in the header": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "no table": drop_a_table,
    "no column": drop_a_column,
    "another program's": strange_tables,
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_file_is_put_aside_as_it_is_and_a_new_one_begun(
    tmp_path: Path, clock: VirtualClock, how: str
) -> None:
    path = make(tmp_path, clock)
    DAMAGES[how](path)
    damaged = path.read_bytes()
    file = ConversationFile(path, clock=clock)
    put(file, "new", "word")
    assert file.problem is None
    (remark,) = file.remarks
    (aside,) = tmp_path.glob("conversations-damaged-*.sqlite3")
    assert aside.name in str(remark)
    assert aside.read_bytes() == damaged
    file.close()
    again = ConversationFile(path, clock=clock)
    assert words_in(again) == {"new": ["word"]}
    assert again.remarks == []
    again.close()


def test_an_empty_file_is_a_new_one(tmp_path: Path, kept: ConversationFile) -> None:
    (tmp_path / NAME).write_bytes(b"")
    put(kept, "new", "word")
    assert (kept.problem, kept.remarks) == (None, [])


def test_damage_that_shows_in_use_is_dealt_with_at_once(
    tmp_path: Path, clock: VirtualClock
) -> None:
    path = make(tmp_path, clock)
    file = ConversationFile(path, clock=clock)
    put(file, "more", "word")
    drop_a_table(path)
    put(file, "new", "word")
    assert words_in(file) == {"new": ["word"]}
    assert len(file.remarks) == 1
    file.close()


def test_behind_a_lock_there_is_memory_and_afterwards_everything_is_in_the_file(
    tmp_path: Path, clock: VirtualClock
) -> None:
    path = make(tmp_path, clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    file = ConversationFile(path, clock=clock)
    put(file, "new", "three")
    assert words_in(file) == {"new": ["three"]}
    assert "Another program is using" in str(file.problem)
    other.execute("ROLLBACK")
    other.close()
    assert words_in(file) == {"new": ["three"]}  # it is not knocked at with every word
    clock.advance(RETRY_SECONDS)
    assert words_in(file) == {"new": ["three"], "old": ["one", "two"]}
    assert file.problem is None
    file.close()
    again = ConversationFile(path, clock=clock)
    assert words_in(again) == {"new": ["three"], "old": ["one", "two"]}
    again.close()


def test_a_lock_in_the_middle_loses_nothing(tmp_path: Path, clock: VirtualClock) -> None:
    path = make(tmp_path, clock)
    file = ConversationFile(path, clock=clock)
    put(file, "gone", "soon")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    file.use(lambda database: say(database, "old", "three"))
    put(file, "new", "four")
    file.use(lambda database: database.execute("DELETE FROM conversations WHERE id = 'gone'"))
    expected = {"new": ["four"], "old": ["one", "two", "three"]}
    assert words_in(file) == expected
    assert file.problem is not None
    other.execute("ROLLBACK")
    other.close()
    clock.advance(RETRY_SECONDS)
    assert words_in(file) == expected
    assert file.problem is None
    file.close()


def test_what_is_only_in_memory_goes_into_the_file_at_the_end_if_it_can(
    tmp_path: Path, clock: VirtualClock
) -> None:
    path = make(tmp_path, clock)
    file = ConversationFile(path, clock=clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    put(file, "new", "word")
    other.execute("ROLLBACK")
    other.close()
    file.close()
    again = ConversationFile(path, clock=clock)
    assert words_in(again)["new"] == ["word"]
    again.close()


def test_a_message_keeps_its_number_when_it_goes_into_the_file(
    tmp_path: Path, clock: VirtualClock
) -> None:
    path = make(tmp_path, clock)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    file = ConversationFile(path, clock=clock)
    put(file, "new", "word")

    def number(database: sqlite3.Connection) -> int:
        found = database.execute("SELECT id FROM messages WHERE content = 'word'").fetchone()
        return int(found[0])

    before = file.use(number)
    other.execute("ROLLBACK")
    other.close()
    clock.advance(RETRY_SECONDS)
    assert file.use(number) == before
    assert file.problem is None
    file.close()


def test_a_newer_file_is_left_alone(tmp_path: Path, clock: VirtualClock) -> None:
    path = make(tmp_path, clock)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    file = ConversationFile(path, clock=clock)
    put(file, "new", "word")
    assert words_in(file) == {"new": ["word"]}
    assert "a newer Potluck" in str(file.problem)
    clock.advance(RETRY_SECONDS)
    assert words_in(file) == {"new": ["word"]}
    file.close()
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_written_is_read_all_the_same(
    tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, clock)

    def refuses(*_: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(module, "_open", refuses)
    file = ConversationFile(path, clock=clock)
    put(file, "new", "three")
    assert words_in(file) == {"new": ["three"], "old": ["one", "two"]}
    assert "attempt to write a readonly database" in str(file.problem)
    file.close()


def test_a_folder_in_its_place_is_said(tmp_path: Path, kept: ConversationFile) -> None:
    (tmp_path / NAME).mkdir()
    put(kept, "new", "word")
    assert words_in(kept) == {"new": ["word"]}
    assert "unable to open" in str(kept.problem)


def test_work_that_is_wrong_in_itself_is_not_the_file_s_fault(
    tmp_path: Path, clock: VirtualClock
) -> None:
    file = ConversationFile(make(tmp_path, clock), clock=clock)
    with pytest.raises(sqlite3.OperationalError):
        file.use(lambda database: database.execute("SELECT nonsense"))
    assert file.remarks == []
    assert words_in(file) == {"old": ["one", "two"]}
    file.close()


def test_a_file_that_is_removed_meanwhile_is_written_anew(
    tmp_path: Path, clock: VirtualClock
) -> None:
    path = make(tmp_path, clock)
    file = ConversationFile(path, clock=clock)
    put(file, "new", "three")
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    put(file, "newer", "four")
    expected = {"new": ["three"], "newer": ["four"], "old": ["one", "two"]}
    assert words_in(file) == expected
    assert file.problem is None
    file.close()
    again = ConversationFile(path, clock=clock)
    assert words_in(again) == expected
    again.close()


def test_letters_that_are_none_cost_only_themselves(tmp_path: Path, clock: VirtualClock) -> None:
    path = make(tmp_path, clock)
    database = sqlite3.connect(path)
    database.execute("UPDATE messages SET content = CAST(x'6fff65' AS TEXT) WHERE content = 'one'")
    database.commit()
    database.close()
    file = ConversationFile(path, clock=clock)
    assert words_in(file) == {"old": ["o\ufffde", "two"]}
    assert (file.problem, file.remarks) == (None, [])
    file.close()


def test_nobody_else_may_read_it(tmp_path: Path, kept: ConversationFile) -> None:
    umask = os.umask(0o022)
    try:
        put(kept, "new", "word")
        modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    finally:
        os.umask(umask)
    assert NAME in modes
    assert set(modes.values()) == {0 if sys.platform != "win32" else 0o066}
