"""What this computer serves: layers come here, are mounted and announced, and put away.

One task brings what is into line with what is wished, so that a wish that changes in
the middle of a download or a pause is never lost. Who may wish what, `app/node/service.py`
knows; the sessions on the layers are `app/swarm/host.py`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Set
from functools import partial
from types import TracebackType
from typing import Final, Literal

from app.chat.opened_model import Fetch, Mend
from app.clock import Clock
from app.engine.supervisor import Engine
from app.errors import PotluckError
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import ModelId, Span
from app.layer_words import layers_of
from app.net import wire
from app.net.channel import Channel, ChannelOpener
from app.net.endpoint import Endpoint
from app.node.announcing import Announcer, steady_speed
from app.node.own_addresses import own_address
from app.node.serving import Means, Serving, ShareOrder, bring_up
from app.sentences import say
from app.swarm.credits import Credits
from app.swarm.host import Host
from app.swarm.route import Offer
from app.tasks import TaskOwner, unless_set

logger = logging.getLogger(__name__)

ANNOUNCE_CHECK_SECONDS: Final = 15.0
"""How often is looked whether what is served has to be announced again."""
FIRST_ANNOUNCE_SECONDS: Final = 3.0
"""Who waits until this computer serves waits no longer for others to answer."""
DRAIN_SECONDS: Final = 2.0
"""How long a stranger's answer may go on after the owner said stop, or ended the program; it is
over at once where nobody is being answered."""
FIRST_RETRY_SECONDS: Final = 15.0
LONGEST_RETRY_SECONDS: Final = 600.0

Phase = Literal["off", "fetching", "mounting", "serving", "stopping", "failed"]


class Sharing:
    """Keeps what is served in line with what is wished. Use with `async with`.

    Args:
        announcer: None when nobody could be told.
        fetch: brings layers here.
        mend: brings damaged layers again; None mends nothing.
        credits: where what is computed for others is counted, and who others are.
        changed: called whenever something is different.
        rest: as `Engine`'s: how long to rest after each batch.
        share: how much of its full speed a worker of so many threads keeps up with these
            rests; None all of it.
        opener: reaches the computers after this one in a chain; None is the endpoint.
        place: keeps what is mounted apart from what another one mounts.
    """

    def __init__(
        self,
        data: DataFolder,
        endpoint: Endpoint,
        announcer: Announcer | None,
        *,
        fetch: Fetch,
        mend: Mend | None = None,
        credits: Credits | None = None,
        changed: Callable[[], None],
        clock: Clock,
        rest: Callable[[float], float] | None = None,
        share: Callable[[int], float] | None = None,
        opener: ChannelOpener | None = None,
        place: str = "serving",
    ) -> None:
        self._means = Means(data, opener or endpoint, clock, place, credits, rest)
        self._data = data
        self._endpoint = endpoint
        self._announcer = announcer
        self._fetch = fetch
        self._mend = mend
        self._credits = credits
        self._is_mending = False
        self._mount_again = False
        self._told_coming: OpenModel | None = None
        self._changed = changed
        self._share = share
        self._news = asyncio.Event()
        self._guests = 0
        self._most_threads: int | None = None
        self._tasks = TaskOwner("sharing")
        self._wished: ShareOrder | None = None
        self._serving: Serving | None = None
        self._bringing_up = False
        self._failed: ShareOrder | None = None
        self._wish_changed = asyncio.Event()
        self._settled = asyncio.Condition()
        self._positions_before = 0
        self._sessions_before = 0
        self.phase: Phase = "off"
        self.problem: PotluckError | None = None
        self.moves_to: Span | None = None

    async def __aenter__(self) -> Sharing:
        await self._tasks.__aenter__()
        self._tasks.start(self._keep_in_line(), name="keep in line")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._tasks.close()
        finally:
            await self._put_away(drain_seconds=DRAIN_SECONDS)

    # ── wishes ───────────────────────────────────────────────────────────────

    def wish(self, order: ShareOrder | None) -> None:
        """Serve this from now on, or nothing. Takes effect in the background."""
        if order != self._wished:
            self._wished = order
            self.retry()

    def retry(self) -> None:
        """Forget that what is wished failed, and try at once."""
        self._failed = self.problem = None
        self._wish_changed.set()

    def were_damaged(self, hashes: Set[bytes]) -> None:
        """Stored units with these hashes were damaged: mount again what was loaded from them."""
        serving = self._serving
        if serving is None or self._is_mending:
            return  # it is loaded anew anyway
        if any(unit.sha256 in hashes for unit in serving.order.units):
            self._mount_again = True
            self._wish_changed.set()

    async def limit_threads(self, most: int) -> None:
        """Compute with at most so many threads from now on."""
        self._most_threads = most
        if self.engine is not None:
            await self.engine.limit_threads(most)
        serving = self._serving
        if serving is not None:
            speed = steady_speed(serving.announced_speed, self.layers_per_second)
            if speed != serving.announced_speed:
                self.announce_soon()

    def announce_soon(self) -> None:
        """Tell what is served without waiting for the next turn: it, or whom to tell, changed."""
        self._news.set()

    def intend(self, span: Span | None) -> None:
        """Tell that units of the model that is served are on their way, to be served instead;
        None tells that they are not any more."""
        if span != self.moves_to:
            self.moves_to = span
            self.announce_soon()

    async def settled(self) -> None:
        """Wait until what is served is what was wished last, or it has failed."""
        async with self._settled:
            await self._settled.wait_for(self._is_settled)

    def _is_settled(self) -> bool:
        if self._wished is None:
            return self._serving is None and not self._bringing_up
        current = self._serving.order if self._serving is not None else self._failed
        return current == self._wished

    # ── what is up ───────────────────────────────────────────────────────────

    @property
    def order(self) -> ShareOrder | None:
        """What is served now."""
        return None if self._serving is None else self._serving.order

    @property
    def engine(self) -> Engine | None:
        """What computes it."""
        return None if self._serving is None else self._serving.engine

    @property
    def host(self) -> Host | None:
        """What serves it."""
        return None if self._serving is None else self._serving.host

    @property
    def _is_open(self) -> bool:
        """Whether something is served; it is too while what comes after it is fetched."""
        return self._serving is not None and self.phase in ("serving", "fetching")

    @property
    def layers_per_second(self) -> float:
        """How fast it computes for others under the owner's caps; 0.0 while unknown."""
        if self._serving is None:
            return 0.0
        status = self._serving.engine.status
        if self._share is None:
            return status.layers_per_second
        # A graphics card needs one thread that feeds it.
        threads = 1 if status.configuration == "gpu" else status.tuned_threads
        return status.layers_per_second * self._share(threads)

    @property
    def guests(self) -> int:
        """Conversations of others that are open here; the owner's own chats are none."""
        return self._guests

    @property
    def positions_computed(self) -> int:
        """Positions computed since the start, whatever was served and for whom."""
        return self._positions_before + (self.host.status.positions_computed if self.host else 0)

    @property
    def sessions_ever(self) -> int:
        """Sessions served since the start."""
        return self._sessions_before + (self.host.status.sessions_ever if self.host else 0)

    def own_offer(self, model: ModelId) -> Offer | None:
        """This computer as its own helper, over its own address."""
        serving = self._serving
        if serving is None or serving.order.model.id != model or not self._is_open:
            return None
        return Offer(
            peer=self._endpoint.peer_id,
            addresses=(own_address(self._endpoint),),
            span=serving.order.span,
            layers_per_second=self.layers_per_second,
            tokens_free=serving.host.tokens_free,
            sessions=serving.host.status.sessions,
            capacity=serving.order.sequences,
            place=self._endpoint.place,
        )

    async def serve_session(self, channel: Channel) -> None:
        """The handler of "session" channels."""
        if self.host is not None:
            await self._serve_here(self.host, channel)
            return
        opening = await channel.receive()
        if isinstance(opening, wire.SessionOpen):
            reason = "this computer serves no layers at present"
            await channel.send(
                wire.SessionRefused(session=opening.session, code="not_serving", reason=reason)
            )

    async def _serve_here(self, host: Host, channel: Channel) -> None:
        if self._credits is not None and channel.peer in self._credits.own_names:
            await host.serve_session(channel)
            return
        self._guests += 1
        try:
            await host.serve_session(channel)
        finally:
            self._guests -= 1

    async def serve_hop(self, channel: Channel) -> None:
        """The handler of "hop" and "state" channels."""
        if self.host is not None:
            await self.host.serve_hop(channel)

    # ── keeping in line ──────────────────────────────────────────────────────

    async def _keep_in_line(self) -> None:
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            self._wish_changed.clear()
            wished = self._wished
            outdated = self._mount_again
            self._mount_again = False
            if self._serving is not None and (self._serving.order != wished or outdated):
                if wished is not None and not outdated:
                    await unless_set(self._wish_changed, self._fetch_beside(wished), name="fetch")
                if wished == self._wished:
                    await self._put_away(drain_seconds=DRAIN_SECONDS)
            elif wished is not None and self._serving is None:
                # A worker may be starting: it is gone when this is over, and not before.
                self._bringing_up = True
                try:
                    await unless_set(self._wish_changed, self._bring_up(wished), name="bring up")
                finally:
                    self._bringing_up = False
                if self._serving is None:
                    await self._withdraw_coming()
            elif self._serving is not None and self.phase == "fetching":
                self._enter("serving")  # something else was wished for a moment
            await self._tell()
            if self._wish_changed.is_set():
                retry_seconds = FIRST_RETRY_SECONDS
            elif self._failed is not None:
                with contextlib.suppress(TimeoutError):
                    # Not `wait_for`, which forgets a cancellation that comes with the wish.
                    async with asyncio.timeout(retry_seconds):
                        await self._wish_changed.wait()
                    continue
                logger.warning("trying again to share after: %s", self.problem)
                retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)
            elif self._is_settled():
                retry_seconds = FIRST_RETRY_SECONDS
                await self._wish_changed.wait()

    async def _tell(self) -> None:
        self._changed()
        async with self._settled:
            self._settled.notify_all()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._changed()

    async def _bring_up(self, order: ShareOrder) -> None:
        try:
            self._enter("fetching")
            async with TaskOwner("coming") as telling:
                if self._announcer is not None and not self._is_here(order):
                    self._told_coming = order.model
                    coming = self._announcer.keep_telling_coming(
                        order.model,
                        order.span,
                        capacity=order.sequences,
                        check_seconds=ANNOUNCE_CHECK_SECONDS,
                    )
                    telling.start(coming, name="announcements")
                await self._fetch(order.model, order.span)
            self._enter("mounting")
            await self._mount(order)
        except PotluckError as error:
            logger.warning("sharing failed: %s", error)
            self._fail(order, error)
        except Exception as error:  # the edge: whoever waits for it learns that it failed
            logger.exception("sharing failed by a mistake")
            self._fail(order, PotluckError(say("our_mistake", kind=type(error).__name__)))
        except BaseException:
            self._enter("off")
            raise
        else:
            layers = layers_of(order.span, order.model.plan.head_unit)
            logger.info("sharing %s of %s", layers, order.model.manifest.name)
            self._failed = self.problem = None
            self._enter("serving")

    def _fail(self, order: ShareOrder, error: PotluckError) -> None:
        self._failed, self.problem = order, error
        self._enter("failed")

    async def _fetch_beside(self, order: ShareOrder) -> None:
        """Bring what is wished while what was wished before is served on; what fails is tried
        again, and said, when that is put away."""
        if self._is_here(order):
            return
        self._enter("fetching")
        try:
            await self._fetch(order.model, order.span)
        except PotluckError as error:
            logger.info("what is to be shared next did not come: %s", error)
        except Exception:  # the edge: what is shared now can be put away all the same
            logger.exception("what is to be shared next did not come, by a mistake")

    def _is_here(self, order: ShareOrder) -> bool:
        return all(self._data.store.has(unit) for unit in order.units)

    async def _mount(self, order: ShareOrder) -> None:
        mend = None if self._mend is None else partial(self._mend_layers, self._mend, order)
        serving = await bring_up(self._means, order, mend=mend, most_threads=self._most_threads)
        self._serving = serving
        self._told_coming = self.moves_to = None
        if self._announcer is not None:
            serving.tasks.start(self._keep_announcing(serving), name="announcements")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_ANNOUNCE_SECONDS):
                    await serving.announced.wait()
        else:
            logger.warning("nobody is told of it, so nobody can find this computer")

    async def _mend_layers(self, mend: Mend, order: ShareOrder) -> bool:
        self._is_mending = True
        try:
            return await mend(order.model, order.span)
        finally:
            self._is_mending = False

    async def _put_away(self, *, drain_seconds: float) -> None:
        serving = self._serving
        if serving is None:
            self._enter("off")
            return
        self._enter("stopping")
        # Taken back at once, so that nobody new comes while others finish.
        async with TaskOwner("putting away") as owner:
            if self._announcer is not None:
                taking_back = self._announcer.withdraw(serving.order.model)
                withdrawal = owner.start(taking_back, name="withdraw")
            await serving.host.drain(drain_seconds)
            await serving.stack.aclose()
            if self._announcer is not None:
                await asyncio.wait({withdrawal})
        self._positions_before += serving.host.status.positions_computed
        self._sessions_before += serving.host.status.sessions_ever
        self._serving = None
        logger.info("stopped sharing %s", serving.order.model.manifest.name)
        self._enter("off")

    # ── announcements ────────────────────────────────────────────────────────

    async def _keep_announcing(self, serving: Serving) -> None:
        assert self._announcer is not None
        await self._announce(serving)
        serving.announced.set()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANNOUNCE_CHECK_SECONDS):
                    await self._news.wait()
            due = self._news.is_set() or self._announcer.is_due(serving.host.tokens_free)
            self._news.clear()
            if due and self._is_open:
                await self._announce(serving)

    async def _withdraw_coming(self) -> None:
        """What was on its way does not come for now."""
        model, self._told_coming = self._told_coming, None
        if model is not None and self._announcer is not None:
            await self._announcer.withdraw(model)

    async def _announce(self, serving: Serving) -> None:
        assert self._announcer is not None
        serving.announced_speed = steady_speed(serving.announced_speed, self.layers_per_second)
        await self._announcer.announce(
            serving.order.model,
            serving.order.span,
            layers_per_second=serving.announced_speed,
            tokens_free=serving.host.tokens_free,
            sessions=serving.host.status.sessions,
            capacity=serving.order.sequences,
            moves_to=self.moves_to,
        )
