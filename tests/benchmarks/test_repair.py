"""What the benchmark makes of its runs; the runs themselves are real, and long."""

from __future__ import annotations

import itertools

from benchmarks.repair import SPANS, Recovery, report


def test_kills_are_told_by_place_and_together() -> None:
    found = [
        Recovery(0, 1.0, 1, 0.01),
        Recovery(1, 2.0, 1, 0.02),
        Recovery(1, 3.0, 2, 0.03),
    ]
    assert report(found) == {
        "median": 2.0,
        "max": 3.0,
        "kills": 3,
        "by_position": {"0": 1.0, "1": 2.5},
        "token_ms_before": 20.0,
        "repairs": 4,
    }


def test_the_spans_make_a_chain() -> None:
    ends = [tuple(map(int, span.split(":"))) for span in SPANS]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(ends))
    assert ends[0][0] == 0
