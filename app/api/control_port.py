"""What the API asks of the node: one protocol, so that the room sees the base only.

The node implements it in `app/node/service.py`; tests of the API hand in their own. Every
method runs on the node's event loop. What a person asked for and cannot be done raises
a `PotluckError`, whose text is shown word for word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.api.shapes import (
    AddModelRequest,
    AnswerDelta,
    AnswerWaiting,
    ChooseModelRequest,
    ConsentRequest,
    Conversation,
    ConversationChange,
    ConversationHead,
    ConversationOptions,
    LogsView,
    MessageView,
    ModelOffer,
    PauseRequest,
    ResumeRequest,
    SayRequest,
    SettingsView,
    Snapshot,
)
from app.sentences import Sentence

MAX_WARNINGS_WAITING = 32


@dataclass(frozen=True, kw_only=True)
class Order:
    """One answer that a program asks for: `messages` of a conversation, or a plain `prompt`.

    `model` None is the one this computer would choose; `max_tokens` None leaves it to
    the node; `stops` end the text and are not part of it. `alone` is on this computer only,
    `over_swarm` over a chain even when this computer is faster by itself; what it
    shares may be a part of that chain.
    """

    model: str | None = None
    messages: Sequence[Mapping[str, str]] | None = None
    prompt: str = ""
    temperature: float = 0.0
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repetition_penalty: float = 1.0
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    seed: int | None = None
    alone: bool = False
    over_swarm: bool = False


def _nobody_listens() -> None:
    """Nobody wants to know."""


@dataclass
class Written:
    """What came of an order so far: who wrote it, how much, how fast, and who could read it.

    `predicted_tokens_per_second` is what was expected of the chain, 0.0 where nothing was;
    `remark` why it is another one than was to be expected. `waiting` says why no text comes
    for a while, and `waits` is called whenever that changes.
    """

    model: str = ""
    title: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    finish: str | None = None
    chain: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    tokens_per_second: float = 0.0
    first_token_seconds: float = 0.0
    predicted_tokens_per_second: float = 0.0
    repairs: int = 0
    remark: Sentence | None = None
    waiting: Sentence | None = None
    waits: Callable[[], None] = _nobody_listens


@dataclass(frozen=True)
class KnownName:
    """A model as programs list it."""

    name: str
    owner: str


class Changes:
    """One listener's view of what changes: never longer than its bounds.

    States are told by asking for the newest, so only the fact of a change is kept;
    warnings are kept up to `MAX_WARNINGS_WAITING`, the oldest going first.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._warnings: list[Sentence] = []

    def mark(self) -> None:
        """Something is different now."""
        self._changed.set()

    def warn(self, warning: Sentence) -> None:
        """A sentence for the person."""
        self._warnings = [*self._warnings, warning][-MAX_WARNINGS_WAITING:]
        self._changed.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a change, at most so long; whether there was one."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def take_warnings(self) -> list[Sentence]:
        """The warnings that nobody took yet."""
        taken, self._warnings = self._warnings, []
        return taken


class NodeControl(Protocol):
    """The node, as programs may see and steer it."""

    # ── what it does ─────────────────────────────────────────────────────────

    def snapshot(self) -> Snapshot:
        """Everything at this moment."""
        ...

    def moving(self) -> bool:
        """Whether numbers of the snapshot change by themselves now."""
        ...

    def listen(self) -> Changes:
        """Be told of changes until `unlisten`."""
        ...

    def unlisten(self, changes: Changes) -> None:
        """Be told no more."""
        ...

    def quit(self) -> None:
        """End the node soon, after the answer to this request is out."""
        ...

    # ── steering ─────────────────────────────────────────────────────────────

    async def consent(self, request: ConsentRequest) -> Snapshot:
        """The end of the first run."""
        ...

    async def pause(self, request: PauseRequest) -> Snapshot:
        """Rest; returns when the layers are out of memory."""
        ...

    async def resume(self, request: ResumeRequest) -> Snapshot:
        """End a pause by hand, of everything or of one part."""
        ...

    async def share_anyway(self, seconds: float) -> Snapshot:
        """Overrule automatic pauses for a while."""
        ...

    async def slow_mode(self, *, on: bool) -> Snapshot:
        """Switch to the slow bandwidth caps, or back."""
        ...

    def settings(self) -> SettingsView:
        """Every setting with its value."""
        ...

    async def change_settings(self, values: Mapping[str, Any]) -> SettingsView:
        """Change some settings, all or none; they hold at once and are kept."""
        ...

    async def models(self) -> list[ModelOffer]:
        """What may be chosen."""
        ...

    async def add_model(self, request: AddModelRequest) -> list[ModelOffer]:
        """Know a model from its manifest's file; what may be chosen then."""
        ...

    async def choose_model(self, request: ChooseModelRequest) -> Snapshot:
        """Serve another model or span from now on."""
        ...

    async def free_disk(self) -> int:
        """Delete layers that nothing here uses; how many bytes came free."""
        ...

    async def logs(self) -> LogsView:
        """The log without addresses and names."""
        ...

    # ── conversations ────────────────────────────────────────────────────────

    async def conversations(self) -> list[ConversationHead]:
        """All of them, the one changed last first."""
        ...

    async def create_conversation(self, options: ConversationOptions) -> Conversation:
        """A new, empty one."""
        ...

    async def conversation(self, conversation: str) -> Conversation:
        """One with its messages; `Refusal` "unknown_conversation" if there is none."""
        ...

    async def change_conversation(self, conversation: str, change: ConversationChange) -> None:
        """Another title, or other options."""
        ...

    async def delete_conversation(self, conversation: str) -> None:
        """Remove it; an answer being written is stopped."""
        ...

    async def say(self, conversation: str, request: SayRequest) -> int:
        """Add a person's message and begin the answer; the number of the answer's message."""
        ...

    async def regenerate(self, conversation: str) -> int:
        """Write the last answer again; the number of the new message."""
        ...

    def follow(
        self, conversation: str
    ) -> AsyncGenerator[AnswerDelta | AnswerWaiting | MessageView, None]:
        """The answer being written: what there is, what comes, and at the end the message;
        between them why nothing comes for a while.

        Ends at once when none is. Leaving does not stop the answer.
        """
        ...

    async def stop(self, conversation: str) -> None:
        """Stop the answer being written, and keep what there is of it."""
        ...

    # ── answers for other programs ───────────────────────────────────────────

    def known_names(self) -> list[KnownName]:
        """The models that an order may name."""
        ...

    def write(self, order: Order, written: Written) -> AsyncGenerator[str, None]:
        """Write an answer piece by piece; `written` is filled meanwhile.

        Closing the iterator stops it.
        """
        ...
