"""How soon a pause gives the owner's memory back: a real node with the embedded guide."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from tests.helpers.running_node import WHOLE, running_node, until

MEMORY_FREE_SECONDS = 1.0
PAUSES = 3
"""The shortest counts: this computer may be held up by others, and a slow pause always is slow."""


async def test_a_pause_frees_the_memory_within_a_second(tmp_path: Path, guide: Path) -> None:
    took = []
    async with running_node(tmp_path, manifest=guide, units=WHOLE) as running:
        for _ in range(PAUSES):
            worker = psutil.Process(running.node.status()["worker_pid"])
            began = time.monotonic()
            await running.ask("POST", "/pause", {"kind": "resume"})
            took.append(time.monotonic() - began)
            assert not worker.is_running()
            await running.ask("POST", "/resume")
            await until(lambda: running.node.status().get("worker_pid"))
    print(f"{min(took):.3f} to {max(took):.3f} s until the memory was free")
    assert min(took) < MEMORY_FREE_SECONDS
