"""Damaged files are kept under another name; see app/keeping.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.keeping import set_aside


def test_a_file_goes_aside_with_what_belongs_to_it(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite3").write_text("one")
    (tmp_path / "a.sqlite3-wal").write_text("two")
    aside = set_aside(tmp_path / "a.sqlite3", 0.0, endings=("", "-wal", "-shm"))
    assert aside.name.startswith("a-damaged-")
    assert aside.read_text() == "one"
    assert Path(f"{aside}-wal").read_text() == "two"
    assert len(list(tmp_path.iterdir())) == 2


def test_two_in_one_second_are_both_kept(tmp_path: Path) -> None:
    kept = []
    for text in ("one", "two", "three"):
        (tmp_path / "a.json").write_text(text)
        kept.append(set_aside(tmp_path / "a.json", 0.0))
    assert [path.read_text() for path in kept] == ["one", "two", "three"]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        set_aside(tmp_path / "file" / "a.json", 0.0)
