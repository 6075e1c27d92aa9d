"""This computer among others: the socket, the directory, and what it tells there.

The parts are in `app/net/` and plain modules; `app/node/node.py` opens them for a node, and a
conversation has an endpoint and a directory of its own (`app/chat/talk.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from app import __version__
from app.clock import Clock
from app.errors import UsageError
from app.folder.data_folder import DataFolder
from app.folder.known_contacts import KnownContacts
from app.ids import ModelId
from app.net import wire
from app.net.address_groups import can_be_dialled
from app.net.addresses import format_address, parse_address
from app.net.dht import Dht
from app.net.endpoint import ChannelHandler, Endpoint
from app.net.identity import Identity
from app.net.shaping import Shaper
from app.node.announcing import Announcer
from app.node.own_addresses import OwnAddresses
from app.tasks import TaskOwner


@dataclass(frozen=True)
class NetworkOptions:
    """Where this computer listens and is found, as people write it, and whom it asks first.

    `public`: strangers can reach it, so that it keeps records for others.
    """

    listen: str
    announce: Sequence[str]
    bootstraps: Sequence[str]
    public: bool


class Network:
    """Used as `async with`; entering it opens the socket and begins to join.

    Args:
        handlers: what serves the channels that others open, but for the directory's.
        known_models: the models that are known here, as of now.

    Attributes:
        endpoint, directory, announcer: there once it is entered.
        public: whether strangers can reach this computer.
    """

    endpoint: Endpoint
    directory: Dht
    announcer: Announcer

    def __init__(
        self,
        data: DataFolder,
        identity: Identity,
        options: NetworkOptions,
        *,
        handlers: Mapping[wire.ProtocolName, ChannelHandler],
        shaper: Shaper,
        known_models: Callable[[], Collection[ModelId]],
        clock: Clock,
    ) -> None:
        self._data = data
        self._identity = identity
        self._options = options
        self.public = options.public
        self._handlers = dict(handlers)
        self._shaper = shaper
        self._known_models = known_models
        self._clock = clock
        self._tasks = TaskOwner("network")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Network:
        """Open everything.

        Raises:
            UsageError: an address makes no sense, or cannot be had.
        """
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        options = self._options
        try:
            listen = parse_address(options.listen)
            given = [format_address(*parse_address(text)) for text in options.announce]
        except ValueError as error:
            raise UsageError(f"{error}.") from None
        for address in given:
            if not can_be_dialled(address):
                raise UsageError(
                    f"Nobody can reach this computer at {address}: with --announce name the address"
                    " and the port that others see, such as 198.51.100.7:4600."
                )
        bootstraps = self._data.bootstraps(options.bootstraps)
        self.endpoint = await self._stack.enter_async_context(self._endpoint(listen))
        own = OwnAddresses(self.endpoint, clock=self._clock, given=given[: wire.MAX_ADDRESSES])
        known = KnownContacts(self._data.folder)
        self.directory = Dht(
            self.endpoint,
            bootstraps,
            known=await asyncio.to_thread(known.load),
            clock=self._clock,
            reachable=own.now if options.public else tuple,
            seen_at=self.endpoint.address_of,
            keeper_lost=lambda: self.announcer.keeper_lost(),
            known_models=self._known_models,
        )
        self.announcer = Announcer(
            self._identity,
            self.endpoint,
            self.directory,
            public=options.public,
            clock=self._clock,
            addresses=lambda: own.now(
                self.directory.rules, [peer for peer, _ in self.directory.bootstraps]
            ),
        )
        await self._stack.enter_async_context(self.directory)
        self._stack.callback(lambda: known.keep(self.directory.contacts()))
        await self._stack.enter_async_context(self._tasks)
        self._tasks.start(known.keep_up(self.directory.contacts), name="contacts")

    def _endpoint(self, listen: tuple[str, int]) -> Endpoint:
        handlers = self._handlers
        if self._options.public:
            handlers["directory"] = lambda channel: self.directory.serve(channel)
        return Endpoint(
            self._identity,
            listen=listen,
            handlers=handlers,
            clock=self._clock,
            agent=f"potluck {__version__}",
            shaper=self._shaper,
            on_peer_gone=lambda peer: self.directory.forget(peer),
            on_peer_idle=lambda peer: self.directory.lost_sight(peer),
            keeps=lambda peer: self.directory.needs(peer),
        )
