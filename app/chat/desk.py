"""Where this computer's own questions are answered: several at once, over kept chains.

Models stay open and chains stay warm for a little while between questions; what
nobody uses goes back. `app/chat/talk.py` is one conversation, `app/chat/answering.py` keeps
the owner's; other programs' orders come here directly.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from app.api.control_port import Order, Written
from app.chat.offers import block_bytes
from app.chat.opened_model import Fetch, Mend, Message, OpenedModel
from app.chat.talk import Lookup, Talk, Ways
from app.clock import Clock
from app.errors import NoRoom
from app.folder.data_folder import DataFolder, OpenModel
from app.folder.known_models import KnownModels
from app.folder.measured_speed import MeasuredSpeed
from app.ids import ModelId, PeerId
from app.net.shaping import Shaper
from app.net.wire import Place
from app.sentences import say
from app.swarm.credits import Credits
from app.swarm.failures import Failures
from app.swarm.generate import Answer, AnswerRequest
from app.swarm.sampling import SamplingOptions
from app.swarm.token_chain import ChainPart
from app.tasks import TaskOwner

logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 90.0
"""Less than a host's lease, so that a chain is given back before it is taken."""
SWEEP_SECONDS: Final = 5.0
MOST_AT_ONCE: Final = 8
"""Answers written at the same time; further ones are refused with a reason."""
MOST_KEPT: Final = 8
"""Chains kept warm; each holds a place on every helper of its chain."""
ENOUGH_TOKENS: Final = 12
"""Fewer tell too little about how fast a model writes."""
LEAST_MAX_TOKENS: Final = 1024
"""What programs get that do not say how much they want."""


@dataclass
class _Opened:
    opened: OpenedModel
    users: int = 0
    idle_since: float = 0.0


@dataclass
class _Kept:
    """A conversation's talk while nobody writes in it; `key` "" for other programs'."""

    talk: Talk
    key: str
    since: float


