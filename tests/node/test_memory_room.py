"""How much memory there is for layers and conversations; see app/node/memory_room.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.chat.offers import MEMORY_MARGIN_BYTES, MEMORY_SHARE
from app.engine.hardware import GraphicsCard, WorkerMemory
from app.ids import Span
from app.node import memory_room
from app.node.memory_room import FRESH_SECONDS, MemoryRoom
from tests.helpers.running_node import GUIDE
from tests.helpers.slices import plan_of
from tests.helpers.virtual_clock import VirtualClock

MB = 1 << 20
GB = 1 << 30
FIRST, SECOND = 11, 22
MEMORY = {
    FIRST: WorkerMemory(own_bytes=300 * MB, mapped_bytes=500 * MB),
    SECOND: WorkerMemory(own_bytes=40 * MB, mapped_bytes=50 * MB),
}
"""What each worker has, by its number."""


def served(pid: int, span: Span, *, logged: int = 0, way: str = "cpu") -> Any:
    """A span of the guide that is up."""
    plan = plan_of(GUIDE)
    manifest = SimpleNamespace(units=[SimpleNamespace(size=u.payload_bytes) for u in plan.units])
    return SimpleNamespace(
        order=SimpleNamespace(model=SimpleNamespace(plan=plan, manifest=manifest), span=span),
        host=SimpleNamespace(logged_bytes=logged),
        engine=SimpleNamespace(worker_pid=pid, status=SimpleNamespace(configuration=way)),
    )


NOTHING: Any = SimpleNamespace(order=None, host=None, engine=None)


@dataclass
class Computer:
    """A computer with so much memory left, and what it serves."""

    available: int = 8 * GB
    first: Any = field(default_factory=lambda: NOTHING)
    second: Any = field(default_factory=lambda: NOTHING)
    cards: tuple[GraphicsCard, ...] = ()
    gpu: str = "auto"
    kv_tokens: int = 8192
    clock: VirtualClock = field(default_factory=VirtualClock)

    @property
    def room(self) -> MemoryRoom:
        settings = SimpleNamespace(gpu=self.gpu, kv_tokens=self.kv_tokens)
        data = cast(Any, SimpleNamespace(settings=settings))
        return MemoryRoom(data, self.first, self.second, clock=self.clock)


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> Computer:
    made = Computer()

    def read_hardware() -> Any:
        memory = SimpleNamespace(available_bytes=made.available)
        return SimpleNamespace(memory=memory, cards=made.cards)

    monkeypatch.setattr(memory_room, "read_hardware", read_hardware)
    monkeypatch.setattr(memory_room, "read_worker_memory", MEMORY.__getitem__)
    return made


def share(available: int) -> int:
    return int(MEMORY_SHARE * available)


async def test_what_is_served_would_make_room_for_what_comes_in_its_place(
    computer: Computer,
) -> None:
    assert await computer.room.for_first() == share(8 * GB)
    computer.first = served(FIRST, Span(0, 5), logged=7 * MB)
    computer.second = served(SECOND, Span(5, 10), logged=1 * MB)
    # Of what its workers mapped, the system counts as available what it could read again.
    assert await computer.room.for_first() == share(8 * GB + (300 + 7 + 40 + 1) * MB)


async def test_what_was_promised_to_the_first_span_is_not_given_to_a_second(
    computer: Computer,
) -> None:
    computer.first = served(FIRST, Span(0, 5))
    promised = 8192 * plan_of(GUIDE).width * 4
    assert await computer.room.for_second() == share(8 * GB - 500 * MB - promised)
    # What conversations use of it already is not available any more.
    computer.first = served(FIRST, Span(0, 5), logged=promised // 2)
    assert await computer.room.for_second() == share(8 * GB - 500 * MB - promised // 2)
    # The end of a model hands nothing on.
    computer.first = served(FIRST, Span(5, 10))
    assert await computer.room.for_second() == share(8 * GB - 500 * MB)
    computer.second = served(SECOND, Span(0, 5))
    assert await computer.room.for_second() == share(8 * GB - (500 - 40) * MB)


async def test_a_card_has_what_is_left_on_it_and_what_is_served_there(computer: Computer) -> None:
    computer.cards = (GraphicsCard(0, "a card", "1", 24 * GB, 20 * GB),)
    assert await computer.room.for_first() == share(20 * GB)
    computer.first = served(FIRST, Span(0, 5), way="gpu")
    room = computer.room
    there = room.layout(computer.first.order.model).memory(Span(0, 5))
    assert await room.for_first() == share(20 * GB + there)
    assert await room.for_second() < share(8 * GB)  # which is computed on the processor
    computer.gpu = "off"
    assert await computer.room.for_first() == share(8 * GB + 300 * MB)


async def test_more_room_for_conversations_leaves_less_for_layers(computer: Computer) -> None:
    model = served(FIRST, Span(0, 5)).order.model
    few = computer.room.layout(model)
    computer.kv_tokens = 65536
    many = computer.room.layout(model)
    assert many.memory(Span(0, 5)) > few.memory(Span(0, 5)) + 65536 * plan_of(GUIDE).width * 3
    assert many.longest(500 * MB) < few.longest(500 * MB) == 10
    assert many.cuts == few.cuts  # where others meet is not for one computer's owner to say


async def test_a_look_holds_for_a_while_and_memory_that_runs_short_is_seen_at_once(
    computer: Computer,
) -> None:
    room = computer.room
    assert await room.for_first() == share(8 * GB)
    computer.available = MEMORY_MARGIN_BYTES // 2
    assert await room.for_first() == share(8 * GB)
    computer.clock.advance(FRESH_SECONDS)
    assert await room.for_first() == 0
    assert not await room.is_short()
    computer.available -= 1
    assert await room.is_short()
