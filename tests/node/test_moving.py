"""A computer goes where it is needed more; see app/node/moving.py. Real layers, real workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from app.errors import DownloadFailed
from app.folder.choice import load_choice
from app.folder.data_folder import OpenModel
from app.ids import PeerId, Span
from app.node import moving
from app.node.model_offers import ModelOffers
from app.node.moving import Moving, moved_words
from app.swarm.placement import Placement, Reason, Server
from app.tasks import TaskOwner
from tests.helpers.running_node import (
    RunningNode,
    adopt_guide,
    guide_memory,
    running_node,
    until,
)
from tests.helpers.virtual_loop import run_virtual
from tests.node.test_model_offers import with_memory

pytestmark = pytest.mark.real

LOWER, UPPER = Span(0, 5), Span(5, 10)


@dataclass
class Others:
    """Who else is said to serve the guide."""

    servers: list[Server] = field(default_factory=list)

    def serve(self, *spans: Span) -> None:
        self.servers = [
            Server(PeerId(bytes([number]) * 32), span, 5.0) for number, span in enumerate(spans)
        ]


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    others = Others()
    monkeypatch.setattr(ModelOffers, "_servers", lambda self, model: others.servers)
    monkeypatch.setattr(moving, "SEEN_SECONDS", 0.02)
    with_memory(monkeypatch, (1 << 30) + guide_memory(LOWER))  # and no more
    return others


@asynccontextmanager
async def serving_upper(
    folder: Path, guide: Path, others: Others, **named: int
) -> AsyncIterator[RunningNode]:
    """A node that serves 5:10, because others serve the rest; or because its owner named it."""
    adopt_guide(folder, guide)
    others.serve(LOWER, LOWER)
    async with running_node(folder) as running:
        await running.ask("POST", "/consent", {"share": False})
        await running.ask("POST", "/models/choose", {"model": "guide", **named})
        await running.ask("POST", "/consent", {"share": True})
        await until(lambda: running.node.sharing.phase == "serving")
        assert running.node.sharing.order is not None
        assert running.node.sharing.order.span == UPPER
        running.node.moving._chance = lambda: 0.0
        others.serve(UPPER, UPPER, LOWER)
        yield running


def drop_lower(running: RunningNode) -> None:
    """Make sure that the units of 0:5 have to be fetched."""
    order = running.node.sharing.order
    assert order is not None
    for unit in order.model.manifest.units[:5]:
        running.node.data.store.remove(unit.sha256)


async def test_it_moves_to_units_that_only_one_other_serves_and_says_so(
    tmp_path: Path, guide: Path, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_upper(tmp_path, guide, others) as running:
        sharing, mover = running.node.sharing, running.node.moving
        drop_lower(running)
        fetch = mover._fetch
        seen: list[tuple[Span | None, str, Span | None]] = []

        async def watched(model: OpenModel, span: Span) -> None:
            await fetch(model, span)
            served = sharing.order.span if sharing.order is not None else None
            seen.append((served, sharing.phase, sharing.moves_to))
            assert running.node.service._hashes_in_use() >= {
                unit.sha256 for unit in model.manifest.units
            }

        monkeypatch.setattr(mover, "_fetch", watched)
        await mover.look()
        await sharing.settled()
        # What was served before was served on until the other units were here.
        assert seen == [(UPPER, "serving", LOWER)]
        assert sharing.order is not None
        assert sharing.order.span == LOWER
        assert sharing.moves_to is None
        choice = load_choice(tmp_path)
        assert choice is not None
        assert (choice.span, choice.automatic) == (LOWER, True)
        warnings = (await running.ask("GET", "/status"))["warnings"]
        moved = "Moved to the input and layers 1 to 4 of Potluck Guide: "
        assert f"{moved}only one other computer served them." in warnings
        # There it is needed now.
        await mover.look()
        assert sharing.order.span == LOWER


async def test_units_that_the_owner_named_stay(tmp_path: Path, guide: Path, others: Others) -> None:
    async with serving_upper(tmp_path, guide, others, start=5, stop=10) as running:
        await running.node.moving.look()
        assert running.node.sharing.order is not None
        assert running.node.sharing.order.span == UPPER
        choice = load_choice(tmp_path)
        assert choice is not None
        assert not choice.automatic


async def test_what_turns_out_to_be_needed_is_not_left(
    tmp_path: Path, guide: Path, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving_upper(tmp_path, guide, others) as running:
        mover = running.node.moving

        async def meanwhile(model: OpenModel, span: Span) -> None:
            others.serve(LOWER)  # both who served 5:10 are gone

        monkeypatch.setattr(mover, "_fetch", meanwhile)
        await mover.look()
        assert running.node.sharing.order is not None
        assert running.node.sharing.order.span == UPPER
        assert running.node.sharing.moves_to is None


async def test_units_that_cannot_be_had_change_nothing(
    tmp_path: Path,
    guide: Path,
    others: Others,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving_upper(tmp_path, guide, others) as running:

        async def away(model: OpenModel, span: Span) -> None:
            raise DownloadFailed("no origin delivers unit 2")

        monkeypatch.setattr(running.node.moving, "_fetch", away)
        await running.node.moving.look()
        assert running.node.sharing.phase == "serving"
        assert running.node.sharing.moves_to is None
        assert "stays where it is: no origin delivers unit 2" in caplog.text


@pytest.mark.parametrize(
    ("path", "body"),
    [("/pause", {"kind": "resume"}), ("/models/choose", {"model": "guide", "start": 5, "stop": 8})],
)
async def test_a_pause_or_another_choice_ends_a_move_in_its_middle(
    tmp_path: Path,
    guide: Path,
    others: Others,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    body: Any,
) -> None:
    async with serving_upper(tmp_path, guide, others) as running:
        fetching, ended = asyncio.Event(), asyncio.Event()

        async def endless(model: OpenModel, span: Span) -> None:
            fetching.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        monkeypatch.setattr(running.node.moving, "_fetch", endless)
        async with asyncio.TaskGroup() as both:
            looking = both.create_task(running.node.moving.look())
            await fetching.wait()
            await running.ask("POST", path, body)
            await looking
        assert ended.is_set()
        assert running.node.sharing.moves_to is None
        await running.node.sharing.settled()
        order = running.node.sharing.order
        assert order is None or order.span == Span(5, 8)


def test_a_look_that_fails_by_a_mistake_is_logged_and_not_the_last_one(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = asyncio.Semaphore(0)

    async def fails() -> None:
        looks.release()
        raise ZeroDivisionError

    async def dialogue() -> None:
        nothing = cast(Any, None)
        mover = Moving(nothing, nothing, nothing, nothing, fetch=nothing)
        monkeypatch.setattr(mover, "look", fails)
        async with TaskOwner("test") as owner, asyncio.timeout(3600.0):
            owner.start(mover.keep_placed(), name="keep placed")
            await looks.acquire()
            await looks.acquire()

    run_virtual(dialogue())
    told = [record.getMessage() for record in caplog.records if record.name == moving.__name__]
    assert told == ["this computer stays where it is"] * 2


async def test_a_move_is_told_in_layers_and_with_its_reason(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        model = await running.node.models.find("guide")

    def told(span: Span, reason: Reason) -> str:
        return str(moved_words(model, Placement(span, reason)))

    title = "of Potluck Guide"
    assert told(Span(2, 5), "nobody") == f"Moved to layers 2 to 4 {title}: nobody else served them."
    assert told(Span(2, 3), "twice").startswith(f"Moved to layer 2 {title}: only one other")
    assert told(Span(0, 1), "faster").startswith(f"Moved to the input {title}: they held up")
    assert told(Span(9, 10), "shorter").startswith(f"Moved to the output {title}: answers")
