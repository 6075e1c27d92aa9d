"""Reads the header of a GGUF file: metadata and the list of tensors, no weights.

Pure, and built for strangers' bytes: every count and length is bounded before it
is believed, and every tensor must lie inside the file. Values stay raw until
somebody asks, so that a vocabulary of 256,000 words costs a scan and no copies.
The counterpart that writes headers is `app/engine/gguf_write.py`.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from app.errors import BadInput

MAX_HEADER_BYTES: Final = 64 << 20
"""The largest vocabularies published (262,144 words with merges) take 16 MiB."""
MAX_KEYS: Final = 4096
MAX_TENSORS: Final = 65_536
MAX_KEY_BYTES: Final = 1024
MAX_STRING_BYTES: Final = 4 << 20
"""A chat template; the longest published ones are below 40 KiB."""
MAX_ARRAY_ITEMS: Final = 4 << 20
MAX_NAME_BYTES: Final = 63
MAX_DIMENSIONS: Final = 4
MAX_DIMENSION: Final = 1 << 40
MAX_ALIGNMENT: Final = 1 << 14
"""A stored unit's header page must be a multiple of it; published files use 32 or 4,096."""
DEFAULT_ALIGNMENT: Final = 32


class ValueType(IntEnum):
    """The types a metadata value can have, by their number in the file."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


SCALAR_FORMATS: Final[dict[ValueType, str]] = {
    ValueType.UINT8: "<B",
    ValueType.INT8: "<b",
    ValueType.UINT16: "<H",
    ValueType.INT16: "<h",
    ValueType.UINT32: "<I",
    ValueType.INT32: "<i",
    ValueType.FLOAT32: "<f",
    ValueType.BOOL: "<?",
    ValueType.UINT64: "<Q",
    ValueType.INT64: "<q",
    ValueType.FLOAT64: "<d",
}


class NeedMore(Exception):
    """The bytes end before the header does.

    Attributes:
        at_least: how long a prefix of the file is needed to get any further.
    """

    def __init__(self, at_least: int) -> None:
        super().__init__(f"the header is longer than {at_least - 1} bytes")
        self.at_least = at_least


@dataclass(frozen=True)
class RawValue:
    """One metadata value as it stands in the file, its type tag in front."""

    raw: bytes

    @property
    def type(self) -> ValueType:
        """What kind of value this is; `ARRAY` for every array."""
        return ValueType(int.from_bytes(self.raw[:4], "little"))

    @property
    def item_type(self) -> ValueType | None:
        """What an array holds; None for a scalar."""
        if self.type is not ValueType.ARRAY:
            return None
        return ValueType(int.from_bytes(self.raw[4:8], "little"))

    def __len__(self) -> int:
        """How many items an array holds; 1 for a scalar."""
        if self.type is not ValueType.ARRAY:
            return 1
        return int.from_bytes(self.raw[8:16], "little")

    def decode(self) -> Any:
        """The value as Python sees it: a number, a bool, a str, or a list of those.

        Raises:
            BadInput: text that is not UTF-8, outside of arrays. Words of a
                vocabulary may hold any bytes and are decoded with replacement.
        """
        if self.type is ValueType.STRING:
            try:
                return self.raw[12:].decode()
            except UnicodeDecodeError:
                raise BadInput("the GGUF metadata holds text that is not UTF-8") from None
        if self.type is not ValueType.ARRAY:
            return struct.unpack(SCALAR_FORMATS[self.type], self.raw[4:])[0]
        item_type, count = self.item_type, len(self)
        if item_type is ValueType.STRING:
            return self._decode_strings(count)
        assert item_type is not None
        code = SCALAR_FORMATS[item_type][1]
        return list(struct.unpack(f"<{count}{code}", self.raw[16:]))

    def _decode_strings(self, count: int) -> list[str]:
        words, at = [], 16
        for _ in range(count):
            length = int.from_bytes(self.raw[at : at + 8], "little")
            words.append(self.raw[at + 8 : at + 8 + length].decode(errors="replace"))
            at += 8 + length
        return words


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies, and what it is.

    `dimensions` are in GGUF order: the length of a row first. `offset` counts
    from the start of the tensor data; `size` is in bytes, without padding.
    """

    name: str
    dimensions: tuple[int, ...]
    type: GGMLQuantizationType
    offset: int
    size: int


