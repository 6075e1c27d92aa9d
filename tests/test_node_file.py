"""The running node's file; see app/node_file.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.node_file import keep_node_file
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
