"""A worker with a defect, for tests of whoever supervises it.

`python -m tests.helpers.fragile_worker DEFECT`: the real worker, except that

    repack   a repacked slice crashes while it is loaded, as on a processor with AMX
    load     every slice crashes while it is loaded
    use      a repacked slice crashes when it computes sequence 3
    refuse   a repacked slice is refused with a reason
    hang     computing sequence 3 never ends
    start    it crashes before it has said anything
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from app.engine import llama, worker
from app.errors import EngineFault

POISON = 3


def crash() -> None:
    """End as a defective driver ends a process."""
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


class FragileSlice(llama.LoadedSlice):
    """A slice with the defect named on the command line."""

    defect = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        repack = options["options"].repack
        if self.defect == "load" or (self.defect == "repack" and repack):
            crash()
        if self.defect == "refuse" and repack:
            raise EngineFault("this driver is too old")
        super().__init__(*args, **options)

    def compute(self, batch: Sequence[llama.Rows]) -> list[llama.Floats]:
        """Compute, unless the defect shows."""
        if any(rows.sequence == POISON for rows in batch):
            if self.defect == "use" and self.options.repack:
                crash()
            if self.defect == "hang":
                time.sleep(600)
        return super().compute(batch)


def main() -> None:
    """Be a worker with a defect."""
    FragileSlice.defect = sys.argv[1]
    if FragileSlice.defect == "start":
        crash()
    llama.LoadedSlice = FragileSlice  # type: ignore[misc]
    worker.main()


if __name__ == "__main__":
    main()