class Desk:
    """Answers orders. Use with `async with`.

    Attributes:
        writing: how many answers are being written.
        last_parts: the chain of the answer written last.
        repairs: how often a helper was replaced in the middle of an answer.
        round_trips: how far helpers were when they were last asked, in seconds.

    Args:
        lookup: who serves a model.
        shaper: keeps the caps on bandwidth.
        place: where this computer stands in the network.
        round_trip_seconds: how far others are, as far as it was measured.
        credits: where what others compute is counted.
        own: this computer's name as a host.
        changed: called when an answer begins or ends.
        speed: learns how fast models write that run on this computer alone.
    """

    def __init__(
        self,
        data: DataFolder,
        models: KnownModels,
        *,
        fetch: Fetch,
        mend: Mend | None = None,
        lookup: Lookup,
        own: PeerId,
        shaper: Shaper | None,
        place: Callable[[], Place | None],
        round_trip_seconds: Callable[[PeerId], float | None],
        credits: Credits,
        speed: MeasuredSpeed,
        changed: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._data = data
        self._models = models
        self._fetch = fetch
        self._mend = mend
        self._lookup = lookup
        self._own = own
        self._shaper = shaper
        self._place = place
        self._round_trip_seconds = round_trip_seconds
        self._failures = Failures()
        self._credits = credits
        self._speed = speed
        self._changed = changed
        self._clock = clock
        self._tasks = TaskOwner("desk")
        self._opened: dict[ModelId, _Opened] = {}
        self._doors: defaultdict[ModelId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._kept: list[_Kept] = []
        self._closing = False
        self.writing = 0
        self.last_parts: list[ChainPart] = []
        self.repairs = 0
        self.round_trips: dict[PeerId, float] = {}

    async def __aenter__(self) -> Desk:
        await self._tasks.__aenter__()
        self._tasks.start(self._sweep(), name="idle chains")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self._close_models)
            closing.push_async_callback(self._close_talks)
            await self._tasks.close()

    async def _close_talks(self) -> None:
        async with AsyncExitStack() as closing:
            while self._kept:
                closing.push_async_callback(self._kept.pop().talk.close)

    async def _close_models(self) -> None:
        async with AsyncExitStack() as closing:
            while self._opened:
                closing.push_async_exit(self._opened.popitem()[1].opened)

    async def write(
        self, order: Order, written: Written, *, key: str = ""
    ) -> AsyncGenerator[str, None]:
        """Write an answer piece by piece; `written` is filled meanwhile.

        Args:
            key: the owner's conversation, whose chain is then its own.

        Raises:
            UsageError, Refusal: the order cannot be met as it is.
            NotServed, ChainBroken, EngineFault: nobody is left who can answer.
        """
        if self.writing >= MOST_AT_ONCE:
            raise NoRoom(say("many_answers", count=self.writing))
        model = await self._models.find(order.model)
        written.model = model.manifest.name
        written.title = model.manifest.shown_name
        self.writing += 1
        self._changed()
        try:
            opened = await self._open(model)
            try:
                async with aclosing(self._write(opened.opened, order, written, key)) as pieces:
                    async for piece in pieces:
                        yield piece
            finally:
                self._leave(opened)
        finally:
            self.writing -= 1
            self._changed()

    def open_models(self) -> list[OpenModel]:
        """The models whose files may be in use."""
        return [entry.opened.model for entry in self._opened.values()]

    async def forget(self, key: str) -> None:
        """Give back the chain of a conversation that is over."""
        for kept in [kept for kept in self._kept if kept.key == key]:
            await self._drop(kept)

    # ── writing ──────────────────────────────────────────────────────────────

    async def _write(
        self, opened: OpenedModel, order: Order, written: Written, key: str
    ) -> AsyncGenerator[str, None]:
        request = await self._request(opened, order)
        written.prompt_tokens = len(request.prompt)
        talk = self._take(opened, order, request, key) or self._new_talk(opened, order)
        answer = Answer(waits=lambda: _tell_waiting(written, answer))
        fine = False
        try:
            try:
                async for piece in self._pieces(talk, request, answer):
                    _fill(written, answer, talk)
                    self._count(answer, opened.model)
                    yield piece
            finally:
                _fill(written, answer, talk)
                self._count(answer, opened.model)
                self.last_parts = answer.parts or self.last_parts
                self._note_speed(answer, opened.model)
                self.repairs += answer.repairs
                self.round_trips = talk.round_trips or self.round_trips
                _log(answer, written)
            fine = True
        except (GeneratorExit, asyncio.CancelledError):
            fine = True  # stopped by whoever asked; the chain is as good as before
            raise
        finally:
            if fine and not self._closing:
                await self._keep(talk, key)
            else:
                await talk.close()

    async def _pieces(
        self, talk: Talk, request: AnswerRequest, answer: Answer
    ) -> AsyncGenerator[str, None]:
        """The answer; when this computer's own room is full, what is idle makes some."""
        try:
            async with aclosing(talk.write(request, answer)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except NoRoom:
            if answer.tokens or not self._kept:
                raise
        for kept in list(self._kept):
            await self._drop(kept)
        async with aclosing(talk.write(request, answer)) as pieces:
            async for piece in pieces:
                yield piece

    async def _request(self, opened: OpenedModel, order: Order) -> AnswerRequest:
        content: str | Sequence[Message] = order.prompt
        if order.messages is not None:
            content = [dict(message) for message in order.messages]
        sampling = SamplingOptions(
            temperature=order.temperature,
            top_p=order.top_p,
            top_k=order.top_k,
            min_p=order.min_p,
            repetition_penalty=order.repetition_penalty,
        )
        return await opened.request(
            content,
            sampling=sampling,
            max_tokens=order.max_tokens or LEAST_MAX_TOKENS,
            stops=order.stops,
            seed=order.seed,
        )

    def _count(self, answer: Answer, model: OpenModel) -> None:
        """Take what others have computed into the account; what is counted is taken off."""
        head = model.plan.head_unit
        for part, positions in answer.work.items():
            self._credits.took([part], positions=positions, head_unit=head, own=self._own)
        answer.work.clear()

    def _note_speed(self, answer: Answer, model: OpenModel) -> None:
        own = all(part.peer in (None, self._own) for part in answer.parts)
        if own and answer.parts and len(answer.tokens) >= ENOUGH_TOKENS:
            size = block_bytes([unit.size for unit in model.manifest.units])
            self._speed.note_wrote(model.id, size, answer.tokens_per_second)

    def _new_talk(self, opened: OpenedModel, order: Order) -> Talk:
        ways = _ways(order, self._own)
        return Talk(
            opened,
            self._lookup,
            ways,
            clock=self._clock,
            shaper=self._shaper,
            place=self._place,
            round_trip_seconds=self._round_trip_seconds,
            failures=self._failures,
            speed=self._speed,
            credits=self._credits,
        )

    # ── chains that are kept ─────────────────────────────────────────────────

    def _take(
        self, opened: OpenedModel, order: Order, request: AnswerRequest, key: str
    ) -> Talk | None:
        """The talk of this conversation, if it is kept; other programs' are known by their
        words, because they tell a conversation from its beginning each time."""
        for kept in reversed(self._kept):
            talk = kept.talk
            if kept.key != key or talk.opened is not opened:
                continue
            if talk.ways != _ways(order, self._own):
                continue
            if key or _goes_on(talk.generator.known, request.prompt):
                self._kept.remove(kept)
                return talk
        return None

    async def _keep(self, talk: Talk, key: str) -> None:
        if not talk.generator.connected:
            await talk.close()
            return
        self._users(talk.opened, 1)
        self._kept.append(_Kept(talk, key, self._clock.monotonic()))
        while len(self._kept) > MOST_KEPT:
            await self._drop(self._kept[0])

    async def _drop(self, kept: _Kept) -> None:
        if kept in self._kept:
            self._kept.remove(kept)
            self._users(kept.talk.opened, -1)
            await kept.talk.close()

    def _users(self, opened: OpenedModel, count: int) -> None:
        entry = self._opened.get(opened.model.id)
        if entry is not None:
            entry.users += count
            entry.idle_since = self._clock.monotonic()

    # ── models that are open ─────────────────────────────────────────────────

    async def _open(self, model: OpenModel) -> _Opened:
        async with self._doors[model.id]:
            entry = self._opened.get(model.id)
            if entry is None:
                opened = OpenedModel(
                    self._data,
                    model,
                    fetch=self._fetch,
                    mend=self._mend,
                    sequences=MOST_AT_ONCE,
                )
                entry = _Opened(await opened.__aenter__())
                self._opened[model.id] = entry
            entry.users += 1
            return entry

    def _leave(self, entry: _Opened) -> None:
        entry.users -= 1
        entry.idle_since = self._clock.monotonic()

    async def _sweep(self) -> None:
        """Give back what nobody has used for a while; runs until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            old = self._clock.monotonic() - IDLE_SECONDS
            for kept in [kept for kept in self._kept if kept.since <= old]:
                await self._drop(kept)
            for model in list(self._opened):
                async with self._doors[model]:
                    entry = self._opened.get(model)
                    if entry is not None and not entry.users and entry.idle_since <= old:
                        del self._opened[model]
                        await entry.opened.__aexit__(None, None, None)


def _log(answer: Answer, written: Written) -> None:
    """That an answer was written and how, and never what it says."""
    logger.info(
        "answered with %s: %d tokens, %.1f tokens/s, computers in the chain: %d, repairs: %d,"
        " asked in vain: %d",
        written.model,
        len(answer.tokens),
        answer.tokens_per_second,
        len(written.chain),
        answer.repairs,
        answer.declined,
    )


def _ways(order: Order, own: PeerId) -> Ways:
    faster = not order.over_swarm
    return Ways(alone=order.alone, may_be_alone=True, alone_if_faster=faster, own=own)


def _goes_on(known: Sequence[int], prompt: Sequence[int]) -> bool:
    """Whether a prompt carries on what a chain knows: most of it, word for word."""
    common = next((i for i, (a, b) in enumerate(zip(known, prompt, strict=False)) if a != b), None)
    same = min(len(known), len(prompt)) if common is None else common
    return 2 * same > len(known)


def _tell_waiting(written: Written, answer: Answer) -> None:
    written.waiting = answer.waiting
    written.waits()


def _fill(written: Written, answer: Answer, talk: Talk) -> None:
    written.tokens = len(answer.tokens)
    written.finish = answer.finish
    written.chain = talk.part_names(answer.parts)
    written.readers = talk.readers
    written.tokens_per_second = answer.tokens_per_second
    written.first_token_seconds = answer.first_token_seconds
    written.repairs = answer.repairs
    written.remark = answer.remark
    if answer.predicted is not None:
        written.predicted_tokens_per_second = answer.predicted.tokens_per_second
