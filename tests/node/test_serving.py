"""One span that is brought up and closed; see app/node/serving.py. No worker: a toy engine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from app.engine.mounting import MountRequest
from app.errors import EngineFault
from app.folder.data_folder import DataFolder
from app.ids import Span
from app.node import serving
from app.node.serving import Means, ShareOrder, bring_up
from app.preferences import Settings
from tests.helpers.fake_engine import FakeEngine, ToyModel
from tests.helpers.memory_network import MemoryNetwork
from tests.helpers.virtual_clock import VirtualClock


class EngineDouble(FakeEngine):
    """Mounted while it is entered."""

    def __init__(self, request: MountRequest, *_: object, **__: object) -> None:
        super().__init__(ToyModel(), request.span)
        self.request = request
        self.events: list[object] = []

    async def __aenter__(self) -> EngineDouble:
        self.events.append("mounted")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.events.append("freed")

    async def limit_threads(self, most: int) -> None:
        if most < 1:
            raise EngineFault("no thread at all")
        self.events.append(most)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[EngineDouble]:
    """Those that were made."""
    made: list[EngineDouble] = []

    def make(*given: Any, **named: Any) -> EngineDouble:
        made.append(EngineDouble(*given, **named))
        return made[-1]

    monkeypatch.setattr(serving, "Engine", make)
    return made


def order_and_means(folder: Path, guide: Path, opener: Any, place: str) -> tuple[ShareOrder, Means]:
    data = DataFolder.open(folder)
    model = data.model(str(guide))
    order = ShareOrder(model, Span(2, 5), gpu=False, threads=1, kv_tokens=64, sequences=2)
    return order, Means(data, opener, VirtualClock(), place)


def test_what_the_owner_gives_is_what_is_ordered_and_other_settings_are_another_order(
    tmp_path: Path, guide: Path
) -> None:
    model, span = DataFolder.open(tmp_path).model(str(guide)), Span(2, 5)
    settings = Settings(threads=3, kv_tokens=4096, max_sessions=7)
    order = ShareOrder.by_settings(settings, model, span, gpu=True)
    assert order == ShareOrder(model, span, gpu=True, threads=3, kv_tokens=4096, sequences=7)
    for other in (replace(settings, threads=4), replace(settings, kv_tokens=8192)):
        assert ShareOrder.by_settings(other, model, span, gpu=True) != order
    assert ShareOrder.by_settings(settings, model, span, gpu=False) != order


async def test_two_spans_of_one_data_folder_are_mounted_in_different_places(
    tmp_path: Path, guide: Path, engines: list[EngineDouble]
) -> None:
    async with MemoryNetwork().endpoint() as endpoint:
        for place in ("serving", "beside"):
            order, means = order_and_means(tmp_path, guide, endpoint, place)
            up = await bring_up(means, order, mend=None, most_threads=3)
            assert (up.order, up.host.tokens_free) == (order, 512)
            await up.stack.aclose()
    assert [engine.request.folder.name for engine in engines] == ["serving", "beside"]
    assert [engine.events for engine in engines] == [["mounted", 3, "freed"]] * 2


async def test_what_fails_on_the_way_up_leaves_nothing_mounted(
    tmp_path: Path, guide: Path, engines: list[EngineDouble]
) -> None:
    nobody = cast(Any, SimpleNamespace())
    order, means = order_and_means(tmp_path, guide, nobody, "serving")
    with pytest.raises(EngineFault, match="no thread"):
        await bring_up(means, order, mend=None, most_threads=0)
    assert engines[0].events == ["mounted", "freed"]
