"""What a model promises before it is chosen; see app/node/model_offers.py."""

from __future__ import annotations

from collections.abc import Container
from math import inf
from pathlib import Path

import msgspec
import pytest

from app.engine.hardware import NO_MEMORY, Hardware, Memory, Processor, WorkerMemory
from app.folder.choice import load_choice
from app.folder.measured_speed import SPEED_FILE
from app.ids import ModelId, PeerId, Span
from app.net.records import Announcement
from app.net.wire import Place
from app.node import memory_room
from app.node import service as service_module
from app.node.announced import Announced
from app.node.model_offers import ModelOffers, server_of
from app.swarm.placement import Server
from tests.helpers.running_node import WHOLE, adopt_guide, guide_memory, running_node, until

pytestmark = pytest.mark.real

MB = 1 << 20


def with_memory(
    monkeypatch: pytest.MonkeyPatch, available_bytes: int, worker: WorkerMemory = NO_MEMORY
) -> None:
    """A computer with so much free memory and no graphics card; `worker` is what each has."""
    hardware = Hardware(
        system="Linux",
        machine="x86_64",
        processor=Processor("made up", 4, 8, ()),
        memory=Memory(total_bytes=16 << 30, available_bytes=available_bytes),
        cards=(),
    )
    monkeypatch.setattr(memory_room, "read_hardware", lambda: hardware)
    monkeypatch.setattr(memory_room, "read_worker_memory", lambda pid: worker)


