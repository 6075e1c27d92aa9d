"""What slicing costs, how rows share a decode, and how decoding fares on a busy computer.

    python3 dev.py run python benchmarks/engine.py

Eight blocks of 2048 with random weights in Q8_0 stand for a real model. Everything is measured
in child processes like the worker, because OpenMP reads its settings only while
the library loads; `--part` is such a child and prints one JSON line.

- `slice_overhead_percent`: a token through two halves, hidden states in and out,
  the callback on, against the same token through the whole file in plain
  llama.cpp; both are loaded in one process and take turns.
- `rows_ms`: one decode of so many rows through all blocks and the head.
- `contended`: a token through the whole, with a thread on each core, while other
  programs keep every core busy: once with OpenMP's default waiting and once
  passive, as the worker sets it. The worker's low priority is left out, to show
  the waiting alone. A mean: some tokens take a hundred times as long as others,
  and whoever reads along waits for those too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from app.engine import llama
from app.engine.mount import write_slice
from app.engine.mounting import thread_counts
from app.engine.slice_files import make_slice
from app.ids import Span
from benchmarks.figures import last_line, middle, milliseconds, percent_over
from benchmarks.models import PublishedModel, Shape, publish_here, write_random_model

SHAPE: Final = Shape(blocks=8, width=2048, feed_forward=5632, heads=32, kv_heads=4)
"""The first blocks of a model of TinyLlama's measures: about the smallest worth sharing."""
ROW_COUNTS: Final = (1, 2, 4, 8, 16, 32, 64)
PARTS: Final = ("overhead", "rows", "contended")
TURNS: Final = 100
ROUNDS: Final = 6
BUSY_PROGRAMS_PER_CORE: Final = 2
CONTENDED_SECONDS: Final = 6.0
CONTENDED_TOKENS: Final = 200
KV_TOKENS: Final = 512
CHILD_SECONDS: Final = 60.0


def options(threads: int) -> llama.LoadOptions:
    """How everything here is loaded: the way that every computer can."""
    return llama.LoadOptions(
        kv_tokens=KV_TOKENS, sequences=1, batch_rows=max(ROW_COUNTS), threads=threads
    )


def load_slice(
    model: PublishedModel, span: Span, folder: Path, *, threads: int
) -> llama.LoadedSlice:
    """Mount a span as a worker would."""
    place = folder / f"slice-{span.start}-{span.stop}"
    data, opened = model.stock(place, span)
    request = data.mount_request(opened, span, kv_tokens=KV_TOKENS, sequences=1, name="slice")
    piece = make_slice(model.plan, span)
    return llama.LoadedSlice(
        write_slice(piece, request.unit_files, request.shared, request.folder),
        width=model.plan.width,
        blocks=piece.blocks,
        has_head=piece.has_head,
        options=options(threads),
    )


def time_token(whole: llama.WholeModel, position: int) -> float:
    """Seconds for one token through the whole file."""
    started = time.perf_counter()
    whole.compute_tokens(0, position, [position % SHAPE.vocabulary])
    return time.perf_counter() - started


def time_slices(slices: Sequence[llama.LoadedSlice], position: int) -> float:
    """Seconds for one row through all slices, each fed with what the one before gave."""
    hidden = np.full((1, SHAPE.width), 0.01, np.float32)
    started = time.perf_counter()
    for piece in slices:
        (hidden,) = piece.compute([llama.Rows(0, position, hidden, 1)])
    return time.perf_counter() - started


def fastest_threads(whole: llama.WholeModel) -> int:
    """The thread count that a worker would settle on."""
    found = {}
    for threads in thread_counts():
        whole.set_threads(threads)
        found[threads] = median(time_token(whole, position) for position in range(8))
    return min(found, key=lambda threads: found[threads])


