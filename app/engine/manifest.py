"""What a publisher says about a model: its header, and where each unit's bytes are.

Pure. A manifest is a JSON file: the body, the publisher's key, and a signature
over the body exactly as it stands in the file. The model's id is the SHA-256 of
those same bytes, so two manifests that differ in anything are two models.
`app/engine/publish.py` makes manifests, `app/engine/catalogue.py` decides which
to trust, `app/engine/download.py` fetches what they promise.

A unit's payload is its byte ranges of the source file one after the other, each
filled up with zeros to a multiple of `alignment`; `size` and `sha256` are over
that payload.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from app import signing
from app.engine.gguf_read import MAX_ALIGNMENT, MAX_HEADER_BYTES, NeedMore, parse_header
from app.engine.slicing import MAX_SHARED_BYTES, MAX_VOCABULARY, MAX_WIDTH, ByteRange, Plan, plan
from app.errors import BadInput
from app.ids import MAX_UNITS, ModelId, Span, parse_peer, peer_text

SIGNED_CONTEXT: Final = b"potluck manifest v1\0"
"""In front of what is signed, so that a signature made for one thing fits nothing else."""
HASH_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
MAX_MANIFEST_BYTES: Final = 64 << 20
"""As a file. A vocabulary of 262,144 words takes 5 MiB when compressed."""
MAX_FILE_BYTES: Final = 1 << 42
MAX_URLS: Final = 16
MAX_URL_CHARACTERS: Final = 2048
MAX_RANGES_PER_UNIT: Final = 4096
"""Old mixtures of experts keep every expert in a tensor of its own."""
MAX_SHARED_TENSORS: Final = 16
RESOURCE: Final = "resource:"
"""A URL that starts so names a file inside Potluck's own resources folder."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_RESOURCE_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

Sha256 = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Text = Annotated[str, msgspec.Meta(max_length=200)]
FileBytes = Annotated[int, msgspec.Meta(ge=1, le=MAX_FILE_BYTES)]


class UnitEntry(msgspec.Struct, frozen=True):
    """One unit: the hash and size in bytes of its payload, and where its bytes lie."""

    sha256: Sha256
    size: FileBytes
    ranges: Annotated[list[ByteRange], msgspec.Meta(min_length=1, max_length=MAX_RANGES_PER_UNIT)]


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest says apart from the header."""

    format: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1
    name: Text
    title: Text
    architecture: Text
    family: Text
    licence: Text
    block_count: Annotated[int, msgspec.Meta(ge=1, le=MAX_UNITS - 2)]
    width: Annotated[int, msgspec.Meta(ge=1, le=MAX_WIDTH)]
    vocabulary_size: Annotated[int, msgspec.Meta(ge=1, le=MAX_VOCABULARY)]
    context_length: Annotated[int, msgspec.Meta(ge=0, le=1 << 24)]
    file_bytes: FileBytes
    alignment: Annotated[int, msgspec.Meta(ge=1, le=MAX_ALIGNMENT)]
    shared: Annotated[dict[Text, bytes], msgspec.Meta(max_length=MAX_SHARED_TENSORS)]
    units: Annotated[list[UnitEntry], msgspec.Meta(min_length=3, max_length=MAX_UNITS)]
    urls: Annotated[list[str], msgspec.Meta(max_length=MAX_URLS)]


class Manifest(_Facts, frozen=True, kw_only=True):
    """A model as its publisher describes it.

    `width` is the length of a hidden state; `header` is the source file up to its
    tensor data, as it is; `shared` are small tensors that every slice needs, by
    name; `units[i]` is unit i, the embedding first and the head last.
    """

    header: bytes

    @property
    def payload_bytes(self) -> int:
        """All units together, in bytes."""
        return sum(unit.size for unit in self.units)

    @property
    def shown_name(self) -> str:
        """What people read: its title, or its name where it has none."""
        return self.title or self.name

    def units_of(self, span: Span) -> list[UnitEntry]:
        """The units of a span of this model, in order."""
        return self.units[span.start : span.stop]


class _WrittenManifest(_Facts, frozen=True, kw_only=True):
    """As it stands in the file: the header compressed with zlib."""

    header_zlib: bytes


class SignedManifest(msgspec.Struct, frozen=True):
    """The file: a body, whose key, and the signature over the body's very bytes."""

    manifest: msgspec.Raw
    publisher: Annotated[str, msgspec.Meta(max_length=64)]
    signature: Annotated[
        bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)
    ]


class VerifiedManifest(NamedTuple):
    """A manifest whose signature holds; the publisher is written as `peer_text` does."""

    manifest: Manifest
    model: ModelId
    publisher: str


def padding(length: int, alignment: int) -> int:
    """How many zeros follow a range of `length` bytes in a payload."""
    return -length % alignment


def write_manifest(manifest: Manifest, key: bytes) -> bytes:
    """The file for a manifest, signed with a private key of 32 bytes.

    The same manifest and key always give the same bytes.

    Raises:
        BadInput: the manifest breaks a rule that every reader enforces.
    """
    facts = {name: getattr(manifest, name) for name in _Facts.__struct_fields__}
    written = _WrittenManifest(**facts, header_zlib=zlib.compress(manifest.header, 9))
    body = msgspec.json.encode(written)
    publisher = peer_text(signing.public_key_of(key))
    signature = signing.sign(key, SIGNED_CONTEXT + body)
    data = msgspec.json.encode(SignedManifest(msgspec.Raw(body), publisher, signature)) + b"\n"
    read_manifest(data)
    return data


