"""Orders of programs, answered over kept chains; see app/chat/desk.py."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from app.api.control_port import Order, Written
from app.chat import desk as module
from app.chat.desk import Desk
from app.errors import NoRoom, PromptTooLong, Refusal
from tests.helpers.running_node import WHOLE, RunningNode, adopt_guide, running_node, until

pytestmark = pytest.mark.real

STORY = Order(
    model="guide", messages=[{"role": "user", "content": "Tell me a story."}], max_tokens=30
)


def desk_of(running: RunningNode) -> Desk:
    return running.node.desk


async def text_of(desk: Desk, order: Order, *, key: str = "") -> tuple[str, Written]:
    """The whole answer."""
    written = Written()
    return "".join([piece async for piece in desk.write(order, written, key=key)]), written


async def credits_of(running: RunningNode) -> tuple[int, int]:
    """What a node says it gave and took."""
    credits = (await running.ask("GET", "/status"))["credits"]
    assert credits["balance"] == credits["given"] - credits["taken"]
    assert credits["given_today"] == credits["given"]
    return credits["given"], credits["taken"]


async def test_the_same_words_come_over_the_own_layers_and_alone(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        desk = desk_of(running)
        shared, written = await text_of(desk, STORY)
        alone, _ = await text_of(desk, replace(STORY, alone=True))
        assert shared == alone
        assert running.node.sharing.sessions_ever == 1
        assert running.node.sharing.positions_computed > 0
        assert await credits_of(running) == (0, 0)  # to itself nobody gives
        assert (written.chain, written.readers) == (["this computer"], [])
        assert (written.model, written.tokens) == ("guide", 30)
        assert written.finish == "length"


async def test_others_compute_what_is_not_here_and_are_named(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.folder.tally._day", lambda clock: "2030-01-01")  # it does not end
    host, other, asks = (tmp_path / name for name in ("host", "other", "asks"))
    adopt_guide(asks, guide)
    first_units, rest_units = WHOLE.__class__(0, 4), WHOLE.__class__(4, 10)
    async with running_node(host, manifest=guide, units=first_units, public=True) as first:
        peer = str(first.node.ready_line()["peer_id"])
        bootstrap = (f"{peer}@{first.node.endpoint.address}",)
        async with (
            running_node(other, manifest=guide, units=rest_units, bootstraps=bootstrap) as rest,
            running_node(asks, bootstraps=bootstrap) as running,
        ):
            last = str(rest.node.ready_line()["peer_id"])
            text, written = await text_of(desk_of(running), STORY)
            assert text
            assert written.chain == [peer[:8], last[:8]]
            assert written.readers == sorted([peer[:8], last[:8]])
            positions = first.node.sharing.positions_computed
            assert (await credits_of(first)) == (3 * positions, 0)
            assert (await credits_of(rest)) == (5 * positions, 0)
            assert (await credits_of(running)) == (0, 8 * positions)
            # The host is its own helper, and no stranger to itself.
            _, own = await text_of(desk_of(first), replace(STORY, over_swarm=True))
            mine = first.node.sharing.positions_computed - positions
            assert (await credits_of(first)) == (3 * positions, 5 * mine)
            assert (await credits_of(rest)) == (5 * positions + 5 * mine, 0)
            assert own.chain == ["this computer", last[:8]]
            assert own.readers == [last[:8]]


async def test_what_nobody_serves_and_is_not_here_is_refused_with_a_reason(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        with pytest.raises(Refusal, match="No model is called"):
            await text_of(desk_of(running), Order(model="gpt-9", prompt="x"))
        with pytest.raises(PromptTooLong, match="nothing was sent"):
            await text_of(desk_of(running), Order(model="guide", prompt="word " * 3000))


async def test_a_manifests_file_cannot_be_named_by_a_program(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path) as running:
        with pytest.raises(Refusal) as caught:
            await text_of(desk_of(running), Order(model=str(guide), prompt="x"))
        assert caught.value.code == "unknown_model"


async def test_too_many_at_once_are_refused_and_room_comes_back(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_AT_ONCE", 1)
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        desk = desk_of(running)
        async with aclosing(desk.write(STORY, Written())) as pieces:
            await anext(pieces)
            with pytest.raises(NoRoom, match="1 answers are being written"):
                await text_of(desk, STORY)
        assert desk.writing == 0
        assert (await text_of(desk, STORY))[0]


async def test_a_conversation_keeps_its_chain_and_strangers_get_their_own(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        desk, sharing = desk_of(running), running.node.sharing
        await text_of(desk, STORY, key="a")
        await text_of(desk, STORY, key="a")
        assert sharing.sessions_ever == 1
        await text_of(desk, STORY, key="b")
        assert sharing.sessions_ever == 2
        assert sharing.host is not None
        await desk.forget("a")
        status = sharing.host.status
        await until(lambda: status.sessions == 1)


async def test_idle_chains_make_room_when_there_is_none(tmp_path: Path, guide: Path) -> None:
    (tmp_path / "settings.toml").write_text("kv_tokens = 2048\n")
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        desk = desk_of(running)
        for key in "abcd":
            text, written = await text_of(desk, Order(
                model="guide", messages=STORY.messages, max_tokens=900, alone=True), key=key
            )  # fmt: skip
            assert text
            assert written.finish in ("stop", "length")


async def test_what_nobody_uses_goes_back(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.02)
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        desk = desk_of(running)
        await text_of(desk, STORY)
        await until(lambda: not desk.open_models())
        assert (await text_of(desk, STORY))[0]
