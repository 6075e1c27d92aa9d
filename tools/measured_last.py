"""The order in which a parallel run of the tests hands them out; pytest-xdist asks here.

A file's tests stay together, so what they share is made once. A test marked `measured`
takes a figure that others would spoil: it starts when all others have ended, and runs
alone. The counterpart is `tests/conftest.py`, which puts the measured ones last.
"""

from __future__ import annotations

from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

MEASURED = "measured"
"""The group of the tests that run alone; `LoadGroupScheduling` reads it behind a test's name."""


class MeasuredLast(LoadGroupScheduling):
    """Hands out files and groups in the order they were collected; what is measured comes last."""

    def _split_scope(self, nodeid: str) -> str:
        group = super()._split_scope(nodeid)
        return nodeid.split("::", 1)[0] if group == nodeid else str(group)

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
