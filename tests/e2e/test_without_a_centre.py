"""A swarm goes on without the computer that it began with."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable

import pytest

from app.chat.client import lookup_all
from app.errors import PeerLost
from app.folder.known_contacts import FILE
from app.ids import PeerId, Span, parse_peer
from app.net.addresses import parse_bootstrap
from app.net.records import Announcement
from tests.e2e.conftest import Published
from tests.helpers.processes import NodeProcess, Processes

HALVES = ("0:4", "4:8")
KNOWN_SECONDS = 60.0
"""Long before an announcement expires, which is after 300."""


class Swarm:
    """Three public computers, of which the first is every other one's bootstrap, and five hosts."""

    def __init__(self, processes: Processes, model: Published) -> None:
        self.processes = processes
        self.model = str(model.manifest)
        self.first = processes.node("--public", name="first")
        words = ["--bootstrap", self.first.name]
        self.public = [processes.node("--public", *words, name=name) for name in ("one", "two")]
        assert all(node.ready for node in self.public)
        serving = [*words, "--model", self.model, "--units"]
        self.hosts = [
            processes.node(*serving, span, name=f"host{number}")
            for number, span in enumerate([*HALVES, *HALVES, "0:8"])
        ]
        assert all(node.ready["units"] for node in self.hosts)

    def ask(self, *words: str) -> tuple[int, str]:
        """One question of a newcomer: its exit code and what it printed."""
        words = ("chat", "the rest", "--max-tokens", "4", "--model", self.model, *words)
        done = self.processes.run(*words, data="newcomer")
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def swarm(processes: Processes, model: Published) -> Swarm:
    return Swarm(processes, model)


def peer(node: NodeProcess) -> PeerId:
    return parse_peer(node.ready["peer_id"])


async def known_to(node: NodeProcess) -> dict[PeerId, Span | None]:
    """Who serves what, as a stranger learns it who knows only this computer."""
    try:
        found: list[Announcement] = await lookup_all([parse_bootstrap(node.name)])
    except PeerLost:
        return {}
    return {PeerId(record.peer): record.span for record in found}


async def until_known(node: NodeProcess, wanted: Callable[[set[PeerId]], bool]) -> None:
    """Wait until what a stranger learns there is as wanted."""
    async with asyncio.timeout(KNOWN_SECONDS):
        while not wanted(set(await known_to(node))):  # noqa: ASYNC110 - others tell it
            await asyncio.sleep(0.2)


async def until_kept(node: NodeProcess, others: set[str]) -> None:
    """Wait until these, and nobody else, are what it would begin with after a restart."""
    contacts = node.folder / FILE
    async with asyncio.timeout(120.0):
        while not contacts.exists() or len(json.loads(contacts.read_text())) < len(others):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    assert {line.partition("@")[0] for line in json.loads(contacts.read_text())} == others


async def test_a_swarm_goes_on_when_the_first_computer_is_gone(swarm: Swarm) -> None:
    """One story for one swarm: nine processes take longer to start than to be asked."""
    serving = {peer(host) for host in swarm.hosts}
    for node in swarm.public:
        await until_known(node, serving.__eq__)
    returning = swarm.hosts[4]
    await until_kept(returning, {node.ready["peer_id"] for node in (swarm.first, *swarm.public)})
    swarm.first.signal(signal.SIGKILL)
    swarm.first.process.wait(30)

    # A newcomer who knows another one finds everybody, and gets an answer.
    for node in swarm.public:
        await until_known(node, serving.__eq__)
        code, told = await asyncio.to_thread(swarm.ask, "--bootstrap", node.name)
        assert code == 0, told
    # A host that comes now is found too.
    words = ["--bootstrap", swarm.public[0].name, "--model", swarm.model, "--units", "0:4"]
    late = swarm.processes.node(*words, name="late")
    assert late.ready["units"] == "0:4"
    await until_known(swarm.public[1], (serving | {peer(late)}).__eq__)

    # One that vanishes is known to be gone long before its announcement expires.
    gone = swarm.hosts[0]
    gone.signal(signal.SIGKILL)
    for node in swarm.public:
        await until_known(node, lambda found: bool(found) and peer(gone) not in found)
    # One that leaves says so.
    assert swarm.hosts[1].stop() == 0
    left = {peer(late), *(peer(host) for host in swarm.hosts[2:])}
    for node in swarm.public:
        await until_known(node, left.__eq__)

    # One that comes back needs no bootstrap: it knows the others from before.
    assert returning.stop() == 0
    for node in swarm.public:
        await until_known(node, (left - {peer(returning)}).__eq__)
    again = swarm.processes.node("--model", swarm.model, "--units", "0:8", name="host4")
    assert again.ready["units"] == "0:8"
    for node in swarm.public:
        await until_known(node, left.__eq__)
