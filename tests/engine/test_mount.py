"""Mounting writes header pages and one small file; see app/engine/mount.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.gguf_read import parse_header
from app.engine.mount import write_slice
from app.engine.slice_files import HEADER_ROOM_BYTES, generated_file, make_slice
from app.engine.slicing import Plan
from app.ids import Span
from tests.helpers.slices import payload, plan_of

ModelFile = Callable[[str], Path]


def store(file: Path, cut: Plan, folder: Path) -> dict[int, Path]:
    """Every unit as the store keeps it: room for a page, then the payload."""
    folder.mkdir()
    files = {}
    for unit in range(len(cut.units)):
        files[unit] = folder / f"{unit}.gguf"
        files[unit].write_bytes(b"\0" * HEADER_ROOM_BYTES + payload(file, cut, unit))
    return files


def shared_of(cut: Plan) -> dict[str, bytes]:
    return {tensor.name: bytes([3]) * tensor.size for tensor in cut.shared}


def names_in(file: Path) -> set[str]:
    data = file.read_bytes()
    return {tensor.name for tensor in parse_header(data, len(data)).tensors}


def test_only_the_pages_of_stored_units_change(model: ModelFile, tmp_path: Path) -> None:
    file = model("llama")
    cut = plan_of(file)
    stored = store(file, cut, tmp_path / "store")
    piece = make_slice(cut, Span(2, 5))
    files = write_slice(piece, stored, shared_of(cut), tmp_path / "mount")
    assert files == [tmp_path / "mount" / "slice.gguf", stored[2], stored[3], stored[4]]
    for unit in cut.units:
        data = stored[unit.unit].read_bytes()
        assert data[HEADER_ROOM_BYTES:] == payload(file, cut, unit.unit)
        assert data.startswith(b"GGUF") == (unit.unit in piece.units)


def test_a_header_page_leaves_the_time_of_the_payload(model: ModelFile, tmp_path: Path) -> None:
    file = model("llama")
    cut = plan_of(file)
    stored = store(file, cut, tmp_path / "store")
    os.utime(stored[2], ns=(10**18, 10**18))
    write_slice(make_slice(cut, Span(2, 5)), stored, shared_of(cut), tmp_path / "mount")
    assert stored[2].stat().st_mtime_ns == 10**18


def test_the_first_file_is_as_long_as_it_says_and_zero_between_its_pieces(
    model: ModelFile, tmp_path: Path
) -> None:
    file = model("phi3")
    cut = plan_of(file)
    piece = make_slice(cut, Span(1, 3))
    stored = store(file, cut, tmp_path / "store")
    first, *_ = write_slice(piece, stored, shared_of(cut), tmp_path / "mount")
    made = generated_file(piece, shared_of(cut))
    expected = bytearray(made.file_bytes)
    expected[: len(made.header)] = made.header
    for offset, data in made.pieces:
        expected[offset : offset + len(data)] = data
    assert first.read_bytes() == bytes(expected)


def test_another_span_can_be_mounted_over_the_same_stored_files(
    model: ModelFile, tmp_path: Path
) -> None:
    file = model("llama")
    cut = plan_of(file)
    stored = store(file, cut, tmp_path / "store")
    for span in (Span(1, 4), Span(3, 6), Span(2, 8), Span(1, 4)):
        piece = make_slice(cut, span)
        first, *units = write_slice(piece, stored, shared_of(cut), tmp_path / "mount")
        for number, unit_file in enumerate(units[: piece.blocks]):
            assert f"blk.{number}.attn_q.weight" in names_in(unit_file)
        assert first.stat().st_size == generated_file(piece, shared_of(cut)).file_bytes
    for unit in range(len(cut.units)):
        assert stored[unit].read_bytes()[HEADER_ROOM_BYTES:] == payload(file, cut, unit)


def test_a_page_torn_by_a_crash_is_written_again(model: ModelFile, tmp_path: Path) -> None:
    file = model("llama")
    cut = plan_of(file)
    stored = store(file, cut, tmp_path / "store")
    with stored[2].open("r+b") as torn:
        torn.write(b"GGUF" + b"\xff" * 5000)
    write_slice(make_slice(cut, Span(2, 3)), stored, shared_of(cut), tmp_path / "mount")
    assert "blk.0.attn_q.weight" in names_in(stored[2])


def test_two_units_with_the_same_bytes_get_a_page_each(model: ModelFile, tmp_path: Path) -> None:
    file = model("llama")
    cut = plan_of(file)
    stored = store(file, cut, tmp_path / "store")
    stored[3] = stored[4] = stored[2]
    files = write_slice(make_slice(cut, Span(2, 5)), stored, shared_of(cut), tmp_path / "mount")
    assert len(set(files)) == 4
    for number, unit_file in enumerate(files[1:]):
        assert f"blk.{number}.attn_q.weight" in names_in(unit_file)
        assert unit_file.read_bytes()[HEADER_ROOM_BYTES:] == payload(file, cut, 2)


def test_a_stored_file_that_is_gone_is_an_error_of_the_disk(
    model: ModelFile, tmp_path: Path
) -> None:
    file = model("llama")
    cut = plan_of(file)
    stored = store(file, cut, tmp_path / "store")
    stored[3].unlink()
    with pytest.raises(FileNotFoundError):
        write_slice(make_slice(cut, Span(2, 5)), stored, shared_of(cut), tmp_path / "mount")
