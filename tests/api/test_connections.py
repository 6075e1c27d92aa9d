"""Connections that ask nothing keep nobody out; see app/api/connections.py."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import Mock

import pytest
from aiohttp import web

from app.api import connections
from app.api.connections import HEADER_SECONDS, Connections
from app.tasks import TaskOwner

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: l"

Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Door:
    """Connections before a server that answers everything with "here"."""

    def __init__(self, listening: socket.socket, connections: Connections) -> None:
        self._address = listening.getsockname()
        self.connections = connections
        self._talks: list[Talk] = []

    async def say(self, data: bytes) -> Talk:
        """Connect and send."""
        talk = await asyncio.open_connection(*self._address)
        self._talks.append(talk)
        talk[1].write(data)
        return talk

    async def close(self) -> None:
        for _, writer in self._talks:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for _, w in self._talks), return_exceptions=True)


@asynccontextmanager
async def door(*, most: int) -> AsyncIterator[Door]:
    """A door with room for so many."""

    async def here(request: web.BaseRequest) -> web.Response:
        made.connections.asked(request.protocol)
        return web.Response(text="here")

    server = web.Server(here)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        accepting = Connections(listening, server, most=most)
        made = Door(listening, accepting)
        async with TaskOwner("test") as tasks:
            tasks.start(accepting.run(), name="connections")
            yield made
            await made.close()
        await server.shutdown(0.1)


async def answered(talk: Talk) -> bool:
    """Whether an answer came, rather than the end."""
    line = await asyncio.wait_for(talk[0].readline(), 30)
    return line.startswith(b"HTTP/1.1 200")


async def ended(talk: Talk) -> bool:
    """Whether the other side closes without a word."""
    try:
        return await asyncio.wait_for(talk[0].read(), 30) == b""
    except ConnectionError:
        return True


async def test_half_a_question_is_not_waited_for_longer_than_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    time = loop.time
    async with door(most=10) as here:
        half, silent, whole = await here.say(HALF), await here.say(b""), await here.say(ASK)
        assert await answered(whole)
        monkeypatch.setattr(loop, "time", lambda: time() + HEADER_SECONDS)  # so much later
        assert await ended(half)
        assert await ended(silent)
        whole[1].write(ASK)
        assert await answered(await here.say(ASK))


async def test_who_asks_finds_room_among_many_who_say_nothing() -> None:
    async with door(most=4) as here:
        silent = [await here.say(HALF) for _ in range(40)]
        for _ in range(3):
            assert await answered(await here.say(ASK))
        assert await ended(silent[0])


async def test_nobody_who_asked_is_sent_away_for_another() -> None:
    async with door(most=2) as here:
        first, second = await here.say(ASK), await here.say(ASK)
        assert await answered(first)
        assert await answered(second)
        third = await here.say(ASK)
        assert await ended(third)
        second[1].close()
        await second[1].wait_closed()
        for _ in range(3):  # a little later there is room again
            if await answered_or_ended(await here.say(ASK)):
                break
        else:
            pytest.fail("the room that came free was not given to anybody")


async def answered_or_ended(talk: Talk) -> bool:
    try:
        return await answered(talk)
    except ConnectionError:
        return False


async def test_a_system_without_descriptors_is_said_once_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "PAUSE_SECONDS", 0.001)
    tries = 0

    async def accept(_: object) -> tuple[socket.socket, object]:
        nonlocal tries
        tries += 1
        if tries > 50:
            raise asyncio.CancelledError
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_accept", accept)
    accepting = Connections(Mock(), Mock(connections=[]), most=2)
    with caplog.at_level(logging.DEBUG), pytest.raises(asyncio.CancelledError):
        await accepting.run()
    assert tries == 51
    assert [record.getMessage() for record in caplog.records if record.name.startswith("app.")] == [
        "the API cannot accept connections (Too many open files); it tries again"
    ]


def test_there_is_room_for_a_window_and_never_for_all_descriptors() -> None:
    assert 5 < connections.most_connections() <= connections.MOST_CONNECTIONS
