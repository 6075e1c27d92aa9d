"""One process at a time holds a lock; see app/process_lock.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import UsageError
from app.process_lock import ProcessLock, data_folder_lock

HOLD = """
import sys
from pathlib import Path
from app.process_lock import data_folder_lock
lock = data_folder_lock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_is_told_what_to_do(tmp_path: Path) -> None:
    with data_folder_lock(tmp_path), pytest.raises(UsageError, match="--data-dir"):
        data_folder_lock(tmp_path).acquire()


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    lock = data_folder_lock(tmp_path)
    lock.acquire()
    lock.release()
    lock.release()
    with data_folder_lock(tmp_path):
        pass


def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="already running"):
            data_folder_lock(tmp_path).acquire()
        child.kill()
    with data_folder_lock(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="Choose another folder"):
        ProcessLock(tmp_path / "file" / "lock", busy_text="busy").acquire()


if sys.platform != "win32":  # where a file that is held cannot be removed

    def test_a_lock_whose_file_was_replaced_is_not_held(tmp_path: Path) -> None:
        lock = ProcessLock(tmp_path / "lock", busy_text="busy")
        assert not lock.is_held()
        with lock:
            assert lock.is_held()
            lock.path.unlink()
            assert not lock.is_held()
            lock.path.write_text("")
            assert not lock.is_held()
            lock.hold_again()
            assert lock.is_held()
            with pytest.raises(UsageError, match="busy"):
                ProcessLock(lock.path, busy_text="busy").acquire()

    def test_a_lock_that_another_has_by_now_is_not_taken_again(tmp_path: Path) -> None:
        first = ProcessLock(tmp_path / "lock", busy_text="busy")
        with first:
            first.path.unlink()
            with ProcessLock(tmp_path / "lock", busy_text="busy"):
                with pytest.raises(UsageError, match="busy"):
                    first.hold_again()
                assert not first.is_held()

    def test_a_pipe_in_the_locks_place_does_not_hold_us_up(tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "node.lock")
        with pytest.raises(UsageError, match="Cannot write"):
            data_folder_lock(tmp_path).acquire()
