"""Downloads as they are shown and limited; see app/folder/fetching.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from app.api.shapes import Download
from app.engine.manifest import write_manifest
from app.errors import DownloadFailed
from app.folder.data_folder import DataFolder, OpenModel
from app.folder.fetching import Fetching
from app.ids import Span
from tests.helpers.origin import Origin
from tests.helpers.running_node import GUIDE


def open_guide(folder: Path, guide: Path, *urls: str) -> tuple[DataFolder, OpenModel]:
    """The guide, from other places than Potluck's own folder if some are given."""
    data = DataFolder.open(folder)
    model = data.model(str(guide))
    if urls:
        manifest = msgspec.structs.replace(model.manifest, urls=list(urls))
        path = folder / "elsewhere.json"
        path.write_bytes(write_manifest(manifest, bytes(range(32))))
        model = data.model(str(path))
    return data, model


async def test_what_comes_with_potluck_counts_as_no_data(tmp_path: Path, guide: Path) -> None:
    data, model = open_guide(tmp_path, guide)
    shown: list[Download | None] = []
    counted: list[int] = []

    async def limit(size: int) -> None:
        counted.append(size)

    def measured(bytes_per_second: float) -> None:
        raise AssertionError("no line was used")

    fetching = Fetching(
        data,
        changed=lambda: shown.append(fetching.current),
        limit=limit,
        measured=measured,
    )
    await fetching.fetch(model, Span(0, 3))
    assert counted == []
    assert all(data.store.has(unit) for unit in model.manifest.units[:3])
    assert isinstance(shown[0], Download)
    assert shown[-1] is None
    shown.clear()
    await fetching.fetch(model, Span(0, 3))
    assert shown == []  # nothing was missing


async def test_what_comes_from_elsewhere_is_limited_shown_and_measured(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.folder.fetching.TELLING_BYTES", 1)
    speeds: list[float] = []
    async with Origin(GUIDE.read_bytes()) as origin:
        data, model = open_guide(tmp_path, guide, origin.url)
        counted: list[int] = []

        async def limit(size: int) -> None:
            counted.append(size)

        shown: list[Download | None] = []
        fetching = Fetching(
            data,
            changed=lambda: shown.append(fetching.current),
            limit=limit,
            measured=speeds.append,
        )
        # Two who want the same wait for one download.
        await asyncio.gather(*(fetching.fetch(model, Span(1, 3)) for _ in range(2)))
        assert sum(counted) >= sum(unit.size for unit in model.manifest.units[1:3])
        assert sum(counted) < 2 * sum(unit.size for unit in model.manifest.units[1:3])
        last = [download for download in shown if download is not None][-1]
        assert last.done_bytes == last.total_bytes
        assert last.model == "Potluck Guide"
        assert len(speeds) == 1
        assert speeds[0] > 0
        monkeypatch.setattr("app.folder.fetching.TELLING_BYTES", 1 << 30)
        await fetching.fetch(model, Span(3, 5))
        assert len(speeds) == 1  # too little to tell


async def test_a_download_that_fails_is_not_shown_any_more(tmp_path: Path, guide: Path) -> None:
    data, model = open_guide(tmp_path, guide, "resource:models/no-such.gguf")
    fetching = Fetching(data, changed=lambda: None)
    with pytest.raises(DownloadFailed):
        await fetching.fetch(model, Span(1, 3))
    assert fetching.current is None
