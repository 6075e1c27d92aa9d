"""The node: builds the parts, owns them, starts and stops them in order.

data folder -> identity -> endpoint -> directory -> sharing -> desk -> conversations
            -> governor -> API

What programs may ask of it is in `app/node/service.py`; what it serves, in `app/node/sharing.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from app.api.server import ApiServer
from app.api.token import ApiToken
from app.chat.answering import Answering
from app.chat.conversations import Conversations
from app.chat.desk import Desk
from app.chat.opened_model import sweep_scratch
from app.clock import Clock, SystemClock
from app.errors import Refusal, UsageError
from app.folder.data_folder import DataFolder
from app.folder.fetching import Fetching
from app.folder.known_models import KnownModels
from app.folder.measured_speed import MeasuredSpeed
from app.folder.tally import Tally
from app.ids import Span, peer_text
from app.logs import RecentLines
from app.net.addresses import parse_address
from app.net.identity import Identity
from app.node.announced import Announced
from app.node.beside import Beside, NearWays
from app.node.change_board import ChangeBoard
from app.node.chat_offers import ChatOffers
from app.node.engines import Engines
from app.node.folder_watch import keep_folder
from app.node.line_speed import LineSpeed
from app.node.model_offers import ModelOffers
from app.node.moving import Moving
from app.node.network import Network, NetworkOptions
from app.node.node_file import (
    connection_lines,
    keep_node_file,
    meeting_lines,
    serving_lines,
    state_lines,
)
from app.node.own_processes import OwnProcesses
from app.node.reach import Reach
from app.node.service import Service
from app.node.sharing import Sharing
from app.node.snapshot import Parts, Wanted
from app.node.standing_by import StandingBy
from app.node.wishes import Wishes, checked_span
from app.policy.governor import Governor, month_name
from app.policy.pacing import Pacer, ProcessorTime
from app.policy.power import Cards
from app.policy.sensors import ComputerSensors, Sensors, this_system
from app.policy.traffic import Traffic
from app.process_lock import data_folder_lock
from app.sentences import say
from app.settings import SETTINGS_FILE, read_settings
from app.small_files import remove_drafts
from app.swarm.credits import Credits
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

DEFAULT_API: Final = "default"
"""Given for the API's address: as in the settings, or where there is a free port."""
ANY_OF_OURS: Final = "127.0.0.1:0"


@dataclass(frozen=True)
class NodeOptions:
    """What a person asked of this node; None means: as in the settings.

    `api` None serves no API; naming `model` or `units` is consent to share for this run.
    """

    data_dir: Path | None = None
    listen: str | None = None
    announce: Sequence[str] = ()
    bootstraps: Sequence[str] = ()
    model: str | None = None
    units: Span | None = None
    public: bool = False
    api: str | None = None


