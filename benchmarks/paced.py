"""A node that computes as slowly as one with a large span would, and leaves the processor alone.

`python -m benchmarks.paced node ...` is `potluck node ...` whose worker computes for real,
the embedded guide for instance, and then sleeps until as much time has gone by as
`ROW_MILLISECONDS` says. So many computers fit on one: what is measured is how a swarm
behaves, with all of the program's own work in it, and not how processes crowd each other.
Used by `benchmarks/load.py`.
"""

from __future__ import annotations

import sys
import time
from typing import Final

import msgspec
import numpy as np

from app.engine import child, frames, worker

ROW_MILLISECONDS: Final = {1: 16.7, 2: 28.8, 4: 38, 8: 55, 16: 92, 32: 171, 64: 323, 128: 640}
"""A decode of so many rows through 8 blocks of 2048 in Q8_0 on two cores, as `engine.py` had it."""


def decode_seconds(rows: int) -> float:
    """What a decode of so many rows takes; straight lines between what was measured."""
    return float(np.interp(rows, list(ROW_MILLISECONDS), list(ROW_MILLISECONDS.values()))) / 1000


class PacedWorker(worker.Worker):
    """Computes, and takes its time."""

    def _compute(self, request: frames.Compute) -> frames.Computed:
        ends_at = time.perf_counter() + decode_seconds(sum(part.rows for part in request.parts))
        computed = super()._compute(request)
        left = ends_at - time.perf_counter()
        time.sleep(max(0.0, left))
        return msgspec.structs.replace(computed, seconds=computed.seconds + max(0.0, left))


def main() -> int:
    """Be the node, or its worker."""
    if sys.argv[1] == "worker":
        worker.Worker = PacedWorker  # type: ignore[misc]
        worker.main()
        return 0
    child.worker_command = lambda: [sys.executable, "-m", "benchmarks.paced", "worker"]
    from app.__main__ import main as node

    return node()


if __name__ == "__main__":
    sys.exit(main())