@dataclass(frozen=True)
class Header:
    """Everything a GGUF file says before its tensor data.

    `data_offset` and `file_bytes` are absolute positions in the file; `blob` is
    the header's bytes, up to `data_offset`.
    """

    metadata: dict[str, RawValue]
    tensors: tuple[TensorInfo, ...]
    alignment: int
    data_offset: int
    file_bytes: int
    blob: bytes = field(repr=False)

    def text(self, key: str, default: str | None = None) -> str:
        """A string of the metadata.

        Raises:
            BadInput: it is absent without a default, or is no string.
        """
        value = self.metadata.get(key)
        if value is None and default is not None:
            return default
        if value is None or value.type is not ValueType.STRING:
            raise BadInput(f"the GGUF file has no text {key!r} in its metadata")
        return str(value.decode())

    def number(self, key: str, default: float | None = None) -> float:
        """A scalar number of the metadata, as float.

        Raises:
            BadInput: it is absent without a default, or is no number.
        """
        value = self.metadata.get(key)
        if value is None and default is not None:
            return default
        if value is None or value.type in (ValueType.STRING, ValueType.ARRAY):
            raise BadInput(f"the GGUF file has no number {key!r} in its metadata")
        return float(value.decode())

    def count(self, key: str, default: int | None = None, *, most: int = 1 << 31) -> int:
        """A whole number between 0 and `most` of the metadata.

        Raises:
            BadInput: it is absent without a default, no whole number, or outside.
        """
        value = self.number(key, None if default is None else float(default))
        if not 0 <= value <= most or value != int(value):
            raise BadInput(f"the GGUF file's {key!r} is {value:g}, not a count up to {most}")
        return int(value)


def parse_header(data: bytes, file_bytes: int) -> Header:
    """Read a header from `data`, the first bytes of a file of `file_bytes`.

    Raises:
        NeedMore: `data` is a sound beginning, but ends too early.
        BadInput: the bytes are not GGUF, or promise what the file cannot hold.
    """
    scan = _Scan(data, file_bytes)
    if scan.take(4) != b"GGUF":
        raise BadInput("this is not a GGUF file: it does not start with 'GGUF'")
    version = scan.unsigned(4)
    if version not in (2, 3):
        raise BadInput(f"GGUF version {version} is not supported (2 and 3 are)")
    tensor_count = scan.count(MAX_TENSORS, "tensors")
    key_count = scan.count(MAX_KEYS, "metadata keys")
    metadata: dict[str, RawValue] = {}
    for _ in range(key_count):
        key = scan.name(MAX_KEY_BYTES, "a metadata key")
        if key in metadata:
            raise BadInput(f"the metadata key {key!r} stands twice in the GGUF file")
        metadata[key] = scan.value(key)
    alignment = _alignment(metadata)
    entries = [scan.tensor_entry() for _ in range(tensor_count)]
    data_offset = scan.at + -scan.at % alignment
    if data_offset > file_bytes and tensor_count:
        raise BadInput("the GGUF file ends before its tensor data begins")
    if data_offset > len(data) and tensor_count:
        raise NeedMore(data_offset)
    tensors = _place(entries, alignment, file_bytes - data_offset)
    blob = data[:data_offset].ljust(data_offset, b"\0")
    return Header(metadata, tensors, alignment, data_offset, file_bytes, blob)


def tensor_bytes(dimensions: tuple[int, ...], kind: GGMLQuantizationType) -> int:
    """How many bytes a tensor takes; rows are whole quantisation blocks.

    Raises:
        BadInput: the rows do not divide into blocks.
    """
    block_items, block_bytes = GGML_QUANT_SIZES[kind]
    if dimensions[0] % block_items:
        raise BadInput(f"a row of {dimensions[0]} values is no whole number of {kind.name} blocks")
    items = 1
    for length in dimensions:
        items *= length
    return items // int(block_items) * int(block_bytes)


def _alignment(metadata: dict[str, RawValue]) -> int:
    value = metadata.get("general.alignment")
    if value is None:
        return DEFAULT_ALIGNMENT
    alignment = value.decode() if value.type is ValueType.UINT32 else 0
    if not 8 <= alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
        raise BadInput(f"the GGUF file's alignment {alignment} is not a power of two from 8")
    return int(alignment)


_Entry = tuple[str, tuple[int, ...], int, int]


