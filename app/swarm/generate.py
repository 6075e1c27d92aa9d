"""Writes an answer, token by token, over whatever chain there is.

It keeps the chain between answers of one conversation, and sends only what the chain
does not know yet. When a computer fails, the chain is mended, or if that cannot be,
everything is sent again over another chain: the text goes on where it was, because a
chain is a function of its tokens.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal, Protocol

from app.clock import Clock
from app.errors import NotServed, PeerLost
from app.ids import PeerId
from app.sentences import Sentence
from app.swarm.route import Prediction
from app.swarm.sampling import SamplingOptions, choose
from app.swarm.text import TextStream
from app.swarm.token_chain import ChainBroken, ChainPart, MemoryLost, TokenChain
from app.swarm.waiting import words_of_repair, words_of_wait

logger = logging.getLogger(__name__)

QUICK_REPAIRS: Final = 3
"""So often in a row a repair that nobody new is to blame for is tried again at once."""

AVOID_SECONDS: Final = 60.0
"""A computer that failed is asked again after this long; before, only if nobody else is there."""

PATIENCE_SECONDS: Final = 45.0
"""How long an answer goes on trying without a single token more."""

LOOK_AGAIN_SECONDS: Final = 0.5

LONGEST_RETRY_SECONDS: Final = 5.0
"""Who is busy is asked again after this long, although it says later: others may have come."""

FinishReason = Literal["stop", "length", "deadline"]
ChainOpener = Callable[[Sequence[PeerId], int], Awaitable[TokenChain]]
"""Opens a chain without these computers, which failed lately, the latest last; with room for so
many tokens.

Raises NotServed, ChainBroken or Refusal.
"""

ChainMender = Callable[[TokenChain, Collection[PeerId], Sequence[PeerId]], Awaitable[None]]
"""Puts others in the place of the first named computers, avoiding the second if it can: those
that failed lately, the latest last.

Raises NotServed, ChainBroken or MemoryLost.
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


def _nobody_listens() -> None:
    """Nobody wants to know."""


@dataclass
class Answer:
    """What was written so far, by whom, and how fast.

    `parts` is the chain that wrote the last token. `waiting` is a word for the person while no
    token comes because helpers are replaced or waited for; `waits` is called, without
    arguments, whenever that changes.
    """

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    finish: FinishReason | None = None
    waiting: Sentence | None = None
    waits: Callable[[], None] = _nobody_listens
    parts: list[ChainPart] = field(default_factory=list)
    work: dict[ChainPart, int] = field(default_factory=dict)
    """How many positions each part has computed for this answer, the question included."""
    repairs: int = 0
    """How often a helper was lost in the middle, and replaced or told everything again."""
    declined: int = 0
    """How often one was asked in vain: it was full, busy, or not there from the start."""
    first_token_seconds: float = 0.0
    tokens_per_second: float = 0.0
    remark: Sentence | None = None
    """Why the chain is another one than was to be expected."""
    predicted: Prediction | None = None
    """What a token over the chain was expected to take, where that is known."""

    def wait_for(self, what: Sentence | None) -> None:
        """What is waited for from now on; None: nothing, a token has come."""
        if what != self.waiting:
            self.waiting = what
            self.waits()


