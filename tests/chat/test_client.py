"""The asking side, with a node in the same process; whole swarms are in tests/e2e."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.chat.client import (
    DEFAULT_MAX_TOKENS,
    LEAST_ROOM,
    Client,
    ClientOptions,
    count_answers,
    lookup_all,
)
from app.clock import SystemClock
from app.errors import EngineFault, NotServed, PeerLost, UsageError
from app.ids import PeerId, Span, peer_text
from app.net.addresses import parse_bootstrap
from app.net.dht import Dht
from app.net.dialling import Dialling
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.records import Announcement, sign_announcement
from app.node.node import Node, NodeOptions
from app.swarm.token_chain import ChainBroken
from tests.helpers.running_node import until

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

DRAFT = "guide-draft-q8_0"
PROMPT = "A chain of computers"
AWAY = "127.0.0.1:9"
"""Nobody answers there."""


def folder(place: Path, settings: str = "") -> Path:
    """A data folder without a keyring."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    (place / "settings.toml").write_text(f"keyring = false\nthreads = 1\n{settings}")
    return place


async def start(stack: AsyncExitStack, place: Path, **wanted: Any) -> Node:
    """A node on loopback."""
    options = NodeOptions(data_dir=folder(place), listen="127.0.0.1:0", **wanted)
    return await stack.enter_async_context(Node(options))


def name_of(node: Node) -> str:
    """How others name it."""
    return f"{peer_text(node.identity.peer_id)}@{node.endpoint.address}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    """A node that serves the whole model, and tells so itself."""
    async with AsyncExitStack() as stack:
        yield await start(stack, tmp_path_factory.mktemp("whole"), public=True, model=DRAFT)


@pytest.fixture
def who_is_away_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is there has the time that it has in life."""
    attempt = Dialling._attempt

    async def soon(self: Dialling, peer: PeerId, text: str, word: Any) -> Any:
        if text != AWAY:
            return await attempt(self, peer, text, word)
        await asyncio.sleep(0.05)
        return PeerLost("no answer")

    monkeypatch.setattr(Dialling, "_attempt", soon)


@pytest.fixture
def asking(whole: Node, tmp_path: Path) -> ClientOptions:
    """What a client needs to reach it."""
    return ClientOptions(
        data_dir=folder(tmp_path / "client"), bootstraps=[name_of(whole)], model=DRAFT
    )


async def test_a_chain_and_one_computer_alone_say_the_same(asking: ClientOptions) -> None:
    async with Client(asking) as client:
        answer = await client.answer(await client.request(PROMPT, max_tokens=12))
        assert client.data.store.used_bytes() == 0
    async with Client(replace(asking, alone=True, bootstraps=[])) as client:
        wanted = await client.answer(await client.request(PROMPT, max_tokens=12))
    assert answer.tokens == wanted.tokens
    assert answer.text == wanted.text
    assert [str(part.span) for part in answer.parts] == ["0:4"]
    assert [part.peer for part in wanted.parts] == [None]
    assert not list((client.data.folder / "mounts").iterdir())


async def test_who_was_asked_once_needs_no_bootstrap_the_next_time(asking: ClientOptions) -> None:
    async with Client(asking) as client:
        answer = await client.answer(await client.request(PROMPT, max_tokens=3))
    async with Client(replace(asking, bootstraps=[])) as again:
        assert (await again.answer(await again.request(PROMPT, max_tokens=3))).text == answer.text


async def test_a_conversation_takes_the_room_it_may_need(
    asking: ClientOptions, whole: Node
) -> None:
    assert whole.sharing.host is not None
    engine = whole.sharing.engine
    assert engine is not None
    await until(lambda: engine.ledger.sequences_held == 0)  # nobody's from before
    before = whole.sharing.host.tokens_free
    async with Client(asking) as client:
        await client.answer(await client.request(PROMPT, max_tokens=1))
        assert before - whole.sharing.host.tokens_free == LEAST_ROOM


async def test_what_is_asked_for_is_bounded_by_what_the_model_reads(
    asking: ClientOptions,
) -> None:
    async with Client(asking) as client:
        request = await client.request(PROMPT, max_tokens=1 << 20)
        assert len(request.prompt) + request.max_tokens == client.model.plan.context_length
        assert (await client.request(PROMPT)).max_tokens == DEFAULT_MAX_TOKENS


async def test_a_prompt_that_is_too_long_is_not_sent(asking: ClientOptions) -> None:
    async with Client(asking) as client:
        title = client.model.manifest.title
        said = f"and {title} reads at most 1,023; nothing was sent. Shorten"
        with pytest.raises(UsageError, match=said):
            await client.request("layers and computers " * 1000)


async def test_a_smaller_room_of_ones_own_bounds_the_prompt_too(asking: ClientOptions) -> None:
    assert asking.data_dir is not None
    folder(asking.data_dir, "kv_tokens = 256")
    async with Client(asking) as client:
        with pytest.raises(UsageError, match="reads at most 255"):
            await client.request("layers and computers " * 300)


async def test_without_a_bootstrap_the_two_ways_on_are_named(asking: ClientOptions) -> None:
    with pytest.raises(UsageError, match=r"name one with --bootstrap .* with --alone"):
        await Client(replace(asking, bootstraps=[])).__aenter__()


