"""One conversation over whoever is there; see app/chat/talk.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from app.chat.opened_model import OpenedModel
from app.chat.talk import THIS_COMPUTER, Talk, Ways, offers_of
from app.clock import SystemClock
from app.errors import NotServed
from app.folder.data_folder import DataFolder, OpenModel, fetch_units
from app.folder.measured_speed import MeasuredSpeed
from app.ids import ModelId, PeerId, Span
from app.net.endpoint import Endpoint
from app.net.records import Announcement
from app.net.wire import Place
from app.swarm.credits import Credits
from app.swarm.generate import Answer
from app.swarm.route import Offer
from app.swarm.sampling import SamplingOptions
from app.swarm.token_chain import ChainBroken, ChainPart

pytestmark = pytest.mark.real

OWN, OTHER, BESIDE = PeerId(b"o" * 32), PeerId(b"x" * 32), PeerId(b"b" * 32)


async def nobody(endpoint: Endpoint, model: ModelId) -> Sequence[Offer]:
    """A swarm in which nobody serves anything."""
    return []


def opened_guide(folder: Path, guide: Path) -> OpenedModel:
    data = DataFolder.open(folder)

    async def fetch(model: OpenModel, span: Span) -> None:
        await fetch_units(data, model, span)

    return OpenedModel(data, data.model(str(guide)), fetch=fetch)


async def test_nobody_serves_it_and_this_computer_may_or_may_not(
    tmp_path: Path, guide: Path
) -> None:
    async with opened_guide(tmp_path, guide) as opened:
        request = await opened.request("Potluck is", sampling=SamplingOptions(), max_tokens=3)
        strict = Talk(opened, nobody, Ways(), clock=SystemClock())
        with pytest.raises(NotServed, match="nobody serves"):
            await anext(strict.write(request, Answer()))
        await strict.close()
        free = Talk(opened, nobody, Ways(may_be_alone=True), clock=SystemClock())
        answer = Answer()
        assert [piece async for piece in free.write(request, answer)]
        assert free.part_names(answer.parts) == [THIS_COMPUTER]
        assert free.readers == []
        await free.close()


async def test_a_conversation_begins_where_the_node_stands_and_tells_nobody(
    tmp_path: Path, guide: Path
) -> None:
    node_place = Place(10.0, -20.0, 30.0, 5.0, 0.2)
    seen: list[tuple[Place | None, Place | None]] = []

    async def look(endpoint: Endpoint, model: ModelId) -> Sequence[Offer]:
        seen.append((endpoint.place, endpoint.told_place))
        return []

    async with opened_guide(tmp_path, guide) as opened:
        request = await opened.request("Potluck is", sampling=SamplingOptions(), max_tokens=3)
        for place in (node_place, None):
            told = partial(lambda where: where, place)
            talk = Talk(opened, look, Ways(), clock=SystemClock(), place=told)
            with pytest.raises(NotServed):
                await anext(talk.write(request, Answer()))
            await talk.close()
    assert set(seen) == {(node_place, None), (None, None)}


async def test_a_conversation_whose_closing_is_broken_off_keeps_nothing_open(
    tmp_path: Path, guide: Path
) -> None:
    async with opened_guide(tmp_path, guide) as opened:
        credits_kept, seen = Credits(), []

        async def look(endpoint: Endpoint, model: ModelId) -> Sequence[Offer]:
            seen.append(endpoint)
            return []

        async def broken_off() -> None:
            raise asyncio.CancelledError

        talk = Talk(opened, look, Ways(), clock=SystemClock(), credits=credits_kept)
        request = await opened.request("Potluck is", sampling=SamplingOptions(), max_tokens=3)
        with pytest.raises(NotServed):
            await anext(talk.write(request, Answer()))
        assert credits_kept.own_names == {seen[0].peer_id}
        talk.generator.close = broken_off  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await talk.close()
        assert not credits_kept.own_names
        with pytest.raises(OSError, match="the socket is closed"):
            await seen[0]._port.resolve("127.0.0.1:1")


async def test_chance_after_certainty_asks_for_more_candidates(tmp_path: Path, guide: Path) -> None:
    async with opened_guide(tmp_path, guide) as opened:
        talk = Talk(opened, nobody, Ways(alone=True), clock=SystemClock())
        for temperature in (0.0, 2.0, 0.0):
            sampling = SamplingOptions(temperature=temperature, top_p=1.0, min_p=0.0)
            request = await opened.request("Potluck is", sampling=sampling, max_tokens=8, seed=3)
            answer = Answer()
            assert [piece async for piece in talk.write(request, answer)]
        await talk.close()


def test_names_in_a_row_are_told_once_and_the_own_host_is_this_computer() -> None:
    talk = Talk.__new__(Talk)
    talk.ways = Ways(own=OWN)
    talk._credits = Credits()
    talk._credits.own_names.add(BESIDE)
    parts = [
        ChainPart(None, Span(0, 1)),
        ChainPart(OWN, Span(1, 2)),
        ChainPart(BESIDE, Span(2, 3)),
        ChainPart(OTHER, Span(3, 5)),
        ChainPart(None, Span(5, 6)),
    ]
    assert talk.part_names(parts) == [THIS_COMPUTER, "pb4hq6dy", THIS_COMPUTER]


def announced(span: Span | None, *, ready: bool = True) -> Announcement:
    return Announcement(
        peer=OTHER,
        sequence=1,
        issued_at=1,
        expires_at=2,
        model=b"m" * 32,
        addresses=["10.0.0.1:1"],
        span=span,
        layers_per_second=25.0,
        kv_tokens_free=512,
        sessions=2,
        capacity=4,
        ready=ready,
        place=Place(1.0, 2.0, 3.0, 4.0, 0.5),
    )


def test_what_was_taken_back_or_is_on_its_way_is_no_offer() -> None:
    assert offers_of([announced(None), announced(Span(0, 3), ready=False)]) == []


def test_offers_say_all_that_routes_are_made_of() -> None:
    place = Place(1.0, 2.0, 3.0, 4.0, 0.5)
    assert offers_of([announced(Span(0, 3))]) == [
        Offer(OTHER, ("10.0.0.1:1",), Span(0, 3), 25.0, 512, 2, 4, place)
    ]


async def far_away(endpoint: Endpoint, model: ModelId) -> Sequence[Offer]:
    """A swarm of one slow computer that nobody reaches."""
    return [Offer(OTHER, ("127.0.0.1:1",), Span(0, 10), 1.0, 100_000)]


async def test_a_computer_that_is_faster_by_itself_answers_and_says_so(
    tmp_path: Path, guide: Path
) -> None:
    async with opened_guide(tmp_path, guide) as opened:
        model = opened.model
        speed = MeasuredSpeed(tmp_path)
        speed.note_wrote(model.id, 1_000_000, 50.0)
        request = await opened.request("Potluck is", sampling=SamplingOptions(), max_tokens=3)
        ways = Ways(alone_if_faster=True)
        talk = Talk(opened, far_away, ways, clock=SystemClock(), speed=speed)
        answer = Answer()
        assert [piece async for piece in talk.write(request, answer)]
        await talk.close()
    assert talk.part_names(answer.parts) == [THIS_COMPUTER]
    assert answer.remark is not None
    assert "write 50 tokens a second" in answer.remark.words
    assert "over other computers 0.12." in answer.remark.words
    assert answer.predicted is None


async def test_a_head_that_would_be_slow_here_counts_against_a_chain_without_one(
    tmp_path: Path, guide: Path
) -> None:
    async def without_a_head(endpoint: Endpoint, model: ModelId) -> Sequence[Offer]:
        return [Offer(OTHER, ("127.0.0.1:1",), Span(0, 9), 1000.0, 100_000)]

    async with opened_guide(tmp_path, guide) as opened:
        request = await opened.request("Potluck is", sampling=SamplingOptions(), max_tokens=3)
        speed = MeasuredSpeed(tmp_path)
        speed.note(1e3)
        speed.note_wrote(opened.model.id, 1_000_000, 0.01)
        ways = Ways(alone_if_faster=True)
        talk = Talk(opened, without_a_head, ways, clock=SystemClock(), speed=speed)
        answer = Answer()
        assert [piece async for piece in talk.write(request, answer)]
        await talk.close()
    assert talk.part_names(answer.parts) == [THIS_COMPUTER]


@pytest.mark.parametrize(
    ("ways", "tokens_a_second"),
    [(Ways(), 50.0), (Ways(alone_if_faster=True), 0.001), (Ways(alone_if_faster=True), None)],
    ids=["over the swarm on purpose", "slower by itself", "never measured"],
)
async def test_the_chain_is_asked_when_it_is_wanted_or_faster_or_nothing_is_known(
    tmp_path: Path, guide: Path, ways: Ways, tokens_a_second: float | None
) -> None:
    async with opened_guide(tmp_path, guide) as opened:
        speed = MeasuredSpeed(tmp_path)
        if tokens_a_second is not None:
            speed.note_wrote(opened.model.id, 1_000_000, tokens_a_second)
        talk = Talk(opened, far_away, ways, clock=SystemClock(), speed=speed)
        with pytest.raises(ChainBroken, match="cannot be"):
            await talk._open_chain([], 16)
        await talk.close()
