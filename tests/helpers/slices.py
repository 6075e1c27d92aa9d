"""Cuts a GGUF file into slices without a store or a network, for tests of the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from gguf.quants import dequantize

from app.engine.gguf_read import NeedMore, parse_header
from app.engine.llama import Floats, LoadedSlice, LoadOptions
from app.engine.mount import write_slice
from app.engine.mounting import MountRequest
from app.engine.slice_files import HEADER_ROOM_BYTES, Identity, make_slice
from app.engine.slicing import Plan, plan
from app.ids import Span

OPTIONS = LoadOptions(kv_tokens=256, sequences=4, batch_rows=64, threads=1)


def plan_of(file: Path) -> Plan:
    """Read a file's header the way a download does, growing until it is whole."""
    data, length = file.read_bytes(), 4096
    while True:
        try:
            return plan(parse_header(data[:length], len(data)))
        except NeedMore as need:
            length = max(length * 2, need.at_least)


def payload(file: Path, cut: Plan, unit: int) -> bytes:
    """The bytes of one unit as they are stored and hashed."""
    data, parts = file.read_bytes(), []
    for part in cut.units[unit].ranges:
        piece = data[part.offset : part.offset + part.length]
        parts.append(piece + b"\0" * (-len(piece) % cut.alignment))
    return b"".join(parts)


def open_slice(
    file: Path,
    cut: Plan,
    span: Span,
    folder: Path,
    *,
    options: LoadOptions = OPTIONS,
    identity: Identity = "small",
) -> LoadedSlice:
    """Store, mount and load the blocks and head of `span`."""
    piece = make_slice(cut, span, identity=identity)
    folder = folder / f"{span.start}-{span.stop}-{identity}"
    folder.mkdir(parents=True, exist_ok=True)
    unit_files = {}
    for unit in piece.units:
        path = folder / f"{unit}.gguf"
        path.write_bytes(b"\0" * HEADER_ROOM_BYTES + payload(file, cut, unit))
        unit_files[unit] = path
    data = file.read_bytes()
    shared = {
        tensor.name: data[cut.header.data_offset + tensor.offset :][: tensor.size]
        for tensor in cut.shared
    }
    return LoadedSlice(
        write_slice(piece, unit_files, shared, folder),
        width=cut.width,
        blocks=piece.blocks,
        has_head=piece.has_head,
        options=replace(options, shared_room=not cut.slides),
    )


def embed(file: Path, cut: Plan, tokens: list[int]) -> Floats:
    """Hidden states [tokens, width] before the first block."""
    table = cut.units[0].tensors[0]
    raw = np.frombuffer(payload(file, cut, 0), np.uint8).reshape(cut.vocabulary_size, -1)
    rows = dequantize(raw[np.array(tokens)], table.type)
    return (rows * np.float32(cut.embedding_scale)).astype(np.float32)


def mount_request(
    file: Path, span: Span | None, folder: Path, *, kv_tokens: int = 256, sequences: int = 4
) -> MountRequest:
    """The units of a span, stored and ready to be mounted."""
    cut = plan_of(file)
    span = span or cut.whole
    unit_files = {}
    for unit in range(span.start, span.stop):
        unit_files[unit] = folder / f"{unit}.gguf"
        unit_files[unit].write_bytes(b"\0" * HEADER_ROOM_BYTES + payload(file, cut, unit))
    data = file.read_bytes()
    return MountRequest(
        plan=cut,
        span=span,
        unit_files=unit_files,
        shared={
            tensor.name: data[cut.header.data_offset + tensor.offset :][: tensor.size]
            for tensor in cut.shared
        },
        folder=folder / "mount",
        kv_tokens=kv_tokens,
        sequences=sequences,
        threads=1,
    )
