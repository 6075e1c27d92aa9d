"""Who is new to a chain has to answer first, and nobody waits for one that is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest

from app.errors import NotServed, PeerLost
from app.ids import PeerId, parse_span
from app.swarm.knocking import (
    HEDGE_ROUND_TRIPS,
    HEDGE_SECONDS,
    LOOK_AGAIN_SECONDS,
    Knocking,
)
from app.swarm.route import Offer, Route, find_route
from app.swarm.token_chain import ChainBroken
from tests.helpers.virtual_loop import run_virtual

HEAD = 3
ROUND_TRIP = 0.05
HEDGE = HEDGE_SECONDS + HEDGE_ROUND_TRIPS * ROUND_TRIP
NEVER = float("inf")


def named(number: int) -> PeerId:
    return PeerId(bytes([number]) * 32)


class Town:
    """Computers by number: where they are, how fast, and after how long they answer a knock."""

    def __init__(self) -> None:
        self.offers: list[Offer] = []
        self.answers: dict[tuple[PeerId, str], float] = {}
        self.knocked: list[PeerId] = []
        self.looked = 0
        self.newer: Callable[[int], list[Offer]] = lambda times: []

    def add(
        self, number: int, *, answers: float = ROUND_TRIP, speed: float = 100.0, at: str = "here:1"
    ) -> Offer:
        offer = Offer(named(number), (at,), parse_span(f"0:{HEAD + 1}"), speed, 1000)
        self.answers[offer.peer, at] = answers
        self.offers.append(offer)
        return offer

    def pick(self, avoid: Collection[PeerId]) -> Route:
        return find_route(self.offers, HEAD, tokens=10, avoid=avoid, may_run_ends=False)

    async def knock(self, offer: Offer) -> None:
        self.knocked.append(offer.peer)
        seconds = self.answers[offer.peer, offer.addresses[0]]
        if seconds == NEVER:
            await asyncio.sleep(4.0)
            raise PeerLost("no answer")
        await asyncio.sleep(seconds)

    async def look(self) -> None:
        self.looked += 1
        await asyncio.sleep(0.1)
        self.offers += self.newer(self.looked)

    def knocking(self, *, failed: Sequence[PeerId] = (), is_stale: bool = False) -> Knocking:
        return Knocking(
            self.pick,
            knock=self.knock,
            round_trip=lambda peer: ROUND_TRIP,
            look=self.look,
            is_stale=is_stale,
            failed=failed,
        )

    def found(self, knocking: Knocking) -> tuple[PeerId, float]:
        """Who was found, and how long it took."""

        async def search() -> tuple[PeerId, float]:
            route = await knocking.found()
            return route.links[0].offer.peer, asyncio.get_running_loop().time()

        return run_virtual(search())


@pytest.fixture
def town() -> Town:
    return Town()


def test_the_best_one_that_answers_is_taken(town: Town) -> None:
    town.add(1, speed=300.0)
    town.add(2)
    assert town.found(town.knocking()) == (named(1), ROUND_TRIP)


def test_one_that_is_silent_is_not_waited_for_when_the_next_best_answers(town: Town) -> None:
    town.add(1, speed=300.0, answers=NEVER)
    town.add(2)
    knocking = town.knocking()
    silent: list[PeerId] = []

    async def search() -> float:
        route = await knocking.found()
        assert route.links[0].offer.peer == named(2)
        silent.extend(knocking.unanswered)
        return asyncio.get_running_loop().time()

    assert run_virtual(search()) == pytest.approx(HEDGE)
    assert silent == [named(1)]
    assert town.looked == 0


def test_all_those_asked_at_once_cost_one_wait(town: Town) -> None:
    for number in (1, 2):
        town.add(number, speed=300.0 - number, answers=NEVER)
    town.add(3)
    peer, seconds = town.found(town.knocking())
    assert peer == named(3)
    assert seconds < 2 * HEDGE


def test_a_slow_one_is_waited_for_when_there_is_nobody_else(town: Town) -> None:
    town.add(1, answers=2.5)
    assert town.found(town.knocking()) == (named(1), 2.5)


def test_who_failed_comes_last_the_longest_ago_first(town: Town) -> None:
    town.add(1, speed=300.0)
    town.add(2, speed=200.0)
    town.add(3, speed=100.0)
    assert town.found(town.knocking(failed=[named(1), named(2)]))[0] == named(3)
    failed = [named(2), named(3), named(1)]
    knocking = town.knocking(failed=failed)
    assert town.found(knocking)[0] == named(2)
    assert knocking.lacking is not None


def test_failed_ones_that_are_gone_are_not_waited_for_one_after_the_other(town: Town) -> None:
    town.add(1, answers=NEVER)
    town.add(2, answers=NEVER)
    town.add(3)
    peer, seconds = town.found(town.knocking(failed=[named(1), named(2), named(3)]))
    assert peer == named(3)
    assert seconds < 2 * HEDGE


def test_newer_announcements_are_looked_for_while_others_are_asked(town: Town) -> None:
    town.add(1, answers=NEVER)
    town.newer = lambda times: [town.add(2)] if times == 3 else []
    peer, seconds = town.found(town.knocking())
    assert peer == named(2)
    assert seconds < HEDGE + 2 * LOOK_AGAIN_SECONDS + 0.3


def test_who_was_started_again_elsewhere_is_asked_there(town: Town) -> None:
    town.add(1, answers=NEVER, at="old:1")

    def moved(times: int) -> list[Offer]:
        town.offers.clear()
        return [town.add(1, at="new:1")]

    town.newer = moved
    peer, seconds = town.found(town.knocking())
    assert peer == named(1)
    assert seconds < HEDGE + 0.3


def test_old_announcements_are_used_while_newer_ones_come(town: Town) -> None:
    town.add(1)
    assert town.found(town.knocking(is_stale=True)) == (named(1), ROUND_TRIP)
    assert town.looked == 1


def test_silence_everywhere_is_told_after_a_while_and_names_who_is_silent(town: Town) -> None:
    town.add(1, answers=60.0)
    with pytest.raises(ChainBroken, match="does not answer") as broken:
        town.found(town.knocking())
    assert broken.value.suspects == (named(1),)


def test_one_that_cannot_be_reached_is_named_with_the_reason(town: Town) -> None:
    town.add(1, answers=NEVER)
    with pytest.raises(ChainBroken, match="no answer") as broken:
        town.found(town.knocking())
    assert broken.value.suspects == (named(1),)


def test_nobody_at_all_is_told_as_soon_as_that_is_certain(town: Town) -> None:
    with pytest.raises(NotServed, match="nobody serves any layer"):
        town.found(town.knocking())
    assert town.looked == 1


def test_nobody_at_all_is_told_by_a_directory_that_takes_long(town: Town) -> None:
    async def slowly() -> None:
        town.looked += 1
        await asyncio.sleep(4 * LOOK_AGAIN_SECONDS)

    town.look = slowly  # type: ignore[method-assign]
    with pytest.raises(NotServed, match="nobody serves any layer"):
        town.found(town.knocking())
    assert town.looked == 1


def test_a_directory_that_is_gone_is_told(town: Town) -> None:
    async def gone() -> None:
        raise PeerLost("no bootstrap answers")

    town.look = gone  # type: ignore[method-assign]
    with pytest.raises(PeerLost, match="no bootstrap"):
        town.found(town.knocking())


def test_a_computer_that_is_late_itself_is_more_patient(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.add(1, speed=300.0, answers=HEDGE + 0.05)
    town.add(2)
    assert town.found(town.knocking())[0] == named(2)
    wait = asyncio.wait

    async def late(*words: Any, timeout: float | None = None, **more: Any) -> Any:
        ended, pending = await wait(*words, timeout=timeout, **more)
        if not ended:
            await asyncio.sleep(0.04)
        return ended, pending

    monkeypatch.setattr("app.swarm.knocking.asyncio.wait", late)
    assert town.found(town.knocking())[0] == named(1)
