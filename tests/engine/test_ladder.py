"""What killed a worker here is not tried again; see app/engine/ladder.py."""

from __future__ import annotations

import importlib.metadata
import logging
import os
from pathlib import Path

import pytest

from app.engine.ladder import GPU, MAX_FILE_BYTES, PLAIN, REPACKED, Ladder


def test_the_fastest_way_is_tried_first_and_the_plainest_last(tmp_path: Path) -> None:
    fresh = Ladder(tmp_path / "ladder.json")
    assert fresh.rungs(gpu=True) == [GPU, REPACKED, PLAIN]
    assert fresh.rungs(gpu=False) == [REPACKED, PLAIN]
    assert not (tmp_path / "ladder.json").exists()


def test_what_failed_is_remembered_for_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "deep" / "er" / "ladder.json"
    with caplog.at_level(logging.WARNING):
        Ladder(file).strike(REPACKED, "killed by SIGSEGV")
    assert "cpu-repacked does not work on this computer: killed by SIGSEGV" in caplog.text
    again = Ladder(file)
    assert again.rungs(gpu=True) == [GPU, PLAIN]
    again.strike(GPU, "no driver")
    assert Ladder(file).rungs(gpu=True) == [PLAIN]
    assert [path.name for path in file.parent.iterdir()] == ["ladder.json"]


def test_the_last_rung_is_never_struck_out(tmp_path: Path) -> None:
    file = tmp_path / "ladder.json"
    first = Ladder(file)
    for rung in (GPU, REPACKED, PLAIN):
        first.strike(rung, "it died")
    assert first.rungs(gpu=True) == [PLAIN]
    assert Ladder(file).rungs(gpu=False) == [PLAIN]


def test_another_build_of_the_library_is_tried_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ladder.json"
    Ladder(file).strike(REPACKED, "killed by SIGSEGV")
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "9.9.9")
    assert Ladder(file).rungs(gpu=False) == [REPACKED, PLAIN]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"17",
        b'{"KEY": []}',
        b'{"KEY": 3}',
        b"[" * (MAX_FILE_BYTES - 1),
        b" " * MAX_FILE_BYTES + b"{}",
    ],
    ids=["empty", "cut", "noise", "list", "number", "inner list", "inner number", "deep", "long"],
)
def test_a_damaged_memory_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ladder.json"
    key = Ladder(file)._key
    file.write_bytes(content.replace(b"KEY", key.encode()))
    damaged = Ladder(file)
    assert damaged.rungs(gpu=True) == [GPU, REPACKED, PLAIN]
    damaged.strike(GPU, "it died")
    assert Ladder(file).rungs(gpu=True) == [REPACKED, PLAIN]


def test_where_nothing_can_be_written_it_is_remembered_until_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    blocked = Ladder(tmp_path / "file" / "ladder.json")
    blocked.strike(GPU, "it died")
    assert blocked.rungs(gpu=True) == [REPACKED, PLAIN]


def test_a_read_only_folder_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ladder.json"
    Ladder(file).strike(GPU, "it died")

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "replace", refuse)
    second = Ladder(file)
    second.strike(REPACKED, "it died")
    assert second.rungs(gpu=True) == [PLAIN]
    assert Ladder(file).rungs(gpu=True) == [REPACKED, PLAIN]