class Node:
    """One running node. Use with `async with`; entering returns when it serves.

    Args:
        sensors: what tells about the computer; None are its own.
    """

    def __init__(
        self,
        options: NodeOptions,
        *,
        clock: Clock | None = None,
        sensors: Sensors | None = None,
    ) -> None:
        self._sensors = sensors
        self._options = options
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._tasks = TaskOwner("node")
        self._board = ChangeBoard()
        self._lines = RecentLines()
        self._api: ApiServer | None = None

    async def __aenter__(self) -> Node:
        """Start everything.

        Raises:
            PotluckError: something is in the way; the text says what to do.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def wait_until_quit(self) -> None:
        """Return when a program has asked for the end."""
        await self.service.quitting.wait()

    # ── building ─────────────────────────────────────────────────────────────

    async def _start(self) -> None:
        options = self._options
        self._started_at = self._clock.wall()
        self.data = DataFolder.open(options.data_dir)
        lock = self._stack.enter_context(data_folder_lock(self.data.folder))
        await asyncio.to_thread(remove_drafts, self.data.folder)
        self._keep_log()
        await asyncio.to_thread(sweep_scratch, self.data.folder)
        self.models = KnownModels(self.data)
        told = await self._told()
        self.identity: Identity = await self.data.identity()
        self._traffic = Traffic(
            self.data.folder, clock=self._clock, month=lambda: month_name(self._clock.wall())
        )
        self.network = await self._open_network()
        self.endpoint = self.network.endpoint
        await self._stack.enter_async_context(self._tasks)
        await self._open_service(told)
        if told is not None:
            await self._serve_as_told()
        if options.api is not None:
            await self._open_api(options.api)
        self._tasks.start(self.service.keep_house(), name="housekeeping")
        self._tasks.start(self.moving.keep_placed(), name="placement")
        self._tasks.start(self.standing_by.keep_ready(), name="standing by")
        keeping_folder = keep_folder(lock, warn=self.service.warn, quit=self.service.quit)
        self._tasks.start(keeping_folder, name="data folder")
        keeping = keep_node_file(self.data.folder, self.status, clock=self._clock)
        self._tasks.start(keeping, name="status")

    async def _serve_as_told(self) -> None:
        """Wait until it serves; a person who typed the command learns at once if it cannot."""
        if self.service.governor.verdict.reason == "disk":
            words = say("disk_full_at_start", folder=str(self.data.folder))
            raise Refusal(words, code="disk_full")
        if self.service.governor.verdict.reason == "problem":
            found = await asyncio.to_thread(read_settings, self.data.folder / SETTINGS_FILE)
            complaints = " ".join(c.words for c in found.complaints if found.doubtful)
            raise UsageError(complaints or self.service.governor.verdict.sentence)
        await self.sharing.settled()
        if self.sharing.problem is not None:
            raise self.sharing.problem

    def _keep_log(self) -> None:
        root = logging.getLogger()
        root.addHandler(self._lines)
        self._stack.callback(root.removeHandler, self._lines)

    async def _told(self) -> Wanted | None:
        """What the command line said to share."""
        if self._options.model is None and self._options.units is None:
            return None
        model = self.models.keep(await asyncio.to_thread(self.data.model, self._options.model))
        units = self._options.units or model.plan.whole
        return Wanted(model, checked_span(model, units.start, units.stop))

    async def _open_network(self) -> Network:
        options = NetworkOptions(
            listen=self._options.listen or self.data.settings.listen,
            announce=self._options.announce,
            bootstraps=self._options.bootstraps,
            public=self._options.public or self.data.settings.public,
        )
        return await self._stack.enter_async_context(
            Network(
                self.data,
                self.identity,
                options,
                handlers={
                    "session": lambda channel: self.sharing.serve_session(channel),
                    "hop": lambda channel: self.sharing.serve_hop(channel),
                    "state": lambda channel: self.sharing.serve_hop(channel),
                },
                shaper=self._traffic,
                known_models=lambda: {known.model for known in self.models.all()},
                clock=self._clock,
            )
        )

    async def _open_service(self, told: Wanted | None) -> None:
        """Everything between the network and the API."""
        data, clock, changed = self.data, self._clock, self._board.changed
        cards = Cards(data.folder)
        engines = Engines(lambda: (self.sharing, self.beside), cards)
        pacer = Pacer(
            clock=clock,
            processor_seconds=ProcessorTime(engines.worker_pids).seconds,
            joules=cards.joules,
            processors=psutil.cpu_count() or 1,
        )
        credits = Credits()
        speed = MeasuredSpeed(data.folder)
        line = LineSpeed(speed, lambda: self._traffic.download_cap)
        fetching = Fetching(
            data,
            changed=changed,
            limit=self._traffic.limit,
            show=self._options.api is None,
            dropped=engines.were_damaged,
            measured=line.note,
        )
        self.sharing = await self._stack.enter_async_context(
            Sharing(
                data,
                self.endpoint,
                self.network.announcer,
                fetch=fetching.fetch,
                mend=fetching.mend,
                credits=credits,
                changed=changed,
                clock=clock,
                rest=pacer.rest_seconds,
                share=pacer.sustained_share,
                opener=NearWays(self.endpoint, lambda: self.beside.names()),
            )
        )
        self.beside = await self._stack.enter_async_context(
            Beside(
                data,
                self.endpoint,
                self.network.directory,
                first=self.sharing,
                fetch=fetching.fetch,
                mend=fetching.mend,
                credits=credits,
                changed=changed,
                clock=clock,
                rest=pacer.rest_seconds,
                share=pacer.sustained_share,
                shaper=self._traffic,
                public=self.network.public,
                is_reachable=not self._options.announce,
            )
        )
        announced = Announced(self.network.directory, changed=changed, clock=clock)
        reach = Reach(
            self.network.directory,
            self.endpoint,
            announced,
            credits,
            given=bool(self._options.bootstraps),
            public=self.network.public,
        )
        asking = ChatOffers(
            self.network.directory,
            self.endpoint,
            self.sharing,
            self.beside,
            public=self.network.public,
            clock=clock,
        )
        self.desk = await self._stack.enter_async_context(
            Desk(
                data,
                self.models,
                fetch=fetching.fetch,
                mend=fetching.mend,
                lookup=asking.lookup,
                own=self.identity.peer_id,
                shaper=self._traffic,
                place=lambda: self.endpoint.place,
                round_trip_seconds=self.endpoint.round_trip_seconds,
                credits=credits,
                speed=speed,
                changed=changed,
                clock=clock,
            )
        )
        self.conversations = Conversations(data.folder, clock=clock)
        await self.conversations.open()
        self._stack.push_async_callback(self.conversations.close)
        self.answering = await self._stack.enter_async_context(
            Answering(self.conversations, self.desk, clock=clock)
        )
        tally = Tally(data.folder, clock=clock)
        self._stack.callback(tally.save)
        parts = Parts(
            self.identity,
            self.endpoint,
            self.sharing,
            self.beside,
            fetching,
            self.desk,
            self.models,
            announced,
            reach,
            tally,
            self._traffic,
            credits,
            clock,
            started_at=clock.monotonic(),
        )
        self._stack.callback(parts.count)
        offers = ModelOffers(
            data,
            self.models,
            announced,
            self.sharing,
            self.beside,
            self.endpoint,
            speed=speed,
            line=line,
            clock=clock,
        )
        wishes = Wishes(
            data,
            self.models,
            offers,
            self.sharing,
            self.beside,
            told=told,
            machine=engines.machine,
            changed=changed,
            clock=clock,
        )
        self.moving = Moving(data, offers, self.sharing, wishes, fetch=fetching.fetch)
        self.standing_by = StandingBy(
            data,
            offers,
            self.sharing,
            wishes,
            self.beside,
            fetch=fetching.fetch,
            month_bytes=lambda: self._traffic.month_bytes,
            clock=clock,
        )
        found = read_settings(data.folder / SETTINGS_FILE)
        governor = await self._stack.enter_async_context(
            Governor(
                data.folder,
                data.settings,
                wishes,
                sensors=self._sensors
                or ComputerSensors(this_system(), data.folder, own=OwnProcesses(data.folder).pids),
                traffic=self._traffic,
                pacer=pacer,
                cards=cards,
                machine=engines.machine,
                clock=clock,
                changed=changed,
                as_told=told is not None,
                doubtful=found.doubtful,
            )
        )
        await wishes.begin(governor)
        await governor.reconsider()
        self.service = Service(
            data,
            parts,
            self.models,
            offers,
            wishes,
            self.conversations,
            self.answering,
            self._lines,
            changes=self._board,
            complaints=found.complaints,
        )

    async def _open_api(self, address: str) -> None:
        token = ApiToken(self.data.folder)
        await asyncio.to_thread(token.current)
        wanted = self.data.settings.api
        if address != DEFAULT_API:
            self._api = await self._serve_api(address, token)
            self.service.tell_api(self._api.url)
            return
        try:
            api = await self._serve_api(wanted, token, may_move=True)
        except UsageError as error:
            # A window would be left without a node for a setting that it alone can mend.
            logger.warning("%s Any free port is taken instead.", error)
            api = await self._serve_api(ANY_OF_OURS, token)
        self.service.tell_api(api.url, wanted=wanted)
        # Control is for this computer's own programs, which come by its loopback.
        is_ours = api.url.startswith(("http://127.0.0.1:", "http://[::1]:"))
        self._api = api if is_ours else await self._serve_api(ANY_OF_OURS, token)

    async def _serve_api(
        self, address: str, token: ApiToken, *, may_move: bool = False
    ) -> ApiServer:
        try:
            host, port = parse_address(address)
        except ValueError as error:
            raise UsageError(f"{error}.") from None
        return await self._stack.enter_async_context(
            ApiServer(
                self.service,
                host=host,
                port=port,
                may_move=may_move,
                admission=lambda: self.service.admission(token.current()),
            )
        )

    # ── what it tells about itself ───────────────────────────────────────────

    def ready_line(self) -> dict[str, object]:
        """What a program that started this node waits for."""
        order = self.sharing.order
        line: dict[str, object] = {
            "ready": True,
            "peer_id": peer_text(self.identity.peer_id),
            "listen": self.endpoint.address,
            "units": None if order is None else str(order.span),
        }
        if self._api is not None:
            line["api"] = self._api.url
        return line

    def status(self) -> dict[str, object]:
        """What this node is and does, in words and numbers for programs."""
        status: dict[str, object] = {**self.ready_line(), "pid": os.getpid()}
        status |= {"started_at": self._started_at}
        status |= meeting_lines(self.network.directory, public=self.network.public)
        status |= state_lines(*self.service.state())
        status |= serving_lines(self.sharing, self.beside)
        return status | {"connections": connection_lines(self.endpoint.connections())}
