"""Writes an answer, token by token, over whatever chain there is.

It keeps the chain between answers of one conversation, sends only what the chain
does not know yet, and starts over on another chain when a computer fails: the
text goes on where it was, because a chain is a function of its tokens.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal, Protocol

from app.clock import Clock
from app.ids import PeerId
from app.swarm.chain import ChainBroken, ChainPart, TokenChain
from app.swarm.sampling import SamplingOptions, choose
from app.swarm.text import TextStream

MOST_REPAIRS: Final = 5
"""Chains that break more often in one answer break for a reason that a new one shares."""

MOST_CHAINS: Final = 24
"""Whatever else happens, an answer ends at last."""

FinishReason = Literal["stop", "length", "deadline"]
ChainOpener = Callable[[Collection[PeerId], int], Awaitable[TokenChain]]
"""Opens a chain without these computers, with room for so many tokens.

Raises NotServed, ChainBroken or Refusal.
"""


class TokenTexts(Protocol):
    """What the generator asks of a vocabulary."""

    def piece(self, token: int) -> bytes:
        """The bytes a token adds to a text."""
        ...

    def ends_text(self, token: int) -> bool:
        """Whether an answer is over with this token."""
        ...


@dataclass(frozen=True)
class AnswerRequest:
    """What to write: after `prompt`, at most `max_tokens`.

    `seed` makes chance repeatable; `deadline_seconds` counts from the start.
    """

    prompt: tuple[int, ...]
    options: SamplingOptions
    max_tokens: int
    stops: tuple[str, ...] = ()
    seed: int | None = None
    deadline_seconds: float | None = None


@dataclass
class Answer:
    """What was written so far, by whom, and how fast."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    finish: FinishReason | None = None
    parts: list[ChainPart] = field(default_factory=list)
    work: dict[ChainPart, int] = field(default_factory=dict)
    """How many positions each part has computed for this answer, the question included."""
    repairs: int = 0
    first_token_seconds: float = 0.0
    tokens_per_second: float = 0.0


class Generator:
    """Answers of one conversation, one at a time."""

    def __init__(self, open_chain: ChainOpener, words: TokenTexts, *, clock: Clock) -> None:
        self._open_chain = open_chain
        self._words = words
        self._clock = clock
        self._chain: TokenChain | None = None
        self._known: list[int] = []
        self._avoid: set[PeerId] = set()
        self._began_again_at: int | None = None
        self._futile = 0

    @property
    def connected(self) -> bool:
        """Whether a chain is kept for the next answer."""
        return self._chain is not None

    @property
    def known(self) -> Sequence[int]:
        """The tokens that the chain kept knows already."""
        return self._known

    async def write(self, request: AnswerRequest, answer: Answer) -> AsyncGenerator[str, None]:
        """Write into `answer` and yield each piece of text as it can be shown.

        Closing the iterator cancels; the chain is kept for the next answer.

        Raises:
            NotServed: no chain is left.
            ChainBroken: chains broke more than `MOST_REPAIRS` times.
        """
        started = self._clock.monotonic()
        self._began_again_at = None
        self._futile = 0
        stream = TextStream(request.stops)
        chance = random.Random(request.seed)
        first_at = started
        ends_at = started + (inf if request.deadline_seconds is None else request.deadline_seconds)
        while answer.finish is None:
            if len(answer.tokens) >= request.max_tokens:
                answer.finish = "length"
                break
            try:
                async with asyncio.timeout(ends_at - self._clock.monotonic()):
                    token = await self._next(request, answer, chance)
            except TimeoutError:
                answer.finish = "deadline"
                break
            now = self._clock.monotonic()
            if not answer.tokens:
                first_at, answer.first_token_seconds = now, now - started
            if self._words.ends_text(token):
                answer.finish = "stop"
                break
            answer.tokens.append(token)
            if now > first_at:
                answer.tokens_per_second = (len(answer.tokens) - 1) / (now - first_at)
            if piece := stream.feed(self._words.piece(token)):
                answer.text += piece
                yield piece
            if stream.stopped:
                answer.finish = "stop"
            elif now >= ends_at:
                answer.finish = "deadline"
        if rest := stream.finish():
            answer.text += rest
            yield rest

    async def close(self) -> None:
        """Give the chain back."""
        if self._chain is not None:
            chain, self._chain, self._known = self._chain, None, []
            await chain.close()

    async def _next(self, request: AnswerRequest, answer: Answer, chance: random.Random) -> int:
        tokens = [*request.prompt, *answer.tokens]
        while True:
            try:
                chain = await self._connected(request, answer)
                position = _common_length(self._known, tokens)
                # Should the step be cancelled, what came after `position` may be gone already.
                self._known = tokens[:position]
                candidates = await chain.step(position, tokens[position:])
            except ChainBroken as broken:
                await self._recover(broken, answer)
                continue
            self._known = tokens
            for part in chain.parts:
                answer.work[part] = answer.work.get(part, 0) + len(tokens) - position
            return choose(
                candidates.ids[0],
                candidates.logits[0],
                request.options,
                earlier=tokens,
                draw=chance.random(),
            )

    async def _connected(self, request: AnswerRequest, answer: Answer) -> TokenChain:
        needed = len(request.prompt) + request.max_tokens
        if self._chain is not None and self._chain.tokens < needed:
            await self.close()
        if self._chain is None:
            self._chain = await self._open_chain(self._avoid, needed)
            self._known = []
        answer.parts = self._chain.parts
        return self._chain

    async def _recover(self, broken: ChainBroken, answer: Answer) -> None:
        """Forget what is lost; the next step replays everything, here or elsewhere."""
        answer.repairs += 1
        # Somebody new to avoid is progress: a few liars must not use up every attempt.
        self._futile += not set(broken.suspects) - self._avoid
        if self._futile > MOST_REPAIRS or answer.repairs > MOST_CHAINS:
            raise broken
        self._known = []
        progress = len(answer.tokens)
        if broken.forgotten and self._chain is not None and self._began_again_at != progress:
            # Once without a token in between: a host that leaves "forgets" again and again.
            self._began_again_at = progress
            self._chain.begin_again()
            return
        self._avoid.update(broken.suspects)
        await self.close()


def _common_length(known: Sequence[int], tokens: Sequence[int]) -> int:
    """How many leading tokens the chain knows already; the last is always sent again."""
    most = min(len(known), len(tokens) - 1)
    return next((i for i in range(most) if known[i] != tokens[i]), most)
