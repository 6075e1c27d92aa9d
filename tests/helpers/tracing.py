"""Why an answer stood still: what its conversation logged meanwhile, in one line.

Every writer's task carries a list of its own, which its log lines go to; the tasks that it
starts inherit it. The lines are the ordinary ones of `app.swarm` at the level of debugging.
Time is that of the running loop, so it works in virtual time too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

TOLD_SECONDS: Final = 0.4
"""What took less is left out."""

Line = tuple[float, str]
"""When it was logged, in seconds of the loop's time, and what."""

lines_here: ContextVar[list[Line] | None] = ContextVar("lines_here", default=None)
"""Where this task's log lines go. Bounded by the length of one storm."""


class _Collector(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines = lines_here.get()
        if lines is not None:
            lines.append((asyncio.get_running_loop().time(), record.getMessage()))


@contextmanager
def tracing() -> Iterator[None]:
    """Collect while this is entered."""
    source = logging.getLogger("app.swarm")
    collector, level = _Collector(), source.level
    source.addHandler(collector)
    source.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        source.removeHandler(collector)
        source.setLevel(level)


def explained(lines: Sequence[Line], began: float, ended: float) -> str:
    """Where the time went between two moments: what was waited for, and how long."""
    moments = [(at, what) for at, what in lines if began <= at < ended]
    parts, before = [], began
    for at, what in [*moments, (ended, "the token came")]:
        if at - before >= TOLD_SECONDS:
            parts.append(f"{at - before:.1f} s until {what}")
        before = at
    return "; ".join(parts)
