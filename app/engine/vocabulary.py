"""A model's words, from its header alone: no weights are downloaded for them.

The vocabulary is opened in a worker of its own, because tokenizer and chat
template come from strangers. The counterpart there is `llama.Words`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from app.engine import frames
from app.engine.child import AnswerT, Child, start_child
from app.engine.gguf_read import Header
from app.engine.gguf_write import write_header
from app.errors import EngineFault

ANSWER_SECONDS: Final = 30.0
"""The largest vocabularies open in 3 s; a template that never ends is cut off here."""


class Vocabulary:
    """Text to tokens and back. Use with `async with`; entering opens it."""

    def __init__(
        self, header: Header, folder: Path, *, command: Sequence[str] | None = None
    ) -> None:
        """`header` is the model's; `folder` takes a file of its size while in use."""
        self._header = header
        self._folder = folder
        self._command = command
        self._child: Child | None = None
        self._words: frames.Vocabulary | None = None
        self._ends: frozenset[int] = frozenset()
        self._control: frozenset[int] = frozenset()

    async def __aenter__(self) -> Vocabulary:
        """Open it.

        Raises:
            EngineFault: llama.cpp does not know this kind of tokenizer.
        """
        path = self._folder / "vocabulary.gguf"
        await asyncio.to_thread(_write_vocabulary, self._header, path)
        self._child = await start_child(self._command)
        try:
            self._words = await self._ask(
                frames.Vocabulary,
                lambda serial: frames.OpenVocabulary(serial=serial, path=str(path)),
            )
        except BaseException:
            await self._child.stop()
            raise
        self._ends = frozenset(self._words.ends)
        self._control = frozenset(self._words.control)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None:
            await self._child.stop()

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self._opened.pieces)

    def piece(self, token: int) -> bytes:
        """The bytes a token adds to a text; none for control tokens and unknown ones."""
        if token in self._control or not 0 <= token < self.size:
            return b""
        return self._opened.pieces[token]

    def ends_text(self, token: int) -> bool:
        """Whether an answer is over with this token."""
        return token in self._ends

    async def tokenize(self, text: str) -> list[int]:
        """The tokens of a plain text, begun as the model wants it.

        Raises:
            EngineFault: the text cannot be tokenized, or the worker died.
        """
        return self._begun(await self._tokens(text, special=False))

    async def prompt(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The tokens of a conversation, up to where the answer begins.

        Args:
            messages: each with `role` ("system", "user", "assistant") and `content`.

        Raises:
            EngineFault: the chat template fails or refuses, or the worker died.
        """
        rendered = await self._ask(
            frames.Rendered,
            lambda serial: frames.Render(serial=serial, messages=[dict(m) for m in messages]),
        )
        return self._begun(await self._tokens(rendered.text, special=True))

    @property
    def _opened(self) -> frames.Vocabulary:
        if self._words is None:
            raise RuntimeError("the vocabulary is not open")
        return self._words

    def _begun(self, tokens: list[int]) -> list[int]:
        words = self._opened
        if words.add_begin and words.begin >= 0 and tokens[:1] != [words.begin]:
            return [words.begin, *tokens]
        return tokens

    async def _tokens(self, text: str, *, special: bool) -> list[int]:
        answer = await self._ask(
            frames.Tokens,
            lambda serial: frames.Tokenize(serial=serial, text=text, special=special),
        )
        return answer.ids

    async def _ask(self, kind: type[AnswerT], build: Callable[[int], frames.Frame]) -> AnswerT:
        assert self._child is not None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._child.ask(kind, build)
        except TimeoutError:
            self._child.kill()
            raise EngineFault(
                "the model's tokenizer or chat template does not come to an end"
            ) from None


def _write_vocabulary(header: Header, path: Path) -> None:
    """A GGUF file with the metadata and no tensors: llama.cpp wants those it lists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {k: v for k, v in header.metadata.items() if k != "general.alignment"}
    path.write_bytes(write_header(metadata, [], header.alignment))
