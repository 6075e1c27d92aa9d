"""A node whose layers take as long as one is told: a slow computer, and a fast one, in one.

`python -m benchmarks.uneven node ...` is `potluck node ...` whose worker computes for real and
then sleeps until each layer has taken `POTLUCK_LAYER_MS` milliseconds; what it measures of
itself when it loads the layers, and announces, is that speed. So computers of different speeds
fit on one. Used by `benchmarks/routing.py`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from app.engine import child, llama, worker

LAYER_VARIABLE: Final = "POTLUCK_LAYER_MS"
ROW_SHARE: Final = 0.3
"""What a further row of one decode costs, as a part of the first; see `engine.py`."""


def decode_seconds(rows: int, blocks: int, layer_milliseconds: float) -> float:
    """What a decode of so many rows takes."""
    return blocks * layer_milliseconds / 1000 * (1 + ROW_SHARE * (rows - 1))


class UnevenSlice(llama.LoadedSlice):
    """Computes, and takes its time."""

    def __init__(self, *given: Any, blocks: int, **more: Any) -> None:
        super().__init__(*given, blocks=blocks, **more)
        self._blocks = blocks
        self._layer_milliseconds = float(os.environ[LAYER_VARIABLE])

    def compute(self, parts: Sequence[llama.Rows]) -> list[llama.Floats]:
        """As `LoadedSlice.compute`, and not before its time."""
        rows = sum(len(part.hidden) for part in parts)
        ends_at = time.perf_counter()
        ends_at += decode_seconds(rows, self._blocks, self._layer_milliseconds)
        computed = super().compute(parts)
        time.sleep(max(0.0, ends_at - time.perf_counter()))
        return computed


def main() -> int:
    """Be the node, or its worker."""
    if sys.argv[1] == "worker":
        llama.LoadedSlice = UnevenSlice  # type: ignore[misc]
        worker.main()
        return 0
    child.worker_command = lambda: [sys.executable, "-m", "benchmarks.uneven", "worker"]
    from app.__main__ import main as node

    return node()


if __name__ == "__main__":
    sys.exit(main())
