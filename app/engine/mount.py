"""Puts the files of a slice on disk, so that the worker can load them.

The counterpart that decides what they hold is `app/engine/slice_files.py`.
Unit files stay where the store keeps them: only the header page in front of
their payload is rewritten, which is why a mount takes milliseconds and no space.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from app.engine.slice_files import Slice, generated_file, unit_header


def write_slice(
    piece: Slice, unit_files: Mapping[int, Path], shared: Mapping[str, bytes], folder: Path
) -> list[Path]:
    """Write header pages and the generated file; return every file, first one first.

    A page torn by a crash does no harm: it is written again before each load.
    A worker that has loaded the same units keeps running, for llama.cpp reads
    headers only while it loads.

    Args:
        piece: what to mount.
        unit_files: for each of `piece.units`, a file with `HEADER_ROOM_BYTES` of
            room and the unit's payload after it.
        shared: the bytes of the model's shared tensors.
        folder: where the generated file goes; made if absent.

    Raises:
        OSError: the disk is full or a file is gone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "slice.gguf"
    generated = generated_file(piece, shared)
    with first.open("wb") as file:
        file.write(generated.header)
        for offset, data in generated.pieces:
            file.seek(offset)
            file.write(data)
        file.truncate(generated.file_bytes)
    files = [first]
    for unit in piece.units:
        path = unit_files[unit]
        if path in files:
            # Two units with the same bytes share one stored file, but not one header.
            path = Path(shutil.copyfile(path, folder / f"unit-{unit}.gguf"))
        _write_page(path, unit_header(piece, unit))
        files.append(path)
    return files


def _write_page(path: Path, page: bytes) -> None:
    """Write a header page; the file's time goes on saying when its payload last changed.

    `app/engine/soundness.py` hashes a unit again whose file looks different.
    """
    before = path.stat()
    with path.open("r+b") as file:
        file.write(page)
    with contextlib.suppress(OSError):  # then it is hashed once more than needed
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
