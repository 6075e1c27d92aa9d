"""Cutting a stream of bytes into frames: a length, and that many bytes.

Pure. What a frame may say is in `app/net/wire.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.errors import BadInput

PREFIX_BYTES: Final = 4
"""A frame begins with its length, big-endian."""


class FrameReader:
    """Cuts a stream of bytes into frame bodies.

    Holds at most one unfinished frame, so at most `max_bytes` and a prefix.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()
        self._wanted_bytes = PREFIX_BYTES

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished frame that arrived so far."""
        return len(self._pending)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes of the stream and yield every body they complete.

        Raises:
            BadInput: a frame announces more than `max_bytes`, or nothing at all.
                It is refused by its prefix, before its body is kept. The stream
                is lost then: feed it no more.
        """
        pending = self._pending
        pending += data
        if len(pending) < self._wanted_bytes:
            return
        start = 0
        while len(pending) - start >= PREFIX_BYTES:
            size = int.from_bytes(pending[start : start + PREFIX_BYTES], "big")
            if not 0 < size <= self._max_bytes:
                del pending[:]
                raise BadInput(f"a frame of {size} bytes; 1 to {self._max_bytes} are allowed here")
            stop = start + PREFIX_BYTES + size
            if len(pending) < stop:
                self._wanted_bytes = stop - start
                break
            body = bytes(pending[start + PREFIX_BYTES : stop])
            start = stop
            self._wanted_bytes = PREFIX_BYTES
            yield body
        del pending[:start]
