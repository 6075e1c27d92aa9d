"""The running node's file; see app/node/node_file.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.node.node_file import STALE_SECONDS, keep_node_file, read_node_file
from app.tasks import TaskOwner
from tests.helpers.running_node import until
from tests.helpers.virtual_clock import VirtualClock


async def test_the_file_is_there_while_the_node_runs_and_says_when_it_was_written(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "node.json", VirtualClock()
    async with TaskOwner("test") as tasks:
        tasks.start(keep_node_file(tmp_path, lambda: {"api": "here"}, clock=clock), name="file")
        await until(path.exists)
        written = json.loads(path.read_text())
        assert written == {"api": "here", "written_at": clock.wall()}
    assert not path.exists()


async def test_a_folder_that_is_gone_costs_only_the_file(tmp_path: Path) -> None:
    asked: list[int] = []

    def status() -> dict[str, Any]:
        asked.append(1)
        return {}

    async with TaskOwner("test") as tasks:
        missing = tmp_path / "missing"
        tasks.start(keep_node_file(missing, status, clock=VirtualClock()), name="file")
        await until(lambda: asked)
    assert not missing.exists()


def test_what_a_node_wrote_is_read_while_it_is_fresh(tmp_path: Path) -> None:
    written = {"listen": "here", "units": None, "written_at": 100.0, "api": "http://there"}
    (tmp_path / "node.json").write_text(json.dumps(written))
    told = read_node_file(tmp_path, now=101.0)
    assert told is not None
    assert (told["listen"], told["api"], told["sessions"]) == ("here", "http://there", 0)
    for now in (99.0, 100.0 + STALE_SECONDS):
        assert read_node_file(tmp_path, now=now) is None
    assert read_node_file(tmp_path / "none", now=101.0) is None


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_file_is_a_status_or_none(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "node.json").write_bytes(data)
    assert read_node_file(folder, now=0.0) is None
