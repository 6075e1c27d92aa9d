"""What a computer says of itself; see app/node/announcing.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.clock import SystemClock
from app.errors import PeerLost
from app.ids import Span
from app.net.dht import Dht
from app.net.endpoint import Endpoint
from app.net.records import Announcement
from app.net.wire import Place, SignedRecord
from app.node import announcing
from app.node.announcing import ANNOUNCE_SECONDS, Announcer, steady_speed
from tests.helpers.running_node import RunningNode, adopt_guide, running_node
from tests.helpers.virtual_clock import VirtualClock

CLOCK = SystemClock()


async def announced(
    running: RunningNode, endpoint: Endpoint, span: Span | None
) -> list[Announcement]:
    """What a directory of its own keeps after an announcement."""
    model = await running.node.models.find("guide")
    identity = running.node.identity
    reachable = [endpoint.address]
    local = Dht(endpoint, [], clock=CLOCK, reachable=lambda: reachable, background=False)
    announcer = Announcer(identity, endpoint, local, public=True, clock=CLOCK)
    facts = {"layers_per_second": 5.0, "tokens_free": 100, "sessions": 2, "capacity": 4}
    await announcer.announce(model, Span(0, 3), **facts)  # type: ignore[arg-type]
    if span is None:
        await announcer.withdraw(model)
    else:
        await announcer.announce(model, span, **facts)  # type: ignore[arg-type]
    return await local.lookup(None)


@pytest.mark.usefixtures("heard_in_the_end")
async def test_the_newest_announcement_counts_and_can_be_taken_back(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        (record,) = await announced(running, running.node.endpoint, Span(2, 5))
        assert (record.span, record.model_name) == (Span(2, 5), "guide")
        assert (record.sessions, record.capacity) == (2, 4)
        assert record.addresses == [running.node.endpoint.address]
        assert record.place is None  # it has met nobody yet
        assert await announced(running, running.node.endpoint, None) == []


async def test_the_announcement_tells_where_this_computer_stands(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    place = Place(10.0, -20.0, 30.0, 5.0, 0.2)
    async with running_node(tmp_path) as running:
        identity = running.node.identity
        async with Endpoint(
            identity, listen=("127.0.0.1", 0), handlers={}, clock=CLOCK, start=place
        ) as endpoint:
            (record,) = await announced(running, endpoint, Span(2, 5))
            assert record.place == place


def test_a_speed_is_announced_anew_when_it_is_another_by_a_fifth() -> None:
    assert steady_speed(0.0, 50.0) == 50.0
    assert steady_speed(100.0, 81.0) == 100.0
    assert steady_speed(100.0, 119.0) == 100.0
    assert steady_speed(100.0, 79.0) == 79.0
    assert steady_speed(100.0, 121.0) == 121.0
    assert steady_speed(100.0, 0.0) == 0.0


class Deaf:
    """Directories of which none answers, or none in time."""

    has_anybody = True

    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs
        self.listens = False

    async def announce(self, record: SignedRecord) -> int:
        if self._hangs:
            await asyncio.Event().wait()
        if self.listens:
            return 1
        raise PeerLost("no bootstrap answers")


async def test_nobody_who_listens_is_no_failure(
    tmp_path: Path,
    guide: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcing, "WITHDRAW_SECONDS", 0.05)
    adopt_guide(tmp_path, guide)
    async with running_node(tmp_path) as running:
        model = await running.node.models.find("guide")
        for hangs in (False, True):
            announcer = Announcer(
                running.node.identity,
                running.node.endpoint,
                Deaf(hangs=hangs),  # type: ignore[arg-type]
                public=False,
                clock=CLOCK,
            )
            if not hangs:
                for _ in range(2):
                    await announcer.announce(
                        model, Span(0, 3), layers_per_second=1.0, tokens_free=1, sessions=0
                    )
                assert caplog.text.count("not announced: no bootstrap answers") == 1
            async with asyncio.timeout(30):
                await announcer.withdraw(model)


async def test_it_is_announced_again_when_it_is_due_and_no_sooner(
    tmp_path: Path, guide: Path
) -> None:
    adopt_guide(tmp_path, guide)
    clock = VirtualClock()
    async with running_node(tmp_path) as running:
        model = await running.node.models.find("guide")
        deaf = Deaf(hangs=False)
        announcer = Announcer(
            running.node.identity,
            running.node.endpoint,
            deaf,  # type: ignore[arg-type]
            public=False,
            clock=clock,
        )

        async def announce(tokens_free: int) -> None:
            await announcer.announce(
                model, Span(0, 3), layers_per_second=1.0, tokens_free=tokens_free, sessions=0
            )

        await announce(1000)
        assert announcer.is_due(1000), "nobody was told"
        deaf.listens = True
        await announce(1000)
        assert not announcer.is_due(1000)
        assert not announcer.is_due(800)
        assert announcer.is_due(700)
        assert announcer.is_due(1400)
        clock.advance(ANNOUNCE_SECONDS - 1)
        assert not announcer.is_due(1000)
        clock.advance(1)
        assert announcer.is_due(1000)
        await announce(0)
        assert not announcer.is_due(0)
        announcer.keeper_lost()
        assert announcer.is_due(0)
