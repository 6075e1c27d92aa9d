"""Makes a manifest from a GGUF file on this computer.

The file is read once from end to end for the hashes; nothing of it is kept. The
counterpart that reads manifests is `app/engine/manifest.py`. Everything here
blocks for as long as the disk needs: an event loop calls it in a thread.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from app.engine.gguf_read import MAX_HEADER_BYTES, Header, NeedMore, parse_header
from app.engine.manifest import (
    Manifest,
    UnitEntry,
    check_consistency,
    check_url,
    padding,
    write_manifest,
)
from app.engine.slicing import Plan, UnitPlan, plan
from app.errors import BadInput, UnsupportedModel, UsageError

READ_BYTES: Final = 1 << 20
MAX_TEXT_CHARACTERS: Final = 200

Prove = Callable[[Path, Plan], None]
"""Shows that the model really can be cut; raises `UnsupportedModel` if it cannot."""


def publish(
    path: Path,
    urls: Sequence[str],
    *,
    key: bytes,
    name: str | None = None,
    licence: str | None = None,
    prove: Prove | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> bytes:
    """The signed manifest of a GGUF file, as the bytes of a JSON file.

    Args:
        path: the whole model in one file.
        urls: where others will find exactly this file; http, https or `resource:`.
        key: the publisher's private key, 32 bytes.
        name: what people type; made from the file's name if absent.
        licence: made from the file's metadata if absent.
        prove: called before anything is hashed.
        progress: called with bytes hashed and bytes in all.

    Raises:
        UsageError: the file cannot be read, or the name cannot be used.
        BadInput: the file is cut off or contradicts itself, or an address is none.
        UnsupportedModel: the model cannot be cut into units, and why.
    """
    for url in urls:
        check_url(url)
    try:
        with path.open("rb") as file:
            cut = plan(read_header(file))
            if prove is not None:
                prove(path, cut)
            manifest = _describe(path, file, cut, list(urls), name, licence, progress)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    except BadInput as error:
        raise BadInput(f"{path.name} cannot be published: {error}") from None
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{path.name} cannot be published: {error.reason}") from None
    check_consistency(manifest)
    return write_manifest(manifest, key)


def read_header(file: BinaryIO) -> Header:
    """The header of a GGUF file, read in growing pieces.

    Raises:
        BadInput: it is no GGUF file, or ends within its own header.
    """
    file_bytes = file.seek(0, 2)
    wanted = min(READ_BYTES, file_bytes)
    while True:
        file.seek(0)
        data = file.read(wanted)
        try:
            return parse_header(data, file_bytes)
        except NeedMore as more:
            wanted = min(max(more.at_least, 2 * wanted), file_bytes, MAX_HEADER_BYTES)
        if wanted <= len(data):
            raise BadInput("the file ends within its own header")


def _describe(
    path: Path,
    file: BinaryIO,
    cut: Plan,
    urls: list[str],
    name: str | None,
    licence: str | None,
    progress: Callable[[int, int], None] | None,
) -> Manifest:
    header = cut.header
    total = sum(unit.payload_bytes for unit in cut.units)
    done = 0
    entries = []
    for unit in cut.units:
        entries.append(_entry(file, unit, cut.alignment))
        done += unit.payload_bytes
        if progress is not None:
            progress(done, total)
    shared = {
        tensor.name: _read_exactly(file, header.data_offset + tensor.offset, tensor.size)
        for tensor in cut.shared
    }
    return Manifest(
        name=_slug(path.stem) if name is None else name,
        title=_shown(header.text("general.name", "") or path.stem),
        architecture=cut.architecture,
        family=_shown(header.text("general.basename", "") or cut.architecture),
        licence=_shown(licence or header.text("general.license", "") or "unknown"),
        block_count=cut.block_count,
        width=cut.width,
        vocabulary_size=cut.vocabulary_size,
        context_length=cut.context_length,
        file_bytes=header.file_bytes,
        alignment=cut.alignment,
        header=header.blob,
        shared=shared,
        units=entries,
        urls=urls,
    )


def _entry(file: BinaryIO, unit: UnitPlan, alignment: int) -> UnitEntry:
    hasher = hashlib.sha256()
    for part in unit.ranges:
        at, left = part.offset, part.length
        while left:
            data = _read_exactly(file, at, min(left, READ_BYTES))
            hasher.update(data)
            at += len(data)
            left -= len(data)
        hasher.update(bytes(padding(part.length, alignment)))
    return UnitEntry(hasher.digest(), unit.payload_bytes, list(unit.ranges))


def _read_exactly(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise BadInput("the file became shorter while it was read")
    return data


def _slug(text: str) -> str:
    """A name made of what names may hold: `Qwen3 8B-Q4_K_M` becomes `qwen3-8b-q4_k_m`."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:80]
    if not slug:
        raise UsageError(f"No name can be made of {text[:80]!a}; choose one yourself.")
    return slug


def _shown(text: str) -> str:
    """Metadata as it may stand in a manifest: printable and not too long."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:MAX_TEXT_CHARACTERS]
