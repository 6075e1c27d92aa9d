"""What llama.cpp itself gains from eight rows in one decode on this computer: the cap.

A decode of one row waits for the weights to come from memory; eight rows of eight sequences
come with the same weights, so they cost less than eight decodes. How much less is up to the
processor, and no program around llama.cpp can gain more. `benchmarks/load.py` measures in the
same run what a chain keeps of it. `python benchmarks/real_load.py FILE THREADS` is the child
that computes, at the worker's own low priority, and prints one JSON line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from gguf.constants import GGMLQuantizationType

from app.engine import llama
from app.engine.mounting import BATCH_ROWS
from app.engine.worker import NICENESS
from benchmarks.figures import milliseconds
from benchmarks.models import Shape

SHAPE: Final = Shape(
    blocks=2,
    width=4096,
    feed_forward=11008,
    heads=32,
    kv_heads=8,
    vocabulary=2048,
    kind=GGMLQuantizationType.F16,
)
"""Two blocks of the measures of a model of seven billion weights: 354 MB each, more than ten
times what the largest caches of a home computer hold."""
ROW_COUNTS: Final = (1, 2, 4, 8, 16)
ROUNDS: Final = 12
KNOWN_ROWS: Final = 16
CHILD_SECONDS: Final = 120.0


def row_seconds(file: Path, *, threads: int) -> dict[int, float]:
    """Seconds of one decode of so many sequences' next rows; medians of rounds in turn."""
    options = llama.LoadOptions(
        kv_tokens=4096,
        sequences=max(ROW_COUNTS),
        batch_rows=BATCH_ROWS,
        threads=threads,
        repack=True,
    )
    whole = llama.LoadedSlice(
        [file], width=SHAPE.width, blocks=SHAPE.blocks, has_head=True, options=options
    )
    row = np.full((1, SHAPE.width), 0.01, np.float32)
    for sequence in range(max(ROW_COUNTS)):
        whole.compute([llama.Rows(sequence, 0, np.repeat(row, KNOWN_ROWS, axis=0), 0)])
    found: dict[int, list[float]] = {count: [] for count in ROW_COUNTS}
    for _ in range(ROUNDS):
        for count, times in found.items():
            began = time.perf_counter()
            whole.compute([llama.Rows(n, KNOWN_ROWS, row, 1) for n in range(count)])
            times.append(time.perf_counter() - began)
    whole.close()
    return {count: median(times) for count, times in found.items()}


def engine_fields(seconds: dict[int, float]) -> dict[str, object]:
    """What a report says of it."""
    gains = {
        f"engine_speedup_{count}": round(count * seconds[1] / taken, 2)
        for count, taken in seconds.items()
        if count > 1
    }
    return {
        **gains,
        "engine_rows_ms": {str(count): milliseconds(taken) for count, taken in seconds.items()},
    }


def measure_engine(file: Path, *, threads: int) -> dict[int, float]:
    """As `row_seconds`, in a child process set up like the worker.

    Raises:
        RuntimeError: the child failed; the text is its last words.
    """
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, str(Path(__file__).resolve()), str(file), str(threads)]
    done = subprocess.run(
        command, env=environment, capture_output=True, timeout=CHILD_SECONDS, check=False
    )
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise RuntimeError(f"the engine alone could not be measured: {words.splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {int(count): seconds for count, seconds in found.items()}


def main(arguments: Sequence[str]) -> None:
    """Be the child."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    llama.start_library()
    file, threads = arguments
    print(json.dumps(row_seconds(Path(file), threads=int(threads))))


if __name__ == "__main__":
    main(sys.argv[1:])
