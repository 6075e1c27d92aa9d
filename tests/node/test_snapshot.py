"""The words on the tray's first line; see app/node/snapshot.py."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from app.api.shapes import Snapshot
from app.folder.data_folder import DataFolder
from app.ids import Span
from app.net.records import Announcement
from app.node.sharing import Sharing
from app.node.snapshot import layers_text
from tests.helpers.running_node import WHOLE, adopt_guide, running_node, until

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (Span(0, 10), "all 8 layers"),
        (Span(1, 9), "all 8 layers"),
        (Span(0, 4), "3 layers"),
        (Span(8, 10), "1 layer"),
        (Span(0, 1), "the input"),
        (Span(9, 10), "the output"),
    ],
)
def test_layers_are_counted_as_people_do(
    tmp_path: Path, guide: Path, span: Span, words: str
) -> None:
    assert layers_text(DataFolder.open(tmp_path).model(str(guide)), span).words == words


@pytest.mark.usefixtures("heard_in_the_end")
async def test_a_snapshot_tells_who_holds_what_and_who_answered(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a busy computer measures of itself and of the way to others would decide who answers.
    speed = property(lambda self: 500.0 if self.order and self.order.span == WHOLE else 1.0)
    monkeypatch.setattr(Sharing, "layers_per_second", speed)
    adopt_guide(tmp_path / "b", guide)
    async with running_node(tmp_path / "a", manifest=guide, units=WHOLE, public=True) as first:
        peer = str(first.node.ready_line()["peer_id"])
        bootstrap = f"{peer}@{first.node.endpoint.address}"
        async with running_node(tmp_path / "b", bootstraps=(bootstrap,)) as running:
            await running.ask("POST", "/consent", {"share": True})
            await running.ask("POST", "/models/choose", {"model": "guide", "start": 0, "stop": 3})
            await until(lambda: running.node.sharing.phase == "serving")
            options = {"max_tokens": 5, "over_swarm": True}
            made = await running.ask("POST", "/conversations", options, expect=201)
            path = f"/conversations/{made['id']}/messages"
            _ = [e async for e in running.events("POST", path, {"content": "Hello"})]
            await running.ask("GET", "/models")  # looks who serves what
            status = msgspec.convert(await running.ask("GET", "/status"), Snapshot)
    assert status.model is not None
    holders = {holder.peer_id: holder for holder in status.model.holders}
    assert len(holders) == 2
    assert (holders[peer].start, holders[peer].stop) == (0, 10)
    assert holders[peer].in_chain
    assert not holders[peer].mine
    mine = holders[status.peer_id]
    assert (mine.mine, mine.start, mine.stop, mine.in_chain) == (True, 0, 3, False)
    assert status.totals.uploaded_bytes_month == 0, "loopback is nobody's line"
    assert status.listen.startswith("127.0.0.1:")
    coverage = next(one for one in status.coverage if one.model_id == status.model.model_id)
    assert coverage.replicas == [2, 2, 2, 1, 1, 1, 1, 1, 1, 1]
    assert (coverage.missing, coverage.computers, coverage.coming) == ([], 2, 0)
    assert coverage.joins
    assert (coverage.my_start, coverage.my_stop, coverage.my_place) == (0, 3, "second")
    others = [one for one in status.coverage if one is not coverage]
    assert all(one.missing == list(range(one.units)) and not one.joins for one in others)
    assert {one.my_place for one in others} == {"none"}
    assert (status.repairs.today, status.repairs.ever) == (0, 0)


async def test_layers_that_are_on_their_way_serve_nobody_yet(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path, manifest=guide, units=Span(0, 3), public=True) as running:
        parts = running.node.service._parts
        model = running.node.sharing.order
        assert model is not None
        record = Announcement(
            peer=b"c" * 32,
            sequence=1,
            issued_at=1.0,
            expires_at=2e9,
            model=model.model.id,
            span=Span(3, 10),
            ready=False,
        )
        parts.announced._by_model = {model.model.id: [record]}
        status = running.node.service.snapshot()
    assert status.model is not None
    assert [holder.ready for holder in status.model.holders] == [True, False]
    coverage = next(one for one in status.coverage if one.model_id == status.model.model_id)
    assert (coverage.computers, coverage.coming) == (1, 1)
    assert coverage.missing == [3, 4, 5, 6, 7, 8, 9]
    assert (coverage.my_place, coverage.joins) == ("only", False)
