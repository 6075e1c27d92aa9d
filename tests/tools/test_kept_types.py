"""A fresh clone begins with what mypy has learnt; see tools/kept_types.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.kept_types import FOLDER, keep, take_over


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "types.zip"


def clone(root: Path, known: str | None = None) -> Path:
    root.mkdir()
    if known is not None:
        (root / FOLDER).mkdir()
        (root / FOLDER / "cache.db").write_text(known)
    return root


def knows(root: Path) -> str | None:
    database = root / FOLDER / "cache.db"
    return database.read_text() if database.exists() else None


def test_a_fresh_clone_takes_over_what_another_one_has_learnt(tmp_path: Path, kept: Path) -> None:
    keep(clone(tmp_path / "first", "much"), kept)
    fresh = clone(tmp_path / "second")
    assert take_over(fresh, kept)
    assert knows(fresh) == "much"
    assert [path.name for path in fresh.iterdir()] == [FOLDER]
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_clone_that_knows_something_keeps_it(tmp_path: Path, kept: Path) -> None:
    keep(clone(tmp_path / "first", "much"), kept)
    used = clone(tmp_path / "used", "its own")
    assert not take_over(used, kept)
    assert knows(used) == "its own"


@pytest.mark.parametrize("data", [None, b"", b"PK\x03\x04 and nothing more"])
def test_what_is_missing_or_damaged_is_learnt_anew(
    tmp_path: Path, kept: Path, data: bytes | None
) -> None:
    if data is not None:
        kept.parent.mkdir()
        kept.write_bytes(data)
    fresh = clone(tmp_path / "fresh")
    assert take_over(fresh, kept)
    assert list(fresh.iterdir()) == []


def test_where_nothing_can_be_kept_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    keep(clone(tmp_path / "first", "much"), tmp_path / "cache" / "types.zip")
    assert (tmp_path / "cache").is_file()
