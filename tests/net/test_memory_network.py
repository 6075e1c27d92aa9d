"""The network in memory keeps the same promises as the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import pytest

from app.errors import PeerLost
from app.net.endpoint import ChannelHandler
from app.net.wire import ProtocolName
from tests.helpers.memory_network import MemoryEndpoint, MemoryNetwork
from tests.net.contract import ChannelContract, Start, echo, on, step


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    network = MemoryNetwork()
    async with AsyncExitStack() as stack:

        async def enter(handlers: Mapping[ProtocolName, ChannelHandler]) -> MemoryEndpoint:
            return await stack.enter_async_context(network.endpoint(handlers=handlers))

        yield enter


class TestMemoryNetwork(ChannelContract):
    """Everything in the contract."""


async def test_a_computer_that_is_cut_off_is_lost_to_all() -> None:
    network = MemoryNetwork()
    async with network.endpoint(handlers=on(echo)) as host, network.endpoint() as client:
        channel = await client.open_channel(host.peer_id, [host.address], "hop")
        await channel.send(step(1))
        assert await channel.receive() == step(1)
        network.cut(host.peer_id)
        with pytest.raises(PeerLost):
            await channel.receive()
        with pytest.raises(PeerLost):
            await client.open_channel(host.peer_id, [host.address], "hop")
