"""Small files are read with a bound and written whole; see app/small_files.py."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from app.small_files import make_private, read_small, remove_drafts, write_whole

posix = sys.platform != "win32"


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    write_whole(tmp_path / "kept", b"words")
    assert read_small(tmp_path / "kept", 5) == b"words"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_file_beyond_its_bound_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ValueError, match="larger than 64 bytes"):
        read_small(tmp_path / "sparse", 64)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "none", 64)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_small(tmp_path, 64)


if posix:

    def test_a_pipe_that_nobody_writes_to_does_not_hold_us_up(tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="no ordinary file"):
            read_small(tmp_path / "pipe", 64)

    def test_a_link_to_an_endless_device_is_not_opened(tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("/dev/zero")
        with pytest.raises(OSError, match="no ordinary file"):
            read_small(tmp_path / "link", 64)

    def test_what_is_written_is_for_its_owner_alone(tmp_path: Path) -> None:
        (tmp_path / "kept").write_bytes(b"old")
        (tmp_path / "kept").chmod(0o644)
        write_whole(tmp_path / "kept", b"new")
        assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o600

    def test_a_link_stays_a_link_and_what_it_names_is_written(tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "real")
        write_whole(tmp_path / "link", b"first")
        write_whole(tmp_path / "link", b"second")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "elsewhere" / "real").read_bytes() == b"second"

    def test_others_lose_what_they_could_do_with_a_file(tmp_path: Path) -> None:
        path = tmp_path / "open"
        path.write_bytes(b"")
        path.chmod(0o644)
        assert make_private(path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert not make_private(path)


def test_writers_that_overlap_harm_nothing(tmp_path: Path) -> None:
    texts = [bytes([65 + number]) * 5000 for number in range(4)]

    def write(text: bytes) -> None:
        for _ in range(20):
            write_whole(tmp_path / "kept", text, durable=False)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert read_small(tmp_path / "kept", 5000) in texts
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "kept", b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "kept", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("kept", b"old")]


def test_what_a_killed_program_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "settings.toml.k2j3.draft").write_bytes(b"half")
    (tmp_path / "settings.toml").write_bytes(b"whole")
    remove_drafts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]
    remove_drafts(tmp_path / "missing")