async def test_a_bootstrap_that_is_away_is_named(
    asking: ClientOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 0.05)
    nobody = new_identity().peer_id
    options = replace(asking, bootstraps=[f"{peer_text(nobody)}@{AWAY}"])
    async with Client(options) as client:
        with pytest.raises(PeerLost, match=f"no bootstrap answers: {peer_text(nobody)[:8]}"):
            await client.answer(await client.request(PROMPT))
    with pytest.raises(PeerLost, match="no bootstrap answers"):
        await lookup_all([(nobody, AWAY)])
    with pytest.raises(PeerLost, match="no bootstrap answers"):
        await count_answers([(nobody, AWAY)])
    monkeypatch.undo()  # whoever is there is waited for as long as in life
    assert await count_answers([parse_bootstrap(asking.bootstraps[0])]) == 1


@pytest.mark.usefixtures("who_is_away_is_given_up_soon")
async def test_one_bootstrap_of_several_is_enough(asking: ClientOptions) -> None:
    nobody = f"{peer_text(new_identity().peer_id)}@{AWAY}"
    async with Client(replace(asking, bootstraps=[nobody, *asking.bootstraps])) as client:
        answer = await client.answer(await client.request(PROMPT, max_tokens=3))
    assert len(answer.tokens) == 3


async def test_ends_that_nobody_serves_are_run_here(asking: ClientOptions, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        node = await start(stack, tmp_path / "middle", public=True, model=DRAFT, units=Span(1, 3))
        async with Client(replace(asking, bootstraps=[name_of(node)])) as client:
            answer = await client.answer(await client.request(PROMPT, max_tokens=8))
            again = await client.answer(await client.request(PROMPT, max_tokens=8))
            assert len(client._opened._engines) == 2
            folders = list((client.data.folder / "mounts").iterdir())
        assert not any(place.exists() for place in folders)
    async with Client(asking) as client:
        wanted = await client.answer(await client.request(PROMPT, max_tokens=8))
    assert answer.tokens == again.tokens == wanted.tokens
    assert [(part.peer is None, str(part.span)) for part in answer.parts] == [
        *((True, "0:1"), (False, "1:3"), (True, "3:4")),
    ]


async def test_a_gap_names_the_units(asking: ClientOptions, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        node = await start(stack, tmp_path / "first", public=True, model=DRAFT, units=Span(0, 2))
        async with Client(replace(asking, bootstraps=[name_of(node)])) as client:
            with pytest.raises(NotServed, match="nobody serves layer 2 of this model now"):
                await client.answer(await client.request(PROMPT))


@pytest.mark.usefixtures("who_is_away_is_given_up_soon")
async def test_a_chain_of_computers_that_are_away_names_both_the_gap_and_who_is_away(
    asking: ClientOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.swarm.generate.PATIENCE_SECONDS", 0.5)
    ghost = new_identity()
    now = SystemClock().wall()
    async with AsyncExitStack() as stack:
        bootstrap = await start(stack, tmp_path / "bootstrap", public=True)
        address = (bootstrap.identity.peer_id, bootstrap.endpoint.address)
        endpoint = await stack.enter_async_context(
            Endpoint(ghost, listen=("127.0.0.1", 0), handlers={}, clock=SystemClock())
        )
        client = await stack.enter_async_context(
            Client(replace(asking, bootstraps=[name_of(bootstrap)]))
        )
        told = Announcement(
            peer=ghost.peer_id, sequence=1, issued_at=now, expires_at=now + 60,
            model=client.model.id, addresses=[AWAY], span=Span(0, 4),
            layers_per_second=1.0, kv_tokens_free=4096,
        )  # fmt: skip
        async with Dht(endpoint, [address], clock=SystemClock(), background=False) as directory:
            await directory.announce(sign_announcement(ghost, told))
        away = f"{peer_text(ghost.peer_id)[:8]} cannot be used"
        with pytest.raises(ChainBroken, match=rf"nobody serves any layer .* \({away}"):
            await client.answer(await client.request(PROMPT))


async def test_a_client_that_cannot_start_leaves_nothing_behind(
    asking: ClientOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cannot_open(self: object) -> None:
        raise EngineFault("no such tokenizer")

    monkeypatch.setattr("app.chat.opened_model.Vocabulary.__aenter__", cannot_open)
    with pytest.raises(EngineFault, match="no such tokenizer"):
        await Client(asking).__aenter__()
    assert asking.data_dir is not None
    assert not list(asking.data_dir.glob("mounts/*"))


async def test_the_chain_is_given_back_even_when_its_end_goes_wrong(
    asking: ClientOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(asking)
    await client.__aenter__()

    async def goes_wrong() -> None:
        raise RuntimeError("at the end")

    monkeypatch.setattr(client.generator, "close", goes_wrong)
    with pytest.raises(RuntimeError, match="at the end"):
        await client.__aexit__(None, None, None)
    assert not list(client.data.folder.glob("mounts/*"))


async def test_what_a_killed_client_left_behind_is_swept_a_day_later(
    asking: ClientOptions,
) -> None:
    assert asking.data_dir is not None
    old, young = (asking.data_dir / "mounts" / name for name in ("client-0a", "client-0b"))
    for place in (old, young):
        place.mkdir(parents=True)
        (place / "vocabulary.gguf").write_bytes(b"left over")
    yesterday = time.time() - 90_000
    os.utime(old, (yesterday, yesterday))
    async with Client(asking):
        assert not old.exists()
        assert young.exists()
