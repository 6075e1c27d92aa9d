"""Holds datagrams back so that caps on bandwidth are kept.

A private sibling of `app/net/endpoint.py`. How long each one waits is the `Shaper`'s to
say, which the node hands in; here they wait in order. What would wait too long is lost
at once: QUIC takes that for a narrow line, which it is, and sends slower.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from app.net.quic import Address


class Shaper(Protocol):
    """Counts what goes over the line and says how long it has to wait.

    What stays on this computer, over loopback, is not shown to it: see `app/net/port.py`.
    Whatever is told to wait goes or is lost within a second, so the queues are bounded
    by a second of traffic.
    """

    def sending(self, size: int) -> float | None:
        """Seconds until a datagram of this size may go; None: it is not to go at all."""
        ...

    def received(self, size: int) -> float | None:
        """Seconds until a datagram of this size may be read; None: it is to be lost."""
        ...


class DelayLine:
    """Passes datagrams on in order, each when its time has come."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        judge: Callable[[int], float | None],
        pass_on: Callable[[bytes, Address], None],
    ) -> None:
        self._loop = loop
        self._judge = judge
        self._pass_on = pass_on
        # Bounded by the shaper: see its docstring.
        self._waiting: deque[tuple[float, bytes, Address]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes, address: Address) -> None:
        """Pass it on now, later or never."""
        seconds = self._judge(len(data))
        if seconds is None:
            return
        if seconds <= 0 and not self._waiting:
            self._pass_on(data, address)
            return
        self._waiting.append((self._loop.time() + seconds, data, address))
        if self._timer is None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._due)

    def close(self) -> None:
        """Drop what still waits."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def flush(self) -> None:
        """Pass on at once what still waits: the last words before the socket closes."""
        waiting = list(self._waiting)
        self.close()
        for _, data, address in waiting:
            self._pass_on(data, address)

    def _due(self) -> None:
        self._timer = None
        # The loop may call a hair early, by its clock's resolution.
        now = self._loop.time() + 0.001
        while self._waiting and self._waiting[0][0] <= now:
            _, data, address = self._waiting.popleft()
            self._pass_on(data, address)
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._due)
