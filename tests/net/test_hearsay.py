"""Which addresses are dialled on whose word, and that nothing else is sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import PeerLost
from app.ids import PeerId
from app.net.dht import Dht
from app.net.endpoint import Endpoint
from app.net.hearsay import (
    INTERNET,
    THIS_COMPUTER,
    believed,
    is_name,
    may_lead,
    network_of,
    picked,
    vouched,
    word_from,
    word_of,
)
from app.net.identity import new_identity
from tests.helpers.directory_swarm import LOCAL, MODEL, Node
from tests.helpers.virtual_clock import VirtualClock

OUTSIDE = "8.8.8.8:4600"
ON_THE_INTERNET = [OUTSIDE, "[2a00:1450:4001::1]:1", "[64:ff9b::808:808]:1", "[2002:808:808::1]:1"]
HERE = ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.9]:1", "[64:ff9b::7f00:1]:1", "[::127.0.0.1]:1"]
HOUSE = ["192.168.1.7:1", "192.168.178.2:1", "[::ffff:192.168.1.7]:1", "[2002:c0a8:101::]:1"]
OTHERS = [
    "10.0.0.1:1",
    "172.20.0.1:1",
    "100.64.0.1:1",
    "169.254.1.1:1",
    "[fe80::1]:1",
    "[fd00::1]:1",
]
NOBODY = ["224.0.0.1:1", "0.0.0.0:1", "8.8.8.8:0", "192.168.1.7:0", "[::]:1", "[ff02::1]:1"]
NAMES = ["somewhere.example:1", "127.1:1", "0x7f000001:1"]


def test_every_address_is_in_one_network_whatever_it_is_dressed_in() -> None:
    assert {network_of(text) for text in ON_THE_INTERNET} == {INTERNET}
    assert {network_of(text) for text in HERE} == {THIS_COMPUTER}
    assert {network_of(text) for text in HOUSE} == {"192.168.0.0/16"}
    assert len({network_of(text) for text in OTHERS}) == len(OTHERS)
    assert {network_of(text) for text in NOBODY + NAMES} == {""}
    assert all(map(is_name, NAMES))
    assert not any(map(is_name, NOBODY))


@pytest.mark.parametrize(
    ("speaker", "dialled"),
    [
        (None, ON_THE_INTERNET),
        (OUTSIDE, ON_THE_INTERNET),
        ("somewhere.example:1", ON_THE_INTERNET),
        ("192.168.1.9:1", ON_THE_INTERNET + HOUSE),
        ("10.9.9.9:1", ON_THE_INTERNET + OTHERS[:1]),
        ("100.99.1.1:1", [*ON_THE_INTERNET, "100.64.0.1:1"]),
        ("[fd00::9]:1", [*ON_THE_INTERNET, "[fd00::1]:1"]),
        ("127.0.0.1:1", ON_THE_INTERNET + HOUSE + OTHERS + HERE),
    ],
)
def test_nobody_names_what_their_word_could_not_come_from(
    speaker: str | None, dialled: list[str]
) -> None:
    told = ON_THE_INTERNET + HOUSE + OTHERS + HERE + NOBODY + ["nonsense"]
    assert believed(told, speaker) == dialled


def test_where_a_name_leads_is_judged_when_it_was_looked_up() -> None:
    assert believed(NAMES, OUTSIDE) == NAMES
    assert may_lead(network_of(OUTSIDE), word=word_of(OUTSIDE))
    assert not may_lead(network_of("192.168.1.1:1"), word=word_of(OUTSIDE))


def test_who_was_dialled_at_several_addresses_may_be_at_the_farthest() -> None:
    assert word_of(word_from(["192.168.1.7:1", OUTSIDE])) == INTERNET
    assert word_of(word_from(["192.168.1.7:1", "start.example:1"])) == INTERNET
    assert word_of(word_from(["192.168.1.7:1"])) == network_of("192.168.1.1:1")
    assert word_of(word_from([])) == INTERNET


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(max_size=40), max_size=8), st.text(max_size=40))
def test_any_texts_are_judged(addresses: list[str], speaker: str) -> None:
    try:
        word_of(speaker)
    except ValueError:
        speaker = OUTSIDE
    kept = picked(addresses, vouched(addresses, speaker))
    assert kept == believed(addresses, speaker)
    assert believed(kept, "127.0.0.1:1") == kept


# ── on real sockets ──────────────────────────────────────────────────────────


class House:
    """A keeper and whoever asks it, and a listener that is no part of the swarm. All of them
    are on this computer; `keeper_speaks_from` is where the asker takes the keeper to be, and
    `writer_speaks_from` where the keeper takes the writer to be."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.keeper_speaks_from: str | None = None
        self.writer_speaks_from: str | None = None
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listener.setblocking(False)
        self.listener.bind(("127.0.0.1", 0))
        stack.callback(self.listener.close)

    @property
    def listens_at(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def heard_something(self) -> bool:
        """Whether anything came to the listener."""
        try:
            return bool(self.listener.recv(2048))
        except BlockingIOError:
            return False

    async def node(self, keeper: Node | None = None) -> Node:
        node = Node(new_identity(), VirtualClock())

        def seen_at(peer: PeerId) -> str | None:
            is_keeper = keeper is not None and peer == keeper.endpoint.peer_id
            word = self.keeper_speaks_from if is_keeper else self.writer_speaks_from
            return word or node.endpoint.address_of(peer)

        node.endpoint = await self.stack.enter_async_context(
            Endpoint(
                node.identity,
                listen=("127.0.0.1", 0),
                handlers={"directory": node.serve},
                clock=node.clock,
            )
        )
        node.dht = await self.stack.enter_async_context(
            Dht(
                node.endpoint,
                [] if keeper is None else [(keeper.endpoint.peer_id, keeper.endpoint.address)],
                clock=node.clock,
                rules=LOCAL,
                reachable=lambda: [] if keeper else [node.endpoint.address],
                seen_at=seen_at,
                background=False,
            )
        )
        return node


async def knock(asker: Node, writer: Node) -> None:
    """The asker looks up who serves the model and knocks there."""
    (found,) = await asker.dht.lookup(MODEL)
    assert found.peer == writer.endpoint.peer_id
    await asker.endpoint.knock(PeerId(found.peer), found.addresses)


async def with_record(house: House, addresses: Sequence[str]) -> tuple[Node, Node]:
    """An asker, and a writer whose record names these addresses."""
    keeper = await house.node()
    writer, asker = await house.node(keeper), await house.node(keeper)
    assert await writer.dht.announce(writer.offer(addresses=list(addresses))) == 1
    return asker, writer


@pytest.mark.parametrize("who", ["keeper", "writer"])
async def test_a_record_from_outside_brings_no_packet_to_a_private_listener(who: str) -> None:
    async with AsyncExitStack() as stack:
        house = House(stack)
        port = house.listens_at.rpartition(":")[2]
        setattr(house, f"{who}_speaks_from", OUTSIDE)
        asker, writer = await with_record(house, [house.listens_at, f"localhost:{port}"])
        with pytest.raises(PeerLost, match="would not dial there"):
            await knock(asker, writer)
        assert not house.heard_something()


async def test_a_record_of_a_neighbour_is_believed() -> None:
    async with AsyncExitStack() as stack:
        house = House(stack)
        asker, writer = await with_record(house, [house.listens_at])
        asking = asyncio.ensure_future(knock(asker, writer))
        async with asyncio.timeout(30.0):
            await asyncio.get_running_loop().sock_recv(house.listener, 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
