"""One model, opened for asking: its words, and what of it runs on this computer.

Several conversations share it: the vocabulary's worker and the engines are started
once, when somebody first needs them. `app/chat/talk.py` holds the conversations.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil

from app.chat.offers import room_bytes
from app.engine.footprint import footprint
from app.engine.mounting import BATCH_ROWS
from app.engine.supervisor import Engine
from app.engine.vocabulary import Vocabulary
from app.errors import PromptTooLong, UsageError
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import Span, new_session
from app.sentences import say
from app.swarm.generate import AnswerRequest
from app.swarm.sampling import SamplingOptions

LEAST_ROOM: Final = 1024
"""Asked for even by a short question, so that the next ones find the chain still open."""
DEFAULT_MAX_TOKENS: Final = 256
SCRATCH_SECONDS: Final = 86_400.0

Message = dict[str, str]
Fetch = Callable[[OpenModel, Span], Awaitable[None]]
"""Brings the units of a span to this computer, unless they are here."""
Mend = Callable[[OpenModel, Span], Awaitable[bool]]
"""Brings units again that are damaged, when a span cannot be mounted; whether there were any."""


def sweep_scratch(folder: Path) -> None:
    """Remove what programs that were killed left behind, once it is a day old."""
    for path in folder.glob("mounts/client-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > SCRATCH_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


class OpenedModel:
    """A model with its vocabulary running. Use with `async with`.

    Args:
        fetch: brings units here when they are to run here.
        mend: as `Engine`'s; None mends nothing.
        sequences: how many conversations the whole model may hold at once.
    """

    def __init__(
        self,
        data: DataFolder,
        model: OpenModel,
        *,
        fetch: Fetch,
        mend: Mend | None = None,
        sequences: int = 1,
    ) -> None:
        self.model = model
        self._data = data
        self._fetch = fetch
        self._mend = mend
        self._sequences = sequences
        self._stack = AsyncExitStack()
        self._mounting = asyncio.Lock()
        self._engines: dict[Span, Engine] = {}
        self._scratch = f"client-{new_session().hex()[:8]}"

    async def __aenter__(self) -> OpenedModel:
        """Open the vocabulary.

        Raises:
            EngineFault: llama.cpp does not know this kind of tokenizer.
        """
        try:
            self._stack.callback(self._remove_scratch)
            self.vocabulary = await self._stack.enter_async_context(
                Vocabulary(self.model.plan.header, self._folder / self._scratch)
            )
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
        self._engines.clear()

    @property
    def context_tokens(self) -> int:
        """How long a conversation may be, its answer included."""
        return min(self.model.plan.context_length, self._data.settings.kv_tokens)

    async def request(
        self,
        messages: Sequence[Message] | str,
        *,
        sampling: SamplingOptions,
        max_tokens: int | None = None,
        stops: Sequence[str] = (),
        seed: int | None = None,
        deadline_seconds: float | None = None,
    ) -> AnswerRequest:
        """Make a request from a conversation, or from plain text.

        Raises:
            PromptTooLong: the prompt is longer than the model can read.
            UsageError: it is empty.
            EngineFault: the model's tokenizer or template fails.
        """
        if isinstance(messages, str):
            prompt = await self.vocabulary.tokenize(messages)
        else:
            prompt = await self.vocabulary.prompt(messages)
        context = self.context_tokens
        if len(prompt) >= context:
            name = self.model.manifest.shown_name
            raise PromptTooLong(
                say("prompt_too_long", tokens=len(prompt), model=name, most=context - 1),
                share_that_fits=(context - 1) / len(prompt),
            )
        if not prompt:
            raise UsageError(say("prompt_empty"))
        return AnswerRequest(
            prompt=tuple(prompt),
            options=sampling,
            max_tokens=min(max_tokens or DEFAULT_MAX_TOKENS, context - len(prompt)),
            stops=tuple(stops),
            seed=seed,
            deadline_seconds=deadline_seconds,
        )

    async def whole(self) -> Engine:
        """The whole model on this computer, mounted once.

        Raises:
            Refusal, DownloadFailed, EngineFault: it cannot be had or run here.
        """
        return await self._engine(self.model.plan.whole, self._data.settings.kv_tokens)

    async def end(self, span: Span) -> Engine:
        """The engine for an end of the model that nobody serves, mounted once.

        Raises:
            Refusal, DownloadFailed, EngineFault: as `whole`.
        """
        return await self._engine(span, LEAST_ROOM)

    @property
    def is_here(self) -> bool:
        """Whether the whole model is on the disk, or comes with Potluck itself."""
        held = all(self._data.store.has(unit) for unit in self.model.manifest.units)
        return held or self.model.is_embedded

    @property
    def fits(self) -> bool:
        """Whether the whole model runs on this computer now, or its memory leaves room for it."""
        if self.model.plan.whole in self._engines or self.model.is_embedded:
            return True
        free = room_bytes(psutil.virtual_memory().available, [])
        tokens = self._room(self._data.settings.kv_tokens, self._sequences)
        taken = footprint(self.model.plan, tokens=tokens, batch_rows=BATCH_ROWS)
        besides = sum(taken.unit_bytes) + taken.span_bytes
        return self.model.manifest.payload_bytes + besides <= free

    def _room(self, tokens: int, sequences: int) -> int:
        return min(tokens, sequences * self.context_tokens)

    async def _engine(self, span: Span, tokens: int) -> Engine:
        async with self._mounting:
            if span not in self._engines:
                self._engines[span] = await self._mount(span, tokens)
            return self._engines[span]

    async def _mount(self, span: Span, tokens: int) -> Engine:
        await self._fetch(self.model, span)
        whole = span == self.model.plan.whole
        sequences = self._sequences if whole else 1
        request = self._data.mount_request(
            self.model,
            span,
            kv_tokens=self._room(tokens, sequences),
            sequences=sequences,
            name=f"{self._scratch}-{span.start}-{span.stop}",
        )
        mend = None if self._mend is None else partial(self._mend, self.model, span)
        engine = Engine(request, self._data.ladder(), mend=mend)
        return await self._stack.enter_async_context(engine)

    @property
    def _folder(self) -> Path:
        return self._data.folder / "mounts"

    def _remove_scratch(self) -> None:
        for path in self._folder.glob(f"{self._scratch}*"):
            shutil.rmtree(path, ignore_errors=True)
