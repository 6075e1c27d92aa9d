"""The window tells the node which process it is; see app/window_file.py."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.window_file import (
    WINDOW_FILE,
    read_window_file,
    remove_window_file,
    write_window_file,
)


def test_a_window_is_known_while_it_is_open(tmp_path: Path) -> None:
    assert read_window_file(tmp_path) is None
    write_window_file(tmp_path)
    told = read_window_file(tmp_path)
    assert told is not None
    assert told.pid == os.getpid()
    remove_window_file(tmp_path)
    assert read_window_file(tmp_path) is None
    remove_window_file(tmp_path)


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    write_window_file(tmp_path / "gone")
    remove_window_file(tmp_path / "gone")
    assert read_window_file(tmp_path / "gone") is None


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=40))
@example(b"0")
@example(b"1")
@example(b"-5")
@example(b"99999999999999999999")
@example("١٢".encode())
def test_whatever_stands_in_the_file_is_a_number_or_nothing(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / WINDOW_FILE).write_bytes(data)
        told = read_window_file(Path(folder))
    assert told is None or str(told.pid) == data.decode().lstrip("0")
