"""The long storm, by command; ends with 1 when anything was wrong.

python3 dev.py run python -m tests.chaos --minutes 10 --write docs/RELIABILITY.md
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.report import page
from tests.chaos.storm import storm


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it, and say or write what it showed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="whatever comes, without it")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here as well")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # no node is left behind then, either
    seed = random.randrange(10_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="potluck-chaos-") as folder:
        story = asyncio.run(storm(Path(folder), seconds=60 * options.minutes, seed=seed))
    text = page(story, load=os.getloadavg()[2 if options.minutes > 7 else 1])
    print(text)
    if options.write is not None:
        options.write.write_text(text)
    return 1 if story.problems else 0


if __name__ == "__main__":
    sys.exit(main())
