"""One conversation over whoever is there; see app/talk.py."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from app.clock import SystemClock
from app.data_folder import DataFolder, OpenModel, fetch_units
from app.errors import NotServed
from app.ids import ModelId, PeerId, Span
from app.net.endpoint import Endpoint
from app.net.records import Announcement
from app.net.wire import Place
from app.opened_model import OpenedModel
from app.swarm.generate import Answer
from app.swarm.route import Offer
from app.swarm.sampling import SamplingOptions
from app.swarm.token_chain import ChainPart
from app.talk import THIS_COMPUTER, Talk, Ways, offers_of

OWN, OTHER = PeerId(b"o" * 32), PeerId(b"x" * 32)


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
    parts = [
        ChainPart(None, Span(0, 1)),
        ChainPart(OWN, Span(1, 3)),
        ChainPart(OTHER, Span(3, 5)),
        ChainPart(None, Span(5, 6)),
    ]
    assert talk.part_names(parts) == [THIS_COMPUTER, "pb4hq6dy", THIS_COMPUTER]


def test_what_was_taken_back_is_no_offer() -> None:
    record = Announcement(peer=OTHER, sequence=1, issued_at=1, expires_at=2, model=b"m" * 32)
    assert offers_of([record]) == []
