"""Whom this computer dials because a stranger named the address, and how often in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from app.clock import SystemClock
from app.errors import PeerLost
from app.ids import PeerId
from app.net import dialling
from app.net.dialling import VAIN_DIALS_AT_ONCE, Dialling
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.port import Port
from app.tasks import TaskOwner
from tests.net.contract import echo, on, step

SOMEBODY = PeerId(b"p" * 32)
AT_HOME, OUTSIDE, HERE = "192.168.1.7:4600", "8.8.8.8:4600", "127.0.0.1:4600"


class Tried(Dialling):
    """Notes what would be dialled instead of dialling it."""

    tried: list[str]

    async def _attempt(self, peer: PeerId, text: str, nearest: int) -> PeerLost:
        self.tried.append(text)
        return PeerLost(f"{text}: nobody")


async def tried(addresses: Sequence[str], word: str | None, *, times: int = 1) -> Tried:
    port = Port(new_connection=lambda *_: None, wants_retry=lambda: False)
    async with TaskOwner("test") as tasks:
        dials = Tried(
            port,
            tasks,
            clock=SystemClock(),
            make=lambda *_: None,  # type: ignore[arg-type]
            live=lambda peer: None,
            refusal=lambda peer: None,
        )
        dials.tried = []
        for _ in range(times):
            with pytest.raises(PeerLost):
                await dials.connection_to(SOMEBODY, addresses, on_word_of=word)
    return dials


@pytest.mark.parametrize(
    ("word", "dialled"),
    [
        ("1.2.3.4:9", [OUTSIDE]),
        ("192.168.1.9:9", [AT_HOME, OUTSIDE]),
        ("127.0.0.1:9", [AT_HOME, OUTSIDE, HERE]),
        (None, [AT_HOME, OUTSIDE, HERE]),
    ],
)
async def test_nobody_has_us_dial_where_their_word_could_not_come_from(
    monkeypatch: pytest.MonkeyPatch, word: str | None, dialled: list[str]
) -> None:
    monkeypatch.setattr(dialling, "NEXT_ADDRESS_SECONDS", 0)
    assert (await tried([AT_HOME, OUTSIDE, HERE], word)).tried == dialled


async def test_who_names_only_such_addresses_is_told_and_nothing_is_sent() -> None:
    assert (await tried([AT_HOME, "[::1]:22", "no address"], "1.2.3.4:9", times=100)).tried == []


async def test_dials_in_vain_on_one_hand_s_word_are_bounded() -> None:
    dials = await tried([OUTSIDE], "1.2.3.4:9", times=int(VAIN_DIALS_AT_ONCE) + 9)
    assert len(dials.tried) == int(VAIN_DIALS_AT_ONCE)
    with pytest.raises(PeerLost, match="in vain"):
        await dials.connection_to(SOMEBODY, [OUTSIDE], on_word_of="1.2.3.99:1")


async def test_a_name_that_leads_into_this_computer_is_not_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def resolve(port: Port, text: str) -> tuple[str, int]:
        return ("127.0.0.1", 22)

    monkeypatch.setattr(Port, "resolve", resolve)
    port = Port(new_connection=lambda *_: None, wants_retry=lambda: False)
    async with TaskOwner("test") as tasks:
        dials = Dialling(
            port,
            tasks,
            clock=SystemClock(),
            make=lambda *_: None,  # type: ignore[arg-type]
            live=lambda peer: None,
            refusal=lambda peer: None,
        )
        with pytest.raises(PeerLost, match="would not dial there"):
            await dials.connection_to(SOMEBODY, ["trick.example:22"], on_word_of="1.2.3.4:9")


async def test_an_endpoint_dials_on_the_word_of_who_is_connected_only() -> None:
    def endpoint() -> Endpoint:
        return Endpoint(
            new_identity(), listen=("127.0.0.1", 0), handlers=on(echo), clock=SystemClock()
        )

    async with endpoint() as host, endpoint() as following, endpoint() as client:
        with pytest.raises(PeerLost, match="has left"):
            await host.open_channel(
                following.peer_id, [following.address], "hop", on_word_of=client.peer_id
            )
        await client.open_channel(host.peer_id, [host.address], "hop")
        async with asyncio.timeout(2.0):
            while not host.connections():  # noqa: ASYNC110 - the handshake has no event here
                await asyncio.sleep(0)
        channel = await host.open_channel(
            following.peer_id, [following.address], "hop", on_word_of=client.peer_id
        )
        await channel.send(step(1))
        assert await channel.receive() == step(1)


async def test_no_computer_dials_itself() -> None:
    async with Endpoint(
        new_identity(), listen=("127.0.0.1", 0), handlers=on(echo), clock=SystemClock()
    ) as host:
        with pytest.raises(PeerLost, match="this computer itself"):
            await host.open_channel(host.peer_id, [host.address], "hop")
