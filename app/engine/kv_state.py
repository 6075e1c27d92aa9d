"""What a sequence's memory looks like in llama.cpp's bytes, and the same as plain rows.

Pure. Between computers a memory travels as rows: for each position, one after the other, the
keys and values of every layer, and nothing else. All that llama.cpp wants around them (counts,
types, positions, whose they are) is written here, from the `MemoryForm` that this computer's
own layers showed, so no byte of a stranger's is ever read as a number that steers anything:
what is left of it are values, and those have to be finite. It follows llama.cpp's
`llama_kv_cache::state_write` as of llama-cpp-python 0.3.36; the counterpart that has the memory
is `app/engine/portable_memory.py`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from gguf.constants import GGMLQuantizationType
from numpy.typing import NDArray

from app.errors import BadInput

Bytes2D = NDArray[np.uint8]

MAGIC: Final = 0xAF143CD8
MOST_CACHES: Final = 2
"""One for all layers, or one for those that see everything and one for those that slide."""
MOST_LAYERS: Final = 4096
MOST_STREAMS: Final = 256
_FORM_DOMAIN: Final = b"potluck memory form v1\0"

_EXPONENTS: Final[dict[GGMLQuantizationType, tuple[np.dtype[Any], int]]] = {
    GGMLQuantizationType.F32: (np.dtype("<u4"), 0x7F800000),
    GGMLQuantizationType.F16: (np.dtype("<u2"), 0x7C00),
    GGMLQuantizationType.BF16: (np.dtype("<u2"), 0x7F80),
}
"""Of each kind of number: how it is stored, and the bits that are all set where it is not finite.
Other kinds are not known to be safe, and do not travel."""


@dataclass(frozen=True)
class Layer:
    """GGML types of a layer's keys and values, and how many bytes a position has of each."""

    key_type: int
    key_bytes: int
    value_type: int
    value_bytes: int


