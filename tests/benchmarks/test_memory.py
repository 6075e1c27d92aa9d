"""What the memory benchmark makes of its looks; the run itself is real, and long."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from app.engine.footprint import WORKER_BYTES
from app.ids import Span
from benchmarks.memory import Host, report
from benchmarks.models import PublishedModel
from tests.helpers.running_node import GUIDE
from tests.helpers.slices import plan_of


class Process:
    """A process whose memory is what it was told."""

    def __init__(self, *looks: int) -> None:
        self._looks = list(looks)

    def memory_info(self) -> Any:
        return SimpleNamespace(rss=self._looks.pop(0))


def host(span: Span, *, worker: list[int], node: list[int]) -> Host:
    began, *later = node
    made = Host(span, cast(Any, Process(*later)), cast(Any, Process(*worker)), began)
    for _ in worker:
        made.look()
    return made


def test_the_most_of_both_processes_is_compared_with_what_was_counted() -> None:
    cut = plan_of(GUIDE)
    published = PublishedModel(Path("model"), cut, Path("manifest"))
    first = host(Span(0, 3), worker=[60_000_000, 50_000_000], node=[9, 10_000_009, 20_000_009])
    last = host(Span(3, cut.head_unit + 1), worker=[WORKER_BYTES], node=[5, 4])
    found = report(published, [first, last], tokens=1024)
    rows = cast(Any, found["hosts"])
    assert [row["worker"] for row in rows] == [60.0, 100.7]
    assert [row["node"] for row in rows] == [20.0, 0.0]
    assert [row["handed_on"] for row in rows] == [round(1024 * cut.width * 4 / 1e6, 1), 0.0]
    assert 0.7 < cast(float, found["taken_over_counted"]) < 0.8
    assert 0.8 < cast(float, found["last_taken_over_counted"]) < 1
