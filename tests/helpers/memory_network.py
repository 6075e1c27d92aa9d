"""A network inside one event loop, with the API of `app.net.endpoint`.

It passes the same contract tests as the real one (`tests/net/contract.py`): the
channels are the real ones, only the wire between them is memory.

    network = MemoryNetwork()
    async with network.endpoint(handlers={"hop": echo}) as host, network.endpoint() as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")

`network.cut(peer)` makes a computer vanish in the middle of everything.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType

from app.errors import BadInput, PeerLost
from app.ids import PeerId, short_peer_text
from app.net.channel import Channel, ChannelEnded
from app.net.endpoint import ChannelHandler, ConnectionStatus
from app.net.identity import Identity, new_identity
from app.net.offences import MAX_BAD_INPUTS
from app.net.wire import ProtocolName, Refused
from app.tasks import TaskOwner


class MemoryNetwork:
    """Which computers there are, by address."""

    def __init__(self) -> None:
        self.by_address: dict[str, MemoryEndpoint] = {}
        self._ports = itertools.count(40001)

    def endpoint(
        self,
        identity: Identity | None = None,
        *,
        handlers: Mapping[ProtocolName, ChannelHandler] | None = None,
    ) -> MemoryEndpoint:
        """A computer on this network; enter it with `async with`."""
        address = f"10.0.0.1:{next(self._ports)}"
        return MemoryEndpoint(self, identity or new_identity(), address, dict(handlers or {}))

    def cut(self, peer: PeerId) -> None:
        """The computer is gone: every channel with it is lost at once."""
        for endpoint in list(self.by_address.values()):
            if endpoint.peer_id == peer:
                del self.by_address[endpoint.address]
                endpoint.lose_everything()


class MemoryEndpoint:
    """Stands in for `app.net.endpoint.Endpoint`."""

    def __init__(
        self,
        network: MemoryNetwork,
        identity: Identity,
        address: str,
        handlers: dict[ProtocolName, ChannelHandler],
    ) -> None:
        self.peer_id = identity.peer_id
        self.address = address
        self.observed_address: str | None = None
        self.bad_inputs: Counter[PeerId] = Counter()
        self.dialled: Counter[PeerId] = Counter()
        self._network = network
        self._handlers = handlers
        self._links: set[_Link] = set()
        self._streams = itertools.count(4, 4)
        self._tasks = TaskOwner(f"memory endpoint {short_peer_text(self.peer_id)}")

    async def __aenter__(self) -> MemoryEndpoint:
        self._network.by_address[self.address] = self
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._network.by_address.pop(self.address, None)
        self.lose_everything()
        await self._tasks.close()

    async def open_channel(
        self, peer: PeerId, addresses: Sequence[str], protocol: ProtocolName
    ) -> Channel:
        reasons = []
        for address in addresses:
            other = self._network.by_address.get(address)
            if other is None:
                reasons.append(f"{address}: no answer")
            elif other.peer_id != peer:
                reasons.append(
                    f"{address} is answered by {short_peer_text(other.peer_id)}, "
                    f"not by {short_peer_text(peer)}"
                )
            elif other.bad_inputs[self.peer_id] >= MAX_BAD_INPUTS:
                reasons.append(f"{address}: too much bad input")
            else:
                await asyncio.sleep(0)
                return self._connect(other, protocol)
        raise PeerLost(f"{short_peer_text(peer)} cannot be reached: {'; '.join(reasons)}")

    def report_bad_input(self, peer: PeerId, reason: str) -> None:
        self.bad_inputs[peer] += 1
        if self.bad_inputs[peer] >= MAX_BAD_INPUTS:
            for link in [link for link in self._links if link.channel.peer == peer]:
                link.lose("too much bad input")

    def connections(self) -> list[ConnectionStatus]:
        peers = {link.channel.peer for link in self._links} | set(self.dialled)
        return [
            ConnectionStatus(
                peer=peer,
                address="",
                round_trip_seconds=None,
                bytes_sent=0,
                bytes_received=0,
                channels=sum(link.channel.peer == peer for link in self._links),
                bad_inputs=self.bad_inputs[peer],
                dialled=peer in self.dialled,
            )
            for peer in peers
        ]

    def lose_everything(self) -> None:
        for link in list(self._links):
            link.lose(f"{short_peer_text(self.peer_id)} stopped answering")

    def add(self, link: _Link) -> None:
        self._links.add(link)

    def discard(self, link: _Link) -> None:
        self._links.discard(link)

    def serve(self, channel: Channel) -> None:
        self._tasks.start(self._serve(channel), name=f"{channel.protocol} channel")

    def _connect(self, other: MemoryEndpoint, protocol: ProtocolName) -> Channel:
        self.dialled[other.peer_id] += 1
        stream = next(self._streams)
        here, there = _Link(self), _Link(other)
        here.other, there.other = there, here
        here.channel = Channel(here, stream=stream, peer=other.peer_id, protocol=protocol)
        there.channel = Channel(there, stream=stream, peer=self.peer_id, protocol=None)
        self.add(here)
        other.add(there)
        here.channel.opening(protocol)
        return here.channel

    async def _serve(self, channel: Channel) -> None:
        handler = next((h for name, h in self._handlers.items() if name == channel.protocol), None)
        try:
            if handler is None:
                await channel.send(Refused(code="unknown_protocol", reason="not served here"))
            else:
                await handler(channel)
            await channel.close()
        except ChannelEnded:
            await channel.close()
        except PeerLost:
            pass
        except BadInput as error:
            self.report_bad_input(channel.peer, str(error))
        finally:
            if not channel.closed:
                channel.abort()


class _Link:
    """One end's way to the other: bytes arrive in a later turn of the loop, in order."""

    channel: Channel
    other: _Link

    def __init__(self, endpoint: MemoryEndpoint) -> None:
        self._endpoint = endpoint

    def write(self, stream: int, data: bytes, *, end: bool = False) -> None:
        asyncio.get_running_loop().call_soon(self.other.deliver, data, end)

    def reset(self, stream: int) -> None:
        reason = PeerLost(f"{short_peer_text(self._endpoint.peer_id)} gave the channel up")
        asyncio.get_running_loop().call_soon(self.other.channel.lost, reason)

    def released(self, channel: Channel) -> None:
        self._endpoint.discard(self)

    def deliver(self, data: bytes, end: bool) -> None:
        try:
            if self.channel.arrived(data, end=end):
                self._endpoint.serve(self.channel)
        except BadInput as error:
            self.reset(self.channel.stream)
            self.channel.lost(PeerLost(f"it broke a rule: {error}"))
            self._endpoint.report_bad_input(self.channel.peer, str(error))

    def lose(self, reason: str) -> None:
        self.channel.lost(PeerLost(reason))
        self.other.channel.lost(PeerLost(reason))
