"""A link between computers that takes its time, in user space: datagrams there and back.

    async with Link(("127.0.0.1", 4600), delay_seconds=0.025) as link:
        ...                     # whoever dials link.address reaches 4600, later

Each dialler has a socket of its own at the far side, as behind a router, so that answers
find their way. Everything stays on 127.0.0.1. A link can be cut and made whole again.
"""

from __future__ import annotations

import asyncio
import random
from types import TracebackType
from typing import Final

MOST_DIALLERS: Final = 64
"""More than any benchmark has; beyond it the oldest is forgotten."""
Address = tuple[str, int]


class Link:
    """Stands in front of one computer. Use with `async with`.

    Args:
        target: where it listens; may be given later, before the first datagram.
        delay_seconds: how long a datagram takes, each way.
        loss: the share of datagrams that get lost, each way.
    """

    def __init__(
        self, target: Address | None = None, *, delay_seconds: float = 0.0, loss: float = 0.0
    ) -> None:
        self.target = target
        self.delay_seconds = delay_seconds
        self.loss = loss
        self.is_cut = False
        self.passed = 0
        self._near: asyncio.DatagramTransport | None = None
        self._far: dict[Address, asyncio.DatagramTransport] = {}
        self._chance = random.Random(1)

    async def __aenter__(self) -> Link:
        loop = asyncio.get_running_loop()
        self._near, _ = await loop.create_datagram_endpoint(
            lambda: _Near(self), local_addr=("127.0.0.1", 0)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for transport in (self._near, *self._far.values()):
            if transport is not None:
                transport.close()
        await asyncio.sleep(0)  # a socket is closed in the loop's next turn

    @property
    def address(self) -> str:
        """Where to dial, as `HOST:PORT`."""
        assert self._near is not None
        host, port = self._near.get_extra_info("sockname")
        return f"{host}:{port}"

    def lead_to(self, target: Address) -> None:
        """From now on it leads to a computer that listens there, for those too who dialled it
        before."""
        self.target = target
        for far in self._far.values():
            far.close()
        self._far.clear()

    async def arrived(self, data: bytes, dialler: Address) -> None:
        """A datagram from a dialler: pass it on to the computer behind the link."""
        far = self._far.get(dialler)
        if far is None:
            if len(self._far) >= MOST_DIALLERS:
                self._far.pop(next(iter(self._far))).close()
            loop = asyncio.get_running_loop()
            target = self.target
            far, _ = await loop.create_datagram_endpoint(
                lambda: _Far(self, dialler), remote_addr=target
            )
            if target != self.target:
                far.close()  # datagrams get lost
                return
            if (other := self._far.setdefault(dialler, far)) is not far:
                far.close()
                far = other
        self.later(far, data, None, dialler)

    def returned(self, data: bytes, dialler: Address) -> None:
        """An answer of the computer behind the link: pass it back."""
        assert self._near is not None
        self.later(self._near, data, dialler, dialler)

    def delay_from(self, dialler: Address) -> float:
        """How long a datagram takes from this dialler, or to it; the same for all here."""
        return self.delay_seconds

    def later(
        self,
        transport: asyncio.DatagramTransport,
        data: bytes,
        address: Address | None,
        dialler: Address,
    ) -> None:
        """Send it when its time has come, unless it gets lost."""
        if self.is_cut or self._chance.random() < self.loss:
            return
        self.passed += 1
        loop = asyncio.get_running_loop()
        loop.call_later(self.delay_from(dialler), self._send, transport, data, address)

    def _send(
        self, transport: asyncio.DatagramTransport, data: bytes, address: Address | None
    ) -> None:
        if not transport.is_closing():
            transport.sendto(data, address)


class _Near(asyncio.DatagramProtocol):
    """The side that is dialled."""

    def __init__(self, link: Link) -> None:
        self._link = link
        # What arrives of a dialler while its socket is made waits in these, in order.
        self._opening: set[asyncio.Task[None]] = set()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        task = asyncio.get_running_loop().create_task(self._link.arrived(data, addr))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)


class _Far(asyncio.DatagramProtocol):
    """The side of the computer behind the link, for one dialler."""

    def __init__(self, link: Link, dialler: Address) -> None:
        self._link = link
        self._dialler = dialler

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._link.returned(data, self._dialler)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there any more; a real link would say nothing."""
