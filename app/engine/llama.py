"""The only binding to llama.cpp: slices, hidden states in and out, vocabularies.

Runs inside the worker's process (`app/engine/worker.py`), because llama.cpp
aborts where Python would raise. Everything here blocks while it computes.
"""

from __future__ import annotations

import ctypes
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from gguf.constants import GGMLQuantizationType
from llama_cpp import _ggml, llama_cpp
from llama_cpp._ctypes_extensions import load_shared_library
from numpy.typing import NDArray

from app.engine.batch import BatchArrays
from app.engine.batch import Floats as Floats
from app.engine.batch import Rows as Rows
from app.engine.ordered_room import OrderedRoom, cells_for
from app.errors import EngineFault, NoRoom

logger = logging.getLogger(__name__)

_LOG_LEVELS: Final = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.INFO, 4: logging.ERROR}

_base = load_shared_library("ggml-base", _ggml.libggml_base_path)
_base.ggml_get_name.argtypes = [ctypes.c_void_p]
_base.ggml_get_name.restype = ctypes.c_char_p
_base.ggml_nbytes.argtypes = [ctypes.c_void_p]
_base.ggml_nbytes.restype = ctypes.c_size_t
_base.ggml_backend_tensor_get.argtypes = [
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_size_t,
]
_base.ggml_backend_tensor_get.restype = None


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _forward_log(level: int, line: bytes, _user_data: Any) -> None:
    message = line.decode(errors="replace").strip()
    if message:
        logger.log(_LOG_LEVELS.get(level, logging.DEBUG), "llama.cpp: %s", message)


