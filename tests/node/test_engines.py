"""All that computes for others, as one; see app/node/engines.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psutil

from app.node.engines import Engines
from app.policy.power import Cards
from app.policy.verdict import Machine


class Span:
    """A span whose engine is what a test says."""

    def __init__(self, *, pid: int | None = None, gpu: bool = False, way: str = "plain") -> None:
        self.engine: Any = SimpleNamespace(
            worker_pid=pid,
            request=SimpleNamespace(gpu=gpu),
            status=SimpleNamespace(configuration=way),
        )
        self.damaged: list[object] = []

    def were_damaged(self, hashes: object) -> None:
        self.damaged.append(hashes)


def engines_of(*spans: Span, cards: int = 0) -> Engines:
    return Engines(lambda: spans, cast(Cards, range(cards)))


def test_the_workers_of_all_spans_count_those_that_run() -> None:
    first, second, third = Span(pid=11), Span(pid=22), Span()
    assert engines_of(first, second, third).worker_pids() == [11, 22]
    second.engine = None
    assert engines_of(first, second).worker_pids() == [11]


def test_a_card_counts_until_the_first_span_shows_that_it_does_not_compute() -> None:
    processors = psutil.cpu_count() or 1
    beside = Span(gpu=False)
    for first, cards, usable in (
        (Span(gpu=True, way="gpu"), 1, True),
        (Span(gpu=True, way="plain"), 1, False),
        (Span(gpu=False), 1, True),
        (Span(gpu=True, way="gpu"), 0, False),
    ):
        assert engines_of(first, beside, cards=cards).machine() == Machine(processors, usable)


def test_damage_is_told_to_all_spans() -> None:
    first, second = Span(), Span()
    engines_of(first, second).were_damaged({b"h"})
    assert first.damaged == second.damaged == [{b"h"}]
