"""What a long storm showed, as a page for people: `docs/RELIABILITY.md`."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

import psutil

from tests.chaos.faults import FAULTS
from tests.chaos.storm import FAULTS_AT_ONCE, SECONDS_BETWEEN_FAULTS, WRITERS, Story
from tests.chaos.swarm import SPANS
from tests.helpers.recoveries import quantiles

LONG_SECONDS = 5.0
"""Who waited so long is told why."""

WORDS = {
    "kill -9 of a node": "killed like in a power cut, started again after 0.3 to 4 s",
    "polite end of a node": "ended like by Ctrl-C, started again after 0.3 to 4 s",
    "node stands still": "SIGSTOP for 0.3 to 6 s, like a computer that sleeps",
    "worker stands still": "its engine alone, SIGSTOP for 0.3 to 6 s, like a hung driver",
    "worker is killed": "its engine alone, kill -9",
    "link is cut": "not a datagram passes for 0.5 to 6 s",
    "link is slow": "50 to 400 ms more each way and up to 20 % lost, for 1 to 6 s",
    "owner pauses": "over the API, resumed after 0.3 to 3 s",
    "disk is full": "not a byte can be written for 1 to 6 s",
}

PAGE = """# Reliability

What becomes of answers while computers fail, measured with real processes. Written by
`python3 dev.py run python -m tests.chaos --minutes 10 --write docs/RELIABILITY.md`; a short form
is among the tests (`tests/chaos/test_chaos.py`), and the same in virtual time, for thousands of
schedules, is `python3 dev.py run python -m tests.chaos.storms`.

{nodes} nodes on one computer share the embedded guide as
{spans}.
{writers} people write all the time, greedy and with a temperature and a seed. Every {between:g} s
in the mean something happens to a node, up to {at_once} at once. Every answer has to be, token by
token, that of the whole model on one computer; afterwards no place may still be held, no process
be left over, and nothing have grown.

- Machine: {machine}; {load:.1f} processes wanted a processor in the mean.
- Seed: {seed}. Time: {minutes:.1f} minutes.
- Answers: {answers}, finished: {finished} ({greedy} greedy), {tokens} tokens. Told at once that
  nobody was there: {turned_away}.
- Faults: {faults}. Repairs that people's computers made: {repairs}.
- Processes: {processes} in all. None grew by more than {grown:.0f} MiB, none had more than {files}
  files open at the end.
{verdict}{problems}

From the moment of the fault to the first token that was asked for after it, for every answer that
was being written over the computer:

{table}

Every wait of {long:g} s or more, and what was waited for:

{waits}
"""


def columns(seconds: Sequence[float]) -> str:
    """Median, 95 of 100, and the longest."""
    found = quantiles(seconds)
    if found is None:
        return "- | - | -"
    return f"{found.median:.2f} s | {found.late:.2f} s | {found.longest:.2f} s"


def machine() -> str:
    """What it ran on."""
    gigabytes = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} processors ({platform.machine()}), {gigabytes:.0f} GiB,"
        f" {platform.system()}, Python {platform.python_version()}"
    )


def table(story: Story) -> list[str]:
    """A line for each kind of fault."""
    lines = [
        "| What happens to a computer | How | Times | Answers under way over it "
        "| To the next token: median | 95 % | longest |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind in FAULTS:
        struck = [fault for fault in story.struck if fault.kind == kind]
        recoveries = [seconds for fault in struck for seconds, _ in fault.recoveries]
        counts = f"{len(struck)} | {len(recoveries)}"
        lines.append(f"| {kind} | {WORDS[kind]} | {counts} | {columns(recoveries)} |")
    every = [seconds for fault in story.struck for seconds, _ in fault.recoveries]
    lines.append(f"| all | | {len(story.struck)} | {len(every)} | {columns(every)} |")
    return lines


def page(story: Story, *, load: float) -> str:
    """The whole page.

    Args:
        load: how many processes wanted a processor meanwhile, in the mean.
    """
    finished = [written for written in story.written if not written.problem]
    waits = story.waits(over_seconds=LONG_SECONDS)
    greedy = sum(written.key[1] is None for written in finished)
    return PAGE.format(
        spans=", ".join(SPANS),
        nodes=len(SPANS),
        writers=WRITERS,
        between=SECONDS_BETWEEN_FAULTS,
        at_once=FAULTS_AT_ONCE,
        machine=machine(),
        load=load,
        seed=story.seed,
        minutes=story.seconds / 60,
        answers=len(story.written),
        finished=len(finished),
        greedy=greedy,
        turned_away=story.turned_away,
        tokens=story.tokens,
        faults=len(story.struck),
        repairs=story.repairs,
        processes=story.processes_seen,
        grown=story.most_grown_bytes / 2**20,
        files=story.most_files,
        verdict="- What was wrong:" if story.problems else "- Nothing was wrong.",
        problems="".join(f"\n  - {problem}" for problem in story.problems),
        table="\n".join(table(story)),
        long=LONG_SECONDS,
        waits="\n".join(f"- {wait}" for wait in waits) or "None.",
    )
