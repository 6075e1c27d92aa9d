"""Clients that write all the time, and what an undisturbed computer writes of the same.

A `Writer` goes from conversation to conversation. Each answer has to be that of the whole
model on one computer, token by token: greedy ones, and those with a temperature and a seed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from app.chat.client import Client, ClientOptions
from app.chat.opened_model import Message
from app.errors import NotServed, PeerLost, PotluckError
from app.ids import peer_text
from app.swarm.generate import Answer
from app.swarm.sampling import SamplingOptions
from app.swarm.token_chain import ChainBroken
from tests.helpers.recoveries import Pace
from tests.helpers.tracing import Line, lines_here

READING_SECONDS: Final = 0.03
"""Between two tokens, so that a dozen nodes on few processors have time to breathe."""
MAX_TOKENS: Final = 110
QUESTIONS: Final[Sequence[Sequence[Message] | str]] = (
    [{"role": "user", "content": "What is Potluck?"}],
    "word " * 300,
    [{"role": "user", "content": "What happens when I ask a question?"}],
    "they the asked " * 90,
    [{"role": "user", "content": "Who can read what I write?"}],
    "the helper and the computer " * 60,
)
SEEDS: Final = (None, 11, None, 12)
"""None is greedy; the others are seeds for a temperature of 1."""
QUESTIONS_EACH: Final = 3
"""So many questions of one conversation, over one chain."""

Key = tuple[int, int | None]
"""Which question, and which seed."""


@dataclass
class Written:
    """One answer, when its tokens were asked for and came, in seconds of `time.monotonic`, and
    what its conversation logged."""

    writer: int
    key: Key
    answer: Answer = field(default_factory=Answer)
    pace: Pace = field(default_factory=Pace)
    lines: list[Line] = field(default_factory=list)
    problem: str = ""
    turned_away: bool = False
    """Whether it was told at once, and before the first token of its conversation, that nobody
    is there: a person would ask again."""

    @property
    def helpers(self) -> set[str]:
        """Who writes it now."""
        return {peer_text(part.peer) for part in self.answer.parts if part.peer is not None}


def options(folder: Path, seed: int | None, bootstraps: Sequence[str]) -> ClientOptions:
    """What a writer wants; without bootstraps, on this computer alone."""
    sampling = SamplingOptions() if seed is None else SamplingOptions(temperature=1.0)
    return ClientOptions(
        data_dir=folder,
        bootstraps=bootstraps,
        alone=not bootstraps,
        sampling=sampling,
        seed=seed,
    )


async def undisturbed(folder: Path) -> dict[Key, list[int]]:
    """What the whole model on one computer writes, for every question and seed."""
    wanted = {}
    for seed in dict.fromkeys(SEEDS):
        async with Client(options(folder, seed, ())) as client:
            for number, question in enumerate(QUESTIONS):
                request = await client.request(question, max_tokens=MAX_TOKENS)
                wanted[number, seed] = (await client.answer(request)).tokens
    return wanted


class Writer:
    """Somebody who asks one question after the other until it is over."""

    def __init__(
        self, number: int, folder: Path, bootstraps: Callable[[], Sequence[str]], *, seed: int
    ) -> None:
        self.number = number
        self.written: list[Written] = []
        self.current: Written | None = None
        self._folder = folder
        self._bootstraps = bootstraps
        self._chance = Random(f"{seed} {number}")

    async def write(self, over: asyncio.Event) -> None:
        """Write until `over`; what was begun is finished."""
        conversation = self.number
        lines: list[Line] = []
        lines_here.set(lines)
        while not over.is_set():
            seed = SEEDS[conversation % len(SEEDS)]
            conversation += 1
            try:
                async with Client(options(self._folder, seed, self._bootstraps())) as client:
                    for _ in range(QUESTIONS_EACH):
                        if not await self._answer(client, seed, lines):
                            break
                        if over.is_set():
                            break
            except PotluckError as error:
                self.written.append(Written(self.number, (0, seed), problem=repr(error)))

    async def _answer(self, client: Client, seed: int | None, lines: list[Line]) -> bool:
        """Ask one question; whether it makes sense to ask another one."""
        question = self._chance.randrange(len(QUESTIONS))
        written = self.current = Written(self.number, (question, seed), lines=lines)
        self.written.append(written)
        try:
            request = await client.request(QUESTIONS[question], max_tokens=MAX_TOKENS)
            written.pace.asked.append(time.monotonic())
            async for _ in client.generator.write(request, written.answer):
                written.pace.came.append(time.monotonic())
                await asyncio.sleep(READING_SECONDS)
                written.pace.asked.append(time.monotonic())
        except PotluckError as error:
            written.problem = f"{type(error).__name__}: {error}"
            nobody = isinstance(error, NotServed | PeerLost) and not isinstance(error, ChainBroken)
            written.turned_away = nobody and not written.answer.parts
        finally:
            self.current = None
        return not written.problem
