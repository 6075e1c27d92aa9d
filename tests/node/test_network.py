"""This computer among others; see app/node/network.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.clock import SystemClock
from app.errors import UsageError
from app.folder.data_folder import DataFolder
from app.folder.known_contacts import FILE
from app.ids import peer_text
from app.net.channel import Channel
from app.net.identity import new_identity
from app.net.wire import SessionClose
from app.node.network import Network, NetworkOptions
from app.policy.traffic import Traffic


def network(
    folder: Path,
    *bootstraps: Network,
    listen: str = "127.0.0.1:0",
    announce: str = "",
    public: bool = False,
) -> Network:
    """A computer with a data folder, that echoes on sessions."""

    async def echo(channel: Channel) -> None:
        await channel.send(await channel.receive())

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    named = [f"{peer_text(n.endpoint.peer_id)}@{n.endpoint.address}" for n in bootstraps]
    clock = SystemClock()
    return Network(
        DataFolder.open(folder),
        new_identity(),
        NetworkOptions(listen, [announce] if announce else [], named, public),
        handlers={"session": echo},
        shaper=Traffic(folder, clock=clock, month=lambda: "2030-01"),
        known_models=tuple,
        clock=clock,
    )


async def test_what_others_open_is_served_and_the_directory_by_public_ones(tmp_path: Path) -> None:
    async with network(tmp_path / "a", public=True) as first:
        async with network(tmp_path / "b", first) as second:
            assert await second.directory.join() == 1
            assert await first.directory.join() == 0  # nobody else keeps anything
            channel = await second.endpoint.open_channel(
                first.endpoint.peer_id, [first.endpoint.address], "session"
            )
            await channel.send(SessionClose(session=bytes(16)))
            assert await channel.receive() == SessionClose(session=bytes(16))
        assert not second.public
    assert peer_text(first.endpoint.peer_id) in (tmp_path / "b" / FILE).read_text()


@pytest.mark.parametrize("wrong", [{"listen": "nowhere"}, {"announce": "router.example"}])
async def test_an_address_that_makes_no_sense_is_named(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong.values()))):
        async with network(tmp_path, **wrong):  # type: ignore[arg-type]
            pass
