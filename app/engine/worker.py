"""The worker: one child process that computes, and may die without harm.

It reads requests from its standard input and answers on its standard output, one
after the other; it ends when its input does. Whatever llama.cpp or a driver
prints goes to standard error. The counterpart is `app/engine/child.py`.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import psutil
from gguf.constants import GGMLQuantizationType
from gguf.quants import dequantize
from numpy.typing import NDArray

from app.engine import frames, llama
from app.engine.batch import row_bytes
from app.engine.portable_memory import PortableMemory
from app.errors import BadInput, EngineFault, NoRoom

NICENESS: Final = 10
TEMPLATE_BYTES: Final = 1 << 30
"""Room for a chat template's work; the longest prompts take a few MB."""
TUNE_ROWS: Final = 6
"""Decodes for each thread count tried: enough for a median, below 50 ms for small slices."""


class Embedding:
    """Unit 0: rows of the embedding matrix, dequantised when asked for."""

    def __init__(self, table: frames.EmbeddingTable) -> None:
        """Map the unit's file.

        Raises:
            OSError, ValueError: the file is gone or too short.
            EngineFault: the rows are of a type that no embedding has.
        """
        self._kind = GGMLQuantizationType(table.kind)
        self._scale = np.float32(table.scale)
        size = row_bytes(table.width, self._kind)
        try:
            dequantize(np.zeros((1, size), np.uint8), self._kind)
        except NotImplementedError:
            raise EngineFault(f"an embedding stored as {self._kind.name} cannot be read") from None
        raw = np.memmap(table.path, np.uint8, mode="r", offset=table.offset)
        self._rows = raw[: table.rows * size].reshape(table.rows, size)

    def rows(self, tokens: list[int]) -> llama.Floats:
        """Hidden states [tokens, width] of tokens.

        Raises:
            EngineFault: a token outside the vocabulary.
        """
        wanted = np.array(tokens, np.int64)
        if wanted.max(initial=0) >= len(self._rows):
            raise EngineFault(f"token {wanted.max()} is not in the vocabulary")
        values = dequantize(np.ascontiguousarray(self._rows[wanted]), self._kind)
        if self._scale != 1:
            values = values * self._scale
        return np.asarray(values, np.float32)


