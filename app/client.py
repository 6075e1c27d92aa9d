"""The asking side: from a model's name to chains that write answers.

A client needs a model's header and no weights. It opens chains over whoever
serves the model now; embedding or head are run here only when nobody else does,
and the whole model only when a person asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.clock import Clock, SystemClock
from app.data_folder import DataFolder, OpenModel, ProgressLine, fetch_units
from app.engine.supervisor import Engine
from app.engine.vocabulary import Vocabulary
from app.errors import NotServed, UsageError
from app.ids import PeerId, Span, new_session
from app.net.directory import DirectoryClient
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.records import Announcement
from app.swarm.chain import (
    ChainBroken,
    LocalChain,
    ModelShape,
    OwnEnds,
    RingChain,
    TokenChain,
)
from app.swarm.generate import Answer, AnswerRequest, Generator
from app.swarm.route import Offer, find_route
from app.swarm.sampling import SamplingOptions

LEAST_ROOM: Final = 1024
"""Asked for even by a short question, so that the next ones find the chain still open."""
SCRATCH_SECONDS: Final = 86_400.0
DEFAULT_MAX_TOKENS: Final = 256

Message = dict[str, str]


@dataclass(frozen=True)
class ClientOptions:
    """What a person asked for; `alone` runs the whole model on this computer."""

    data_dir: Path | None = None
    bootstraps: Sequence[str] = ()
    model: str | None = None
    alone: bool = False
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    seed: int | None = None


class Client:
    """One conversation's means: vocabulary, network and chains. Use with `async with`."""

    def __init__(self, options: ClientOptions, *, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._endpoint: Endpoint | None = None
        self._whole: Engine | None = None
        self._ends: dict[Span, Engine] = {}
        self._scratch = f"client-{new_session().hex()[:8]}"

    async def __aenter__(self) -> Client:
        """Open everything that is needed before the first question.

        Raises:
            PotluckError: something is in the way; the text says what to do.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self.generator.close()
        finally:
            await self._stack.aclose()

    async def _start(self) -> None:
        options = self._options
        self.data = DataFolder.open(options.data_dir)
        self._stack.callback(self._remove_scratch)
        await asyncio.to_thread(_sweep_scratch, self.data.folder)
        self.model: OpenModel = self.data.model(options.model)
        bootstraps = self.data.bootstraps(options.bootstraps)
        if not options.alone and not bootstraps:
            raise UsageError(
                "No bootstrap is known: give one with --bootstrap PEERID@HOST:PORT,"
                " or run the whole model on this computer with --alone."
            )
        self.vocabulary = await self._stack.enter_async_context(
            Vocabulary(self.model.plan.header, self._scratch_folder())
        )
        if options.alone:
            self._whole = await self._stack.enter_async_context(whole_engine(self.data, self.model))
        else:
            # A name of its own for each conversation: helpers cannot tell who comes back.
            self._endpoint = await self._stack.enter_async_context(
                Endpoint(new_identity(), listen=("0.0.0.0", 0), handlers={}, clock=self._clock)
            )
            self._directory = DirectoryClient(self._endpoint, bootstraps, clock=self._clock)
        self.generator = Generator(self._open_chain, self.vocabulary, clock=self._clock)

    def _scratch_folder(self) -> Path:
        return self.data.folder / "mounts" / self._scratch

    def _remove_scratch(self) -> None:
        for path in self.data.folder.glob(f"mounts/{self._scratch}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _context_tokens(self) -> int:
        return min(self.model.plan.context_length, self.data.settings.kv_tokens)

    # ── asking ───────────────────────────────────────────────────────────────

    async def request(
        self,
        messages: Sequence[Message] | str,
        *,
        max_tokens: int | None = None,
        stops: Sequence[str] = (),
        deadline_seconds: float | None = None,
    ) -> AnswerRequest:
        """Make a request from a conversation, or from plain text.

        Raises:
            UsageError: the prompt is longer than the model can read.
            EngineFault: the model's tokenizer or template fails.
        """
        if isinstance(messages, str):
            prompt = await self.vocabulary.tokenize(messages)
        else:
            prompt = await self.vocabulary.prompt(messages)
        context = self._context_tokens()
        if len(prompt) >= context:
            raise UsageError(
                f"The prompt has {len(prompt):,} tokens and {self.model.manifest.name} reads"
                f" at most {context - 1:,}; nothing was sent. Shorten it."
            )
        if not prompt:
            raise UsageError("The prompt is empty; nothing was sent.")
        room = context - len(prompt)
        return AnswerRequest(
            prompt=tuple(prompt),
            options=self._options.sampling,
            max_tokens=min(max_tokens or DEFAULT_MAX_TOKENS, room),
            stops=tuple(stops),
            seed=self._options.seed,
            deadline_seconds=deadline_seconds,
        )

    async def answer(self, request: AnswerRequest) -> Answer:
        """The whole answer, for whoever does not want it piece by piece.

        Raises:
            NotServed, ChainBroken: as `Generator.write`.
        """
        answer = Answer()
        async for _ in self.generator.write(request, answer):
            pass
        return answer

    # ── chains ───────────────────────────────────────────────────────────────

    async def _open_chain(self, avoid: Collection[PeerId], tokens: int) -> TokenChain:
        candidates = self._options.sampling.candidates
        room = max(tokens, min(LEAST_ROOM, self._context_tokens()))
        if self._whole is not None:
            return LocalChain(self._whole, tokens=room, candidates=candidates)
        assert self._endpoint is not None
        offers = await self._offers()
        model = self.model
        lacking = ""
        try:
            route = find_route(offers, model.plan.head_unit, tokens=room, avoid=avoid)
        except NotServed as error:
            if not avoid:
                raise
            # Better somebody who failed before than nobody.
            lacking = str(error)
            route = find_route(offers, model.plan.head_unit, tokens=room)
        head = model.plan.head_unit
        ends = OwnEnds(
            embedding=await self._end(Span(0, 1)) if route.own_embedding else None,
            head=await self._end(Span(head, head + 1)) if route.own_head else None,
        )
        shape = ModelShape(model.id, model.plan.width, model.plan.vocabulary_size, head)
        chain = RingChain(
            self._endpoint, shape, route, tokens=room, candidates=candidates, ends=ends
        )
        try:
            await chain.open()
        except ChainBroken as broken:
            if not lacking:
                raise
            raise ChainBroken(f"{lacking} ({broken})", peer=broken.peer) from None
        return chain

    async def _offers(self) -> list[Offer]:
        found = await self._directory.lookup(self.model.id)
        return [
            Offer(
                peer=PeerId(record.peer),
                addresses=tuple(record.addresses),
                span=record.span,
                layers_per_second=record.layers_per_second,
                tokens_free=record.kv_tokens_free,
            )
            for record in found
            if record.span is not None and self.model.plan.whole.covers(record.span)
        ]

    async def _end(self, span: Span) -> Engine:
        """The engine for an end of the model that nobody serves; mounted once."""
        if span not in self._ends:
            self._ends[span] = await self._mount(span, LEAST_ROOM)
        return self._ends[span]

    async def _mount(self, span: Span, tokens: int) -> Engine:
        await fetch_units(self.data, self.model, span, ProgressLine(self.model.manifest.name))
        request = self.data.mount_request(
            self.model,
            span,
            kv_tokens=tokens,
            sequences=1,
            name=f"{self._scratch}-{span.start}",
        )
        return await self._stack.enter_async_context(Engine(request, self.data.ladder()))


def _sweep_scratch(folder: Path) -> None:
    """Remove what clients that were killed left behind, once it is a day old."""
    for path in folder.glob("mounts/client-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > SCRATCH_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


@asynccontextmanager
async def whole_engine(data: DataFolder, model: OpenModel) -> AsyncIterator[Engine]:
    """The whole model mounted on this computer, for one conversation.

    Raises:
        Refusal, DownloadFailed, EngineFault: it cannot be had or run here.
    """
    whole = model.plan.whole
    await fetch_units(data, model, whole, ProgressLine(model.manifest.name))
    tokens = min(model.plan.context_length, data.settings.kv_tokens)
    name = f"client-{new_session().hex()[:8]}"
    request = data.mount_request(model, whole, kv_tokens=tokens, sequences=1, name=name)
    try:
        async with Engine(request, data.ladder()) as engine:
            yield engine
    finally:
        shutil.rmtree(request.folder, ignore_errors=True)


async def lookup_all(bootstraps: Sequence[tuple[PeerId, str]]) -> list[Announcement]:
    """Everything that the bootstraps know.

    Raises:
        PeerLost: none of them answers.
    """
    clock = SystemClock()
    async with Endpoint(
        new_identity(), listen=("0.0.0.0", 0), handlers={}, clock=clock
    ) as endpoint:
        return await DirectoryClient(endpoint, bootstraps, clock=clock).lookup(None)
