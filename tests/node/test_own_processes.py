"""What counts as Potluck's own work; see app/node/own_processes.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from app.engine.child import start_child
from app.node.own_processes import OwnProcesses
from app.policy.pacing import ProcessorTime
from app.policy.sensors import OtherPrograms
from app.window_file import WINDOW_FILE, write_window_file

BURN = """
import time
input()
ends = time.process_time() + 0.4
while time.process_time() < ends: pass
print("done", flush=True)
input()
"""


async def test_every_worker_counts_from_its_start_to_its_end(tmp_path: Path) -> None:
    own = OwnProcesses(tmp_path)
    worker = await start_child([sys.executable, "-c", "import sys; sys.stdin.read()"])
    assert worker.pid in own.pids()
    await worker.stop()
    assert worker.pid not in own.pids()


def test_the_window_counts_while_it_runs(tmp_path: Path) -> None:
    own = OwnProcesses(tmp_path)
    assert os.getpid() not in own.pids()
    write_window_file(tmp_path)
    assert os.getpid() in own.pids()


def test_a_number_that_another_program_has_got_since_does_not_count(tmp_path: Path) -> None:
    write_window_file(tmp_path)
    before_it_began = 1_000_000_000
    os.utime(tmp_path / WINDOW_FILE, (before_it_began, before_it_began))
    assert os.getpid() not in OwnProcesses(tmp_path).pids()


@pytest.mark.parametrize("pid", ["4194303", "9999999999"])
def test_a_window_that_is_gone_does_not_count(tmp_path: Path, pid: str) -> None:
    (tmp_path / WINDOW_FILE).write_text(pid)
    assert int(pid) not in OwnProcesses(tmp_path).pids()


def test_what_the_window_draws_is_not_another_programs_work(tmp_path: Path) -> None:
    """A busy child stands for the window; what it burns is taken off."""
    window = Popen([sys.executable, "-c", BURN], stdin=PIPE, stdout=PIPE)
    assert window.stdin is not None
    assert window.stdout is not None
    try:
        (tmp_path / WINDOW_FILE).write_text(str(window.pid))
        own = ProcessorTime(OwnProcesses(tmp_path).pids)
        busy = 0.0
        others = OtherPrograms(busy_seconds=lambda: busy, own_seconds=own.seconds, processors=1)
        assert others.percent(0.0) is None
        window.stdin.write(b"\n")
        window.stdin.flush()
        assert window.stdout.readline().strip() == b"done"
        busy = 0.3  # nobody else did anything
        assert others.percent(1.0) == 0.0
    finally:
        window.communicate(b"\n")
