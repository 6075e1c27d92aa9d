"""The node: builds the parts, owns them, starts and stops them in order.

data folder -> identity -> endpoint -> directory -> units -> engine -> host
            -> announcements
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app import __version__
from app.clock import Clock, SystemClock
from app.data_folder import DataFolder, OpenModel, ProgressLine, fetch_units
from app.engine.supervisor import Engine
from app.errors import PeerLost, PotluckError, Refusal, UsageError
from app.ids import Span, peer_text
from app.net import wire
from app.net.addresses import format_address, is_loopback, parse_address
from app.net.channel import Channel
from app.net.directory import Directory, DirectoryClient
from app.net.endpoint import Endpoint
from app.net.identity import Identity
from app.net.records import Announcement, sign_announcement
from app.process_lock import data_folder_lock
from app.swarm.host import Host
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

ANNOUNCE_SECONDS: Final = 15.0
ANNOUNCEMENT_LIFETIME_SECONDS: Final = 60.0
"""A node that vanished without a word is forgotten after a minute."""
STATUS_SECONDS: Final = 2.0
WITHDRAW_SECONDS: Final = 0.5


@dataclass(frozen=True)
class NodeOptions:
    """What a person asked of this node; None means: as in the settings."""

    data_dir: Path | None = None
    listen: str | None = None
    bootstraps: Sequence[str] = ()
    model: str | None = None
    units: Span | None = None
    public: bool = False


class Node:
    """One running node. Use with `async with`; entering returns when it serves."""

    def __init__(self, options: NodeOptions, *, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._tasks = TaskOwner("node")
        self._host: Host | None = None
        self._engine: Engine | None = None
        self._model: OpenModel | None = None
        self._sequence = 0
        self._public = options.public

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
        await self._withdraw()
        await self._stack.aclose()

    async def _start(self) -> None:
        options = self._options
        self.data = DataFolder.open(options.data_dir)
        self._stack.enter_context(data_folder_lock(self.data.folder))
        self._bootstraps = self.data.bootstraps(options.bootstraps)
        self._model = self._wanted_model()
        span = self._wanted_span()
        self.identity: Identity = await self.data.identity()
        self._public = options.public or self.data.settings.public
        directory = Directory(self._clock) if self._public else None
        self.endpoint = await self._stack.enter_async_context(self._endpoint(directory))
        self._directory = DirectoryClient(
            self.endpoint, self._bootstraps, clock=self._clock, local=directory
        )
        await self._stack.enter_async_context(self._tasks)
        if span is not None:
            await self._serve(span)
        self._tasks.start(self._keep_status(), name="status")

    def _wanted_model(self) -> OpenModel | None:
        if self._options.model is None and self._options.units is None:
            return None
        return self.data.model(self._options.model)

    def _wanted_span(self) -> Span | None:
        if self._model is None:
            return None
        whole = self._model.plan.whole
        span = self._options.units or whole
        if not whole.covers(span):
            raise UsageError(
                f"{self._model.manifest.name} has the units {whole}; {span} is not among them."
            )
        return span

    def _endpoint(self, directory: Directory | None) -> Endpoint:
        handlers: dict[wire.ProtocolName, Callable[[Channel], Any]] = {
            "session": self._serve_session,
            "hop": self._serve_hop,
        }
        if directory is not None:
            handlers["directory"] = directory.serve
        try:
            listen = parse_address(self._options.listen or self.data.settings.listen)
        except ValueError as error:
            raise UsageError(f"{error}.") from None
        return Endpoint(
            self.identity,
            listen=listen,
            handlers=handlers,
            clock=self._clock,
            agent=f"potluck {__version__}",
            on_peer_gone=None if directory is None else directory.forget,
        )

    async def _serve_session(self, channel: Channel) -> None:
        if self._host is not None:
            await self._host.serve_session(channel)
            return
        opening = await channel.receive()
        if isinstance(opening, wire.SessionOpen):
            reason = "this computer serves no layers at present"
            await channel.send(
                wire.SessionRefused(session=opening.session, code="not_serving", reason=reason)
            )

    async def _serve_hop(self, channel: Channel) -> None:
        if self._host is not None:
            await self._host.serve_hop(channel)

    # ── serving layers ───────────────────────────────────────────────────────

    async def _serve(self, span: Span) -> None:
        assert self._model is not None
        name = self._model.manifest.name
        await fetch_units(self.data, self._model, span, ProgressLine(name))
        settings = self.data.settings
        request = self.data.mount_request(
            self._model,
            span,
            kv_tokens=settings.kv_tokens,
            sequences=settings.max_sessions,
            name="serving",
        )
        self._engine = await self._stack.enter_async_context(Engine(request, self.data.ladder()))
        self._host = Host(self._engine, self._model.id, self.endpoint, clock=self._clock)
        self._tasks.start(self._host.sweep(), name="leases")
        if self._bootstraps or self._public:
            await self._announce()
            self._tasks.start(self._keep_announcing(), name="announcements")
        else:
            logger.warning("no bootstrap is known, so nobody can find this node")

    async def _keep_announcing(self) -> None:
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            await self._announce()

    async def _announce(self) -> None:
        """Tell every bootstrap what is served here; what fails is tried again next time."""
        assert self._engine is not None
        try:
            await self._send_announcement(self._engine.span)
        except (PeerLost, Refusal) as error:
            logger.warning("not announced: %s", error)

    async def _withdraw(self) -> None:
        if self._host is None:
            return
        with contextlib.suppress(PotluckError, TimeoutError):
            async with asyncio.timeout(WITHDRAW_SECONDS):
                await self._send_announcement(None)

    async def _send_announcement(self, span: Span | None) -> None:
        assert self._model is not None
        assert self._host is not None
        assert self._engine is not None
        now = self._clock.wall()
        self._sequence = max(self._sequence + 1, int(now * 100))
        announcement = Announcement(
            peer=self.identity.peer_id,
            sequence=self._sequence,
            issued_at=now,
            expires_at=now + ANNOUNCEMENT_LIFETIME_SECONDS,
            model=self._model.id,
            model_name=self._model.manifest.name[:64],
            addresses=self._addresses(),
            span=span,
            layers_per_second=self._engine.status.layers_per_second,
            kv_tokens_free=self._host.tokens_free,
            sessions=self._host.status.sessions,
            public=self._public,
            version=__version__,
        )
        await self._directory.announce(sign_announcement(self.identity, announcement))

    def _addresses(self) -> list[str]:
        """Where to dial this computer, best guess first."""
        host, port = parse_address(self.endpoint.address)
        if host not in ("0.0.0.0", "::"):
            return [self.endpoint.address]
        found = [self.endpoint.observed_address] if self.endpoint.observed_address else []
        seen_host = parse_address(found[0])[0] if found else "127.0.0.1"
        if is_loopback(seen_host):
            found.append(format_address("127.0.0.1", port))
        return list(dict.fromkeys(found))

    # ── what it tells about itself ───────────────────────────────────────────

    def ready_line(self) -> dict[str, object]:
        """What a program that started this node waits for."""
        return {
            "ready": True,
            "peer_id": peer_text(self.identity.peer_id),
            "listen": self.endpoint.address,
            "units": None if self._engine is None else str(self._engine.span),
        }

    def status(self) -> dict[str, object]:
        """What this node is and does, in words and numbers for programs."""
        status: dict[str, object] = {**self.ready_line(), "pid": os.getpid()}
        if self._model is not None and self._engine is not None and self._host is not None:
            engine, host = self._engine.status, self._host.status
            status |= {
                "model": self._model.manifest.name,
                "model_id": self._model.id.hex(),
                "configuration": engine.configuration,
                "threads": engine.threads,
                "layers_per_second": round(engine.layers_per_second, 1),
                "worker_pid": self._engine.worker_pid,
                "worker_restarts": engine.restarts,
                "sessions": host.sessions,
                "sessions_ever": host.sessions_ever,
                "positions_computed": host.positions_computed,
                "tokens_free": self._host.tokens_free,
            }
        status["connections"] = [
            {
                "peer_id": peer_text(connection.peer),
                "address": connection.address,
                "round_trip_seconds": connection.round_trip_seconds,
                "bad_inputs": connection.bad_inputs,
            }
            for connection in self.endpoint.connections()
        ]
        return status

    async def _keep_status(self) -> None:
        """Write `node.json` now and then, for `potluck status`; remove it at the end."""
        path = self.data.folder / "node.json"
        draft = path.with_suffix(".draft")
        try:
            while True:
                text = json.dumps({**self.status(), "written_at": self._clock.wall()})
                with contextlib.suppress(OSError):
                    draft.write_text(text)
                    os.replace(draft, path)
                await asyncio.sleep(STATUS_SECONDS)
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
