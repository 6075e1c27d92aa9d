"""A node that takes as long as one with a large span would, and leaves the processor alone.

`python -m benchmarks.paced node ...` is `potluck node ...` whose worker computes for real,
the embedded guide for instance, and then sleeps until as much time has gone by as
`decode_seconds` says: what a home computer's memory needs to read a span, which is what
tokens mostly wait for. So many computers fit on one: what is measured is how a swarm
behaves, with all of the program's own work in it, and not how processes crowd each other.
Used by `benchmarks/load.py`.
"""

from __future__ import annotations

import sys
import time
from typing import Final

import msgspec

from app.engine import child, frames, worker

SPAN_SECONDS: Final = 0.05
"""2 GB of weights, read once for each decode at 40 GB/s: a desktop computer's memory."""
ROW_SECONDS: Final = 0.002
"""Each row's own arithmetic beside that."""


def decode_seconds(rows: int) -> float:
    """What a decode of so many rows takes."""
    return SPAN_SECONDS + ROW_SECONDS * rows


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
