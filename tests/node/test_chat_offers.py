"""What the owner's conversations are told of who serves; see app/node/chat_offers.py."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.errors import PeerLost
from app.ids import ModelId, PeerId, Span
from app.net.records import Announcement
from app.node import chat_offers
from app.node.chat_offers import ChatOffers
from app.swarm.route import Offer
from tests.helpers.virtual_clock import VirtualClock

MODEL = ModelId(b"m" * 32)
OWN, SECOND, OTHER = (PeerId(bytes([letter]) * 32) for letter in b"osx")
WHOLE = Span(0, 10)


def offer(peer: PeerId, span: Span, *, sessions: int = 0) -> Offer:
    return Offer(peer, ("127.0.0.1:1",), span, 10.0, 512, sessions=sessions, capacity=2)


class Here:
    """This computer: what it serves, and what a directory tells of others and of itself."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, own: Offer | None, second: Offer | None = None
    ) -> None:
        self.lost = False
        plan = SimpleNamespace(whole=WHOLE)
        order = SimpleNamespace(model=SimpleNamespace(plan=plan))
        sharing = SimpleNamespace(own_offer=lambda _: own, order=order if own else None)
        beside = SimpleNamespace(
            own_offer=lambda _: second, names=lambda: {OWN: "here:1", SECOND: "here:2"}
        )
        directory = SimpleNamespace(seeds=lambda: ["somebody"], rules=None)
        endpoint = SimpleNamespace(peer_id=OWN, address="127.0.0.1:1")
        self.offers = ChatOffers(
            *cast(Any, (directory, endpoint, sharing, beside)), public=True, clock=VirtualClock()
        )
        self.asked: list[Any] = []

        @asynccontextmanager
        async def asking(endpoint: object, bootstraps: Any, *_: object) -> Any:
            self.asked += bootstraps
            yield SimpleNamespace(lookup=self._lookup)

        monkeypatch.setattr(chat_offers, "conversation_directory", asking)

    async def _lookup(self, model: ModelId) -> list[Announcement]:
        if self.lost:
            raise PeerLost("nobody answers")
        return [
            Announcement(
                peer=peer, sequence=1, issued_at=0.0, expires_at=9.0, model=model, span=Span(0, 5)
            )
            for peer in (OWN, SECOND, OTHER)
        ]

    async def told(self) -> list[tuple[PeerId, Span]]:
        found = await self.offers.lookup(cast(Any, None), MODEL)
        return [(one.peer, one.span) for one in found]


async def test_its_own_spans_are_what_it_knows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here(monkeypatch, offer(OWN, Span(2, 5)), offer(SECOND, Span(5, 10)))
    others = [(OTHER, Span(0, 5))]
    assert await here.told() == [*others, (OWN, Span(2, 5)), (SECOND, Span(5, 10))]
    assert here.asked == [(OWN, "127.0.0.1:1")]
    # What it serves no more is not offered, whatever was announced a moment ago.
    assert await Here(monkeypatch, None).told() == others


async def test_without_a_directory_there_is_still_what_it_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Here(monkeypatch, offer(OWN, Span(2, 5)))
    here.lost = True
    assert await here.told() == [(OWN, Span(2, 5))]
    nothing = Here(monkeypatch, None)
    nothing.lost = True
    with pytest.raises(PeerLost):
        await nothing.told()


async def test_a_whole_model_whose_places_are_taken_is_left_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = Here(monkeypatch, offer(OWN, WHOLE, sessions=2))
    assert await full.told() == [(OTHER, Span(0, 5))]
    part = Here(monkeypatch, offer(OWN, Span(2, 5), sessions=2))
    assert (OWN, Span(2, 5)) in await part.told()
