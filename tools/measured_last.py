"""The order in which a parallel run of the tests hands them out; pytest-xdist asks here.

A file's tests stay together, so what they share is made once. A test in a folder `measured`
takes a figure that others would spoil: it starts when all others have ended, and runs
alone. The counterpart is `tests/conftest.py`, which puts the measured ones last.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

MEASURED = "measured"
"""The folder of the tests that run alone, and their mark."""


class MeasuredLast(LoadScopeScheduling):
    """Hands out files in the order they were collected; what is measured comes last."""

    together: Sequence[tuple[str, ...]] = ()
    """Groups of files, or of folders that end in "/": each group goes to one worker, for what
    it shares takes long to make."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        if MEASURED in file.split("/"):
            return MEASURED
        return next((group[0] for group in self.together if file.startswith(group)), file)

    def _reschedule(self, node: WorkerController) -> None:
        if next(iter(self.workqueue), "") == MEASURED and not node.shutting_down:
            others = [other for other in self.nodes if other is not node]
            if not all(other.shutting_down for other in others):
                node.shutdown()  # it still runs what it has
                return
            if others:
                return  # until they have ended: `remove_node` asks again
        super()._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker has ended; the one that remains may now measure."""
        crashed: str | None = super().remove_node(node)
        for other in self.nodes:
            self._reschedule(other)
        return crashed
