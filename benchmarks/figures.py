"""What every benchmark needs: medians, slopes, the machine's name, and the last line.

Pure but for `machine`. The scripts that use it are `benchmarks/hop.py` and
`benchmarks/engine.py`; `benchmarks/README.md` explains what they print.
"""

from __future__ import annotations

import itertools
import json
import platform
from collections.abc import Mapping, Sequence
from statistics import median

from app.engine.hardware import read_processor


def milliseconds(seconds: float) -> float:
    """Rounded to what a clock on a busy computer can tell."""
    return round(1000 * seconds, 3)


def slope(points: Mapping[int, float]) -> float:
    """What each step along the x axis adds: the median slope of all pairs of points.

    Theil and Sen's estimate: one wild point of five does not move it far.

    Raises:
        ValueError: there are fewer than two points.
    """
    if len(points) < 2:
        raise ValueError("a slope needs two points")
    return median(
        (y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points.items(), 2)
    )


def percent_over(measured: float, yardstick: float) -> float:
    """How much more `measured` is than `yardstick`, in percent; negative when it is less."""
    return round(100 * (measured / yardstick - 1), 2)


def middle(rounds: Sequence[float]) -> float:
    """The median of rounds, leaving out the first, which warms things up."""
    return median(rounds[1:] if len(rounds) > 2 else rounds)


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    processor = read_processor()
    return {
        "cpu": processor.name,
        "cores": processor.cores,
        "threads": processor.threads,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def last_line(fields: Mapping[str, object]) -> str:
    """The JSON object a script ends with; the machine comes along."""
    return json.dumps({**fields, "machine": machine()})
