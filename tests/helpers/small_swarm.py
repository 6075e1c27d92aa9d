"""Hosts of one toy model on a network in memory, and what they say to each other.

    async with SmallSwarm() as swarm:
        host = await swarm.host("0:3")
        client = await swarm.computer()
        chain = RingChain(client, swarm.shape, swarm.route("0:3", "3:6"), ...)

Everything sent is in `swarm.sent`, with who sent it to whom.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType

import pytest

from app.ids import ModelId, PeerId, SessionId, parse_span
from app.net import wire
from app.net.channel import Channel
from app.net.endpoint import ChannelHandler
from app.net.wire import ChannelMessage, ProtocolName
from app.swarm.chain import RingChain
from app.swarm.host import Host
from app.swarm.local_chain import LocalChain
from app.swarm.route import Link, Offer, Route
from app.swarm.token_chain import ModelShape, OwnEnds
from app.tasks import TaskOwner
from tests.helpers.fake_engine import FakeEngine, ToyModel
from tests.helpers.memory_network import MemoryEndpoint, MemoryNetwork
from tests.helpers.virtual_clock import VirtualClock

MODEL = ModelId(b"m" * 32)
SESSION = SessionId(b"s" * 16)


@dataclass(frozen=True)
class Sent:
    """One message, and who sent it to whom."""

    sender: PeerId
    receiver: PeerId
    message: ChannelMessage


@dataclass
class HostComputer:
    """A computer that serves a span."""

    engine: FakeEngine
    host: Host
    endpoint: MemoryEndpoint

    @property
    def peer(self) -> PeerId:
        return self.endpoint.peer_id

    @property
    def offer(self) -> Offer:
        return Offer(
            self.peer, (self.endpoint.address,), self.engine.span, 100.0, self.host.tokens_free
        )

    @property
    def next_hop(self) -> wire.NextHop:
        return wire.NextHop(peer=self.peer, addresses=[self.endpoint.address])


class SmallSwarm:
    """Computers that serve one toy model. Use with `async with`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, model: ToyModel | None = None) -> None:
        self.model = model or ToyModel()
        self.network = MemoryNetwork()
        self.clock = VirtualClock()
        self.sent: list[Sent] = []
        self.tasks = TaskOwner("test")
        self._stack = AsyncExitStack()
        self._monkeypatch = monkeypatch

    async def __aenter__(self) -> SmallSwarm:
        send = Channel.send

        async def listen_in(channel: Channel, message: ChannelMessage) -> None:
            sender: MemoryEndpoint = channel._link._endpoint  # type: ignore[attr-defined]
            self.sent.append(Sent(sender.peer_id, channel.peer, message))
            await send(channel, message)

        self._monkeypatch.setattr(Channel, "send", listen_in)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.tasks.close()
        await self._stack.aclose()

    @property
    def shape(self) -> ModelShape:
        model = self.model
        return ModelShape(MODEL, model.width, model.vocabulary_size, model.head_unit)

    async def computer(
        self,
        handlers: dict[ProtocolName, ChannelHandler] | None = None,
        *,
        address: str = "10.0.0.1",
    ) -> MemoryEndpoint:
        """A computer that serves nothing, or what is given."""
        endpoint = self.network.endpoint(handlers=handlers, host=address)
        return await self._stack.enter_async_context(endpoint)

    async def host(
        self, span: str, *, kv_tokens: int = 512, tokens_per_sequence: int = 512
    ) -> HostComputer:
        """A computer that serves a span."""
        engine = FakeEngine(
            self.model,
            parse_span(span),
            kv_tokens=kv_tokens,
            tokens_per_sequence=tokens_per_sequence,
        )
        serving: list[Host] = []

        async def serve_session(channel: Channel) -> None:
            await serving[0].serve_session(channel)

        async def serve_hop(channel: Channel) -> None:
            await serving[0].serve_hop(channel)

        endpoint = await self.computer(
            {"session": serve_session, "hop": serve_hop, "state": serve_hop}
        )
        serving.append(Host(engine.engine(), MODEL, endpoint, clock=self.clock))
        return HostComputer(engine, serving[0], endpoint)

    async def hosts(self, *spans: str) -> list[HostComputer]:
        return [await self.host(span) for span in spans]

    def ring(
        self,
        client: MemoryEndpoint,
        hosts: list[HostComputer],
        *,
        tokens: int = 128,
        candidates: int = 1,
        ends: OwnEnds | None = None,
    ) -> RingChain:
        """A chain over these hosts, not open yet."""
        links = tuple(Link(host.offer, host.engine.span) for host in hosts)
        ends = ends or OwnEnds()
        route = Route(links, ends.embedding is not None, ends.head is not None)
        return RingChain(client, self.shape, route, tokens=tokens, candidates=candidates, ends=ends)

    def alone(self, *, tokens: int = 256, candidates: int = 1) -> LocalChain:
        """The yardstick: the whole model on one computer."""
        engine = FakeEngine(self.model, self.model.whole).engine()
        return LocalChain(engine, tokens=tokens, candidates=candidates)

    def to(self, receiver: PeerId) -> list[ChannelMessage]:
        return [sent.message for sent in self.sent if sent.receiver == receiver]

    def cut(self, host: HostComputer) -> None:
        """The computer vanishes."""
        self.network.cut(host.peer)


async def settled() -> None:
    """Let everything that can happen without anybody's help happen."""
    for _ in range(60):
        await asyncio.sleep(0)