async def test_less_memory_fits_fewer_layers_and_suggests_them(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt_guide(tmp_path, guide)
    with_memory(monkeypatch, (1 << 30) + 150 * MB)
    async with running_node(tmp_path) as running:
        offer = await running.offer()
        assert 0 < offer["fits_units"] < 10
        # The first to come begins at an end, where others can go on.
        assert offer["suggested_start"] == 0 or offer["suggested_stop"] == 10
        assert offer["missing_bytes"] < offer["bytes"]
        await running.ask("POST", "/models/choose", {"model": "guide"})
        chosen = load_choice(tmp_path)
        assert chosen is not None
        assert chosen.span == Span(offer["suggested_start"], offer["suggested_stop"])


async def test_no_memory_at_all_is_said(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt_guide(tmp_path, guide)
    with_memory(monkeypatch, 1 << 29)
    async with running_node(tmp_path) as running:
        offer = await running.offer()
        assert (offer["fits_units"], offer["suggested_stop"], offer["missing_bytes"]) == (0, 0, 0)
        refused = await running.ask("POST", "/models/choose", {"model": "guide"}, expect=409)
        assert refused["code"] == "no_memory"
        assert f"one layer of {offer['title']}," in refused["words"], "as people call it"


async def test_what_to_expect_of_a_model_is_known_after_a_restart(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "HOUSEKEEPING_SECONDS", 0.02)
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        assert (await running.offer())["expected_tokens_per_second"] is None
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        speed = tmp_path / SPEED_FILE
        await until(lambda: speed.exists() and '"wrote":{"' in speed.read_text())
        expected = (await running.offer())["expected_tokens_per_second"]
    async with running_node(tmp_path) as running:
        assert running.node.sharing.engine is None
        again = (await running.offer())["expected_tokens_per_second"]
        assert again == expected > 0


async def test_over_a_slow_line_less_is_suggested_to_begin_with(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt_guide(tmp_path, guide)
    with_memory(monkeypatch, (1 << 30) + 150 * MB)
    half_an_hour = 1800
    async with running_node(tmp_path) as running:
        assert (await running.offer())["missing_bytes"] > half_an_hour * 1000
    (tmp_path / SPEED_FILE).write_text('{"line_bytes_per_second": 1000.0}')
    async with running_node(tmp_path) as running:
        assert 0 < (await running.offer())["missing_bytes"] <= half_an_hour * 1000


all_announced = Announced.of


def and_as_many_on_their_way(
    self: Announced, model: ModelId, *, without: Container[PeerId]
) -> list[Announcement]:
    """Everything announced, and the same by others that fetch it still."""
    found = all_announced(self, model, without=without)
    return [*found, *(msgspec.structs.replace(record, ready=False) for record in found)]


@pytest.mark.usefixtures("heard_in_the_end")
async def test_what_others_lack_is_suggested(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_memory(monkeypatch, (1 << 30) + 160 * MB)
    adopt_guide(tmp_path / "b", guide)
    async with running_node(tmp_path / "a", manifest=guide, units=Span(0, 6), public=True) as first:
        bootstrap = f"{first.node.ready_line()['peer_id']}@{first.node.endpoint.address}"
        async with running_node(tmp_path / "b", bootstraps=(bootstrap,)) as running:
            offer = await running.offer()
            assert offer["served_by"] == 1
            monkeypatch.setattr(Announced, "of", and_as_many_on_their_way)
            assert (await running.offer())["served_by"] == 1
            monkeypatch.undo()
            assert (offer["suggested_start"], offer["suggested_stop"]) == (6, 10)
            # Its own layers are no others': it may keep what it has.
            own = await first.offer()
            assert own["served_by"] == 0
            assert own["chosen"]
    assert WHOLE.covers(Span(6, 10))


def test_an_announcement_tells_placement_how_fast_how_full_and_how_far() -> None:
    record = Announcement(
        peer=b"p" * 32,
        sequence=1,
        issued_at=0.0,
        expires_at=60.0,
        model=b"m" * 32,
        span=Span(0, 5),
        layers_per_second=8.0,
        sessions=3,
        capacity=4,
        moves_to=Span(5, 10),
        besides=True,
        place=Place(x=30.0, y=0.0, z=0.0, height=5.0, error=0.1),
    )
    here = Place(x=0.0, y=0.0, z=0.0, height=5.0, error=0.1)
    server = server_of(record, 9, here)
    assert (server.tokens_per_second, server.load, server.goal) == (2.0, 0.75, Span(5, 10))
    assert server.besides
    assert server.one_way_seconds == pytest.approx(0.02)
    coming = msgspec.structs.replace(record, ready=False, layers_per_second=0.0, capacity=0)
    server = server_of(coming, 9, None)
    assert (server.tokens_per_second, server.load) == (0.0, 0.0)
    assert (server.ready, server.one_way_seconds) == (False, None)


async def test_what_it_stands_by_for_fits_memory_disk_and_line(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower, upper = Span(0, 5), Span(5, 10)
    servers = [Server(PeerId(b"a" * 32), lower, 5.0)]
    monkeypatch.setattr(ModelOffers, "_servers", lambda self, model: servers)
    with_memory(monkeypatch, 8 << 30)
    async with running_node(tmp_path, manifest=guide, units=upper) as running:
        order, store = running.node.sharing.order, running.node.data.store
        assert order is not None
        model, offers = order.model, running.node.standing_by._offers
        here, there = (
            sum(unit.size for unit in model.manifest.units_of(span)) for span in (upper, lower)
        )

        async def chosen(most_bytes: float = inf) -> Span | None:
            return await offers.to_stand_by(model, upper, most_bytes=most_bytes, draw=0.0)

        assert await chosen() == lower
        assert await chosen(there - 1) is None
        assert await offers.need_of(model, lower) == "one"
        # Besides, there has to be room to move once more.
        store.quota_bytes = store.used_bytes() + here + there
        assert await chosen() == lower
        store.quota_bytes -= 1
        assert await chosen() is None
        store.quota_bytes = 1 << 40
        assert await offers.fits_beside(model, lower)
        assert not await offers.memory_is_short()
        # What is mapped counts as available, and is in use by the first span.
        mapped = WorkerMemory(own_bytes=1 << 40, mapped_bytes=7 * MB)
        needed = (1 << 30) + 7 * MB + guide_memory(lower)
        with_memory(monkeypatch, needed, mapped)
        assert await offers.fits_beside(model, lower)
        with_memory(monkeypatch, needed - 1, mapped)
        assert not await offers.fits_beside(model, lower)
        assert await chosen() is None
        with_memory(monkeypatch, (1 << 29) - 1)
        assert await offers.memory_is_short()