@dataclass(frozen=True)
class Cache:
    """One of llama.cpp's caches.

    `streams` is 1 where sequences share the cells, else their number; `transposed` says that
    values lie by element and not by position.
    """

    streams: int
    transposed: bool
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class MemoryForm:
    """How the memory of a span's layers is laid out."""

    caches: tuple[Cache, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, in the order in which a row has them."""
        return tuple(layer for cache in self.caches for layer in cache.layers)

    @cached_property
    def position_bytes(self) -> int:
        """How long a row is: all layers' keys and values of one position."""
        return sum(layer.key_bytes + layer.value_bytes for layer in self.layers)

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that are the same where rows mean the same, however llama.cpp keeps them."""
        numbers = [
            (each.key_type, each.key_bytes, each.value_type, each.value_bytes)
            for each in self.layers
        ]
        return hashlib.sha256(_FORM_DOMAIN + repr(numbers).encode()).digest()


def read_state(
    state: bytes, sequence: int, *, form: MemoryForm | None = None, most: int | None = None
) -> tuple[MemoryForm, Bytes2D]:
    """What this computer's llama.cpp saved of a sequence, as rows [positions, position_bytes].

    Args:
        form: the form that it has to be of, when that was found before. When it is not given,
            the bytes are made again from what was understood, which takes as long as reading.
        most: of so many positions, from 0 on, at most.

    Raises:
        ValueError: it is not the whole memory of positions 0, 1, ... of that sequence alone, or
            of a form that is not known here, such as that of layers whose window has slid on.
    """
    reader = _Reader(state)
    if reader.number("<I") != MAGIC or reader.number("<i") != sequence:
        raise ValueError("this is no memory of that sequence")
    caches: list[Cache] = []
    columns: list[Bytes2D] = []
    positions: int | None = None
    in_order = True
    while not reader.at_end:
        cache, order, cache_columns = _read_cache(reader, sequence)
        if len(caches) == MOST_CACHES or positions not in (None, len(order)):
            raise ValueError("the memory's layers do not know the same positions")
        positions = len(order)
        caches.append(cache)
        ordered = bool((order == np.arange(positions)).all())
        in_order = in_order and ordered
        wanted = slice(most) if ordered else order[:most]  # a slice is not copied
        columns += [column[wanted] for column in cache_columns]
    if not positions or not columns:
        raise ValueError("the memory is empty")
    found, rows = MemoryForm(tuple(caches)), np.concatenate(columns, axis=1)
    # Whatever was not understood shows here, before anything is told to anybody.
    whole = len(rows) == positions
    if form is None and in_order and whole and write_state(found, rows, sequence) != state:
        raise ValueError("the memory is of a form that is not known here")
    if form not in (None, found):
        raise ValueError("the memory is of another form than before")
    return found, rows


def write_state(form: MemoryForm, rows: Bytes2D, sequence: int) -> bytes:
    """What llama.cpp has to be given for a sequence to have these rows as its memory.

    Args:
        rows: [positions, position_bytes], as `check_rows` gives them; at least one.
    """
    positions = len(rows)
    cells = np.zeros(positions, np.dtype([("at", "<i4"), ("count", "<u4"), ("whose", "<i4")]))
    cells["at"], cells["count"], cells["whose"] = np.arange(positions), 1, sequence
    parts = [struct.pack("<Ii", MAGIC, sequence)]
    start = 0
    for cache in form.caches:
        stream = sequence if cache.streams > 1 else 0
        parts.append(struct.pack("<I", cache.streams) + bytes(4 * stream))
        parts.append(struct.pack("<I", positions) + cells.tobytes())
        parts.append(struct.pack("<II", cache.transposed, len(cache.layers)))
        values: list[bytes] = []
        for layer in cache.layers:
            middle, stop = start + layer.key_bytes, start + layer.key_bytes + layer.value_bytes
            parts.append(struct.pack("<iQ", layer.key_type, layer.key_bytes))
            parts.append(rows[:, start:middle].tobytes())
            values.append(_value_bytes(layer, rows[:, middle:stop], transposed=cache.transposed))
            start = stop
        parts += values
        parts.append(bytes(4 * (cache.streams - 1 - stream)))
    return b"".join(parts)


def check_rows(form: MemoryForm, data: bytes) -> Bytes2D:
    """A stranger's rows, [positions, position_bytes], fit to be a sequence's memory.

    Raises:
        BadInput: they are none, not whole, or hold values that are not finite.
    """
    count, rest = divmod(len(data), form.position_bytes)
    if rest or not count:
        raise BadInput(f"{len(data)} bytes are not rows of {form.position_bytes}")
    rows = np.frombuffer(data, np.uint8).reshape(count, form.position_bytes)
    start = 0
    for layer in form.layers:
        for kind, size in (
            (layer.key_type, layer.key_bytes),
            (layer.value_type, layer.value_bytes),
        ):
            stored, exponent = _EXPONENTS[GGMLQuantizationType(kind)]
            numbers = np.ascontiguousarray(rows[:, start : start + size]).view(stored)
            if ((numbers & exponent) == exponent).any():
                raise BadInput("a memory holds values that are not finite numbers")
            start += size
    return rows


def _read_cache(reader: _Reader, sequence: int) -> tuple[Cache, NDArray[np.intp], list[Bytes2D]]:
    """A cache, where each position's cell is, and each layer's keys and values [cells, bytes]."""
    streams = reader.number("<I")
    if not 1 <= streams <= MOST_STREAMS:
        raise ValueError(f"a memory of {streams} streams")
    stream = sequence if streams > 1 else 0
    if not 0 <= stream < streams or any(reader.number("<I") for _ in range(stream)):
        raise ValueError("another sequence's stream is not empty")
    order = _read_cells(reader, sequence)
    transposed, count = reader.number("<I"), reader.number("<I")
    if transposed > 1 or count > MOST_LAYERS:
        raise ValueError(f"a memory of {count} layers")
    keys = [_read_rows(reader, len(order)) for _ in range(count)]
    read_values = _read_transposed if transposed else _read_rows
    values = [read_values(reader, len(order)) for _ in range(count)]
    if any(reader.number("<I") for _ in range(streams - 1 - stream)):
        raise ValueError("another sequence's stream is not empty")
    layers, columns = [], []
    for (key_type, key), (value_type, value) in zip(keys, values, strict=True):
        layers.append(Layer(key_type, key.shape[1], value_type, value.shape[1]))
        columns += [key, value]
    return Cache(streams, bool(transposed), tuple(layers)), order, columns


def _read_cells(reader: _Reader, sequence: int) -> NDArray[np.intp]:
    """For each position its cell's number."""
    count = reader.number("<I")
    cells = reader.bytes(12 * count).view("<i4").reshape(count, 3)
    if (cells[:, 1] != 1).any() or (cells[:, 2] != sequence).any():
        raise ValueError("a cell belongs to another sequence, or to several")
    order = np.argsort(cells[:, 0], kind="stable")
    if (cells[order, 0] != np.arange(count)).any():
        raise ValueError("the memory does not hold all positions from 0 on")
    return order


def _read_rows(reader: _Reader, cells: int) -> tuple[int, Bytes2D]:
    kind, size = reader.number("<i"), reader.number("<Q")
    stored = _stored(kind)
    if not size or size % stored.itemsize:
        raise ValueError(f"rows of {size} bytes")
    return kind, reader.bytes(cells * size).reshape(cells, size)


def _read_transposed(reader: _Reader, cells: int) -> tuple[int, Bytes2D]:
    kind, size, elements = reader.number("<i"), reader.number("<I"), reader.number("<I")
    stored = _stored(kind)
    if size != stored.itemsize or not elements:
        raise ValueError(f"{elements} elements of {size} bytes")
    values = reader.bytes(cells * elements * size).reshape(elements, cells, size)
    return kind, np.ascontiguousarray(values.transpose(1, 0, 2)).reshape(cells, elements * size)


def _value_bytes(layer: Layer, values: Bytes2D, *, transposed: bool) -> bytes:
    if not transposed:
        return struct.pack("<iQ", layer.value_type, layer.value_bytes) + values.tobytes()
    size = _stored(layer.value_type).itemsize
    elements = layer.value_bytes // size
    turned = np.ascontiguousarray(values).reshape(len(values), elements, size).transpose(1, 0, 2)
    return struct.pack("<iII", layer.value_type, size, elements) + turned.tobytes()


def _stored(kind: int) -> np.dtype[Any]:
    known = {each.value: stored for each, (stored, _) in _EXPONENTS.items()}
    if kind not in known:
        raise ValueError(f"numbers of type {kind} are not known to be safe")
    return known[kind]


class _Reader:
    """Numbers and bytes one after the other; ValueError when there are no more."""

    def __init__(self, data: bytes) -> None:
        self._data = np.frombuffer(data, np.uint8)
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def number(self, code: str) -> int:
        (number,) = struct.unpack(code, self.bytes(struct.calcsize(code)).tobytes())
        return int(number)

    def bytes(self, count: int) -> NDArray[np.uint8]:
        if count > len(self._data) - self._at:
            raise ValueError("the memory ends too soon")
        self._at += count
        return self._data[self._at - count : self._at]
