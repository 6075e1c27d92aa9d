"""What a window hears, and that it misses nothing by coming again; see app/api/events.py."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from app.api.events import LEAST_SECONDS, SETTLING_STATUSES, event
from tests.helpers.asking_fake import scripted_node
from tests.helpers.running_node import WHOLE, running_node

pytestmark = pytest.mark.real


def test_an_event_is_one_line_of_data_whatever_it_says() -> None:
    told = event("warning", {"words": "a\nb\r\n\nevent: status"}, number=7)
    assert told.startswith(b"id: 7\nevent: warning\ndata: {")
    assert told.count(b"\n") == 4
    assert told.endswith(b"\n\n")


async def test_a_stream_begins_with_the_state_and_tells_every_change(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        stream = running.events("GET", "/events")
        assert (await anext(stream))[1]["state"] == "sharing"
        pausing = asyncio.gather(running.ask("POST", "/pause", {"kind": "resume"}))
        told = ""
        async with asyncio.timeout(30):
            while told != "Paused by you (until you resume)":
                name, body = await anext(stream)
                told = body["headline"] if name == "status" else told
        await pausing
        await stream.aclose()  # type: ignore[attr-defined]
        # Whoever was cut off comes again and sees what holds now.
        again = running.events("GET", "/events")
        assert (await anext(again))[1]["headline"] == "Paused by you (until you resume)"
        await again.aclose()  # type: ignore[attr-defined]


async def test_while_something_moves_a_status_comes_every_second(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        made = await running.ask("POST", "/conversations", {"max_tokens": 40}, expect=201)
        said = {"content": "Tell me a story."}
        _ = [e async for e in running.events("POST", f"/conversations/{made['id']}/messages", said)]
        stream = running.events("GET", "/events")
        seen: list[float] = []
        async with asyncio.timeout(30):
            while len(set(seen)) < 3:  # a change is told at once, besides
                name, body = await anext(stream)
                if name == "status":
                    seen.append(body["uptime_seconds"])
        assert seen == sorted(seen)
        await stream.aclose()  # type: ignore[attr-defined]


async def test_after_the_last_movement_speeds_are_told_until_they_have_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.api.events.MOVING_SECONDS", 0.02)
    monkeypatch.setattr("app.api.events.LEAST_SECONDS", 0.0)
    async with scripted_node() as asking:
        for lively in (False, True, False):
            asking.node.lively = lively
            stream = asking.events("GET", "/events")
            async with asyncio.timeout(30):
                for _ in range(1 + SETTLING_STATUSES):
                    assert (await anext(stream))[0] == "status"
                if lively:
                    assert (await anext(stream))[0] == "status"
            if not lively:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]


async def test_what_begins_to_move_without_a_word_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.events.MOVING_SECONDS", 0.02)
    async with scripted_node() as asking:
        stream = asking.events("GET", "/events")
        for _ in range(1 + SETTLING_STATUSES):
            await anext(stream)
        asking.node.lively = True
        async with asyncio.timeout(30):
            for _ in range(3):
                assert (await anext(stream))[0] == "status"
        await stream.aclose()  # type: ignore[attr-defined]


async def test_a_burst_of_changes_is_told_in_few_statuses_and_its_last_state_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.api.events.SETTLING_STATUSES", 0)
    async with scripted_node() as asking:
        stream = asking.events("GET", "/events")
        await anext(stream)
        told: list[str] = []
        begin = time.monotonic()
        for count in range(200):
            asking.node.tell(headline=f"change {count}")
            await asyncio.sleep(0)  # as many turns of the loop as the stream needs to answer each
        async with asyncio.timeout(30):
            while not told or told[-1] != "change 199":
                name, body = await anext(stream)
                assert name == "status"
                told.append(body["headline"])
        assert len(told) <= 1 + (time.monotonic() - begin) / LEAST_SECONDS
        await stream.aclose()  # type: ignore[attr-defined]


async def test_a_warning_reaches_who_listens_and_stays_for_who_comes_later(tmp_path: Path) -> None:
    async with running_node(tmp_path) as running:
        stream = running.events("GET", "/events")
        await anext(stream)
        await running.ask("PATCH", "/settings", {"listen": "127.0.0.1:0"})
        async with asyncio.timeout(30):
            while (heard := await anext(stream))[0] != "warning":
                pass
        assert "starts the next time" in heard[1]["words"]
        await stream.aclose()  # type: ignore[attr-defined]
        status = await running.ask("GET", "/status")
        assert heard[1]["words"] in status["warnings"]
