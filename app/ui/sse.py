"""Server-sent events: bytes in, events out. Pure: no socket, no clock.

The counterpart is `app/api/events.py`, which writes them. Only what that module uses is
read: "event:", "data:" (several lines are joined) and comments, which are heartbeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MAX_EVENT_BYTES: Final = 4 * 1024 * 1024
"""A snapshot is a few kilobytes; an answer at its longest stays below a megabyte."""


class TooLong(ValueError):
    """An event does not end; the stream cannot be followed any further."""


@dataclass(frozen=True)
class ServerEvent:
    """One event: its name ("message" when none was given) and its data."""

    name: str
    data: str


@dataclass
class EventParser:
    """Takes the stream in pieces of any size and gives the events that are complete."""

    _rest: bytes = b""
    _name: str = ""
    _data: list[str] = field(default_factory=list)
    _held: int = 0
    _after_return: bool = False

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The events that `piece` completes, in order.

        Raises:
            TooLong: a line or an event is longer than `MAX_EVENT_BYTES`.
        """
        # A piece may end between CR and LF; the LF then belongs to the line before.
        if self._after_return and piece.startswith(b"\n"):
            piece = piece[1:]
        if piece:
            self._after_return = piece.endswith(b"\r")
        text = self._rest + piece
        lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) + self._held > MAX_EVENT_BYTES:
            raise TooLong("an event does not end")
        events = []
        for line in lines:
            event = self._line(line)
            if event is not None:
                events.append(event)
        return events

    def _line(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._finish()
        self._held += len(line)
        if self._held > MAX_EVENT_BYTES:
            raise TooLong("an event does not end")
        name, _, value = line.decode("utf-8", errors="replace").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        return None

    def _finish(self) -> ServerEvent | None:
        event = ServerEvent(self._name or "message", "\n".join(self._data)) if self._data else None
        self._name, self._data, self._held = "", [], 0
        return event
