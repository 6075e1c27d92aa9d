"""A part that waits for the worker, with the future of whoever wants its result.

The counterpart that computes is `app/engine/supervisor.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from app.engine.frames import PartResult
from app.engine.queueing import Ticket


@dataclass(eq=False, kw_only=True)
class Pending(Ticket):
    """A ticket that somebody awaits; who has given up hears nothing any more."""

    future: asyncio.Future[PartResult]

    def fail(self, error: Exception) -> None:
        """There will be no result."""
        if not self.future.done():
            self.future.set_exception(error)


def hand_out(answers: Sequence[tuple[Pending, PartResult]]) -> None:
    """Give each its result."""
    for pending, result in answers:
        if not pending.future.done():
            pending.future.set_result(result)
