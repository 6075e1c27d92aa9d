"""Damaged units are found, and sound ones are not read for nothing; see app/engine/soundness.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.engine.manifest import UnitEntry
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.engine.soundness import CHECKED_FILE, DOUBT_SECONDS, Soundness
from app.engine.store import UnitStore
from tests.engine.test_store import make_store, put
from tests.helpers.virtual_clock import VirtualClock


class Reads:
    """Counts which units are hashed."""

    def __init__(self, store: UnitStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.units: list[UnitEntry] = []
        verify = store.verify

        def counted(unit: UnitEntry, **more: object) -> bool:
            self.units.append(unit)
            return verify(unit, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(store, "verify", counted)


def flip(path: Path, *, keep_time: bool = False) -> None:
    """Change one bit of a payload; a failing disk leaves the file's time as it was."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[HEADER_ROOM_BYTES + 10] ^= 4
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))


def test_what_came_in_is_believed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    units = [put(store, bytes([n]) * 500) for n in range(3)]
    reads = Reads(store, monkeypatch)
    Soundness(store).note(units)
    assert Soundness(store).damaged(units) == []
    assert reads.units == []


def test_what_was_never_looked_at_is_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    units = [put(store, bytes([n]) * 500) for n in range(3)]
    reads = Reads(store, monkeypatch)
    assert Soundness(store).damaged(units) == []
    assert Soundness(store).damaged(units) == []
    assert reads.units == units


def test_a_file_that_looks_different_is_hashed_and_a_flipped_bit_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    units = [put(store, bytes([n]) * 500) for n in range(3)]
    soundness = Soundness(store)
    soundness.note(units)
    flip(store.path(units[1].sha256))
    reads = Reads(store, monkeypatch)
    assert soundness.damaged(units) == [units[1]]
    assert reads.units == [units[1]]


def test_a_file_of_another_size_needs_no_hashing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"weights" * 100)
    soundness = Soundness(store)
    soundness.note([unit])
    os.truncate(store.path(unit.sha256), 100)
    reads = Reads(store, monkeypatch)
    assert soundness.damaged([unit]) == [unit]
    assert reads.units == []


def test_in_doubt_everything_is_hashed_but_not_again_within_the_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()
    store = make_store(tmp_path)
    units = [put(store, bytes([n]) * 500) for n in range(3)]
    soundness = Soundness(store, clock=clock)
    soundness.note(units)
    flip(store.path(units[2].sha256), keep_time=True)
    assert soundness.damaged(units) == []
    assert soundness.damaged(units, doubtful=True) == [units[2]]
    reads = Reads(store, monkeypatch)
    assert soundness.damaged(units[:2], doubtful=True) == []
    assert reads.units == []
    clock.advance(DOUBT_SECONDS)
    assert soundness.damaged(units[:2], doubtful=True) == []
    assert reads.units == units[:2]


def test_a_disk_that_cannot_read_a_unit_has_damaged_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"weights" * 100)

    def fails(*_: object, **__: object) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(store, "verify", fails)
    assert Soundness(store).damaged([unit]) == [unit]


def test_what_is_not_here_is_not_damaged(tmp_path: Path) -> None:
    store = make_store(tmp_path / "units")
    unit = put(store, b"weights" * 100)
    soundness = Soundness(store)
    soundness.note([unit])
    store.remove(unit.sha256)
    assert soundness.damaged([unit], doubtful=True) == []


def test_stopping_keeps_what_was_found_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path)
    units = [put(store, bytes([n]) * 500) for n in range(3)]
    answers = iter([False, False, True])
    with pytest.raises(InterruptedError):
        Soundness(store).damaged(units, stopped=lambda: next(answers, True))
    reads = Reads(store, monkeypatch)
    assert Soundness(store).damaged(units) == []
    assert 0 < len(reads.units) < 3


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "\0" * 9, "[" * 5000])
def test_a_damaged_list_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"weights" * 100)
    (tmp_path / CHECKED_FILE).write_text(text)
    assert Soundness(store).damaged([unit]) == []
    flip(store.path(unit.sha256))
    assert Soundness(store).damaged([unit]) == [unit]


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    unit = put(store, b"weights" * 100)
    (tmp_path / CHECKED_FILE).mkdir()
    assert Soundness(store).damaged([unit]) == []
