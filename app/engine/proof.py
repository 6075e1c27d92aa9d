"""Proves that a model can be cut, before anybody is told that it can.

A graph may scale whatever enters it, count layers from the start, or name no
layer output; no table knows them all. So the whole model is run once, every
layer's output is kept, and slices are shown to give the very same bits: the
embedding, each of the first blocks by itself, and the last block with the head.
Llama.cpp runs in a process of its own here too: `prove` starts it, `main` is it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from app.engine import llama
from app.engine.frames import EmbeddingTable
from app.engine.mount import write_slice
from app.engine.publish import read_header
from app.engine.slice_files import HEADER_ROOM_BYTES, make_slice
from app.engine.slicing import Plan, plan
from app.engine.worker import Embedding
from app.errors import EngineFault, PotluckError, UnsupportedModel
from app.ids import Span
from app.layer_words import layers_of

TOKENS: Final = 7
SINGLE_BLOCKS: Final = 8
"""No published model repeats its layers in a longer period."""
PROOF_SECONDS: Final = 1800
_OPTIONS: Final = llama.LoadOptions(kv_tokens=256, sequences=1, batch_rows=32, threads=2)


def prove(path: Path, cut: Plan) -> None:
    """Show that slices of the file compute what the whole does, to the bit.

    Takes about as long as loading the model twice, and room for a few blocks in
    the folder for temporary files.

    Raises:
        UnsupportedModel: they do not, or llama.cpp cannot run the model.
    """
    command = [sys.executable, "-m", "app.engine.proof", str(path)]
    if getattr(sys, "frozen", False):
        command = [sys.executable, "proof", str(path)]
    done = subprocess.run(command, capture_output=True, timeout=PROOF_SECONDS, check=False)
    if done.returncode == 0:
        return
    lines = done.stdout.decode(errors="replace").splitlines()
    try:
        reason = str(json.loads(lines[-1])["refused"])
    except (IndexError, ValueError, KeyError, TypeError):
        reason = f"llama.cpp could not run it (exit code {done.returncode})"
    raise UnsupportedModel(reason)


def compare(path: Path, cut: Plan, folder: Path) -> None:
    """The comparison itself; only inside a process that may die.

    Raises:
        UnsupportedModel: a slice computes something else than the whole.
        EngineFault: llama.cpp cannot load the model or a slice.
    """
    tokens = [int(t) for t in np.linspace(3, cut.vocabulary_size - 1, TOKENS)]
    whole = llama.WholeModel(path, options=_OPTIONS, watch_layers=True)
    try:
        layers, logits = whole.layer_outputs(tokens)
    finally:
        whole.close()
    if len(layers) != cut.block_count:
        raise UnsupportedModel(
            f"its graph names {len(layers)} layer outputs for {cut.block_count} blocks"
        )
    inputs = [_embedded(path, cut, tokens, folder), *layers]
    last = cut.block_count
    singles = [Span(unit, unit + 1) for unit in range(1, min(SINGLE_BLOCKS, last - 1) + 1)]
    for span in [*singles, Span(last, last + 2)]:
        found = _run(path, cut, span, inputs[span.start - 1], folder)
        wanted = logits if span.stop == last + 2 else layers[span.start - 1]
        if not np.array_equal(found, wanted):
            worst = float(np.abs(found - wanted).max())
            raise UnsupportedModel(
                f"alone, {layers_of(span, last + 1)} would compute something else than in the whole"
                f" (off by {worst:.3g}), so it cannot be shared by layers"
            )


def _embedded(path: Path, cut: Plan, tokens: list[int], folder: Path) -> llama.Floats:
    (table,) = cut.units[0].tensors
    file = _stored(path, cut, 0, folder)
    embedding = Embedding(
        EmbeddingTable(
            path=str(file),
            offset=HEADER_ROOM_BYTES,
            rows=table.dimensions[1],
            width=table.dimensions[0],
            kind=int(table.type),
            scale=cut.embedding_scale,
        )
    )
    return embedding.rows(tokens)


def _run(path: Path, cut: Plan, span: Span, hidden: llama.Floats, folder: Path) -> llama.Floats:
    piece = make_slice(cut, span)
    files = {unit: _stored(path, cut, unit, folder) for unit in piece.units}
    shared = {t.name: _bytes(path, cut.header.data_offset + t.offset, t.size) for t in cut.shared}
    mounted = llama.LoadedSlice(
        write_slice(piece, files, shared, folder),
        width=cut.width,
        blocks=piece.blocks,
        has_head=piece.has_head,
        options=_OPTIONS,
    )
    try:
        (table,) = mounted.compute([llama.Rows(0, 0, hidden, len(hidden))])
    finally:
        mounted.close()
        for file in files.values():
            file.unlink()
    return table


def _stored(path: Path, cut: Plan, unit: int, folder: Path) -> Path:
    """A unit's file as the store keeps it."""
    target = folder / f"{unit}.gguf"
    with target.open("wb") as file:
        file.write(b"\0" * HEADER_ROOM_BYTES)
        for part in cut.units[unit].ranges:
            file.write(_bytes(path, part.offset, part.length))
            file.write(b"\0" * (-part.length % cut.alignment))
    return target


def _bytes(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _plan_of(path: Path) -> Plan:
    with path.open("rb") as file:
        return plan(read_header(file))


def main(arguments: list[str]) -> int:
    """The process that compares: prints one JSON line; exit code 0 means proven."""
    path = Path(arguments[0])
    llama.start_library()
    try:
        with tempfile.TemporaryDirectory(prefix="potluck-proof-") as folder:
            compare(path, _plan_of(path), Path(folder))
    except (PotluckError, EngineFault, OSError) as error:
        print(json.dumps({"refused": str(error)}))
        return 1
    print(json.dumps({"proven": True}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
