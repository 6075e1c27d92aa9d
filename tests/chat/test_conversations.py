"""Conversations are kept, and never lost silently; see app/chat/conversations.py."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from app.api.shapes import ConversationOptions, MessageView
from app.chat import conversation_file as module
from app.chat.conversations import FILE, Conversations
from app.errors import Refusal
from tests.helpers.virtual_clock import VirtualClock

ASIDE = "conversations-damaged"


@asynccontextmanager
async def opened(folder: Path, clock: VirtualClock | None = None) -> AsyncIterator[Conversations]:
    kept = Conversations(folder, clock=clock or VirtualClock())
    await kept.open()
    try:
        yield kept
    finally:
        await kept.close()


def said(words: str, role: str = "user", **more: object) -> MessageView:
    return MessageView(id=0, role=role, content=words, created_at=0.0, **more)  # type: ignore[arg-type]


async def test_everything_is_there_again_after_a_restart(tmp_path: Path) -> None:
    options = ConversationOptions(system="Be brief.", temperature=0.5, alone=True)
    async with opened(tmp_path) as kept:
        made = await kept.create(options)
        await kept.add(made.id, said("Why is  the sky\nblue?"))
        answer = said("Light.", "assistant", chain=["abcdefgh"], readers=["abcdefgh"], tokens=2)
        answer = await kept.add(made.id, answer)
    async with opened(tmp_path) as kept:
        again = await kept.get(made.id)
        assert again.options == options
        assert again.title == "Why is the sky blue?"
        assert again.messages[1] == answer
        assert kept.remarks == []
    if sys.platform != "win32":
        assert os.stat(tmp_path / FILE).st_mode & 0o077 == 0


async def test_the_one_changed_last_comes_first(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with opened(tmp_path, clock) as kept:
        first = await kept.create(ConversationOptions())
        clock.advance(1)
        second = await kept.create(ConversationOptions())
        assert [head.id for head in await kept.all()] == [second.id, first.id]
        clock.advance(1)
        await kept.add(first.id, said("hello"))
        assert [head.id for head in await kept.all()] == [first.id, second.id]


async def test_a_message_that_is_replaced_takes_all_after_it_along(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        other = await kept.create(ConversationOptions())
        first = await kept.add(made.id, said("one"))
        await kept.add(made.id, said("two"))
        with pytest.raises(Refusal, match="no such message"):
            await kept.add(other.id, said("three"), replaces=first.id)
        await kept.add(made.id, said("three"), replaces=first.id)
        assert [m.content for m in (await kept.get(made.id)).messages] == ["three"]
        assert (await kept.get(other.id)).messages == []


async def test_an_answer_that_was_cut_off_by_the_end_of_the_program_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        answer = await kept.add(made.id, said("", "assistant", state="writing"))
        half = MessageView(
            id=answer.id, role="assistant", content="Half of", created_at=0.0, state="writing"
        )
        await kept.update(half)
    async with opened(tmp_path) as kept:
        (message,) = (await kept.get(made.id)).messages
        assert (message.content, message.state) == ("Half of", "stopped")
        assert "what there was is kept" in message.error


async def test_what_is_gone_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        await kept.delete(made.id)
        for work in (kept.get(made.id), kept.delete(made.id), kept.change(made.id, title="x")):
            with pytest.raises(Refusal) as caught:
                await work
            assert caught.value.code == "unknown_conversation"


@pytest.mark.parametrize(
    "damage", [b"this is no database at all" * 50, b"SQLite format 3\0" + b"\xff" * 5000]
)
async def test_a_damaged_file_is_kept_aside_and_named(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    async with opened(tmp_path) as kept:
        assert await kept.all() == []
        (remark,) = kept.remarks
        (aside,) = [name for name in os.listdir(tmp_path) if name.startswith(f"{ASIDE}-")]
        assert aside in str(remark)
        assert (tmp_path / aside).read_bytes() == damage
        await kept.create(ConversationOptions())
    async with opened(tmp_path) as kept:
        assert len(await kept.all()) == 1


async def test_a_file_damaged_in_its_middle_is_noticed(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        for number in range(50):
            await kept.add(made.id, said(f"{number} " * 500))
    data = bytearray((tmp_path / FILE).read_bytes())
    data[8192:40960] = b"\xa5" * (40960 - 8192)
    (tmp_path / FILE).write_bytes(data)
    async with opened(tmp_path) as kept:
        assert len(kept.remarks) == 1
        assert await kept.all() == []


async def test_a_file_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        await kept.create(ConversationOptions())
    database = sqlite3.connect(tmp_path / FILE)
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = (tmp_path / FILE).read_bytes()
    async with opened(tmp_path) as kept:
        assert "newer Potluck" in str(kept.problem)
        made = await kept.create(ConversationOptions())  # for as long as the program runs
        await kept.add(made.id, said("hello"))
        assert [head.id for head in await kept.all()] == [made.id]
    assert (tmp_path / FILE).read_bytes() == before


async def test_a_conversation_goes_on_while_another_program_has_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    clock = VirtualClock()
    async with opened(tmp_path, clock) as kept:
        made = await kept.create(ConversationOptions())
        answer = await kept.add(made.id, said("", "assistant", state="writing"))
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await kept.update(msgspec.structs.replace(answer, content="Half of"))
        assert "Another program" in str(kept.problem)
        other.execute("ROLLBACK")
        other.close()
        clock.advance(module.RETRY_SECONDS)
        await kept.update(msgspec.structs.replace(answer, content="All of it", state="done"))
        assert kept.problem is None
    async with opened(tmp_path) as kept:
        (message,) = (await kept.get(made.id)).messages
        assert (message.content, message.state) == ("All of it", "done")


async def test_of_a_damaged_row_the_words_are_shown(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions(system="Be brief."))
        await kept.add(made.id, said("one"))
        await kept.add(made.id, said("two", "assistant"))
    database = sqlite3.connect(tmp_path / FILE)
    database.execute("UPDATE messages SET facts = '{', state = 'odd'")
    database.execute("UPDATE conversations SET options = '[['")
    database.commit()
    database.close()
    async with opened(tmp_path) as kept:
        whole = await kept.get(made.id)
        assert whole.options == ConversationOptions()
        assert [(m.role, m.content) for m in whole.messages] == [
            ("user", "one"),
            ("assistant", "two"),
        ]


def spoil(folder: Path, *changes: str) -> None:
    """Somebody writes into the file what Potluck never would."""
    database = sqlite3.connect(folder / FILE)
    for change in changes:
        database.execute(change)
    database.commit()
    database.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE conversations SET options = x'ff00'",
        "UPDATE conversations SET options = 7",
        'UPDATE conversations SET options = \'{"temperature": 99, "seed": 1e400}\'',
        "UPDATE conversations SET title = x'ff00', created_at = 'abc', changed_at = 9e999",
        "UPDATE conversations SET title = 7, created_at = x'00', changed_at = -9e999",
        "UPDATE messages SET role = 'tool', state = 'odd', created_at = 'abc'",
        "UPDATE messages SET role = x'00', state = 7, created_at = 1e300, facts = x'ff'",
        'UPDATE messages SET facts = \'{"tokens": "many", "chain": [1]}\'',
        "UPDATE messages SET facts = '{\"tokens_per_second\": 1e400}'",
        "UPDATE messages SET facts = 7",
    ],
)
async def test_an_odd_row_costs_only_itself(tmp_path: Path, change: str) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        first = await kept.add(made.id, said("one"))
    spoil(tmp_path, change)
    async with opened(tmp_path) as kept:
        whole = await kept.get(made.id)
        assert [m.content for m in whole.messages] == ["one"]
        for shape in (whole, *await kept.all()):  # a window can read what it is told
            assert msgspec.json.decode(msgspec.json.encode(shape), type=type(shape)) == shape
        await kept.add(made.id, said("two"), replaces=first.id)
        assert [m.content for m in (await kept.get(made.id)).messages] == ["two"]
        assert kept.remarks == []


async def test_what_cannot_be_shown_is_left_out_and_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        first = await kept.add(made.id, said("one"))
        await kept.add(made.id, said("two"))
    spoil(
        tmp_path,
        f"UPDATE messages SET content = x'ff00' WHERE id = {first.id}",
        "INSERT INTO conversations VALUES (x'ff', 'lost', 0, 0, '{}')",
    )
    async with opened(tmp_path) as kept:
        for _ in range(2):
            assert [head.id for head in await kept.all()] == [made.id]
            assert [m.content for m in (await kept.get(made.id)).messages] == ["two"]
        (remark,) = kept.remarks
        assert remark.words.startswith(f"2 damaged entries of {FILE} cannot be shown")
        await kept.add(made.id, said("three"), replaces=first.id)


async def test_a_title_of_no_letters_at_all_closes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
    spoil(tmp_path, "UPDATE conversations SET title = CAST(x'ff61fe' AS TEXT)")
    async with opened(tmp_path) as kept:
        (head,) = await kept.all()
        assert (head.id, head.title) == (made.id, "\ufffda\ufffd")


async def test_a_title_is_one_line_that_steers_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        await kept.change(made.id, title="../../etc\n\0\x1b[31mred\u202edlo\r\n# Not a heading")
        title = "../../etc [31mred dlo # Not a heading"
        assert (await kept.get(made.id)).title == title
        assert [head.title for head in await kept.all()] == [title]
        await kept.change(made.id, title="\n \0")
        await kept.add(made.id, said("Why\x07 is the sky\u2028blue?"))
        assert (await kept.get(made.id)).title == "Why is the sky blue?"


async def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        await asyncio.gather(*(kept.add(made.id, said(f"{n}")) for n in range(40)))
        messages = (await kept.get(made.id)).messages
        assert [m.content for m in messages] == [f"{n}" for n in range(40)]


async def test_another_first_question_names_the_conversation_anew(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        first = await kept.add(made.id, said("What is rain?"))
        await kept.add(made.id, said("What is snow?"), replaces=first.id)
        assert (await kept.get(made.id)).title == "What is snow?"


async def test_a_name_that_a_person_gave_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as kept:
        made = await kept.create(ConversationOptions())
        first = await kept.add(made.id, said("What is rain?"))
        await kept.change(made.id, title="Weather")
        await kept.add(made.id, said("What is snow?"), replaces=first.id)
        assert (await kept.get(made.id)).title == "Weather"
