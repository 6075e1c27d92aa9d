"""Storms in virtual time by the thousand: which seeds go wrong, and how long people waited.

    python3 dev.py run python -m tests.chaos.storms --seeds 0:3000

One story is `tests/helpers/stormy_swarm.py`; what the tests run of it is in
`tests/swarm/test_storms.py`. Ends with 1 when an answer was wrong or unfinished.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from statistics import median

from tests.helpers.recoveries import quantiles
from tests.helpers.stormy_swarm import Outcome, weather
from tests.helpers.tracing import tracing

TOLD_EVERY = 200


def trouble_in(outcome: Outcome) -> list[str]:
    """What is not as it should be."""
    unfinished = [answer for answer in outcome.answers if answer.finish != "length"]
    return [*outcome.wrong, *(f"an answer ended with {answer.finish}" for answer in unfinished)]


def run(
    seeds: Iterable[int], *, long_seconds: float, spares: bool
) -> tuple[list[Outcome], list[str]]:
    """Every story, and what went wrong, as lines that name the seed; prints who waited long
    after something happened, and for what."""
    outcomes: list[Outcome] = []
    wrong = []
    for number, seed in enumerate(seeds, 1):
        try:
            outcome = weather(seed, spares=spares)
        except Exception as error:  # noqa: BLE001 - the edge: a story that ends badly is told
            wrong.append(f"seed {seed}: {type(error).__name__}: {error}")
            continue
        outcomes.append(outcome)
        wrong += [f"seed {seed}: {what}" for what in trouble_in(outcome)]
        for one in outcome.recoveries:
            if one.seconds >= long_seconds:
                print(f"seed {seed}: {one.seconds:.1f} s after {one.kind}: {one.why}", flush=True)
        if number % TOLD_EVERY == 0:
            print(f"{number} storms, {len(wrong)} went wrong", file=sys.stderr, flush=True)
    return outcomes, wrong


def summary(outcomes: Sequence[Outcome], wrong: Sequence[str]) -> dict[str, object]:
    """The counts, and the longest wait of each story."""
    waits = sorted(outcome.longest_wait_seconds for outcome in outcomes)
    return {
        "storms": len(outcomes),
        "troubles": sum(outcome.troubles for outcome in outcomes),
        "answers": sum(len(outcome.answers) for outcome in outcomes),
        "repairs": sum(outcome.repairs for outcome in outcomes),
        "wrong": len(wrong),
        "longest_wait_median_seconds": round(median(waits), 2),
        "longest_wait_p95_seconds": round(waits[int(0.95 * (len(waits) - 1))], 2),
        "longest_wait_max_seconds": round(waits[-1], 2),
        "recovery_seconds": recoveries(outcomes),
        "virtual_hours": round(sum(outcome.seconds for outcome in outcomes) / 3600, 1),
    }


def recoveries(outcomes: Sequence[Outcome]) -> dict[str, list[float]]:
    """For each kind of trouble and for all: how often, median, 95 of 100, longest, in seconds."""
    every = [(one.kind, one.seconds) for outcome in outcomes for one in outcome.recoveries]
    told = {}
    for kind in [*sorted({kind for kind, _ in every}), "all"]:
        seconds = [seconds for other, seconds in every if kind in (other, "all")]
        if found := quantiles(seconds):
            figures = (len(seconds), found.median, found.late, found.longest)
            told[kind] = [round(figure, 2) for figure in figures]
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds and print what became of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storms")
    parser.add_argument("--seeds", default="0:3000", help="first:last, half-open")
    parser.add_argument(
        "--long", type=float, default=10.0, help="who waited so many seconds is told of"
    )
    parser.add_argument(
        "--spares",
        action="store_true",
        help="there is always a chain of computers to which nothing happens",
    )
    options = parser.parse_args(arguments)
    first, last = map(int, options.seeds.split(":"))
    began = time.monotonic()
    with tracing():
        outcomes, wrong = run(range(first, last), long_seconds=options.long, spares=options.spares)
    print("\n".join(wrong))
    if not outcomes:
        return 1
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({**summary(outcomes, wrong), "real_seconds": seconds}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
