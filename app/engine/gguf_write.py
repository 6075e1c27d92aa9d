"""Writes GGUF headers: what `app/engine/gguf_read.py` reads back, byte for byte.

Pure. Only headers are written here; tensor data is copied by whoever owns it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from app.engine.gguf_read import SCALAR_FORMATS, RawValue, TensorInfo, ValueType

PADDING_KEY: Final = "potluck.padding"
"""A metadata string that exists to make a header exactly as long as wanted."""


def scalar(kind: ValueType, value: float) -> RawValue:
    """A single number or truth value."""
    return RawValue(_tag(kind) + struct.pack(SCALAR_FORMATS[kind], value))


def u16(value: int) -> RawValue:
    """A 16-bit count."""
    return scalar(ValueType.UINT16, value)


def u32(value: int) -> RawValue:
    """A 32-bit count."""
    return scalar(ValueType.UINT32, value)


def i32(value: int) -> RawValue:
    """A signed 32-bit number."""
    return scalar(ValueType.INT32, value)


def f32(value: float) -> RawValue:
    """A 32-bit float."""
    return scalar(ValueType.FLOAT32, value)


def text(value: str) -> RawValue:
    """A string."""
    return RawValue(_tag(ValueType.STRING) + _string(value.encode()))


def array(kind: ValueType, values: Sequence[float]) -> RawValue:
    """An array of numbers or truth values."""
    code = SCALAR_FORMATS[kind][1]
    head = _tag(ValueType.ARRAY) + _tag(kind) + struct.pack("<Q", len(values))
    return RawValue(head + struct.pack(f"<{len(values)}{code}", *values))


def array_part(value: RawValue, start: int, stop: int) -> RawValue:
    """Items `start` up to `stop` of an array of numbers or truth values."""
    kind = value.item_type
    if kind is None or kind is ValueType.STRING:
        raise ValueError("only arrays of numbers have parts")
    return array(kind, value.decode()[start:stop])


def write_header(
    metadata: Mapping[str, RawValue],
    tensors: Sequence[TensorInfo],
    alignment: int,
    *,
    room: int | None = None,
) -> bytes:
    """A header, padded so that tensor data can follow at once.

    Args:
        metadata: in the order they are to be written.
        tensors: their offsets as they are to be written.
        alignment: of the tensor data; written as `general.alignment`.
        room: the exact length wanted, a multiple of `alignment`; None for the
            shortest.

    Raises:
        ValueError: the header does not fit into `room`, or `room` is no multiple
            of `alignment`.
    """
    entries = {"general.alignment": u32(alignment), **metadata}
    if room is not None:
        if room % alignment:
            raise ValueError(f"{room} bytes of room are no multiple of {alignment}")
        bare = len(_assemble({**entries, PADDING_KEY: text("")}, tensors))
        if bare > room:
            raise ValueError(f"a header of {bare} bytes does not fit into {room}")
        entries[PADDING_KEY] = text(" " * (room - bare))
    header = _assemble(entries, tensors)
    return header + b"\0" * (-len(header) % alignment)


def _assemble(metadata: Mapping[str, RawValue], tensors: Sequence[TensorInfo]) -> bytes:
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        parts += [_string(key.encode()), value.raw]
    for tensor in tensors:
        count = len(tensor.dimensions)
        parts += [
            _string(tensor.name.encode()),
            struct.pack(f"<I{count}QIQ", count, *tensor.dimensions, tensor.type, tensor.offset),
        ]
    return b"".join(parts)


def _tag(kind: ValueType) -> bytes:
    return struct.pack("<I", kind)


def _string(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value
