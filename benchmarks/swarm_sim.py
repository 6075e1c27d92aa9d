"""A swarm of thousands in one process: is what is announced found, whoever comes and goes?

    python3 dev.py run python benchmarks/swarm_sim.py [--nodes 1000 10000] [--seed 1]

The machines are the program's own (`app/net/kademlia.py`), time is virtual, the network
between them a delay (`benchmarks/sim/`). Of the computers 5 % are hostile: they lie about
contacts, return nothing, return garbage or drop everything; 30 % leave within an hour,
without a word, and as many come. Each section prints a table and adds its fields to the
JSON object of the last line. Placement (`benchmarks/sim/placing.py`) is played with 200 uneven
computers, whatever --nodes says, and standing by (`benchmarks/sim/standing.py`) with few of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figures import last_line
from benchmarks.sim import discovery, placing, standing

DEFAULT_NODES: Final = (1000, 10_000)
STANDBY_COMPUTERS: Final = (14, 24)
STANDBY_SWARMS: Final = 24
LONG_SCENE_NODES: Final = 2000
"""Up to here an hour and a half is simulated, so that every table has been through its
upkeep; above, a quarter of an hour, for the sake of whoever waits: upkeep looks too low there."""


def scene_of(nodes: int, seed: int) -> discovery.Scene:
    """What is simulated for so many computers."""
    if nodes <= LONG_SCENE_NODES:
        return discovery.Scene(
            nodes=nodes, seed=seed, warm_seconds=3300.0, measured_seconds=1800.0, lookups=2000
        )
    return discovery.Scene(
        nodes=nodes, seed=seed, warm_seconds=300.0, measured_seconds=300.0, lookups=2000
    )


def discover(nodes: Sequence[int], seed: int) -> dict[str, object]:
    """The section on discovery."""
    results = []
    for count in nodes:
        results.append(discovery.Discovery(scene_of(count, seed)).play())
        print(discovery.table(results[-1:]), flush=True)
    return discovery.fields(results)


def settle(nodes: Sequence[int], seed: int) -> dict[str, object]:
    """The section on placement: two swarms."""
    outcomes = [placing.Placing(placing.Scene(seed=each)).play() for each in (seed, seed + 1)]
    print(placing.table(outcomes), flush=True)
    return placing.fields(outcomes)


def stand_by(nodes: Sequence[int], seed: int) -> dict[str, object]:
    """The section on standing by: small swarms, where one computer more or less counts."""
    seeds = range(seed, seed + STANDBY_SWARMS)
    found = [standing.compare(computers, seeds) for computers in STANDBY_COMPUTERS]
    print(standing.table(found), flush=True)
    return standing.fields(found)


Section = Callable[[Sequence[int], int], dict[str, object]]
SECTIONS: Final[dict[str, Section]] = {
    "discovery": discover,
    "placement": settle,
    "standby": stand_by,
}
"""Each takes how many computers there are and the seed, and gives its fields."""


def main() -> None:
    """Run the sections and print."""
    parser = argparse.ArgumentParser(description="Thousands of computers in one process.")
    parser.add_argument("--nodes", type=int, nargs="+", default=DEFAULT_NODES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(SECTIONS), help="one section instead of all")
    options = parser.parse_args()
    fields: dict[str, object] = {}
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            print(f"{name}:", flush=True)
            fields |= section(options.nodes, options.seed)
    print(last_line(fields))


if __name__ == "__main__":
    main()