class Worker:
    """What is mounted, and how each request is answered."""

    def __init__(self, *, bound_memory: Callable[[], None] = lambda: None) -> None:
        """`bound_memory` is called before a stranger's chat template may run."""
        self._bound_memory = bound_memory
        self._embedding: Embedding | None = None
        self._slice: llama.LoadedSlice | None = None
        self._memory: PortableMemory | None = None
        self._words: llama.Words | None = None

    def answer(self, request: frames.Request) -> frames.Answer:
        """Do what is asked; what cannot be done is answered with `Failed`."""
        serial = request.serial
        try:
            return self._dispatch(request)
        except NoRoom as refusal:
            return frames.Failed(serial=serial, kind="no_room", reason=refusal.reason)
        except BadInput as error:
            return frames.Failed(serial=serial, kind="input", reason=str(error))
        except (EngineFault, OSError, ValueError) as error:
            return frames.Failed(serial=serial, kind="engine", reason=str(error) or repr(error))

    def _dispatch(self, request: frames.Request) -> frames.Answer:
        serial = request.serial
        match request:
            case frames.Compute():
                return self._compute(request)
            case frames.Mount():
                return self._mount(request)
            case frames.Forget():
                if self._slice is not None:
                    self._slice.forget(request.sequence, request.position)
                return frames.Done(serial=serial)
            case frames.DescribeMemory():
                form = self._portable().form(request.sequence)
                return frames.MemoryDescribed(
                    serial=serial, position_bytes=form.position_bytes, digest=form.digest
                )
            case frames.Save():
                state = self._portable().take(request.sequence, request.positions)
                return frames.Saved(serial=serial, state=state)
            case frames.Restore():
                self._portable().put(request.sequence, request.state)
                return frames.Done(serial=serial)
            case frames.Tune():
                return self._tune(request)
            case frames.UseThreads():
                if self._slice is not None:
                    self._slice.set_threads(request.threads)
                return frames.Done(serial=serial)
            case frames.OpenVocabulary():
                self._words = llama.Words(Path(request.path))
                self._bound_memory()
                return _vocabulary(serial, self._words)
            case frames.Tokenize():
                return frames.Tokens(serial=serial, ids=self._tokenize(request))
            case frames.Render():
                return self._render(request)
            case frames.Status():
                return frames.Report(
                    serial=serial,
                    mounted=self._slice is not None,
                    gpu=llama.supports_gpu(),
                    system=llama.system_info(),
                    resident_bytes=psutil.Process().memory_info().rss,
                )

    def _mounted(self) -> llama.LoadedSlice:
        if self._slice is None:
            raise EngineFault("no layers are mounted")
        return self._slice

    def _portable(self) -> PortableMemory:
        if self._memory is None:
            raise EngineFault("no layers are mounted")
        return self._memory

    def _tokenize(self, request: frames.Tokenize) -> list[int]:
        if self._words is None:
            raise EngineFault("no vocabulary is open")
        return self._words.tokenize(request.text, special=request.special)

    def _render(self, request: frames.Render) -> frames.Rendered:
        if self._words is None:
            raise EngineFault("no vocabulary is open")
        # Only now: most workers never render, and Jinja takes long to import.
        from app.engine.template import render

        words = self._words
        begin, end = (
            words.piece(token).decode(errors="replace") if token >= 0 else ""
            for token in (words.begin, words.end)
        )
        prompt = render(
            words.template,
            request.messages,
            begin=begin,
            end=end,
            today=datetime.datetime.now().astimezone().date(),
        )
        return frames.Rendered(serial=request.serial, text=prompt)

    def _mount(self, request: frames.Mount) -> frames.Answer:
        if self._slice is not None:
            self._slice.close()
        self._slice = self._memory = None
        self._embedding = None if request.embedding is None else Embedding(request.embedding)
        if request.slice is None:
            return frames.Mounted(
                serial=request.serial, tokens_per_sequence=1 << 22, vocabulary_size=0
            )
        wanted = request.slice
        self._slice = llama.LoadedSlice(
            [Path(file) for file in wanted.files],
            width=wanted.width,
            blocks=wanted.blocks,
            has_head=wanted.has_head,
            options=llama.LoadOptions(
                kv_tokens=wanted.kv_tokens,
                sequences=wanted.sequences,
                batch_rows=wanted.batch_rows,
                threads=wanted.threads,
                gpu_layers=wanted.gpu_layers,
                repack=wanted.repack,
                shared_room=wanted.shared_room,
            ),
        )
        self._memory = PortableMemory(self._slice)
        return frames.Mounted(
            serial=request.serial,
            tokens_per_sequence=self._slice.tokens_per_sequence,
            vocabulary_size=self._slice.vocabulary_size,
        )

    def _compute(self, request: frames.Compute) -> frames.Computed:
        started = time.perf_counter()
        results: list[frames.PartResult | None] = [None] * len(request.parts)
        ready: list[tuple[int, llama.Rows]] = []
        for index, part in enumerate(request.parts):
            try:
                ready.append((index, self._rows(part)))
            except llama.PositionGap as error:
                results[index] = frames.PartResult(fault=str(error), code="gap")
            except (EngineFault, ValueError) as error:
                results[index] = frames.PartResult(fault=str(error), code="input")
        for index, result in self._run(ready, request.parts):
            results[index] = result
        return frames.Computed(
            serial=request.serial,
            results=[result for result in results if result is not None],
            seconds=time.perf_counter() - started,
        )

    def _rows(self, part: frames.Part) -> llama.Rows:
        """Check one part, so that a bad one fails alone and not the whole batch."""
        carried = part.rows if part.tokens is None else len(part.tokens)
        if not part.rows or carried != part.rows or part.outputs > part.rows:
            raise EngineFault("the step's rows do not agree with what it carries")
        if part.tokens is not None:
            if self._embedding is None:
                raise EngineFault("tokens came to a computer that does not hold the embedding")
            hidden = self._embedding.rows(part.tokens)
        elif self._slice is None:
            raise EngineFault("no layers are mounted")
        else:
            hidden = np.frombuffer(part.hidden, np.float32).reshape(part.rows, -1)
        if not np.isfinite(hidden).all():
            raise EngineFault("the step holds values that are not finite numbers")
        if self._slice is not None:
            self._slice.check(part.sequence, part.position, hidden)
        return llama.Rows(part.sequence, part.position, hidden, part.outputs)

    def _run(
        self, ready: list[tuple[int, llama.Rows]], parts: list[frames.Part]
    ) -> list[tuple[int, frames.PartResult]]:
        if not ready:
            return []
        if self._slice is None:
            return [
                (index, frames.PartResult(hidden=rows.hidden.tobytes())) for index, rows in ready
            ]
        try:
            tables = self._slice.compute([rows for _, rows in ready])
            if not all(np.isfinite(table).all() for table in tables):
                raise EngineFault("the layers computed values that are not finite numbers")
        except (EngineFault, NoRoom) as error:
            if len(ready) == 1:
                code: frames.FaultCode = "no_room" if isinstance(error, NoRoom) else "engine"
                return [(ready[0][0], frames.PartResult(fault=str(error), code=code))]
            # One of them spoils it for all: find out which.
            return [result for entry in ready for result in self._run([entry], parts)]
        if not self._slice.has_head:
            return [
                (index, frames.PartResult(hidden=table.tobytes()))
                for (index, _), table in zip(ready, tables, strict=True)
            ]
        return [
            (index, best_candidates(table, parts[index].candidates))
            for (index, _), table in zip(ready, tables, strict=True)
        ]

    def _tune(self, request: frames.Tune) -> frames.Tuned:
        mounted = self._mounted()
        best = (float("inf"), request.threads[0])
        row = np.full((1, mounted.width), 0.01, np.float32)
        for threads in request.threads:
            mounted.set_threads(threads)
            times = []
            for position in range(TUNE_ROWS):
                started = time.perf_counter()
                (table,) = mounted.compute([llama.Rows(0, position, row, 1)])
                times.append(time.perf_counter() - started)
                if not np.isfinite(table).all():
                    raise EngineFault("the layers computed values that are not finite numbers")
            best = min(best, (float(np.median(times[1:])), threads))
            mounted.forget(0, 0)
        mounted.compute([llama.Rows(0, 0, np.repeat(row, 8, axis=0), 0)])
        with contextlib.suppress(EngineFault):  # then no memory of these layers is ever moved
            self._portable().form(0)
        mounted.forget(0, 0)
        mounted.set_threads(best[1])
        return frames.Tuned(serial=request.serial, threads=best[1], seconds=best[0])


