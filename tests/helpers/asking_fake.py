"""A program of the owner's that speaks to the scripted node, in one event loop with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.helpers.fake_node_api import TOKEN, FakeNode, serve
from tests.helpers.running_node import Asking


@dataclass
class AskingFake(Asking):
    """As `RunningNode`, for the scripted one."""

    node: FakeNode
    http: aiohttp.ClientSession
    address: str

    @property
    def url(self) -> str:
        return self.address

    @property
    def token(self) -> str:
        return TOKEN


@asynccontextmanager
async def scripted_node() -> AsyncIterator[AskingFake]:
    """A scripted node whose answers take a moment, as a real one's do."""
    node = FakeNode()
    node.piece_seconds = 0.01
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession() as http:
        tasks.create_task(serve(node, address.set_result))
        try:
            yield AskingFake(node, http, await address)
        finally:
            node.quit()
