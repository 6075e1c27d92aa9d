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

from tests.helpers.stormy_swarm import Outcome, weather

PATIENCE_SECONDS = 10.0
"""Virtual seconds that nobody should wait for a token; who did is named."""
TOLD_EVERY = 200


def trouble_in(outcome: Outcome) -> list[str]:
    """What is not as it should be."""
    unfinished = [answer for answer in outcome.answers if answer.finish != "length"]
    return [*outcome.wrong, *(f"an answer ended with {answer.finish}" for answer in unfinished)]


def run(seeds: Iterable[int]) -> tuple[list[Outcome], list[str]]:
    """Every story, and what went wrong, as lines that name the seed."""
    outcomes: list[Outcome] = []
    wrong = []
    for number, seed in enumerate(seeds, 1):
        try:
            outcome = weather(seed)
        except Exception as error:  # noqa: BLE001 - the edge: a story that ends badly is told
            wrong.append(f"seed {seed}: {type(error).__name__}: {error}")
            continue
        outcomes.append(outcome)
        wrong += [f"seed {seed}: {what}" for what in trouble_in(outcome)]
        if outcome.longest_wait_seconds > PATIENCE_SECONDS:
            print(f"seed {seed}: {outcome.longest_wait_seconds:.1f} s without a token", flush=True)
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
        "virtual_hours": round(sum(outcome.seconds for outcome in outcomes) / 3600, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds and print what became of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storms")
    parser.add_argument("--seeds", default="0:3000", help="first:last, half-open")
    first, last = map(int, parser.parse_args(arguments).seeds.split(":"))
    began = time.monotonic()
    outcomes, wrong = run(range(first, last))
    print("\n".join(wrong))
    if not outcomes:
        return 1
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({**summary(outcomes, wrong), "real_seconds": seconds}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