def _vocabulary(serial: int, words: llama.Words) -> frames.Vocabulary:
    everyone = range(words.size)
    return frames.Vocabulary(
        serial=serial,
        pieces=[words.piece(token) for token in everyone],
        ends=[token for token in everyone if words.ends_text(token)],
        control=[token for token in everyone if words.is_control(token)],
        begin=words.begin,
        end=words.end,
        add_begin=words.add_begin,
        has_template=bool(words.template),
    )


def bound_memory() -> None:
    """Let this process grow by no more than `TEMPLATE_BYTES` from now on.

    A chat template can ask for any amount of memory; it then fails with one line
    instead of taking the owner's computer down. Windows knows no such limit.
    """
    if sys.platform == "win32":
        return
    import resource

    now = psutil.Process().memory_info().vms
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = now + TEMPLATE_BYTES
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


def best_candidates(logits: llama.Floats, count: int) -> frames.PartResult:
    """The `count` best of each row of [rows, vocabulary], best first, lower id on a tie."""
    count = min(max(count, 1), logits.shape[1])
    ids: NDArray[np.int64]
    if count == 1:
        ids = logits.argmax(axis=1)[:, None]
    elif count < logits.shape[1]:
        # Which ones of equals a partition takes is anybody's guess, so only its bound is used.
        bound = -np.partition(-logits, count - 1, axis=1)[:, count - 1 : count]
        better, equal = logits > bound, logits == bound
        wanted = count - better.sum(axis=1, keepdims=True)
        chosen = better | (equal & (equal.cumsum(axis=1) <= wanted))
        ids = chosen.nonzero()[1].reshape(-1, count)
    else:
        ids = np.broadcast_to(np.arange(count), logits.shape)
    values = np.take_along_axis(logits, ids, axis=1)
    order = np.lexsort((ids, -values))
    ids = np.take_along_axis(ids, order, axis=1)
    values = np.take_along_axis(values, order, axis=1)
    return frames.PartResult(ids=ids.astype("<i4").tobytes(), logits=values.tobytes())


def serve(source: BinaryIO, sink: BinaryIO, worker: Worker) -> None:
    """Answer requests from `source` on `sink` until `source` ends."""
    while True:
        prefix = source.read(frames.LENGTH_BYTES)
        if len(prefix) < frames.LENGTH_BYTES:
            return
        length = frames.body_length(prefix)
        body = source.read(length)
        if len(body) < length:
            return
        try:
            answer = worker.answer(frames.decode_request(body))
        except BadInput as error:
            answer = frames.Failed(serial=0, kind="bad_request", reason=str(error))
        sink.write(frames.encode(answer))
        sink.flush()


def main() -> None:
    """The child's entry: keep the pipe clean, step back behind the owner's work, serve."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    logging.basicConfig(
        level=os.environ.get("POTLUCK_LOG", "WARNING"), format="worker: %(message)s"
    )
    llama.start_library()
    try:
        serve(sys.stdin.buffer, pipe, Worker(bound_memory=bound_memory))
    except (BadInput, BrokenPipeError, KeyboardInterrupt):
        logging.getLogger(__name__).info("the node is gone")


if __name__ == "__main__":
    main()