def start_library() -> None:
    """Load the backends and send llama.cpp's own words into logging. Call once."""
    llama_cpp.llama_log_set(_forward_log, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()


def supports_gpu() -> bool:
    """Whether this build of llama.cpp can use a GPU at all."""
    return bool(llama_cpp.llama_supports_gpu_offload())


def system_info() -> str:
    """The instruction sets and features this build of llama.cpp uses."""
    info: bytes = llama_cpp.llama_print_system_info()
    return info.decode(errors="replace")


@dataclass(frozen=True)
class LoadOptions:
    """How a slice is loaded; what may be wrong on a machine is decided by probing.

    `kv_tokens` is the room for all sequences together, `gpu_layers` how many
    blocks go to a GPU (-1: all), `repack` whether weights may be rearranged for
    the processor (llama.cpp's "extra buffer types": faster prefill, and on some
    processors a crash). `shared_room` lets one sequence use what others leave; with
    sliding windows it must be off, because llama.cpp then hands the cells a window
    has passed to other sequences, and a rollback would miss them.
    """

    kv_tokens: int
    sequences: int
    batch_rows: int
    threads: int
    gpu_layers: int = 0
    repack: bool = False
    shared_room: bool = True


class PositionGap(EngineFault):
    """A step does not follow on what is known; earlier positions must come first."""


class LoadedSlice:
    """A span of blocks, with or without the head, and its memory of sequences.

    Not thread-safe. `close` frees everything; using it afterwards is an error.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        width: int,
        blocks: int,
        has_head: bool,
        options: LoadOptions,
    ) -> None:
        """Load `files` (as `app/engine/mount.py` wrote them).

        Raises:
            EngineFault: llama.cpp refuses the files or has no memory for them.
        """
        self.width = width
        self.has_head = has_head
        self.options = options
        self._last_output = f"l_out-{blocks - 1}".encode()
        self._captured: Floats | None = None
        self._arrays = BatchArrays(options.batch_rows, width)
        self._batch = _batch_over(self._arrays)
        self._callback = llama_cpp.ggml_backend_sched_eval_callback(self._on_node)
        self._model = _load_model(files, options)
        self._context = self._open_context()
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._room: OrderedRoom | None = None
        if self._keeps_order:
            room = (options.kv_tokens, options.batch_rows, options.sequences)
            self._room = OrderedRoom(self, *room)
        vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.vocabulary_size = llama_cpp.llama_vocab_n_tokens(vocabulary) if has_head else 0

    def _open_context(self) -> Any:
        params = llama_cpp.llama_context_default_params()
        options = self.options
        params.n_ctx, params.n_seq_max = options.kv_tokens, options.sequences
        if self._keeps_order:  # one sequence more has what is nobody's
            params.n_ctx = cells_for(options.kv_tokens, batch_rows=options.batch_rows)
            params.n_seq_max += 1
        params.n_batch = params.n_ubatch = options.batch_rows
        params.n_outputs_max = options.batch_rows
        params.n_threads = params.n_threads_batch = options.threads
        params.kv_unified = options.shared_room
        params.swa_full = True  # rollback needs the positions a sliding window has left
        params.no_perf = True
        if options.gpu_layers == 0:
            # With keys and values of one type llama.cpp picks its attention kernel by the
            # number of rows, positions and threads, and a row's result depends on its
            # company (0.1 % off at 64 rows). With two types there is one kernel for all.
            params.type_k, params.type_v = GGMLQuantizationType.F16, GGMLQuantizationType.BF16
        if self._wants_callback:
            params.cb_eval = self._callback
        context = llama_cpp.llama_init_from_model(self._model, params)
        if not context:
            llama_cpp.llama_model_free(self._model)
            raise EngineFault(
                f"no memory for conversations of {options.kv_tokens} tokens beside the layers"
            )
        return context

    @property
    def _keeps_order(self) -> bool:
        """On a GPU no order would make results exact; a room of one's own is in order anyway."""
        return self.options.shared_room and self.options.gpu_layers == 0

    def set_threads(self, count: int) -> None:
        """Compute with this many threads from now on."""
        llama_cpp.llama_set_n_threads(self._context, count, count)

    def check(self, sequence: int, position: int, hidden: Floats) -> None:
        """Whether rows may be computed, without computing them.

        Raises:
            PositionGap: earlier positions of the sequence are not known here.
            EngineFault: the rows have the wrong width or are too many, or there is
                no such sequence.
        """
        if hidden.shape[1] != self.width:
            raise EngineFault(f"rows of {hidden.shape[1]} values came, {self.width} are needed")
        if len(hidden) > self.options.batch_rows:
            raise EngineFault(f"a step of {len(hidden)} rows is too long")
        if position > (known := self.positions(sequence)):
            raise PositionGap(f"position {position} does not follow on {known} known ones")

    @property
    def _wants_callback(self) -> bool:
        return not self.has_head

    def compute(self, batch: Sequence[Rows]) -> list[Floats]:
        """Run rows of several sequences through the slice in one go.

        Each sequence first forgets everything at or after its `position`.

        Returns:
            For each entry: with the head, [outputs, vocabulary] logits; without
            it, [rows, width] hidden states.

        Raises:
            NoRoom: the memory for sequences is full; nothing was computed.
            PositionGap, EngineFault: as `check`, together they are more rows than
                one decode takes, or llama.cpp failed.
        """
        # llama.cpp aborts the process where the rows are too many.
        if (total := sum(len(rows.hidden) for rows in batch)) > self.options.batch_rows:
            raise EngineFault(f"{total} rows are too many for one decode")
        for rows in batch:
            self.check(rows.sequence, rows.position, rows.hidden)
            self.forget(rows.sequence, rows.position)
        stop = 0
        for rows in batch:
            # Without the head every row is marked, or the last block drops some.
            stop = self._arrays.put(
                stop,
                rows.hidden,
                sequence=rows.sequence,
                position=rows.position,
                wanted=rows.results if self.has_head else len(rows.hidden),
            )
        self._decode(stop)
        return self._split(batch)

    def _decode(self, count: int) -> None:
        self._captured = None
        self._batch.n_tokens = count
        self._run(self._batch, count)

    def _run(self, batch: Any, rows: int) -> None:
        if self._room is not None:
            self._room.take(rows)
        status = llama_cpp.llama_decode(self._context, batch)
        if status != 0 and self._room is not None:
            self._room.doubt()
        if status == 1:
            raise NoRoom("this computer's memory for conversations is full")
        if status != 0:
            raise EngineFault(f"llama.cpp could not compute the step (code {status})")

    def _split(self, batch: Sequence[Rows]) -> list[Floats]:
        if self.has_head:
            counts = [rows.results for rows in batch]
            table = self._logits(sum(counts))
        else:
            if self._captured is None:
                raise EngineFault("this model's graph names no layer output, so it cannot be cut")
            table = self._captured
            counts = [len(rows.hidden) for rows in batch]
        stops = itertools.accumulate(counts)
        return [table[stop - count : stop] for stop, count in zip(stops, counts, strict=True)]

    def _logits(self, count: int) -> Floats:
        if count == 0:
            llama_cpp.llama_synchronize(self._context)
            return np.zeros((0, self.vocabulary_size), np.float32)
        size = count * self.vocabulary_size * np.dtype(np.float32).itemsize
        # A copy: llama.cpp writes the next results over these.
        copied = ctypes.string_at(llama_cpp.llama_get_logits(self._context), size)
        return np.frombuffer(copied, np.float32).reshape(count, self.vocabulary_size)

    def _on_node(self, tensor: int, ask: bool, _user_data: Any) -> bool:  # noqa: FBT001
        """llama.cpp asks about each graph node, then shows the ones wanted."""
        if _base.ggml_get_name(tensor) != self._last_output:
            return not ask
        if ask:
            return True
        part = self._read(tensor)
        self._captured = part if self._captured is None else np.concatenate([self._captured, part])
        return False  # the rest of the graph, final norm and head, is somebody else's

    def _read(self, tensor: int) -> Floats:
        size = _base.ggml_nbytes(tensor)
        part = np.empty((size // (4 * self.width), self.width), np.float32)
        _base.ggml_backend_tensor_get(tensor, part.ctypes.data, 0, size)
        return part

    def forget(self, sequence: int, position: int) -> None:
        """Drop everything of `sequence` at or after `position`; 0 drops it whole.

        Raises:
            EngineFault: there is no such sequence.
        """
        self._check_sequence(sequence)
        if self._room is not None:
            self._room.forget(sequence, position)
        else:
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, position, -1)

    def set_aside(self, sequence: int, position: int) -> None:
        """As `Cells.set_aside`."""
        llama_cpp.llama_memory_seq_cp(self._memory, sequence, self.options.sequences, position, -1)
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, position, -1)

    def clear(self) -> None:
        """As `Cells.clear`."""
        llama_cpp.llama_memory_clear(self._memory, False)

    @property
    def tokens_per_sequence(self) -> int:
        """The most positions one sequence can have."""
        return min(self.options.kv_tokens, int(llama_cpp.llama_n_ctx_seq(self._context)))

    def positions(self, sequence: int) -> int:
        """How many positions of `sequence` are known.

        Raises:
            EngineFault: there is no such sequence.
        """
        self._check_sequence(sequence)
        return int(llama_cpp.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def _check_sequence(self, sequence: int) -> None:
        """llama.cpp aborts the process when asked about a sequence it does not have."""
        if not 0 <= sequence < self.options.sequences:
            raise EngineFault(f"there is no sequence {sequence}")

    def save(self, sequence: int) -> bytes:
        """The memory of one sequence, to be loaded into another or elsewhere.

        Raises:
            EngineFault: there is no such sequence.
        """
        self._check_sequence(sequence)
        size = llama_cpp.llama_state_seq_get_size(self._context, sequence)
        buffer = (ctypes.c_uint8 * size)()
        written = llama_cpp.llama_state_seq_get_data(self._context, buffer, size, sequence)
        return ctypes.string_at(buffer, written)

    def restore(self, sequence: int, state: bytes) -> None:
        """Replace the memory of one sequence with what `save` returned.

        Raises:
            EngineFault: the bytes do not fit this slice, there is no room, or no
                such sequence.
        """
        self.forget(sequence, 0)
        if self._room is None:
            self.load(sequence, state)
            return
        self._room.tidy()
        self.load(sequence, state)
        self._room.loaded(sequence)

    def load(self, sequence: int, state: bytes) -> None:
        """As `Cells.load`."""
        start = ctypes.cast(ctypes.c_char_p(state), ctypes.POINTER(ctypes.c_uint8))
        read = llama_cpp.llama_state_seq_set_data(self._context, start, len(state), sequence)
        if not read or read != len(state):
            if self._room is not None:
                self._room.doubt()
            raise EngineFault("the saved conversation does not fit this slice")

    def close(self) -> None:
        """Free the model and its memory. A second call does nothing."""
        if self._context is not None:
            llama_cpp.llama_free(self._context)
            llama_cpp.llama_model_free(self._model)
            self._context = None


def _batch_over(arrays: BatchArrays) -> Any:
    """A batch that reads its rows from `arrays`, which has to live as long."""

    def address(array: NDArray[Any], kind: Any) -> Any:
        return array.ctypes.data_as(ctypes.POINTER(kind))

    return llama_cpp.llama_batch(
        n_tokens=0,
        token=None,
        embd=address(arrays.hidden, ctypes.c_float),
        pos=address(arrays.positions, ctypes.c_int32),
        n_seq_id=address(arrays.sequence_counts, ctypes.c_int32),
        seq_id=address(arrays.sequence_pointers, ctypes.POINTER(ctypes.c_int32)),
        logits=address(arrays.wanted, ctypes.c_int8),
    )


def _load_model(files: Sequence[Path], options: LoadOptions) -> Any:
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = options.gpu_layers
    params.use_extra_bufts = options.repack
    paths = (ctypes.c_char_p * len(files))(*[str(path).encode() for path in files])
    model = llama_cpp.llama_model_load_from_splits(paths, len(files), params)
    if not model:
        raise EngineFault("llama.cpp could not load the layers; the log says why")
    return model


class WholeModel(LoadedSlice):
    """The whole model as its publisher wrote it: the yardstick for every chain."""

    def __init__(self, file: Path, *, options: LoadOptions, watch_layers: bool = False) -> None:
        """Load `file` as it is; `watch_layers` keeps what `layer_outputs` needs.

        Raises:
            EngineFault: llama.cpp refuses the file or has no memory for it.
        """
        self._layers: dict[int, Floats] | None = {} if watch_layers else None
        super().__init__([file], width=0, blocks=1, has_head=True, options=options)
        self.width = int(llama_cpp.llama_model_n_embd(self._model))

    @property
    def _wants_callback(self) -> bool:
        return self._layers is not None

    def _on_node(self, tensor: int, ask: bool, _user_data: Any) -> bool:  # noqa: FBT001
        """Keep every layer's output on its way, and let the graph go on."""
        name: bytes = _base.ggml_get_name(tensor)
        if not name.startswith(b"l_out-"):
            return not ask
        if not ask and self._layers is not None:
            self._layers[int(name.removeprefix(b"l_out-"))] = self._read(tensor)
        return True

    def layer_outputs(self, tokens: Sequence[int]) -> tuple[list[Floats], Floats]:
        """Hidden states [tokens, width] after each block in order, and the logits.

        Raises:
            NoRoom, EngineFault: as `compute_tokens`.
        """
        self._layers = {}
        logits = self.compute_tokens(0, 0, tokens)
        return [self._layers[number] for number in sorted(self._layers)], logits

    def compute_tokens(self, sequence: int, position: int, tokens: Sequence[int]) -> Floats:
        """Logits [tokens, vocabulary] of every token given.

        Raises:
            NoRoom: the memory for sequences is full.
            EngineFault: llama.cpp failed.
        """
        self.forget(sequence, position)
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        try:
            for row, token in enumerate(tokens):
                batch.token[row] = token
                batch.pos[row] = position + row
                batch.n_seq_id[row] = 1
                batch.seq_id[row][0] = sequence
                batch.logits[row] = 1
            batch.n_tokens = len(tokens)
            self._run(batch, len(tokens))
        finally:
            llama_cpp.llama_batch_free(batch)
        return self._logits(len(tokens))


class Words:
    """A model's vocabulary, loaded from a GGUF header without any weights."""

    def __init__(self, file: Path) -> None:
        """Load the vocabulary of `file`.

        Raises:
            EngineFault: llama.cpp does not know this kind of tokenizer.
        """
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(file).encode(), params)
        if not self._model:
            raise EngineFault("llama.cpp cannot read this model's tokenizer")
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.size = int(llama_cpp.llama_vocab_n_tokens(self._vocabulary))
        self.begin = int(llama_cpp.llama_vocab_bos(self._vocabulary))
        self.end = int(llama_cpp.llama_vocab_eos(self._vocabulary))
        self.add_begin = bool(llama_cpp.llama_vocab_get_add_bos(self._vocabulary))
        template = llama_cpp.llama_model_chat_template(self._model, None)
        self.template = (template or b"").decode(errors="replace")

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for, control tokens by their names."""
        buffer = ctypes.create_string_buffer(64)
        length = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, 64, 0, True)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = llama_cpp.llama_token_to_piece(
                self._vocabulary, token, buffer, -length, 0, True
            )
        return buffer.raw[:length]

    def ends_text(self, token: int) -> bool:
        """Whether an answer is over with this token."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocabulary, token))

    def is_control(self, token: int) -> bool:
        """Whether the token steers and is not text."""
        return bool(llama_cpp.llama_vocab_is_control(self._vocabulary, token))

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The tokens of a text, none added; `special` reads control tokens by name."""
        data = text.encode()
        room = len(data) + 8
        buffer = (ctypes.c_int32 * room)()
        count = llama_cpp.llama_tokenize(
            self._vocabulary, data, len(data), buffer, room, False, special
        )
        if count < 0:
            raise EngineFault("the text gives more tokens than it has bytes")
        return list(buffer[:count])
