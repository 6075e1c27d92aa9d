"""Stands by, helps out and gives way; see app/node/standing_by.py.

What is wanted and allowed is real here, and so is the model; nothing is fetched or served.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from app.engine.catalogue import load_catalogue
from app.engine.manifest import UnitEntry, check_consistency
from app.errors import DownloadFailed, Refusal
from app.folder.data_folder import DataFolder, OpenModel, resources_folder
from app.folder.known_models import KnownModels
from app.ids import ModelId, Span
from app.node import standing_by
from app.node.beside import Beside
from app.node.model_offers import ModelOffers
from app.node.moving import Moving
from app.node.serving import ShareOrder
from app.node.sharing import Sharing
from app.node.snapshot import Wanted
from app.node.standing_by import REST_SECONDS, SETTLE_SECONDS, StandingBy
from app.node.wishes import Wishes
from app.policy.governor import Governor
from app.policy.manual import ManualState
from app.policy.verdict import Caps, Machine, Verdict
from app.preferences import Settings
from app.swarm.standby import Need
from app.tasks import TaskOwner
from tests.helpers.virtual_clock import VirtualClock
from tests.helpers.virtual_loop import LoopClock, run_virtual

FIRST, SECOND, OTHER = Span(0, 4), Span(4, 7), Span(7, 10)


@cache
def the_guide() -> OpenModel:
    """The embedded model, of ten units."""
    known = load_catalogue(resources_folder()).find("guide-7m-q8_0")
    return OpenModel(known, check_consistency(known.manifest))


def another_model() -> OpenModel:
    """One that is like it but for its id."""
    model = the_guide()
    return replace(model, known=replace(model.known, model=ModelId(bytes(32))))


def ordered(span: Span) -> ShareOrder:
    """To serve these units first."""
    return ShareOrder.by_settings(Settings(), the_guide(), span, gpu=True)


@dataclass
class FakeBeside:
    """What is served besides, without serving it."""

    ready: tuple[OpenModel, Span] | None = None
    is_up: bool = False
    phase: str = "off"
    may_serve: bool = True
    problem: Exception | None = None
    served: list[ShareOrder] = field(default_factory=list)
    begins: bool = True
    began: asyncio.Event = field(default_factory=asyncio.Event)

    def keep(self, ready: tuple[OpenModel, Span] | None) -> None:
        self.ready = ready

    def serve(self, order: ShareOrder) -> None:
        self.served.append(order)
        self.is_up, self.phase = self.begins, "serving"
        self.began.set()

    async def stop(self) -> None:
        self.is_up, self.phase = False, "off"


@dataclass
class FakeSharing:
    """What is served first, without serving it."""

    order: ShareOrder | None
    phase: str = "serving"


@dataclass
class Rules:
    """A governor that allows everything until it is told otherwise."""

    manual: ManualState = field(default_factory=ManualState)
    transfers: bool = True

    @property
    def verdict(self) -> Verdict:
        caps = Caps(
            cpu=True,
            gpu=True,
            cpu_fraction=1.0,
            threads=4,
            power_watts=None,
            upload_bytes_per_second=None,
            download_bytes_per_second=None,
            transfers=self.transfers,
        )
        return Verdict(
            state="sharing",
            reason="",
            sentence=None,
            until=None,
            can_override=False,
            overruled=False,
            in_use=False,
            caps=caps,
        )


@dataclass
class Town:
    """A computer that serves 0:4, and what it sees of others."""

    clock: Any = field(default_factory=VirtualClock)
    needs: list[Need | None] = field(default_factory=list)
    spare: Span | None = SECOND
    fits: bool = True
    short: bool = False
    room_for: list[UnitEntry] = field(default_factory=list)
    fetched: list[Span] = field(default_factory=list)
    fails: Exception | None = None
    draw: float = 0.0
    most_bytes: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        store = SimpleNamespace(require_room=self._require_room)
        self.data = SimpleNamespace(settings=Settings(threads=3), store=store)
        offers = SimpleNamespace(
            to_stand_by=self._to_stand_by,
            need_of=self._need_of,
            fits_beside=self._fits_beside,
            memory_is_short=self._memory_is_short,
        )
        self.sharing = FakeSharing(ordered(FIRST))
        self.beside = FakeBeside()
        self.rules = Rules()
        self.wishes = Wishes(
            cast(DataFolder, self.data),
            cast(KnownModels, None),
            cast(ModelOffers, offers),
            cast(Sharing, self.sharing),
            cast(Beside, self.beside),
            told=Wanted(the_guide(), FIRST),
            machine=lambda: Machine(processors=4, gpu_usable=True),
            changed=lambda: None,
            clock=self.clock,
        )
        self.wishes.automatic = True
        self.wishes._governor = cast(Governor, self.rules)
        self.standing_by = StandingBy(
            cast(DataFolder, self.data),
            cast(ModelOffers, offers),
            cast(Sharing, self.sharing),
            self.wishes,
            cast(Beside, self.beside),
            fetch=self._fetch,
            month_bytes=lambda: 3 * 10**9,
            clock=self.clock,
            chance=lambda: self.draw,
        )

    def set(self, **values: Any) -> None:
        """Have other settings."""
        self.data.settings = msgspec.structs.replace(self.data.settings, **values)

    def _require_room(self, units: list[UnitEntry]) -> None:
        self.room_for = units
        if self.fails is not None:
            raise self.fails

    async def _to_stand_by(self, *_: object, most_bytes: float, **__: object) -> Span | None:
        self.most_bytes.append(most_bytes)
        return self.spare

    async def _need_of(self, *_: object, fresh: bool = False) -> Need | None:
        """The first of what is to come; a second look sees what the next look will."""
        return self.needs.pop(0) if len(self.needs) > 1 else (self.needs or [None])[0]

    async def _fits_beside(self, *_: object) -> bool:
        return self.fits

    async def _memory_is_short(self) -> bool:
        return self.short

    async def _fetch(self, model: OpenModel, span: Span) -> None:
        self.fetched.append(span)

    async def look(self, *, after: float = 0.0) -> None:
        self.clock.advance(after)
        await self.standing_by.look()

    async def ready(self) -> None:
        """It has the units of 4:7."""
        await self.look()
        await self.look(after=SETTLE_SECONDS)
        assert self.beside.ready == (the_guide(), SECOND)

    async def helping(self) -> None:
        """... and serves them, as nobody else does."""
        await self.ready()
        self.needs = ["nobody"]
        await self.look()
        assert self.beside.is_up


async def test_it_fetches_what_it_stands_by_for_unit_by_unit_once_others_know_of_it() -> None:
    town = Town()
    await town.look()
    assert (town.fetched, town.beside.ready) == ([], None)
    await town.look(after=SETTLE_SECONDS)
    assert town.room_for == the_guide().manifest.units[4:7]
    # Between two of them, whatever else this computer needs comes first.
    assert town.fetched == [Span(4, 5), Span(5, 6), Span(6, 7)]
    assert town.beside.ready == (the_guide(), SECOND)
    assert not town.beside.is_up


async def test_units_that_are_lost_are_served_at_once_and_on_the_processor() -> None:
    town = Town()
    await town.helping()
    (order,) = town.beside.served
    assert (order.model, order.span, order.gpu, order.threads) == (the_guide(), SECOND, False, 3)


async def test_units_that_one_serves_are_served_when_that_lasts() -> None:
    town = Town(needs=["one"])
    await town.ready()
    await town.look()
    await town.look(after=19.0)
    assert not town.beside.is_up
    await town.look(after=1.0)
    assert town.beside.is_up


async def test_who_sees_at_the_last_moment_that_another_one_came_stays_ready() -> None:
    town = Town()
    await town.ready()
    town.needs = ["nobody", None]
    await town.look()
    assert not town.beside.is_up
    assert town.beside.ready == (the_guide(), SECOND)


async def test_it_ends_when_others_have_served_them_for_long() -> None:
    town = Town()
    await town.helping()
    town.needs = [None]
    await town.look()
    await town.look(after=299.0)
    assert town.beside.is_up
    await town.look(after=1.0)
    assert not town.beside.is_up
    assert town.beside.ready == (the_guide(), SECOND), "it stands by again"


async def test_memory_that_others_need_comes_free_and_stays_so_for_a_while() -> None:
    town = Town()
    await town.helping()
    town.short = True
    await town.look()
    assert not town.beside.is_up
    town.short = False
    await town.look(after=REST_SECONDS - 1.0)
    assert not town.beside.is_up
    await town.look(after=1.0)
    assert town.beside.is_up


async def test_what_does_not_fit_any_more_is_not_served() -> None:
    town = Town(fits=False, needs=["nobody"])
    await town.ready()
    await town.look()
    assert town.beside.served == []


@pytest.mark.parametrize("phase", ["failed", "off"])
async def test_what_cannot_be_served_is_not_tried_again_at_once(phase: str) -> None:
    town = Town()
    town.beside.begins = phase != "off"
    await town.ready()
    town.needs = ["nobody"]
    await town.look()
    town.beside.phase = phase
    await town.look()
    await town.look(after=20.0)
    assert len(town.beside.served) == 1
    assert not town.beside.is_up


@pytest.mark.parametrize("why", ["setting", "named units", "paused", "moves", "another model"])
async def test_whatever_else_is_wanted_ends_it(why: str) -> None:
    town = Town()
    await town.helping()
    match why:
        case "setting":
            town.set(stand_by=False)
        case "named units":
            town.wishes.automatic = False
        case "paused":
            town.sharing.order = None
        case "moves":
            town.wishes.wanted = Wanted(the_guide(), OTHER)
        case "another model":
            town.wishes.wanted = Wanted(another_model(), FIRST)
    await town.look()
    assert not town.beside.is_up
    assert town.beside.ready is None


async def test_units_that_become_the_first_ones_are_served_until_then() -> None:
    town = Town()
    await town.helping()
    town.wishes.wanted = Wanted(the_guide(), SECOND)
    town.sharing.phase = "stopping"
    await town.look()
    assert town.beside.is_up
    town.sharing.order, town.sharing.phase = ordered(SECOND), "serving"
    await town.look()
    assert not town.beside.is_up
    assert town.beside.ready is None


async def test_another_span_takes_its_place_when_it_would_be_missed_more() -> None:
    town = Town()
    await town.ready()
    town.spare = OTHER
    await town.look(after=100.0)
    assert town.beside.ready == (the_guide(), SECOND), "not at every look"
    await town.look(after=400.0)
    assert town.beside.ready == (the_guide(), OTHER)
    town.spare = None
    await town.look(after=400.0)
    assert town.beside.ready is None


@pytest.mark.parametrize("error", [Refusal("no room"), DownloadFailed("no origin")])
async def test_units_that_cannot_come_are_said_in_the_log_and_tried_later(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    town = Town(fails=error)
    with caplog.at_level(logging.WARNING, standing_by.__name__):
        await town.look()
        await town.look(after=SETTLE_SECONDS)
    assert f"nothing more is kept ready: {error}" in caplog.text
    assert town.beside.ready is None
    town.fails = None
    await town.look(after=400.0)
    assert town.beside.ready == (the_guide(), SECOND)


async def test_another_wish_ends_a_look_in_its_middle() -> None:
    town = Town()
    fetching = asyncio.Event()

    async def endless(model: OpenModel, span: Span) -> None:
        fetching.set()
        await asyncio.Event().wait()

    town.standing_by._fetch = endless
    await town.look()
    async with asyncio.timeout(30.0), asyncio.TaskGroup() as both:
        both.create_task(town.look(after=SETTLE_SECONDS))
        await fetching.wait()
        town.wishes._disturb()
    assert town.beside.ready is None


def test_a_wish_is_heeded_at_once_also_when_a_move_is_looked_for_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[float] = []

    async def no_better(*asked: object, **how: object) -> None:
        return None

    async def dialogue() -> None:
        town = Town(clock=LoopClock())
        loop, seen_again = asyncio.get_running_loop(), asyncio.Event()
        moving = Moving(
            cast(DataFolder, town.data),
            cast(ModelOffers, SimpleNamespace(better=no_better)),
            cast(Sharing, SimpleNamespace(host=None)),
            town.wishes,
            fetch=town._fetch,
            chance=lambda: 0.0,
        )

        async def look() -> None:
            looks.append(loop.time())
            if len(looks) > 1:
                seen_again.set()
                return
            town.wishes._disturb()
            await moving.look()

        monkeypatch.setattr(town.standing_by, "look", look)
        async with TaskOwner("test") as owner, asyncio.timeout(3600.0):
            owner.start(town.standing_by.keep_ready(), name="keep ready")
            await seen_again.wait()

    run_virtual(dialogue())
    assert looks[0] == looks[1]


def test_by_itself_it_looks_often_enough_for_whoever_waits() -> None:
    async def dialogue() -> float:
        town = Town(clock=LoopClock(), draw=0.9)
        town.beside.ready = (the_guide(), SECOND)
        loop = asyncio.get_running_loop()
        async with TaskOwner("test") as owner, asyncio.timeout(3600.0):
            owner.start(town.standing_by.keep_ready(), name="keep ready")
            await asyncio.sleep(60.0)
            town.needs = ["nobody"]
            lost_at = loop.time()
            await town.beside.began.wait()
            return loop.time() - lost_at

    assert run_virtual(dialogue()) < 25.0


def test_a_look_that_fails_by_a_mistake_is_logged_and_not_the_last_one(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = asyncio.Semaphore(0)

    async def fails() -> None:
        looks.release()
        raise ZeroDivisionError

    async def dialogue() -> None:
        town = Town(clock=LoopClock())
        monkeypatch.setattr(town.standing_by, "look", fails)
        async with TaskOwner("test") as owner, asyncio.timeout(3600.0):
            owner.start(town.standing_by.keep_ready(), name="keep ready")
            await looks.acquire()
            await looks.acquire()

    run_virtual(dialogue())
    records = [record for record in caplog.records if record.name == standing_by.__name__]
    assert [record.getMessage() for record in records] == ["nothing more is kept ready"] * 2


async def test_what_comes_is_bounded_by_the_owners_line_and_month() -> None:
    town = Town(spare=None)
    await town.look()
    await town.look(after=400.0)
    town.set(monthly_budget_gb=7.0)
    await town.look(after=400.0)
    town.rules.manual = ManualState(slow_mode=True)
    await town.look(after=400.0)
    town.rules.manual, town.rules.transfers = ManualState(), False
    await town.look(after=400.0)
    assert town.most_bytes == [inf, 10**9, 0.0, 0.0]