def read_manifest(data: bytes) -> VerifiedManifest:
    """Check a manifest file's signature and every rule that its own text can break.

    `check_consistency` then compares it with the header it carries.

    Raises:
        BadSignature: the body is not signed by the key beside it.
        BadInput: anything else that is wrong.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise BadInput(f"a manifest of {len(data):,} bytes is larger than any honest one")
    try:
        signed = msgspec.json.decode(data, type=SignedManifest)
        publisher = parse_peer(signed.publisher)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadInput(f"this is not a manifest: {error}") from None
    body = bytes(signed.manifest)
    signing.verify(publisher, signed.signature, SIGNED_CONTEXT + body)
    try:
        written = msgspec.json.decode(body, type=_WrittenManifest)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadInput(f"the manifest breaks a rule: {error}") from None
    facts = {name: getattr(written, name) for name in _Facts.__struct_fields__}
    manifest = Manifest(**facts, header=_decompressed(written.header_zlib))
    _check_rules(manifest)
    return VerifiedManifest(manifest, ModelId(hashlib.sha256(body).digest()), peer_text(publisher))


def check_consistency(manifest: Manifest) -> Plan:
    """Cut the model anew from the header and compare; returns the plan found so.

    After this a manifest lies about nothing but hashes, which downloads check.

    Raises:
        BadInput: the manifest and its header differ, or the header is unsound.
        UnsupportedModel: the model cannot be cut at all.
    """
    try:
        found = plan(parse_header(manifest.header, manifest.file_bytes))
    except NeedMore:
        raise BadInput("the manifest's header is cut off") from None
    said_and_found = {
        "header length": (len(manifest.header), found.header.data_offset),
        "architecture": (manifest.architecture, found.architecture),
        "number of blocks": (manifest.block_count, found.block_count),
        "width": (manifest.width, found.width),
        "vocabulary": (manifest.vocabulary_size, found.vocabulary_size),
        "context length": (manifest.context_length, found.context_length),
        "alignment": (manifest.alignment, found.alignment),
        "number of units": (len(manifest.units), len(found.units)),
    }
    for what, (said, true) in said_and_found.items():
        if said != true:
            raise BadInput(f"the manifest's {what} is {said!r}, but its header says {true!r}")
    for index, (entry, unit) in enumerate(zip(manifest.units, found.units, strict=True)):
        if tuple(entry.ranges) != unit.ranges or entry.size != unit.payload_bytes:
            raise BadInput(f"the manifest's unit {index} lies elsewhere than its header says")
    shared = {tensor.name: tensor.size for tensor in found.shared}
    if {name: len(data) for name, data in manifest.shared.items()} != shared:
        raise BadInput("the manifest's shared tensors are not those of its header")
    return found


def check_url(url: str) -> str:
    """Accept where a model's file may lie: http, https, or `resource:NAME`.

    Raises:
        BadInput: anything else; the text says what is expected.
    """
    shown = ascii(url[:100])
    if len(url) > MAX_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        raise BadInput(f"{shown} is not an address: too long, or with odd characters")
    if url.startswith(RESOURCE):
        parts = url.removeprefix(RESOURCE).split("/")
        if not all(_RESOURCE_PART.fullmatch(part) for part in parts):
            raise BadInput(f"{shown} does not name a file among Potluck's own resources")
        return url
    try:
        split = urlsplit(url)
        usable = bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        usable = False
    if not usable or split.scheme not in ("http", "https"):
        raise BadInput(f"{shown} is not an address that starts with http:// or https://")
    if split.username is not None or split.password is not None or split.fragment:
        raise BadInput(f"{shown} holds a password or a fragment; leave those out")
    return url


def _decompressed(data: bytes) -> bytes:
    """The header, stopped at its limit however small it looked."""
    unpacker = zlib.decompressobj()
    try:
        header = unpacker.decompress(data, MAX_HEADER_BYTES)
    except zlib.error:
        raise BadInput("the manifest's header cannot be unpacked") from None
    if not unpacker.eof or unpacker.unused_data:
        raise BadInput("the manifest's header is cut off, or longer than any honest one")
    return header


def _check_rules(manifest: Manifest) -> None:
    if not _NAME.fullmatch(manifest.name):
        raise BadInput("the model's name may hold only a-z, 0-9, dots, dashes and underscores")
    for what in ("title", "architecture", "family", "licence"):
        if not getattr(manifest, what).isprintable():
            raise BadInput(f"the model's {what} holds characters that cannot be shown")
    if len(manifest.units) != manifest.block_count + 2:
        raise BadInput(
            f"{manifest.block_count} blocks make {manifest.block_count + 2} units, "
            f"not {len(manifest.units)}"
        )
    if sum(len(data) for data in manifest.shared.values()) > MAX_SHARED_BYTES:
        raise BadInput("the manifest's shared tensors are too large")
    if not 0 < len(manifest.header) <= manifest.file_bytes:
        raise BadInput("the manifest's header is empty, or longer than its file")
    for index, unit in enumerate(manifest.units):
        _check_unit(index, unit, manifest)
    for url in manifest.urls:
        check_url(url)


def _check_unit(index: int, unit: UnitEntry, manifest: Manifest) -> None:
    payload_bytes = 0
    for part in unit.ranges:
        first, length = part.offset, part.length
        if length < 1 or first < len(manifest.header) or first + length > manifest.file_bytes:
            raise BadInput(f"unit {index} reaches outside the file's tensor data")
        payload_bytes += length + padding(length, manifest.alignment)
    if unit.size != payload_bytes:
        raise BadInput(f"unit {index} is {payload_bytes:,} bytes, not {unit.size:,} as it says")
