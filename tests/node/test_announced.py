"""Who serves what, for people to look at; see app/node/announced.py."""

from __future__ import annotations

import msgspec

from app.errors import PeerLost
from app.ids import ModelId, PeerId, Span
from app.net.records import Announcement
from app.node.announced import FRESH_SECONDS, Announced
from tests.helpers.virtual_clock import VirtualClock

MODEL = ModelId(b"m" * 32)


def record(peer: bytes, span: Span | None, *, expires_at: float = 2e9) -> Announcement:
    return Announcement(
        peer=peer * 32, sequence=1, issued_at=1.0, expires_at=expires_at, model=MODEL, span=span
    )


class Told:
    """A directory that says what a test wants; None is no answer."""

    def __init__(self) -> None:
        self.records: list[Announcement] | None = []
        self.asked = 0

    async def lookup(self, model: ModelId | None) -> list[Announcement]:
        self.asked += 1
        if self.records is None:
            raise PeerLost("no bootstrap answers")
        return self.records


async def test_it_looks_when_it_is_old_and_tells_only_of_changes() -> None:
    told, clock, changes = Told(), VirtualClock(), []
    announced = Announced(told, changed=lambda: changes.append(1), clock=clock)  # type: ignore[arg-type]
    told.records = [record(b"b", Span(3, 5)), record(b"a", Span(0, 3)), record(b"c", None)]
    await announced.refresh()
    await announced.refresh()
    assert (told.asked, len(changes)) == (1, 1)
    assert [r.span for r in announced.of(MODEL, without={PeerId(b"z" * 32)})] == [
        Span(0, 3),
        Span(3, 5),
    ]
    assert [r.peer[:1] for r in announced.of(MODEL, without={PeerId(b"a" * 32)})] == [b"b"]
    assert announced.of(ModelId(b"x" * 32), without={PeerId(b"a" * 32)}) == []
    clock.advance(FRESH_SECONDS)
    await announced.refresh()
    assert (told.asked, len(changes)) == (2, 1)


async def test_who_has_become_ready_is_a_change() -> None:
    told, clock, changes = Told(), VirtualClock(), []
    announced = Announced(told, changed=lambda: changes.append(1), clock=clock)  # type: ignore[arg-type]
    coming = msgspec.structs.replace(record(b"a", Span(0, 3)), ready=False)
    for records in ([coming], [coming], [record(b"a", Span(0, 3))]):
        told.records = list(records)
        clock.advance(FRESH_SECONDS)
        await announced.refresh()
    assert len(changes) == 2


async def test_when_nobody_answers_the_old_ones_stay_until_they_are_stale() -> None:
    told, clock = Told(), VirtualClock()
    announced = Announced(told, changed=lambda: None, clock=clock)  # type: ignore[arg-type]
    told.records = [record(b"a", Span(0, 3), expires_at=clock.wall() + 30)]
    await announced.refresh()
    told.records = None
    clock.advance(FRESH_SECONDS)
    await announced.refresh()
    assert len(announced.of(MODEL, without={PeerId(b"z" * 32)})) == 1
    clock.advance(30)
    await announced.refresh()
    assert announced.of(MODEL, without={PeerId(b"z" * 32)}) == []
