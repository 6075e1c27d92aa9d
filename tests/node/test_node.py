"""A node in this process: what it serves, what it tells, and what keeps it from starting."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.chat.client import lookup_all
from app.clock import SystemClock
from app.errors import PeerLost, Refusal, UsageError
from app.ids import PeerId, Span, new_session, parse_peer, peer_text
from app.net import wire
from app.net.dht import Dht
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.records import Announcement
from app.node.node import DEFAULT_API, Node, NodeOptions

pytestmark = pytest.mark.real

DRAFT = "guide-draft-q8_0"
UNITS = 4


def options(folder: Path, **wanted: Any) -> NodeOptions:
    """A node on loopback with no keyring."""
    folder.mkdir(mode=0o700, exist_ok=True)
    settings = wanted.pop("settings", "")
    (folder / "settings.toml").write_text(f"keyring = false\nthreads = 1\n{settings}")
    return NodeOptions(**{"data_dir": folder, "listen": "127.0.0.1:0", **wanted})


def name_of(node: Node) -> str:
    """How others name it."""
    return f"{peer_text(node.identity.peer_id)}@{node.endpoint.address}"


async def known_to(node: Node) -> list[Announcement]:
    """What somebody learns who asks this node."""
    return await lookup_all([(node.identity.peer_id, node.endpoint.address)])


async def until(condition: Callable[[], bool]) -> None:
    """Let the node work until something holds."""
    async with asyncio.timeout(30.0):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.005)


async def test_a_node_without_a_model_serves_no_layers_and_says_so(tmp_path: Path) -> None:
    async with Node(options(tmp_path)) as node:
        line = node.ready_line()
        assert list(line) == ["ready", "peer_id", "listen", "units"]
        assert (line["ready"], line["units"]) == (True, None)
        assert parse_peer(str(line["peer_id"])) == node.identity.peer_id
        identity = new_identity()
        async with Endpoint(
            identity, listen=("127.0.0.1", 0), handlers={}, clock=SystemClock()
        ) as stranger:
            channel = await stranger.open_channel(
                node.identity.peer_id, [node.endpoint.address], "session"
            )
            opening = wire.SessionOpen(
                session=new_session(), epoch=0, model=bytes(32), span=Span(0, 4), tokens=64,
                lease_seconds=10.0, candidates=1,
            )  # fmt: skip
            await channel.send(opening)
            answer = await channel.receive()
            assert isinstance(answer, wire.SessionRefused)
            assert (answer.code, answer.session) == ("not_serving", opening.session)
            assert "serves no layers" in answer.reason


@pytest.mark.usefixtures("heard_in_the_end")
async def test_what_a_node_serves_is_announced_and_withdrawn(tmp_path: Path) -> None:
    async with Node(options(tmp_path / "bootstrap", public=True)) as bootstrap:
        wanted = options(
            tmp_path / "host", bootstraps=[name_of(bootstrap)], model=DRAFT, units=Span(0, 2)
        )
        async with Node(wanted) as host:
            assert host.ready_line()["units"] == "0:2"
            (record,) = await known_to(bootstrap)
            assert (record.peer, record.span) == (host.identity.peer_id, Span(0, 2))
            assert record.addresses == [host.endpoint.address]
            assert record.model_name == DRAFT
            assert record.layers_per_second > 0
            assert record.kv_tokens_free > 0
            assert record.public is False
            status = host.status()
            assert (status["model"], status["units"]) == (DRAFT, "0:2")
            assert (status["worker_restarts"], status["layers"]) == (0, "the input and layer 1")
            assert "public" not in status
            assert status["bootstraps"] == [name_of(bootstrap)]
            meeting = bootstrap.status()
            assert (meeting["public"], meeting["records_of"]) == (True, 1)
            assert meeting["records_kept"] == len(bootstrap.network.directory.machine.store) > 0
            assert meeting["addresses"] == [bootstrap.endpoint.address]
            connections: Any = status["connections"]
            (connection,) = connections
            assert connection["peer_id"] == peer_text(bootstrap.identity.peer_id)
            serving = host.sharing._serving
            assert serving is not None
            await host.sharing._announce(serving)
            (again,) = await known_to(bootstrap)
            assert again.sequence > record.sequence
        assert [record.span for record in await known_to(bootstrap)] in ([], [None])


async def test_a_node_whose_bootstraps_are_away_is_ready_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.node.sharing.FIRST_ANNOUNCE_SECONDS", 0.1)

    async def no_word(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Dht, "announce", no_word)
    away = f"{peer_text(PeerId(b'a' * 32))}@127.0.0.1:9"
    wanted = options(tmp_path, bootstraps=[away], model=DRAFT, units=Span(0, 2))
    async with Node(wanted) as node:
        serving = node.sharing._serving
        assert serving is not None
        assert not serving.announced.is_set(), "it waits for nobody"
        assert node.ready_line()["units"] == "0:2"


@pytest.mark.usefixtures("heard_in_the_end")
async def test_those_met_are_in_the_folder_and_do_for_a_bootstrap(tmp_path: Path) -> None:
    async with Node(options(tmp_path / "one", public=True)) as one:
        wanted = options(
            tmp_path / "host", bootstraps=[name_of(one)], model=DRAFT, units=Span(0, 2)
        )
        async with Node(wanted) as host:
            assert host.endpoint.connections()
        again = options(tmp_path / "host", model=DRAFT, units=Span(0, 2))
        async with Node(again) as host:
            (record,) = await known_to(one)
            assert record.peer == host.identity.peer_id


@pytest.mark.usefixtures("heard_in_the_end")
async def test_a_setting_makes_a_node_public_like_the_word_does(tmp_path: Path) -> None:
    wanted = options(tmp_path, settings="public = true", model=DRAFT, units=Span(1, 2))
    async with Node(wanted) as node:
        (record,) = await known_to(node)
        assert (record.public, record.span) == (True, Span(1, 2))


async def test_a_node_that_is_not_public_keeps_no_list(tmp_path: Path) -> None:
    async with Node(options(tmp_path)) as node:
        with pytest.raises(PeerLost, match="declines: this computer serves no directory"):
            await known_to(node)


async def test_units_without_a_model_are_the_guides(tmp_path: Path) -> None:
    node = Node(options(tmp_path, units=Span(40, 41)))
    with pytest.raises(UsageError, match=r"guide-.* has the units 0:10; 40:41 is not among them"):
        await node.__aenter__()


async def test_a_node_writes_what_it_does_and_takes_it_away_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    async with Node(options(tmp_path)) as node:
        await until(path.exists)
        written = json.loads(path.read_text())
        assert written["peer_id"] == peer_text(node.identity.peer_id)
        assert written["written_at"] > 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"listen": "nonsense"}, "'nonsense' is not an address"),
        ({"listen": "127.0.0.1:99999"}, "is not an address"),
        ({"bootstraps": ["nonsense"]}, "is not PEERID@HOST:PORT"),
        ({"announce": ["0.0.0.0:1"]}, "Nobody can reach this computer at 0.0.0.0:1: "),
        ({"announce": ["127.0.0.1:5", "[::]:4600"]}, r"at \[::\]:4600: "),
        ({"announce": ["198.51.100.7:0"]}, "at 198.51.100.7:0: "),
        ({"announce": ["224.0.0.1:4600"]}, "at 224.0.0.1:4600: "),
        ({"model": DRAFT, "units": Span(0, UNITS + 1)}, "has the units 0:4; 0:5 is not"),
        ({"model": "nosuch.json"}, "cannot be read"),
    ],
)
async def test_what_is_in_the_way_is_one_line(
    tmp_path: Path, wanted: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        await Node(options(tmp_path, **wanted)).__aenter__()
    assert "\n" not in str(refused.value)


async def test_an_unknown_model_is_declined(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="No model is called 'nosuch'"):
        await Node(options(tmp_path, model="nosuch")).__aenter__()


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"cannot listen on {address}"):
            await Node(options(tmp_path, listen=address)).__aenter__()


async def test_two_nodes_do_not_share_a_folder(tmp_path: Path) -> None:
    async with Node(options(tmp_path)):
        with pytest.raises(UsageError, match="Another Potluck is already running"):
            await Node(options(tmp_path)).__aenter__()
    async with Node(options(tmp_path)) as after:
        assert after.ready_line()["ready"]


async def test_a_start_that_failed_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        await Node(options(tmp_path, listen="nonsense")).__aenter__()
    async with Node(options(tmp_path)) as node:
        assert node.ready_line()["ready"]


async def test_a_damaged_identity_is_left_as_it_is(tmp_path: Path) -> None:
    wanted = options(tmp_path)
    (tmp_path / "identity.key").write_text("junk")
    with pytest.raises(UsageError, match="is damaged and was left as it is"):
        await Node(wanted).__aenter__()
    assert (tmp_path / "identity.key").read_text() == "junk"


async def test_who_asks_for_units_is_told_which_settings_are_in_the_way(tmp_path: Path) -> None:
    wanted = options(tmp_path, model=DRAFT, units=Span(0, 1))
    (tmp_path / "settings.toml").write_text("junk[[\n")
    with pytest.raises(UsageError, match=r"settings\.toml is damaged \(.*line 1.*\)"):
        await Node(wanted).__aenter__()


@pytest.mark.usefixtures("heard_in_the_end")
async def test_a_bootstrap_that_is_away_keeps_nobody_from_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 0.05)
    nobody = f"{peer_text(PeerId(new_identity().peer_id))}@127.0.0.1:9"
    wanted = options(tmp_path, bootstraps=[nobody], model=DRAFT, units=Span(0, 1))
    with caplog.at_level(logging.WARNING):
        async with Node(wanted) as node:
            assert node.ready_line()["units"] == "0:1"
    told = {r.getMessage()[:13] for r in caplog.records if r.name == "app.node.announcing"}
    assert told == {"not announced"}


async def test_a_node_that_nobody_can_find_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with Node(options(tmp_path, model=DRAFT, units=Span(0, 1))):
            pass
    assert "nobody can find this one" in caplog.text


def quiet_port() -> int:
    """A free port that the system gives nobody who asks for any, as other tests do."""
    for port in range(10_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


async def test_the_settings_address_is_used_and_another_one_where_it_cannot_be_had(
    tmp_path: Path,
) -> None:
    """What a window starts has to come up, and says beside the setting where it is."""
    address = f"127.0.0.1:{quiet_port()}"
    for wanted, moved in ((address, False), ("192.0.2.7:8423", True), ("127.0.0.2:0", False)):
        folder = tmp_path / wanted.partition(":")[0]
        asked = options(folder, api=DEFAULT_API, settings=f'api = "{wanted}"\n')
        async with Node(asked) as node:
            # Control is reached by loopback, wherever other programs go.
            assert str(node.ready_line()["api"]).startswith("http://127.0.0.1:")
            view = node.service.settings()
            now = next(setting.now for setting in view.settings if setting.name == "api")
            assert (wanted in now and "could not be had" in now) == moved
            assert now.startswith("Programs reach it now at http://127.0.0.") or moved
            if wanted == address:
                assert node.ready_line()["api"] == f"http://{address}"
