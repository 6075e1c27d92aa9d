"""Few computers come and go while some stand by; see benchmarks/sim/standing.py."""

from __future__ import annotations

from benchmarks.sim.placing import GB, Scene
from benchmarks.sim.standing import Compared, compare, fields, table

SHORT = Scene(
    unit_bytes=(GB // 2, *[GB] * 30, GB // 2),
    join_seconds=30.0,
    settle_seconds=3600.0,
    calm_seconds=60.0,
    churn_seconds=3600.0,
    churn_an_hour=1.0,
)


def test_those_who_stand_by_fill_in_for_those_who_go() -> None:
    found = compare(10, range(1, 3), scene=SHORT)
    assert found.broken[1] < found.broken[0]
    assert found.thin[1] < found.thin[0]


def test_the_last_line_tells_the_worst() -> None:
    small = Compared(6, 2, (0.2, 0.1), (0.4, 0.3), (1.0, 1.0))
    large = Compared(9, 2, (0.1, 0.05), (0.3, 0.2), (1.0, 1.0))
    told = fields([small, large])
    assert told == {"standby_not_whole": 0.1, "standby_thin": 0.3, "alone_not_whole": 0.2}
    assert "20.0%    10.0%" in table([small, large])