def measure_overhead(model: PublishedModel, folder: Path) -> dict[str, object]:
    """A token through two halves against a token through the whole."""
    head = model.plan.head_unit
    middle_unit = 1 + model.plan.block_count // 2
    spans = [Span(1, middle_unit), Span(middle_unit, head + 1)]
    whole = llama.WholeModel(model.file, options=options(1))
    threads = fastest_threads(whole)
    whole.set_threads(threads)
    slices = [load_slice(model, span, folder, threads=threads) for span in spans]
    pairs = [
        (time_token(whole, position), time_slices(slices, position)) for position in range(TURNS)
    ]
    plain, sliced = (middle(times) for times in zip(*pairs, strict=True))
    return {
        "slice_overhead_percent": percent_over(sliced, plain),
        "whole_ms": milliseconds(plain),
        "slices_ms": milliseconds(sliced),
        "slices": len(slices),
        "threads": threads,
    }


def measure_rows(model: PublishedModel, folder: Path) -> dict[str, object]:
    """One decode of 1, 2, 4 ... rows, in turn."""
    threads = max(thread_counts())
    piece = load_slice(model, Span(1, model.plan.head_unit + 1), folder, threads=threads)
    found: dict[int, list[float]] = {count: [] for count in ROW_COUNTS}
    for _ in range(ROUNDS):
        for count, times in found.items():
            hidden = np.full((count, SHAPE.width), 0.01, np.float32)
            started = time.perf_counter()
            piece.compute([llama.Rows(0, 0, hidden, count)])
            times.append(time.perf_counter() - started)
    return {"rows_ms": {str(count): milliseconds(middle(t)) for count, t in found.items()}}


def measure_contended(model: PublishedModel, folder: Path) -> dict[str, object]:
    """Tokens through the whole with a thread on each core, until the time is up."""
    whole = llama.WholeModel(model.file, options=options(max(thread_counts())))
    times: list[float] = []
    ends_at = time.perf_counter() + CONTENDED_SECONDS
    while time.perf_counter() < ends_at and len(times) < CONTENDED_TOKENS:
        times.append(time_token(whole, len(times)))
    return {"token_ms": milliseconds(mean(times))}


def run_part(part: str, file: Path, *, passive: bool) -> dict[str, object]:
    """Measure one part in a child process.

    Raises:
        RuntimeError: the child failed; the text ends with its last words.
    """
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if passive:
        environment["OMP_WAIT_POLICY"] = "passive"
    command = [sys.executable, str(Path(__file__).resolve()), "--part", part, "--gguf", str(file)]
    done = subprocess.run(
        command, env=environment, capture_output=True, timeout=CHILD_SECONDS, check=False
    )
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise RuntimeError(f"{part} could not be measured: {words.splitlines()[-1]}")
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextlib.contextmanager
def busy_cores() -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """Keep every core busy with these programs of ordinary priority, a minute at most."""
    spin = f"import time\nwhile time.monotonic() < {time.monotonic() + CHILD_SECONDS}: pass"
    count = BUSY_PROGRAMS_PER_CORE * (os.cpu_count() or 1)
    programs = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(count)]
    try:
        yield programs
    finally:
        for program in programs:
            program.kill()
        for program in programs:
            program.wait()


def contention(file: Path) -> dict[str, object]:
    """The same decode on a busy computer, waiting one way and the other."""
    found = {}
    with busy_cores():
        for name in ("default", "passive"):
            measured = run_part("contended", file, passive=name == "passive")
            found[name] = float(str(measured["token_ms"]))
    return {**found, "ratio": round(found["default"] / found["passive"], 2)}


def main() -> None:
    """Measure and print; or be the child that measures one part."""
    parser = argparse.ArgumentParser(description="What slicing costs, and what company does.")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--gguf", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="potluck-engine-") as name:
        folder = Path(name)
        if wanted.part is not None:
            llama.start_library()
            measures = (measure_overhead, measure_rows, measure_contended)
            measure = dict(zip(PARTS, measures, strict=True))[wanted.part]
            print(json.dumps(measure(publish_here(wanted.gguf, folder), folder)))
            return
        file = write_random_model(folder / "random-8x2048.gguf", SHAPE)
        fields = run_part("overhead", file, passive=True)
        fields |= run_part("rows", file, passive=True)
        fields["contended"] = contention(file)
    print(last_line({**fields, "model": SHAPE.text}))


if __name__ == "__main__":
    main()
