"""A node notices that its data folder is gone, or somebody else's; see app/node/folder_watch.py."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.errors import UsageError
from app.node.folder_watch import keep_folder
from app.process_lock import data_folder_lock
from app.sentences import Sentence
from app.tasks import TaskOwner
from tests.helpers.running_node import until


class Node:
    """Somebody who is told."""

    def __init__(self, folder: Path) -> None:
        self.lock = data_folder_lock(folder)
        self.warnings: list[str] = []
        self.ended = False

    def warn(self, warning: Sentence) -> None:
        self.warnings.append(warning.words)

    def quit(self) -> None:
        self.ended = True


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[Node]:
    node = Node(folder)
    with node.lock:
        async with TaskOwner("test") as tasks:
            tasks.start(
                keep_folder(node.lock, warn=node.warn, quit=node.quit, look_seconds=0.002),
                name="watch",
            )
            yield node


if sys.platform != "win32":  # where a file that is held cannot be removed

    async def test_a_folder_that_is_there_is_no_news(tmp_path: Path) -> None:
        async with watching(tmp_path / "data") as node:
            await asyncio.sleep(0.02)
            assert (node.warnings, node.ended) == ([], False)

    async def test_a_folder_that_was_removed_is_said(tmp_path: Path) -> None:
        async with watching(tmp_path / "data") as node:
            shutil.rmtree(tmp_path / "data")
            await until(lambda: node.warnings)
            assert "was removed" in node.warnings[0]
            assert not node.ended
            assert not (tmp_path / "data").exists()

    async def test_a_folder_that_was_made_again_is_held_again(tmp_path: Path) -> None:
        async with watching(tmp_path / "data") as node:
            shutil.rmtree(tmp_path / "data")
            (tmp_path / "data").mkdir()
            await until(lambda: node.warnings and node.lock.is_held())
            with pytest.raises(UsageError, match="already running"):
                data_folder_lock(tmp_path / "data").acquire()
            assert not node.ended

    async def test_of_two_nodes_in_one_folder_the_first_ends(tmp_path: Path) -> None:
        async with watching(tmp_path / "data") as node:
            (tmp_path / "data" / "node.lock").unlink()
            with data_folder_lock(tmp_path / "data"):
                await until(lambda: node.ended)
