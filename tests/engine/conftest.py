"""What the tests of the engine share: tiny models, each written once in a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import psutil
import pytest

from app.engine.ladder import Ladder
from app.engine.mounting import MountRequest
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.ids import Span
from tests.engine.mounted import ModelFile, Prepare
from tests.helpers.slices import payload, plan_of
from tests.helpers.tiny_models import FAMILIES


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the file of a family's tiny model; nobody may change it."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def file_of(family: str) -> Path:
        return FAMILIES[family](folder / f"{family}.gguf")

    return file_of


@pytest.fixture
def nothing_left_running() -> Iterator[None]:
    """No test leaves a process behind; swarms of other modules may still be running."""
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.fixture
def prepare(model: ModelFile, tmp_path: Path) -> Prepare:
    """Stores a family's units and says how to mount a span of them."""

    def request(family: str, span: Span, **changes: object) -> MountRequest:
        file = model(family)
        cut = plan_of(file)
        store = tmp_path / "store"
        store.mkdir(exist_ok=True)
        unit_files = {}
        for unit in range(span.start, span.stop):
            unit_files[unit] = store / f"{family}-{unit}.gguf"
            unit_files[unit].write_bytes(b"\0" * HEADER_ROOM_BYTES + payload(file, cut, unit))
        data = file.read_bytes()
        wanted = MountRequest(
            plan=cut,
            span=span,
            unit_files=unit_files,
            shared={
                t.name: data[cut.header.data_offset + t.offset :][: t.size] for t in cut.shared
            },
            folder=tmp_path / "mount",
            kv_tokens=256,
            sequences=5,
            threads=1,
        )
        return replace(wanted, **changes)  # type: ignore[arg-type]

    return request


@pytest.fixture
def ladder(tmp_path: Path) -> Ladder:
    return Ladder(tmp_path / "ladder.json")
