"""A second span served beside the first, for a while, under a name of its own.

A chain names each computer once, and an announcement is of one span; so what is served besides
has an endpoint, a name and announcements for itself, which last as long as it does. To others it
is one computer more. Whether it is served, `app/node/standing_by.py` decides; how,
`app/node/sharing.py` knows, of which this is a second one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AsyncExitStack, suppress
from types import TracebackType

from app import __version__
from app.chat.opened_model import Fetch, Mend
from app.clock import Clock
from app.engine.supervisor import Engine
from app.errors import PeerLost, PotluckError
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import ModelId, PeerId, Span
from app.net.addresses import parse_address
from app.net.channel import Channel, ChannelOpener
from app.net.dht import Dht
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.shaping import Shaper
from app.net.wire import ProtocolName
from app.node.announcing import Announcer
from app.node.own_addresses import OwnAddresses, own_address
from app.node.serving import ShareOrder
from app.node.sharing import Phase, Sharing
from app.swarm.credits import Credits
from app.swarm.host import Host
from app.swarm.route import Offer
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)


class NearWays:
    """Opens channels, and those to a name of this very computer without leaving it: many
    routers do not let one reach oneself by the address that others see.

    Args:
        near: this computer's names and where each listens; asked each time.
    """

    def __init__(self, endpoint: ChannelOpener, near: Callable[[], Mapping[PeerId, str]]) -> None:
        self._endpoint = endpoint
        self._near = near

    @property
    def peer_id(self) -> PeerId:
        """As `ChannelOpener.peer_id`."""
        return self._endpoint.peer_id

    async def open_channel(
        self,
        peer: PeerId,
        addresses: Sequence[str],
        protocol: ProtocolName,
        *,
        on_word_of: PeerId | None = None,
        given_by_person: bool = False,
    ) -> Channel:
        """As `ChannelOpener.open_channel`; where its own names are, this computer knows itself."""
        near = self._near().get(peer)
        if near is not None:
            return await self._endpoint.open_channel(peer, [near], protocol)
        return await self._endpoint.open_channel(
            peer, addresses, protocol, on_word_of=on_word_of, given_by_person=given_by_person
        )

    def address_of(self, peer: PeerId) -> str | None:
        """As `ChannelOpener.address_of`."""
        return self._endpoint.address_of(peer)

    def report_bad_input(self, peer: PeerId, reason: str) -> None:
        """As `ChannelOpener.report_bad_input`."""
        self._endpoint.report_bad_input(peer, reason)


class Beside:
    """What is served besides, and what is kept ready for it. Use with `async with`.

    Args:
        endpoint, directory: the first span's; whom to ask first is taken from there.
        first: serves the first span, which goes first.
        fetch, mend, changed: as `Sharing`'s.
        credits: told the second name, so that it counts as this computer's own.
        rest, share: as `Sharing`'s, for both spans together.
        shaper: as `Endpoint`'s; the caps hold for both spans together.
        public: whether `endpoint` keeps a part of the directory.
        is_reachable: False where others reach this computer by given addresses alone, which
            lead to the first endpoint: then nothing is served besides.

    Attributes:
        ready: what it stands by for: a model and the units that are here; None without.
    """

    def __init__(
        self,
        data: DataFolder,
        endpoint: Endpoint,
        directory: Dht,
        *,
        first: Sharing,
        fetch: Fetch,
        mend: Mend | None,
        credits: Credits,
        changed: Callable[[], None],
        clock: Clock,
        rest: Callable[[float], float],
        share: Callable[[int], float],
        shaper: Shaper | None = None,
        public: bool = False,
        is_reachable: bool = True,
    ) -> None:
        self._data = data
        self._endpoint = endpoint
        self._directory = directory
        self._first = first
        self._fetch = fetch
        self._mend = mend
        self._credits = credits
        self._changed = changed
        self._clock = clock
        self._rest = rest
        self._share = share
        self._shaper = shaper
        self._public = public
        self._is_reachable = is_reachable
        self._processor_allowed = True
        self._threads: int | None = None
        self._tasks = TaskOwner("beside")
        self._task: asyncio.Task[None] | None = None
        self._is_ending = False
        self._second: Endpoint | None = None
        self._sharing: Sharing | None = None
        self.ready: tuple[OpenModel, Span] | None = None

    async def __aenter__(self) -> Beside:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        await self._tasks.close()

    # ── what is up ───────────────────────────────────────────────────────────

    @property
    def may_serve(self) -> bool:
        """Whether others could reach it, and the processor may compute."""
        return self._is_reachable and self._processor_allowed

    @property
    def is_up(self) -> bool:
        """Whether something is served, or about to be, or being put away."""
        return self._task is not None

    @property
    def phase(self) -> Phase:
        """How far the second span is."""
        return "off" if self._sharing is None else self._sharing.phase

    @property
    def order(self) -> ShareOrder | None:
        """What is served besides."""
        return None if self._sharing is None else self._sharing.order

    @property
    def engine(self) -> Engine | None:
        """What computes it."""
        return None if self._sharing is None else self._sharing.engine

    @property
    def host(self) -> Host | None:
        """What serves it."""
        return None if self._sharing is None else self._sharing.host

    @property
    def layers_per_second(self) -> float:
        """As `Sharing.layers_per_second`."""
        return 0.0 if self._sharing is None else self._sharing.layers_per_second

    @property
    def guests(self) -> int:
        """As `Sharing.guests`."""
        return 0 if self._sharing is None else self._sharing.guests

    @property
    def load(self) -> float | None:
        """Which part of its places is taken; None while nothing is served."""
        if self.order is None or self.host is None:
            return None
        return min(1.0, self.host.status.sessions / max(1, self.order.sequences))

    @property
    def name(self) -> PeerId | None:
        """What others call it; None while there is nothing."""
        return None if self._second is None else self._second.peer_id

    def names(self) -> dict[PeerId, str]:
        """All names of this computer as a host, and where each listens."""
        both = [self._endpoint] if self._second is None else [self._endpoint, self._second]
        return {one.peer_id: own_address(one) for one in both}

    def own_offer(self, model: ModelId) -> Offer | None:
        """As `Sharing.own_offer`."""
        return None if self._sharing is None else self._sharing.own_offer(model)

    @property
    def problem(self) -> PotluckError | None:
        """As `Sharing.problem`."""
        return None if self._sharing is None else self._sharing.problem

    # ── steering ─────────────────────────────────────────────────────────────

    def keep(self, ready: tuple[OpenModel, Span] | None) -> None:
        """These units are here now, and stay."""
        if ready != self.ready:
            self.ready = ready
            self._changed()

    def serve(self, order: ShareOrder) -> None:
        """Serve this too, from soon on; while something else is up, nothing changes."""
        if self._task is None and self.may_serve:
            self._is_ending = False
            self._task = self._tasks.start(self._serve(order), name="serve")

    async def stop(self) -> None:
        """Hand back the sessions at once, take the announcement back and free the memory;
        returns when that is done. May be called at any time, by several too."""
        task = self._task
        if task is None:
            return
        if not self._is_ending:  # a second time would interrupt the goodbyes
            self._is_ending = True
            task.cancel()
        await asyncio.wait({task})
        if self._task is task:
            self._task = None
            self._changed()

    async def limit(self, *, processor: bool, threads: int) -> None:
        """These caps hold from now on.

        Args:
            processor: whether it may compute; the graphics card is left to the first span.
            threads: that both spans together may use; the first one goes first.
        """
        self._processor_allowed = processor
        self._threads = max(1, threads // 2)
        if not processor:
            await self.stop()
        elif self._sharing is not None:
            await self._sharing.limit_threads(self._threads)

    def were_damaged(self, hashes: Set[bytes]) -> None:
        """As `Sharing.were_damaged`."""
        if self._sharing is not None:
            self._sharing.were_damaged(hashes)

    # ── serving ──────────────────────────────────────────────────────────────

    async def _serve(self, order: ShareOrder) -> None:
        try:
            async with AsyncExitStack() as stack:
                sharing = self._sharing = await self._open(stack)
                if self._threads is not None:
                    await sharing.limit_threads(self._threads)
                sharing.wish(order)
                await asyncio.Event().wait()
        except (PotluckError, OSError) as error:
            logger.warning("nothing is served besides: %s", error)
            self._task = None
        finally:
            self._sharing = None

    async def _open(self, stack: AsyncExitStack) -> Sharing:
        """A second name in the network, known to the directory, that serves nothing yet."""
        identity = new_identity()
        host, _ = parse_address(self._endpoint.address)
        endpoint = Endpoint(
            identity,
            listen=(host, 0),
            handlers={
                "session": self._serve_session,
                "hop": self._serve_hop,
                "state": self._serve_hop,
            },
            clock=self._clock,
            agent=f"potluck {__version__}",
            shaper=self._shaper,
            on_peer_gone=lambda peer: directory.forget(peer),
            on_peer_idle=lambda peer: directory.lost_sight(peer),
            keeps=lambda peer: directory.needs(peer),
            start=self._endpoint.place,
        )
        itself = (self._endpoint.peer_id, own_address(self._endpoint))
        directory = Dht(
            endpoint,
            [itself] if self._public else [],
            known=self._directory.seeds(),
            rules=self._directory.rules,
            clock=self._clock,
            seen_at=endpoint.address_of,
            keeper_lost=lambda: announcer.keeper_lost(),
        )
        addresses = OwnAddresses(endpoint, clock=self._clock)
        named = [peer for peer, _ in self._directory.bootstraps]
        announcer = Announcer(
            identity,
            endpoint,
            directory,
            public=False,
            clock=self._clock,
            addresses=lambda: addresses.now(directory.rules, named),
            besides=True,
        )
        await stack.enter_async_context(endpoint)
        stack.callback(self._forget_name, endpoint)
        self._second = endpoint
        self._credits.own_names.add(endpoint.peer_id)
        await stack.enter_async_context(directory)
        with suppress(PeerLost):  # others see where this name is, and say so
            await directory.join()
        if not addresses.now(directory.rules, named):
            raise PeerLost("nobody tells yet where others would find it")
        sharing = Sharing(
            self._data,
            endpoint,
            announcer,
            fetch=self._fetch,
            mend=self._mend,
            credits=self._credits,
            changed=self._changed,
            clock=self._clock,
            rest=self._rest_seconds,
            share=lambda threads: self._share(threads) / 2,
            opener=NearWays(endpoint, self.names),
            place="beside",
        )
        return await stack.enter_async_context(sharing)

    def _rest_seconds(self, work_seconds: float) -> float:
        """As the owner's caps say; and while the first span computes, as long as was worked."""
        seconds = self._rest(work_seconds)
        engine = self._first.engine
        return max(seconds, work_seconds) if engine is not None and engine.is_busy else seconds

    def _forget_name(self, endpoint: Endpoint) -> None:
        self._second = None
        self._credits.own_names.discard(endpoint.peer_id)

    async def _serve_session(self, channel: Channel) -> None:
        if self._sharing is not None:
            await self._sharing.serve_session(channel)

    async def _serve_hop(self, channel: Channel) -> None:
        if self._sharing is not None:
            await self._sharing.serve_hop(channel)