def _place(entries: list[_Entry], alignment: int, data_bytes: int) -> tuple[TensorInfo, ...]:
    """Check that every tensor starts where the one before it ends, inside the file."""
    tensors: list[TensorInfo] = []
    names: set[str] = set()
    expected = 0
    for name, dimensions, type_number, offset in entries:
        if name in names:
            raise BadInput(f"the tensor {name!r} stands twice in the GGUF file")
        names.add(name)
        try:
            kind = GGMLQuantizationType(type_number)
        except ValueError:
            raise BadInput(f"the tensor {name!r} has the unknown type {type_number}") from None
        size = tensor_bytes(dimensions, kind)
        if offset != expected:
            raise BadInput(f"the tensor {name!r} lies at {offset}, not at {expected} as it must")
        if offset + size > data_bytes:
            raise BadInput(
                f"the tensor {name!r} ends {offset + size - data_bytes:,} bytes after the file does"
            )
        tensors.append(TensorInfo(name, dimensions, kind, offset, size))
        expected = offset + size + -(offset + size) % alignment
    return tuple(tensors)


class _Scan:
    """A position in the header that only moves forward, inside the bounds."""

    def __init__(self, data: bytes, file_bytes: int) -> None:
        self._data = data
        self._file_bytes = min(file_bytes, MAX_HEADER_BYTES)
        self.at = 0

    def take(self, length: int) -> bytes:
        end = self.at + length
        if end > self._file_bytes:
            raise BadInput("the GGUF header is cut off, or longer than any honest one")
        if end > len(self._data):
            raise NeedMore(end)
        piece = self._data[self.at : end]
        self.at = end
        return piece

    def unsigned(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def count(self, most: int, what: str) -> int:
        number = self.unsigned(8)
        if number > most:
            raise BadInput(f"the GGUF file claims {number:,} {what}; the most allowed is {most:,}")
        return number

    def name(self, most: int, what: str) -> str:
        try:
            text = self.take(self.count(most, f"bytes in {what}")).decode()
        except UnicodeDecodeError:
            raise BadInput(f"{what} of the GGUF file is not UTF-8") from None
        if not text or "\0" in text:
            raise BadInput(f"{what} of the GGUF file is empty or holds a zero byte")
        return text

    def value(self, key: str) -> RawValue:
        start = self.at
        kind = self._type(key)
        if kind is ValueType.ARRAY:
            item = self._type(key)
            count = self.count(MAX_ARRAY_ITEMS, f"items in {key!r}")
            if item is ValueType.ARRAY:
                raise BadInput(f"the array {key!r} holds arrays, which GGUF readers refuse")
            if item is ValueType.STRING:
                self._skip_strings(count)
            else:
                self.take(count * struct.calcsize(SCALAR_FORMATS[item]))
        elif kind is ValueType.STRING:
            self.take(self.count(MAX_STRING_BYTES, f"bytes in {key!r}"))
        else:
            self.take(struct.calcsize(SCALAR_FORMATS[kind]))
        return RawValue(self._data[start : self.at])

    def _type(self, key: str) -> ValueType:
        number = self.unsigned(4)
        try:
            return ValueType(number)
        except ValueError:
            raise BadInput(f"the metadata {key!r} has the unknown type {number}") from None

    def _skip_strings(self, count: int) -> None:
        data, at, end = self._data, self.at, len(self._data)
        for _ in range(count):
            length = int.from_bytes(data[at : at + 8], "little")
            if length > MAX_STRING_BYTES:
                raise BadInput(f"a word of {length:,} bytes in the GGUF file is too long")
            at += 8 + length
            if at > end:
                break
        self.take(at - self.at)

    def tensor_entry(self) -> _Entry:
        name = self.name(MAX_NAME_BYTES, "a tensor's name")
        dimension_count = self.unsigned(4)
        if not 1 <= dimension_count <= MAX_DIMENSIONS:
            raise BadInput(f"the tensor {name!r} has {dimension_count} dimensions (1 to 4 exist)")
        dimensions = tuple(self.unsigned(8) for _ in range(dimension_count))
        if not all(1 <= length <= MAX_DIMENSION for length in dimensions):
            raise BadInput(f"the tensor {name!r} has an impossible shape {dimensions}")
        return name, dimensions, self.unsigned(4), self.unsigned(8)
