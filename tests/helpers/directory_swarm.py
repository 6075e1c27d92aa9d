"""Computers with their parts of the directory, on one memory network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from random import Random
from typing import Any

from app.clock import SystemClock
from app.ids import ModelId, PeerId, Span
from app.net.address_groups import AddressRules
from app.net.channel import Channel
from app.net.dht import Dht
from app.net.dht_messages import Contact
from app.net.identity import Identity
from app.net.records import Announcement, sign_announcement
from app.net.wire import SignedRecord
from tests.helpers.memory_network import MemoryEndpoint, MemoryNetwork
from tests.helpers.virtual_clock import VirtualClock

MODEL = ModelId(b"m" * 32)
OTHER_MODEL = ModelId(b"o" * 32)
LOCAL = AddressRules(local=True)


class Node:
    """One computer: its name, its endpoint and its part of the directory."""

    def __init__(self, identity: Identity, clock: VirtualClock | SystemClock) -> None:
        self.identity = identity
        self.clock = clock
        self.changes = 0
        self.endpoint: Any = None
        self.dht: Dht

    async def serve(self, channel: Channel) -> None:
        await self.dht.serve(channel)

    def changed(self) -> None:
        self.changes += 1

    def offer(self, **changes: Any) -> SignedRecord:
        now = self.clock.wall()
        fields: dict[str, Any] = {
            "peer": bytes(self.identity.peer_id),
            "sequence": 1,
            "issued_at": now,
            "expires_at": now + 600.0,
            "addresses": [self.endpoint.address],
            "model": MODEL,
            "span": Span(0, 6),
            **changes,
        }
        return sign_announcement(self.identity, Announcement(**fields))


class Swarm:
    """Computers on one memory network."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.network = MemoryNetwork()
        self.clock = VirtualClock()
        self.chance = Random(1)
        self.nodes: list[Node] = []

    def identity(self) -> Identity:
        """A name of its own, the same in each run: who is near to what is not left to chance."""
        return Identity(self.chance.randbytes(32))

    async def start(
        self, bootstraps: Sequence[Node] = (), *, public: bool = True, join: bool = True
    ) -> Node:
        node = Node(self.identity(), self.clock)
        node.endpoint = self.network.endpoint(node.identity, handlers={"directory": node.serve})
        node.dht = self.directory(
            node, [(b.endpoint.peer_id, b.endpoint.address) for b in bootstraps], public
        )
        await self.stack.enter_async_context(node.endpoint)
        await self.stack.enter_async_context(node.dht)
        self.nodes.append(node)
        if bootstraps and join:
            await node.dht.join()
        return node

    def directory(self, node: Node, bootstraps: list[tuple[PeerId, str]], public: bool) -> Dht:
        return Dht(
            node.endpoint,
            bootstraps,
            clock=self.clock,
            rules=LOCAL,
            reachable=lambda: [node.endpoint.address] if public else [],
            seen_at=node.endpoint.address_of,
            changed=node.changed,
            chance=self.chance,
            background=False,
        )

    async def grow(self, count: int) -> Node:
        """So many public computers that know the first one."""
        first = await self.start()
        for _ in range(count - 1):
            await self.start([first])
        for node in self.nodes:
            await node.dht.maintain()
        return first


def who(offers: Sequence[Announcement]) -> set[bytes]:
    return {offer.peer for offer in offers}


async def channel_to(swarm: Swarm, node: Node) -> tuple[MemoryEndpoint, Channel]:
    endpoint = await swarm.stack.enter_async_context(swarm.network.endpoint(swarm.identity()))
    channel = await endpoint.open_channel(
        node.endpoint.peer_id, [node.endpoint.address], "directory"
    )
    return endpoint, channel


def contact_of(node: Node) -> Contact:
    return Contact(peer=node.endpoint.peer_id, addresses=[node.endpoint.address])


def at(node: Node) -> tuple[PeerId, str]:
    return node.endpoint.peer_id, node.endpoint.address


async def asking(swarm: Swarm, *bootstraps: Node, **rest: Any) -> Dht:
    """A computer that only asks."""
    endpoint = await swarm.stack.enter_async_context(swarm.network.endpoint(swarm.identity()))
    dht = Dht(endpoint, [at(node) for node in bootstraps], clock=swarm.clock, background=False,
              chance=swarm.chance, **rest)  # fmt: skip
    return await swarm.stack.enter_async_context(dht)
