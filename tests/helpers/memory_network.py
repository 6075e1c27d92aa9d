"""A network inside one event loop, with the API of `app.net.endpoint`.

It passes the same contract tests as the real one (`tests/net/contract.py`): the
channels are the real ones, only the wire between them is memory.

    network = MemoryNetwork()
    async with network.endpoint(handlers={"hop": echo}) as host, network.endpoint() as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")

`network.cut(peer)` makes a computer vanish in the middle of everything. With a `delay`
words take their time; `network.part(a, b)` and `network.freeze(peer)` hold them up, and after
`LOST_SECONDS` both ends give each other up, as heartbeats would have them do.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from app.errors import BadInput, PeerLost
from app.ids import PeerId, short_peer_text
from app.net.channel import Channel, ChannelEnded
from app.net.dialling import DIAL_SECONDS
from app.net.endpoint import ChannelHandler, ConnectionStatus
from app.net.identity import Identity, new_identity
from app.net.offences import MAX_BAD_INPUTS
from app.net.wire import Place, ProtocolName, Refused
from app.tasks import TaskOwner

LOST_SECONDS = 1.25
Delay = Callable[[PeerId, PeerId], float]
"""Seconds that a word takes from one computer to another."""


class MemoryNetwork:
    """Which computers there are, by address. Without a `delay` words arrive at once."""

    def __init__(self, *, delay: Delay | None = None) -> None:
        self.by_address: dict[str, MemoryEndpoint] = {}
        self.delay = delay
        self._ports = itertools.count(40001)
        self._parted: set[frozenset[PeerId]] = set()
        self._frozen: set[PeerId] = set()
        self._held: list[tuple[MemoryEndpoint, PeerId, Callable[[], object]]] = []

    def endpoint(
        self,
        identity: Identity | None = None,
        *,
        handlers: Mapping[ProtocolName, ChannelHandler] | None = None,
        host: str = "10.0.0.1",
    ) -> MemoryEndpoint:
        """A computer on this network; enter it with `async with`."""
        address = f"{host}:{next(self._ports)}"
        return MemoryEndpoint(self, identity or new_identity(), address, dict(handlers or {}))

    def reaches(self, one: PeerId, other: PeerId) -> bool:
        """Whether words get from one to the other now."""
        if one in self._frozen or other in self._frozen:
            return False
        return frozenset((one, other)) not in self._parted

    def part(self, one: PeerId, other: PeerId) -> None:
        """Nothing gets through between these two any more."""
        self._parted.add(frozenset((one, other)))
        self._give_up_later(one, other)

    def join(self, one: PeerId, other: PeerId) -> None:
        """... and now it does again."""
        self._parted.discard(frozenset((one, other)))
        self._let_through()

    def freeze(self, peer: PeerId) -> None:
        """A computer stands still: nothing gets to it or from it."""
        self._frozen.add(peer)
        self._give_up_later(peer, None)

    def thaw(self, peer: PeerId) -> None:
        """... and goes on, with a network that has given it up."""
        self._frozen.discard(peer)
        self._let_through()

    def hold(self, sender: MemoryEndpoint, receiver: PeerId, word: Callable[[], object]) -> None:
        """Keep a word that does not get through now."""
        self._held.append((sender, receiver, word))

    def _let_through(self) -> None:
        held, self._held = self._held, []
        for sender, receiver, word in held:
            sender.later(receiver, word)

    def _give_up_later(self, one: PeerId, other: PeerId | None) -> None:
        asyncio.get_running_loop().call_later(LOST_SECONDS, self._give_up, one, other)

    def _give_up(self, one: PeerId, other: PeerId | None) -> None:
        for endpoint in list(self.by_address.values()):
            if endpoint.peer_id == one:
                endpoint.lose_unreachable(other)

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
        self.bad_inputs: Counter[PeerId] = Counter()
        self.dialled: Counter[PeerId] = Counter()
        self._network = network
        self._handlers = handlers
        # In the order in which they were opened, so that all are lost in the same order each time.
        self._links: dict[_Link, None] = {}
        self._streams = itertools.count(4, 4)
        self._due: dict[PeerId, float] = {}
        self._met: set[PeerId] = set()
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
        self,
        peer: PeerId,
        addresses: Sequence[str],
        protocol: ProtocolName,
        *,
        on_word_of: PeerId | None = None,
        given_by_person: bool = False,
    ) -> Channel:
        reasons = []
        for address in addresses:
            other = self._network.by_address.get(address)
            if other is None:
                await self._dialled_in_vain(peer)
                reasons.append(f"{address}: no answer")
            elif other.peer_id != peer:
                reasons.append(
                    f"{address} is answered by {short_peer_text(other.peer_id)}, "
                    f"not by {short_peer_text(peer)}"
                )
            elif other.bad_inputs[self.peer_id] >= MAX_BAD_INPUTS:
                reasons.append(f"{address}: too much bad input")
            elif not self._network.reaches(self.peer_id, peer):
                await self._dialled_in_vain(peer)
                reasons.append(f"{address}: no answer")
            else:
                delay = self._network.delay
                await asyncio.sleep(0 if delay is None else 2 * delay(self.peer_id, peer))
                if other.address not in self._network.by_address:
                    reasons.append(f"{address}: no answer")
                    continue
                return self._connect(other, protocol)
        raise PeerLost(f"{short_peer_text(peer)} cannot be reached: {'; '.join(reasons)}")

    def address_of(self, peer: PeerId) -> str | None:
        others = [e.address for e in self._network.by_address.values() if e.peer_id == peer]
        return next(iter(others), None)

    async def knock(self, peer: PeerId, addresses: Sequence[str]) -> None:
        delay = self._network.delay
        ends_at = asyncio.get_running_loop().time() + (0 if delay is None else DIAL_SECONDS)
        while not self._answers(peer, addresses):
            if asyncio.get_running_loop().time() >= ends_at:
                raise PeerLost(f"{short_peer_text(peer)} cannot be reached: no answer")
            await asyncio.sleep(0.1)
        await asyncio.sleep(0 if delay is None else 2 * delay(self.peer_id, peer))
        self._met.add(peer)

    def _answers(self, peer: PeerId, addresses: Sequence[str]) -> bool:
        there = [self._network.by_address.get(address) for address in addresses]
        is_there = any(other is not None and other.peer_id == peer for other in there)
        return is_there and self._network.reaches(self.peer_id, peer)

    def report_bad_input(self, peer: PeerId, reason: str) -> None:
        self.bad_inputs[peer] += 1
        if self.bad_inputs[peer] >= MAX_BAD_INPUTS:
            for link in [link for link in self._links if link.channel.peer == peer]:
                link.lose("too much bad input")

    async def _dialled_in_vain(self, peer: PeerId) -> None:
        """Until a real endpoint would give up; a connection there was is given up sooner."""
        if self._network.delay is not None:
            await asyncio.sleep(LOST_SECONDS if peer in self._met else DIAL_SECONDS)

    @property
    def place(self) -> Place | None:
        return None

    def round_trip_seconds(self, peer: PeerId) -> float | None:
        if not any(link.channel.peer == peer for link in self._links):
            return None
        delay = self._network.delay
        return None if delay is None else 2 * delay(self.peer_id, peer)

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

    def lose_unreachable(self, only: PeerId | None) -> None:
        """Give up whoever cannot be reached now, or `only` this one."""
        for link in list(self._links):
            peer = link.channel.peer
            if only in (None, peer) and not self._network.reaches(self.peer_id, peer):
                link.lose(f"{short_peer_text(peer)} stopped answering")

    def later(self, peer: PeerId, work: Callable[..., object], *words: object) -> None:
        """Do it when a word from here would have reached `peer`."""
        loop = asyncio.get_running_loop()
        delay = self._network.delay
        if delay is None:
            loop.call_soon(self._arrive, peer, work, *words)
            return
        # Words between two computers keep their order, whatever the delay does.
        due = max(self._due.get(peer, 0.0), loop.time() + delay(self.peer_id, peer))
        self._due[peer] = math.nextafter(due, math.inf)
        loop.call_at(due, self._arrive, peer, work, *words)

    def _arrive(self, peer: PeerId, work: Callable[..., object], *words: object) -> None:
        if self._network.reaches(self.peer_id, peer):
            work(*words)
        else:
            self._network.hold(self, peer, functools.partial(work, *words))

    def add(self, link: _Link) -> None:
        self._links[link] = None

    def discard(self, link: _Link) -> None:
        self._links.pop(link, None)

    def serve(self, channel: Channel) -> None:
        self._tasks.start(self._serve(channel), name=f"{channel.protocol} channel")

    def _connect(self, other: MemoryEndpoint, protocol: ProtocolName) -> Channel:
        self.dialled[other.peer_id] += 1
        self._met.add(other.peer_id)
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
        self._endpoint.later(self.channel.peer, self.other.deliver, data, end)

    def reset(self, stream: int) -> None:
        reason = PeerLost(f"{short_peer_text(self._endpoint.peer_id)} gave the channel up")
        self._endpoint.later(self.channel.peer, self.other.channel.lost, reason)

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
