"""The storm: who is hurt, how and when, by a seed; and what has to be true of it afterwards.

    story = await storm(folder, seconds=40, seed=7, least_faults=4)
    assert not story.problems

`tests/chaos/test_chaos.py` runs a short one with the tests, `python -m tests.chaos` a long one
that is written down (`tests/chaos/report.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from subprocess import SubprocessError
from typing import Final

import psutil

from app.tasks import TaskOwner
from tests.chaos.faults import FAULTS, STOP_SECONDS
from tests.chaos.swarm import SPANS, ChaosSwarm, Member
from tests.chaos.writers import Key, Writer, Written, undisturbed
from tests.helpers.processes import all_gone
from tests.helpers.tracing import explained, tracing

WRITERS: Final = 6
SECONDS_BETWEEN_FAULTS: Final = 2.0
"""In the mean."""
FAULTS_AT_ONCE: Final = 3
LONGER_SECONDS: Final = 60.0
"""So much longer goes a storm at most that hurt too few as yet."""
ANSWER_SECONDS: Final = 120.0
"""So long the last answers may take when the storm is over."""
CALM_SECONDS: Final = 60.0
"""At most so long after everybody has gone, every place on every computer is free again."""
MOST_GROWN_BYTES: Final = 48 << 20
"""What a process may take more than when it was new; it takes 60 to 80 MiB then."""
MOST_FILES: Final = 120
"""Open in one process; a node that serves a dozen others has about 40."""
FULL_KV_TOKENS: Final = 8192


@dataclass
class Struck:
    """A fault that struck, and the answers that were being written over that computer."""

    kind: str
    member: int
    moment: float
    answers: list[Written]
    healed: float = float("inf")

    @property
    def recoveries(self) -> list[tuple[float, Written]]:
        """Seconds to the next token, for each of these answers that was not over."""
        found = [(written.pace.next_after(self.moment), written) for written in self.answers]
        return [(came - self.moment, written) for came, written in found if came is not None]


@dataclass
class Story:
    """What happened."""

    seed: int
    seconds: float = 0.0
    struck: list[Struck] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    turned_away: int = 0
    """Conversations that were told at once that nobody serves the model, and began again."""
    most_grown_bytes: int = 0
    most_files: int = 0
    processes_seen: int = 0
    names: dict[str, str] = field(default_factory=dict)
    """How the nodes are called here, by the first letters of their ids."""

    @property
    def tokens(self) -> int:
        """Written in all."""
        return sum(len(written.answer.tokens) for written in self.written)

    @property
    def repairs(self) -> int:
        """Seen by all writers together."""
        return sum(written.answer.repairs for written in self.written)

    def waits(self, *, over_seconds: float) -> list[str]:
        """Each recovery that took so long, in a line that says what was waited for."""
        found = []
        for struck in self.struck:
            for seconds, written in struck.recoveries:
                if seconds >= over_seconds:
                    found.append((seconds, self._wait(struck, seconds, written)))
        return [line for _, line in sorted(found, reverse=True)]

    def _wait(self, struck: Struck, seconds: float, written: Written) -> str:
        ended = struck.moment + seconds
        why = explained(written.lines, struck.moment, ended)
        for peer, name in self.names.items():
            why = why.replace(peer, name)
        meanwhile = [
            f"{other.kind} ({other.member})"
            for other in self.struck
            if other is not struck and other.moment < ended and other.healed > struck.moment
        ]
        others = f"; meanwhile {', '.join(meanwhile)}" if meanwhile else ""
        head = f"{seconds:.1f} s after {struck.kind} ({struck.member})"
        return f"{head}, writer {written.writer}: {why}{others}"


async def storm(
    folder: Path,
    *,
    seconds: float,
    seed: int,
    least_faults: int = 0,
    spans: tuple[str, ...] = SPANS,
    writers: int = WRITERS,
) -> Story:
    """Start a swarm, have it written over and hurt for so long, and look at what is left.

    Args:
        least_faults: as long as it was hurt less often, it goes on for `LONGER_SECONDS`: where
            there is far too much to do, a computer takes long to be whole again.
        spans: what each computer serves.
        writers: how many people write.
    """
    alone = folder / "alone"
    alone.mkdir(mode=0o700)
    wanted = await undisturbed(alone)
    story = Story(seed)
    async with ChaosSwarm(folder, spans=spans) as swarm:
        await swarm.start()
        story.names = {member.peer[:8]: f"node {member.number}" for member in swarm.members}
        people = _people(swarm, folder, writers, seed)
        await _weather(swarm, story, people, seconds, least_faults)
        _check_answers(story, wanted)
        await _check_what_is_left(swarm, story)
        await _end_all(swarm, story)
    return story


def _people(swarm: ChaosSwarm, folder: Path, count: int, seed: int) -> list[Writer]:
    asking = folder / "client"
    asking.mkdir(mode=0o700)
    return [Writer(number, asking, lambda: swarm.bootstraps, seed=seed) for number in range(count)]


async def _weather(
    swarm: ChaosSwarm,
    story: Story,
    writers: Sequence[Writer],
    seconds: float,
    least_faults: int,
) -> None:
    over = asyncio.Event()
    began = time.monotonic()
    async with TaskOwner("chaos") as tasks:
        with tracing():
            writing = [
                tasks.start(writer.write(over), name=f"writer {writer.number}")
                for writer in writers
            ]
            ends_at = began + seconds
            await _strike(swarm, story, writers, tasks, ends_at=ends_at, least_faults=least_faults)
            over.set()
            _, late = await asyncio.wait(writing, timeout=ANSWER_SECONDS)
            story.problems += [f"{task.get_name()} did not end" for task in late]
            story.seconds = time.monotonic() - began
            for task in writing:
                if task.done() and (error := task.exception()) is not None:
                    story.problems.append(f"{task.get_name()}: {error!r}")
    for writer in writers:
        story.written += writer.written


async def _strike(
    swarm: ChaosSwarm,
    story: Story,
    writers: Sequence[Writer],
    tasks: TaskOwner,
    *,
    ends_at: float,
    least_faults: int,
) -> None:
    """Hurt members until the time is over, and wait until all are whole again."""
    chance = Random(story.seed)
    at_once = asyncio.Semaphore(FAULTS_AT_ONCE)
    under_way: set[asyncio.Task[None]] = set()
    while True:
        await asyncio.sleep(chance.expovariate(1 / SECONDS_BETWEEN_FAULTS))
        late_seconds = time.monotonic() - ends_at
        if late_seconds >= (0 if len(story.struck) >= least_faults else LONGER_SECONDS):
            break
        kind = chance.choice(list(FAULTS))
        member = chance.choice(swarm.members)
        if member.busy or not swarm.covered_without(member):
            continue
        await at_once.acquire()
        member.busy = True
        suffering = _suffer(swarm, story, writers, kind, member, Random(chance.random()))
        task = tasks.start(suffering, name=kind)
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        task.add_done_callback(lambda _: at_once.release())
    if under_way:
        await asyncio.wait(set(under_way))


async def _suffer(
    swarm: ChaosSwarm,
    story: Story,
    writers: Sequence[Writer],
    kind: str,
    member: Member,
    chance: Random,
) -> None:
    mine: list[Struck] = []

    def hit() -> None:
        writing = [writer.current for writer in writers if writer.current is not None]
        touched = [written for written in writing if member.peer in written.helpers]
        mine.append(Struck(kind, member.number, time.monotonic(), touched))
        story.struck += mine[-1:]

    try:
        await FAULTS[kind](swarm, member, chance, hit)
    except (OSError, AssertionError, psutil.Error, SubprocessError, ValueError) as error:
        story.problems.append(f"{kind} of node {member.number}: {error!r}")
    finally:
        member.busy = False
        for struck in mine:
            struck.healed = time.monotonic()


def _check_answers(story: Story, wanted: dict[Key, list[int]]) -> None:
    """Every answer that was begun is whole and right; few were not begun."""
    for written in story.written:
        name = f"writer {written.writer}, question and seed {written.key}"
        if written.turned_away:
            story.turned_away += 1
        elif written.problem:
            story.problems.append(f"{name}: {written.problem}")
        elif written.answer.finish not in ("stop", "length"):
            story.problems.append(f"{name}: ended with {written.answer.finish}")
        elif written.answer.tokens != wanted[written.key]:
            story.problems.append(f"{name}: another text than undisturbed")
    # Once it may happen to everybody, when the computer that they share lets nothing run.
    people = len({written.writer for written in story.written})
    if story.turned_away > max(people, len(story.written) // 10):
        story.problems.append(f"{story.turned_away} questions found nobody at all")


async def _check_what_is_left(swarm: ChaosSwarm, story: Story) -> None:
    """No room is held, nothing has grown beyond bounds, and no program stumbled."""
    story.problems += await asyncio.to_thread(_held_at_last, swarm)
    for name, grown in swarm.grown_bytes().items():
        story.most_grown_bytes = max(story.most_grown_bytes, grown)
        if grown > MOST_GROWN_BYTES:
            story.problems.append(f"{name} has grown by {grown >> 20} MiB")
    for member in swarm.members:
        for process in swarm.remember(member):
            with suppress(psutil.NoSuchProcess):  # it has just ended by itself
                files = process.num_fds()
                story.most_files = max(story.most_files, files)
                if files > MOST_FILES:
                    story.problems.append(f"node {member.number} has {files} files open")


def _held_at_last(swarm: ChaosSwarm) -> list[str]:
    """As `_held`, when it is calm or should be."""
    ends_at = time.monotonic() + CALM_SECONDS
    while (held := _held(swarm)) and time.monotonic() < ends_at:
        time.sleep(1.0)
    return held


def _held(swarm: ChaosSwarm) -> list[str]:
    """Who still keeps something for somebody, or does not serve."""
    held = []
    for member in swarm.members:
        status = {} if member.node is None else member.running.status
        told = {name: status.get(name) for name in ("sessions", "tokens_free")}
        if told != {"sessions": 0, "tokens_free": FULL_KV_TOKENS}:
            held.append(f"node {member.number} serving {member.span} is left with {told}")
    return held


async def _end_all(swarm: ChaosSwarm, story: Story) -> None:
    """Everybody ends when asked, and leaves no process behind and no stumble in its log."""
    running = [member for member in swarm.members if member.node is not None]
    for member in running:
        member.running.process.terminate()
    for member in running:
        code = await asyncio.to_thread(member.running.process.wait, STOP_SECONDS)
        if code:
            story.problems.append(f"node {member.number} ended with {code}")
        swarm.died(member)
    story.processes_seen = len(swarm.seen)
    if not await asyncio.to_thread(all_gone, swarm.seen):
        left = [process.pid for process in swarm.seen if process.is_running()]
        story.problems.append(f"processes are left over: {left}")
    for member in swarm.members:
        for errors in member.errors:
            if "Traceback" in errors:
                found = errors[errors.index("Traceback") :][:1500]
                story.problems.append(f"node {member.number} stumbled: {found}")
