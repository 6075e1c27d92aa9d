"""The asking side: from a model's name to chains that write answers.

A client needs a model's header and no weights. It opens chains over whoever
serves the model now; embedding or head are run here only when nobody else does,
and the whole model only when a person asks for it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.chat.opened_model import DEFAULT_MAX_TOKENS as DEFAULT_MAX_TOKENS
from app.chat.opened_model import LEAST_ROOM as LEAST_ROOM
from app.chat.opened_model import Message, OpenedModel, sweep_scratch
from app.chat.talk import Talk, Ways, conversation_directory, directory_lookup
from app.clock import Clock, SystemClock
from app.engine.supervisor import Engine
from app.errors import UsageError
from app.folder.data_folder import DataFolder, OpenModel, ProgressLine, fetch_units
from app.folder.fetching import Fetching
from app.folder.known_contacts import KnownContacts
from app.folder.measured_speed import MeasuredSpeed
from app.ids import PeerId, new_session
from app.net.dht import Dht
from app.net.dht_messages import Contact
from app.net.endpoint import Endpoint
from app.net.identity import new_identity
from app.net.records import Announcement
from app.swarm.generate import Answer, AnswerRequest
from app.swarm.sampling import SamplingOptions


@dataclass(frozen=True)
class ClientOptions:
    """What a person asked for; `alone` runs the whole model on this computer, and with
    `alone_if_faster` it does if it is here and that is expected to be faster than a chain."""

    data_dir: Path | None = None
    bootstraps: Sequence[str] = ()
    model: str | None = None
    alone: bool = False
    alone_if_faster: bool = False
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    seed: int | None = None


class Client:
    """One conversation's means: a model, its words, and chains. Use with `async with`."""

    def __init__(self, options: ClientOptions, *, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._met: Sequence[Contact] = ()

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
        await self._stack.aclose()

    async def _start(self) -> None:
        options = self._options
        self.data = DataFolder.open(options.data_dir)
        await asyncio.to_thread(sweep_scratch, self.data.folder)
        self.model: OpenModel = self.data.model(options.model)
        bootstraps = self.data.bootstraps(options.bootstraps)
        contacts = KnownContacts(self.data.folder)
        known = contacts.load()
        if not options.alone and not bootstraps and not known:
            raise UsageError(
                "No computer to ask is known: name one with --bootstrap PEERID@HOST:PORT,"
                " or run the whole model on this computer with --alone."
            )
        fetching = Fetching(self.data, changed=lambda: None, show=True)
        self._opened = await self._stack.enter_async_context(
            OpenedModel(self.data, self.model, fetch=fetching.fetch, mend=fetching.mend)
        )
        self.vocabulary = self._opened.vocabulary
        talk = Talk(
            self._opened,
            directory_lookup(bootstraps, known, self._clock, tell=self._meet),
            Ways(alone=options.alone, alone_if_faster=options.alone_if_faster),
            clock=self._clock,
            speed=await asyncio.to_thread(MeasuredSpeed, self.data.folder),
        )
        self._stack.push_async_callback(self._keep, contacts)
        self._talk = talk
        self._stack.push_async_callback(lambda: self._talk.close())
        if options.alone:
            await self._opened.whole()

    def _meet(self, met: Sequence[Contact]) -> None:
        self._met = met

    async def _keep(self, contacts: KnownContacts) -> None:
        """Keep whom it met, so that the next client of this folder needs no bootstrap."""
        if self._met:
            await asyncio.to_thread(contacts.keep, self._met)

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
            UsageError: the prompt is empty, or longer than the model can read.
            EngineFault: the model's tokenizer or template fails.
        """
        return await self._opened.request(
            messages,
            sampling=self._options.sampling,
            max_tokens=max_tokens,
            stops=stops,
            seed=self._options.seed,
            deadline_seconds=deadline_seconds,
        )

    @property
    def generator(self) -> Talk:
        """What writes the answers, piece by piece."""
        return self._talk

    async def answer(self, request: AnswerRequest) -> Answer:
        """The whole answer, for whoever does not want it piece by piece.

        Raises:
            NotServed, ChainBroken: as `Talk.write`.
        """
        answer = Answer()
        async for _ in self._talk.write(request, answer):
            pass
        return answer


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


async def lookup_all(
    bootstraps: Sequence[tuple[PeerId, str]], known: Sequence[Contact] = ()
) -> list[Announcement]:
    """Everything that the bootstraps, those known from before and whom they know tell.

    Raises:
        PeerLost: none of them answers.
    """
    async with _asking(bootstraps, known) as directory:
        return await directory.lookup(None)


async def count_answers(
    bootstraps: Sequence[tuple[PeerId, str]], known: Sequence[Contact] = ()
) -> int:
    """How many computers answer, of these and of those they tell of.

    Raises:
        PeerLost: none of them.
    """
    async with _asking(bootstraps, known) as directory:
        return await directory.join()


@asynccontextmanager
async def _asking(
    bootstraps: Sequence[tuple[PeerId, str]], known: Sequence[Contact]
) -> AsyncIterator[Dht]:
    """The directory under a name that is thrown away."""
    clock = SystemClock()
    async with (
        Endpoint(
            new_identity(), listen=("0.0.0.0", 0), handlers={}, clock=clock, tells_place=False
        ) as endpoint,
        conversation_directory(endpoint, bootstraps, known, clock) as directory,
    ):
        yield directory
