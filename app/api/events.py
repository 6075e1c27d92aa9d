"""Server-sent events: how the node tells a window or a program what changes.

A stream begins with the whole state, so whoever was cut off misses nothing by
connecting again. The counterpart that reads is `app/ui/backend.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from aiohttp import web

from app.api.control_port import NodeControl
from app.api.shapes import AnswerDelta, AnswerWaiting, ErrorBody, MessageView, WarningTold
from app.errors import PotluckError
from app.sentences import Sentence

logger = logging.getLogger(__name__)

MOVING_SECONDS: Final = 1.0
"""While something moves, a status goes out at least so often. What begins to move, such as a
stranger's answer, need not tell of it, so that is looked at as often."""
SETTLING_STATUSES: Final = 4
"""So many more follow the first one and the last movement: speeds are means over three
seconds, and the one shown last must not be one that has long gone down."""
HEARTBEAT_SECONDS: Final = 15.0
"""A comment that keeps the connection known to be alive."""
LEAST_SECONDS: Final = 0.1
"""From one status to the next: what changes in between becomes one, however often it does."""

PIECES: Final = {AnswerDelta: "delta", AnswerWaiting: "waiting", MessageView: "message"}
"""What the pieces of an answer are called in its stream."""

_encode = msgspec.json.Encoder().encode


def event(name: str, body: object, *, number: int | None = None) -> bytes:
    """One event as it goes over the wire; JSON has no line breaks, so one data line does."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {name}\ndata: ".encode() + _encode(body) + b"\n\n"


async def open_stream(request: web.Request) -> web.StreamResponse:
    """Begin an answer that goes on."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
    )
    await response.prepare(request)
    return response


async def status_stream(request: web.Request, node: NodeControl) -> web.StreamResponse:
    """`GET events`: "status", "download" and "warning" until the listener goes away."""
    response = await open_stream(request)
    changes = node.listen()
    number = 0
    quiet_seconds = 0.0
    changed, settling = True, SETTLING_STATUSES
    try:
        while True:
            moves = node.moving()
            if changed or moves or settling:
                if moves:
                    settling = SETTLING_STATUSES
                elif not changed:
                    settling -= 1
                quiet_seconds = 0.0
                for piece in _news(node, changes.take_warnings(), number):
                    number += 1
                    await response.write(piece)
                await asyncio.sleep(LEAST_SECONDS)  # what changes meanwhile goes out together
            elif quiet_seconds >= HEARTBEAT_SECONDS:
                quiet_seconds = 0.0
                await response.write(b": still here\n\n")
            changed = await changes.wait(MOVING_SECONDS)
            quiet_seconds += MOVING_SECONDS
    except ConnectionError:
        return response  # the listener has gone
    finally:
        node.unlisten(changes)


def _news(node: NodeControl, warnings: list[Sentence], number: int) -> list[bytes]:
    snapshot = node.snapshot()
    pieces = [event("status", snapshot, number=number)]
    if snapshot.download is not None:
        pieces.append(event("download", snapshot.download))
    for warning in warnings:
        pieces.append(event("warning", WarningTold(words=warning.words, said=warning.said)))
    return pieces


async def answer_stream(
    request: web.Request, answer: AsyncIterator[AnswerDelta | AnswerWaiting | MessageView]
) -> web.StreamResponse:
    """An answer as it is written: "delta"s and "waiting"s and at the end "message", or "error"."""
    response = await open_stream(request)
    try:
        try:
            async for piece in answer:
                await response.write(event(PIECES[type(piece)], piece))
        except PotluckError as error:
            told = ErrorBody(code="failed", words=str(error), said=error.said)
            await response.write(event("error", told))
        await response.write_eof()
    except ConnectionError:
        logger.debug("a window left in the middle of an answer; it is written on")
    return response
