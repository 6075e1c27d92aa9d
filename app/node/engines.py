"""All that computes for others on this computer, seen as one: the first span and what is beside.

Counterparts: `app/node/sharing.py` and `app/node/beside.py`, which run a worker each, and the
governor's parts (`app/policy/pacing.py`, `app/policy/verdict.py`), whose caps hold for both
together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Protocol

import psutil

from app.engine.supervisor import Engine
from app.policy.power import Cards
from app.policy.verdict import Machine


class Served(Protocol):
    """A span that is served, or could be."""

    @property
    def engine(self) -> Engine | None:
        """What computes it; None while nothing does."""
        ...

    def were_damaged(self, hashes: Set[bytes]) -> None:
        """Stored units with these hashes were damaged."""
        ...


class Engines:
    """What there is to compute with, and what does.

    Args:
        spans: all of them, the first one first; asked each time.
        cards: this computer's graphics cards.
    """

    def __init__(self, spans: Callable[[], Sequence[Served]], cards: Cards) -> None:
        self._spans = spans
        self._cards = cards

    def worker_pids(self) -> list[int]:
        """The processes whose processor time is capped."""
        engines = [span.engine for span in self._spans()]
        pids = [engine.worker_pid for engine in engines if engine is not None]
        return [pid for pid in pids if pid is not None]

    def machine(self) -> Machine:
        """A graphics card counts as long as nothing shows that it does not compute."""
        engine = self._spans()[0].engine
        tried = engine is not None and engine.request.gpu
        unused = engine is not None and tried and engine.status.configuration != "gpu"
        usable = len(self._cards) > 0 and not unused
        return Machine(processors=psutil.cpu_count() or 1, gpu_usable=usable)

    def were_damaged(self, hashes: Set[bytes]) -> None:
        """What was loaded from these stored units is loaded anew."""
        for span in self._spans():
            span.were_damaged(hashes)
