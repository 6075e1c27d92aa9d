"""Whom this computer dials because a stranger named the address, and how often in vain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

import pytest

from app.clock import Clock, SystemClock
from app.errors import PeerLost
from app.ids import PeerId
from app.net.dialling import MAX_ADDRESSES_ON_WORD, VAIN_DIALS_AT_ONCE, Dialling
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.port import Port
from app.net.quic import Address
from app.tasks import TaskOwner
from tests.helpers.virtual_clock import VirtualClock
from tests.net.contract import echo, on, step, until

SOMEBODY = PeerId(b"p" * 32)
AT_HOME, OUTSIDE, HERE = "192.168.1.7:4600", "8.8.8.8:4600", "127.0.0.1:4600"


DiallingT = TypeVar("DiallingT", bound=Dialling)


class Tried(Dialling):
    """Notes what would be dialled instead of dialling it."""

    tried: list[str]

    async def _attempt(self, peer: PeerId, text: str, word: str | None) -> PeerLost:
        self.tried.append(text)
        return PeerLost(f"{text}: nobody")


def dialling(kind: type[DiallingT], tasks: TaskOwner, clock: Clock | None = None) -> DiallingT:
    return kind(
        Port(new_connection=lambda *_: None, wants_retry=lambda: False),
        tasks,
        clock=clock or VirtualClock(),
        make=lambda *_: None,  # type: ignore[arg-type]
        live=lambda peer: None,
        refusal=lambda peer: None,
    )


async def tried(addresses: Sequence[str], word: str | None, *, times: int = 1) -> Tried:
    async with TaskOwner("test") as tasks:
        dials = dialling(Tried, tasks)
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
    monkeypatch.setattr("app.net.dialling.NEXT_ADDRESS_SECONDS", 0)
    assert (await tried([AT_HOME, OUTSIDE, HERE], word)).tried == dialled


async def test_who_names_only_such_addresses_is_told_and_nothing_is_sent() -> None:
    assert (await tried([AT_HOME, "[::1]:22", "no address"], "1.2.3.4:9", times=100)).tried == []


async def test_dials_in_vain_on_one_hand_s_word_are_bounded() -> None:
    dials = await tried([OUTSIDE], "1.2.3.4:9", times=int(VAIN_DIALS_AT_ONCE) + 9)
    assert len(dials.tried) == int(VAIN_DIALS_AT_ONCE)
    with pytest.raises(PeerLost, match="in vain"):
        await dials.connection_to(SOMEBODY, [OUTSIDE], on_word_of="1.2.3.99:1")


class Sent(Dialling):
    """Notes where datagrams would go instead of sending them; somebody else answers at once."""

    sent: list[str]

    async def _dial_at(self, peer: PeerId, address: Address) -> PeerLost:
        self.sent.append(f"{address[0]}:{address[1]}")
        return PeerLost("somebody else is there")


LEADS = {"trick.example": "127.0.0.1", "router.example": "192.168.1.1", "host.example": "8.8.8.8"}


@pytest.fixture
async def sender(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sent]:
    async def resolve(port: Port, text: str) -> tuple[str, int]:
        host, number = text.rsplit(":")
        if host not in LEADS and not host[0].isdigit():
            raise OSError("nobody knows this name")
        return (LEADS.get(host, host), int(number))

    monkeypatch.setattr(Port, "resolve", resolve)
    monkeypatch.setattr("app.net.dialling.NEXT_ADDRESS_SECONDS", 0.01)
    async with TaskOwner("test") as tasks:
        dials = dialling(Sent, tasks, VirtualClock())
        dials.sent = []
        yield dials


async def fails(dials: Sent, *addresses: str, **how: Any) -> str:
    with pytest.raises(PeerLost) as lost:
        await dials.connection_to(SOMEBODY, addresses, **how)
    return str(lost.value)


NAMED = ("trick.example:22", "router.example:80", "host.example:4600")


@pytest.mark.parametrize(
    ("how", "dialled"),
    [
        ({"on_word_of": "1.2.3.4:9"}, ["8.8.8.8:4600"]),
        ({"on_word_of": "192.168.1.9:9"}, ["192.168.1.1:80", "8.8.8.8:4600"]),
        ({}, ["8.8.8.8:4600"]),
        ({"given_by_person": True}, ["127.0.0.1:22", "192.168.1.1:80", "8.8.8.8:4600"]),
    ],
)
async def test_a_name_leads_no_nearer_than_the_word_of_who_gave_it(
    sender: Sent, how: dict[str, Any], dialled: list[str]
) -> None:
    """A record's names lead to the internet only, whoever told it."""
    await fails(sender, *NAMED, **how)
    assert sender.sent == dialled


async def test_a_record_has_a_few_addresses_dialled_however_many_it_names(sender: Sent) -> None:
    await fails(sender, *(f"8.8.{number}.8:4600" for number in range(8)))
    assert len(sender.sent) == MAX_ADDRESSES_ON_WORD


async def test_nobody_is_dialled_in_vain_for_ever_whoever_names_the_address(sender: Sent) -> None:
    for number in range(int(VAIN_DIALS_AT_ONCE)):
        await fails(sender, f"8.8.8.{number}:{1 + number}")
    assert "too much was dialled there in vain" in await fails(sender, "8.8.8.99:4600")
    await fails(sender, "8.8.9.9:4600")
    assert len(sender.sent) == int(VAIN_DIALS_AT_ONCE) + 1
    await fails(sender, "8.8.8.99:4600", given_by_person=True)
    assert len(sender.sent) == int(VAIN_DIALS_AT_ONCE) + 2


async def test_when_the_next_address_is_tried_does_not_tell_who_answers_at_the_first(
    sender: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor whether a name is known here; only what this computer cannot send to is passed over."""
    monkeypatch.setattr("app.net.dialling.NEXT_ADDRESS_SECONDS", 60.0)
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 0.05)
    for first in ("8.8.8.8:1", "unknown.example:1", "trick.example:1"):
        sender.sent.clear()
        assert "no answer" in await fails(sender, first, "8.8.4.4:1")
        assert "8.8.4.4:1" not in sender.sent
    sender.sent.clear()
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 4.0)
    await fails(sender, "nonsense", "8.8.4.4:1")
    assert sender.sent == ["8.8.4.4:1"]


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
        await until(lambda: bool(host.connections()))
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