class Generator:
    """Answers of one conversation, one at a time."""

    def __init__(
        self,
        open_chain: ChainOpener,
        words: TokenTexts,
        *,
        clock: Clock,
        mend_chain: ChainMender | None = None,
        head_unit: int | None = None,
    ) -> None:
        """Without `mend_chain`, everything is sent again whenever a chain breaks; `head_unit`
        is the number of the model's last unit, for words about what is waited for."""
        self._head_unit = head_unit
        self._open_chain = open_chain
        self._mend_chain = mend_chain
        self._words = words
        self._clock = clock
        self._chain: TokenChain | None = None
        self._known: list[int] = []
        # Who can be lost: whoever belongs to the chain that is open.
        self._members: set[PeerId | None] = set()
        # Who failed, and until when it is avoided.
        self._failed: dict[PeerId, float] = {}
        self._began_again_at: int | None = None
        self._futile = 0
        self._trouble_since: float | None = None
        self._was_served = False

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
            NotServed: no chain is left; PeerLost: no directory answers.
            ChainBroken: chains broke for `PATIENCE_SECONDS`, and not a token came.
        """
        started = self._clock.monotonic()
        self._began_again_at = None
        self._at_ease()
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
            answer.wait_for(None)
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
                await self._recover(broken, request, answer)
                continue
            self._known = tokens
            self._at_ease()
            answer.parts = chain.parts
            for part in answer.parts:
                answer.work[part] = answer.work.get(part, 0) + len(tokens) - position
            return choose(
                candidates.ids[0],
                candidates.logits[0],
                request.options,
                earlier=tokens,
                draw=chance.random(),
            )

    async def _connected(self, request: AnswerRequest, answer: Answer) -> TokenChain:
        needed = _room_for(request)
        if self._chain is not None and self._chain.tokens < needed:
            await self.close()
        while self._chain is None:
            try:
                self._chain = await self._open_chain(self._avoided(), needed)
            except ChainBroken:
                raise
            except (NotServed, PeerLost) as missing:
                if not self._was_served:
                    raise
                await self._wait(missing, answer)
            self._known = []
        self._was_served = True
        self._members = {part.peer for part in self._chain.parts}
        return self._chain

    def _avoided(self) -> list[PeerId]:
        """Who failed lately, the latest last."""
        now = self._clock.monotonic()
        self._failed = {peer: until for peer, until in self._failed.items() if until > now}
        return list(self._failed)

    async def _recover(self, broken: ChainBroken, request: AnswerRequest, answer: Answer) -> None:
        """Make good what is lost; waits a while for somebody who serves what is missing.

        Raises:
            NotServed, PeerLost: nobody came.
            ChainBroken: chains broke too often.
        """
        logger.debug("an answer stands still: %s", broken)
        answer.wait_for(words_of_repair(broken))
        await self._note_failure(broken, answer)
        while True:
            try:
                if not await self._mended(broken):
                    await self._begun_again(broken, request, answer)
                logger.debug("the answer goes on")
                return
            except ChainBroken as further:
                broken = further
                logger.debug("that did not help: %s", broken)
                await self._note_failure(broken, answer)
            except (NotServed, PeerLost) as missing:
                await self._wait(missing, answer)

    async def _mended(self, broken: ChainBroken) -> bool:
        """Whether others took the place of who failed; what the chain knows is known still."""
        if self._chain is None or self._mend_chain is None or isinstance(broken, MemoryLost):
            return False
        try:
            await self._mend_chain(self._chain, broken.suspects, self._avoided())
        except ChainBroken:
            raise
        except (NotServed, PeerLost):
            return False  # a chain of quite other computers may be possible
        return True

    async def _begun_again(
        self, broken: ChainBroken, request: AnswerRequest, answer: Answer
    ) -> None:
        """Have everything sent again, over this chain if it only forgot, or over another one."""
        progress = len(answer.tokens)
        if broken.forgotten and self._chain is not None and self._began_again_at != progress:
            # Once without a token in between: a host that leaves "forgets" again and again.
            self._began_again_at = progress
            self._known = []
            self._chain.begin_again()
            return
        try:
            chain = await self._open_chain(self._avoided(), _room_for(request))
        except ChainBroken:
            await self.close()  # it may hold the very room that is lacking
            raise
        await self.close()
        self._chain = chain

    async def _note_failure(self, broken: ChainBroken, answer: Answer) -> None:
        """Count it, and avoid whoever is to blame."""
        if self._is_loss(broken):
            answer.repairs += 1
            self._members.difference_update(broken.suspects)
        else:
            answer.declined += 1
        now = self._clock.monotonic()
        if self._trouble_since is None:
            self._trouble_since = now
        nobody_new = not set(broken.suspects) - set(self._avoided())
        self._futile += nobody_new
        retry = broken.retry_after_seconds
        # Who is busy, a little longer than it said: until it was asked again.
        avoid_seconds = min(AVOID_SECONDS, inf if retry is None else retry + LOOK_AGAIN_SECONDS)
        for peer in broken.suspects:
            self._failed.pop(peer, None)
            self._failed[peer] = now + avoid_seconds
        if nobody_new and retry is not None:  # nobody else is there: it is waited for
            await self._wait(broken, answer, seconds=min(retry, LONGEST_RETRY_SECONDS))
        elif self._futile > QUICK_REPAIRS:
            await self._wait(broken, answer)

    def _is_loss(self, broken: ChainBroken) -> bool:
        """Whether the answer has lost somebody, or was somebody only asked in vain?"""
        if self._chain is None or broken.retry_after_seconds is not None:
            return False
        return not broken.suspects or not self._members.isdisjoint(broken.suspects)

    async def _wait(
        self,
        trouble: NotServed | PeerLost,
        answer: Answer,
        *,
        seconds: float = LOOK_AGAIN_SECONDS,
    ) -> None:
        """A little, for the swarm to change; not for ever."""
        began = self._trouble_since
        now = self._clock.monotonic()
        if began is None:
            self._trouble_since = now
        elif now - began > PATIENCE_SECONDS:
            await self.close()
            raise trouble
        answer.wait_for(words_of_wait(trouble, head_unit=self._head_unit))
        logger.debug("waiting for %.1f s: %s", seconds, trouble)
        await asyncio.sleep(seconds)

    def _at_ease(self) -> None:
        self._futile = 0
        self._trouble_since = None


def _room_for(request: AnswerRequest) -> int:
    return len(request.prompt) + request.max_tokens


def _common_length(known: Sequence[int], tokens: Sequence[int]) -> int:
    """How many leading tokens the chain knows already; the last is always sent again."""
    most = min(len(known), len(tokens) - 1)
    return next((i for i in range(most) if known[i] != tokens[i]), most)
