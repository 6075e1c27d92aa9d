"""A dozen real nodes on loopback, each behind a link of its own, that can be hurt and healed.

    async with ChaosSwarm(folder) as swarm:
        await swarm.start()
        member = swarm.members[3]

What is done to them is in `tests/chaos/faults.py`; who writes over them, in
`tests/chaos/writers.py`. Every process that was ever seen is remembered, so that one left
over is found.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import psutil

from app.api.shapes import API_PREFIX, TOKEN_FILE
from app.net.addresses import parse_address
from benchmarks.links import Link
from tests.helpers.processes import NodeProcess, Processes

SPANS: Final = ("0:4", "4:7", "7:10") * 3 + ("0:7", "4:10", "7:10")
"""Every unit is served four times over, and cut in more ways than one."""
PUBLIC: Final = 3
"""So many of the first keep the list of who serves what, so that any of them may die."""
STARTS_AT_ONCE: Final = 3
ANSWER_SECONDS: Final = 60.0
"""The API answers at once; on a computer with far too much to do, once it has its turn."""
SETTINGS: Final = """threads = 1
pause_on_other_cpu = false
cpu_percent_in_use = 100
upload_mbit_in_use = 0.0
download_mbit_in_use = 0.0
"""


@dataclass
class Member:
    """One computer of the swarm, as often as it is started."""

    number: int
    span: str
    link: Link
    node: NodeProcess | None = None
    peer: str = ""
    busy: bool = False
    """Something is being done to it."""
    starts: int = 0
    first_bytes: list[int] = field(default_factory=list)
    """What its node and its engine took when it was ready, in bytes."""
    errors: list[str] = field(default_factory=list)
    """What its earlier processes wrote to standard error."""

    @property
    def running(self) -> NodeProcess:
        """Its process."""
        assert self.node is not None
        return self.node

    @property
    def units(self) -> range:
        """The units it serves."""
        start, stop = map(int, self.span.split(":"))
        return range(start, stop)


class ChaosSwarm:
    """The computers. Use with `async with`; leaving kills whatever is left."""

    def __init__(self, folder: Path, *, spans: tuple[str, ...] = SPANS) -> None:
        self.folder = folder
        self.processes = Processes(folder)
        self.members: list[Member] = []
        self.seen: list[psutil.Process] = []
        self._spans = spans
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> ChaosSwarm:
        self._stack.enter_context(self.processes)
        for number, span in enumerate(self._spans):
            link = await self._stack.enter_async_context(Link())
            self.members.append(Member(number, span, link))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def bootstraps(self) -> list[str]:
        """How the public ones that were ever started are named."""
        known = [member for member in self.members[:PUBLIC] if member.peer]
        return [f"{member.peer}@{member.link.address}" for member in known]

    async def start(self) -> None:
        """Start everybody: the public ones in turn, so that each knows those before it."""
        for member in self.members[:PUBLIC]:
            await self.start_member(member)
        one_of_few = asyncio.Semaphore(STARTS_AT_ONCE)

        async def start(member: Member) -> None:
            async with one_of_few:
                await self.start_member(member)

        await asyncio.gather(*map(start, self.members[PUBLIC:]))

    async def start_member(self, member: Member) -> None:
        """Start a computer, or start it again: with the same folder and name, behind the same
        address. The port behind its link is a new one, for somebody may have got the old one.
        """
        words = ["--units", member.span, "--announce", member.link.address, "--api", "127.0.0.1:0"]
        if member.number < PUBLIC:
            words.append("--public")
        for name in self.bootstraps:
            if not name.startswith(f"{member.peer}@") or not member.peer:
                words += ["--bootstrap", name]
        node = self.processes.node(
            *words,
            name=f"node{member.number}",
            settings="" if member.starts else SETTINGS,
        )
        ready = await asyncio.to_thread(lambda: node.ready)
        member.node, member.starts = node, member.starts + 1
        member.peer = ready["peer_id"]
        member.link.lead_to(parse_address(ready["listen"]))
        member.first_bytes = [_bytes_of(process) for process in self.remember(member)]

    def remember(self, member: Member) -> list[psutil.Process]:
        """Its processes now; they are looked for when all should be over."""
        try:
            family = [] if member.node is None else member.node.family()
        except psutil.NoSuchProcess:
            return []
        for process in family:
            if process not in self.seen:
                self.seen.append(process)
        return family

    def died(self, member: Member) -> None:
        """Its process has ended: keep what it wrote, before the next one writes there."""
        member.errors.append(member.running.errors)
        member.node = None

    async def ask(
        self, member: Member, path: str, words: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask a computer's API: with words it is a POST, without a GET."""
        return await asyncio.to_thread(_ask, member.running, path, words)

    def covered_without(self, member: Member) -> bool:
        """Whether what it serves is served by others to whom nothing is being done."""
        whole = [m for m in self.members if not m.busy and m is not member and m.node is not None]
        listed = any(other.number < PUBLIC for other in whole)
        return listed and all(any(unit in other.units for other in whole) for unit in member.units)

    def grown_bytes(self) -> dict[str, int]:
        """By how much each process grew since it, or the engine before it, was ready, in bytes."""
        grown = {}
        for member in self.members:
            family = self.remember(member)
            # An engine that has just crashed is being started again.
            for process, first in zip(family, member.first_bytes, strict=False):
                grown[f"node{member.number}/{process.pid}"] = _bytes_of(process) - first
        return grown


def _bytes_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _ask(node: NodeProcess, path: str, words: dict[str, Any] | None) -> dict[str, Any]:
    token = (node.folder / TOKEN_FILE).read_text().strip()
    request = urllib.request.Request(
        node.ready["api"] + API_PREFIX + path,
        data=None if words is None else json.dumps(words).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
        told: dict[str, Any] = json.loads(answer.read() or b"{}")
    return told
