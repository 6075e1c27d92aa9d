"""What a manifest may say, and who signed it; see app/engine/manifest.py."""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import signing
from app.engine.gguf_read import MAX_HEADER_BYTES, parse_header
from app.engine.manifest import (
    MAX_MANIFEST_BYTES,
    SIGNED_CONTEXT,
    Manifest,
    UnitEntry,
    check_consistency,
    check_url,
    padding,
    read_manifest,
    write_manifest,
)
from app.engine.publish import publish
from app.engine.slicing import ByteRange, plan
from app.errors import BadInput, BadSignature, UnsupportedModel
from app.ids import Span, peer_text
from tests.helpers.origin import manifest_of, source_file
from tests.helpers.tiny_models import write_gemma2, write_llama, write_qwen2

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
SOURCE = source_file()
MADE_UP = manifest_of(SOURCE, ["https://example.org/made-up.gguf"])
WRITTEN = write_manifest(MADE_UP, KEY)


def body_of(data: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(data)["manifest"]
    return body


def signed(body: Any, *, key: bytes = KEY) -> bytes:
    """A file with any body at all, properly signed."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = b64encode(signing.sign(key, SIGNED_CONTEXT + raw)).decode()
    publisher = peer_text(signing.public_key_of(key))
    return (
        b'{"manifest":' + raw + f',"publisher":"{publisher}","signature":"{signature}"}}'.encode()
    )


def changed(**values: Any) -> bytes:
    return signed({**body_of(WRITTEN), **values})


def test_a_manifest_reads_back_as_it_was_written() -> None:
    read = read_manifest(WRITTEN)
    assert read.manifest == MADE_UP
    assert read.publisher == peer_text(signing.public_key_of(KEY))
    assert read.manifest.payload_bytes == sum(unit.size for unit in MADE_UP.units)


def test_a_model_without_a_title_is_shown_by_its_name() -> None:
    assert MADE_UP.shown_name == "Made up"
    assert msgspec.structs.replace(MADE_UP, title="").shown_name == "made-up"


def test_the_units_of_a_span_are_those_from_its_first_to_before_its_end() -> None:
    assert MADE_UP.units_of(Span(1, 3)) == [MADE_UP.units[1], MADE_UP.units[2]]
    assert MADE_UP.units_of(Span(0, 4)) == MADE_UP.units


def test_the_model_id_is_the_hash_of_the_body_as_it_stands() -> None:
    raw = bytes(msgspec.json.decode(WRITTEN, type=dict[str, msgspec.Raw])["manifest"])
    assert read_manifest(WRITTEN).model == hashlib.sha256(raw).digest()


def test_writing_twice_gives_the_same_bytes() -> None:
    assert write_manifest(MADE_UP, KEY) == WRITTEN


def test_a_body_changed_by_one_letter_is_not_signed() -> None:
    with pytest.raises(BadSignature):
        read_manifest(WRITTEN.replace(b'"made-up"', b'"made-ap"', 1))


def test_spaces_inside_the_body_are_part_of_what_is_signed() -> None:
    spaced = json.dumps(body_of(WRITTEN), indent=1).encode()
    assert read_manifest(signed(spaced)).manifest == MADE_UP
    assert read_manifest(signed(spaced)).model != read_manifest(WRITTEN).model


def test_somebody_else_s_key_beside_the_signature_is_refused() -> None:
    theirs = peer_text(signing.public_key_of(OTHER_KEY)).encode()
    with pytest.raises(BadSignature):
        read_manifest(WRITTEN.replace(peer_text(signing.public_key_of(KEY)).encode(), theirs))


def test_a_signature_for_something_else_fits_no_manifest() -> None:
    raw = bytes(msgspec.json.decode(WRITTEN, type=dict[str, msgspec.Raw])["manifest"])
    signature = b64encode(signing.sign(KEY, b"potluck record v1\0" + raw)).decode()
    with pytest.raises(BadSignature):
        read_manifest(json.dumps({**json.loads(WRITTEN), "signature": signature}).encode())


def test_unknown_fields_are_ignored_so_that_some_can_be_added() -> None:
    assert read_manifest(changed(draft="made-up-draft")).manifest == MADE_UP


@pytest.mark.parametrize(
    "values",
    [
        {"format": 2},
        {"name": "../escape"},
        {"name": "Capital"},
        {"name": ""},
        {"name": "a" * 81},
        {"title": "\x1b[31mred"},
        {"title": "x" * 201},
        {"licence": "two\nlines"},
        {"block_count": 3},
        {"block_count": 0},
        {"block_count": 1 << 40},
        {"width": 0},
        {"vocabulary_size": 1 << 30},
        {"context_length": -1},
        {"file_bytes": 0},
        {"file_bytes": 100},
        {"file_bytes": 1 << 60},
        {"alignment": 0},
        {"units": []},
        {"header_zlib": ""},
        {"header_zlib": b64encode(b"not zlib").decode()},
        {"header_zlib": b64encode(zlib.compress(b"")).decode()},
        {"header_zlib": b64encode(zlib.compress(SOURCE[:64])[:-1]).decode()},
        {"header_zlib": b64encode(zlib.compress(SOURCE[:64]) + b"!").decode()},
        {"header_zlib": "no base64"},
        {"shared": {"a": b64encode(bytes((1 << 20) + 1)).decode()}},
        {"shared": {str(index): "" for index in range(17)}},
        {"urls": ["https://example.org/"] * 17},
        {"urls": ["file:///etc/passwd"]},
        {"urls": [7]},
        {"name": None},
    ],
)
def test_a_signed_manifest_that_breaks_a_rule_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refused:
        read_manifest(changed(**values))
    assert not isinstance(refused.value, BadSignature)
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        [[64, 0]],
        [[64, -5], [64, 5]],
        [[63, 10]],
        [[-1, 10]],
        [[len(SOURCE) - 9, 10]],
        [[64, 1 << 62]],
        [[64, 10], [128, 10]],
        [[64]],
        [["64", 10]],
        [[64, 10]] * 4097,
    ],
)
def test_a_unit_outside_the_tensor_data_or_of_another_size_is_refused(ranges: Any) -> None:
    units = body_of(WRITTEN)["units"]
    units[1] = {**units[1], "ranges": ranges, "size": 32}
    with pytest.raises(BadInput):
        read_manifest(changed(units=units))


def test_a_hash_of_another_length_is_refused() -> None:
    units = body_of(WRITTEN)["units"]
    units[0] = {**units[0], "sha256": b64encode(bytes(31)).decode()}
    with pytest.raises(BadInput):
        read_manifest(changed(units=units))


def test_a_small_file_cannot_unpack_into_a_large_header() -> None:
    bomb = zlib.compress(bytes(MAX_HEADER_BYTES + 1), 9)
    assert len(bomb) < 100_000
    with pytest.raises(BadInput, match="longer than any honest one"):
        read_manifest(changed(header_zlib=b64encode(bomb).decode()))


def test_a_file_too_large_is_refused_unread() -> None:
    with pytest.raises(BadInput, match="larger than any honest one"):
        read_manifest(bytes(MAX_MANIFEST_BYTES + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"manifest":{},"publisher":"x","signature":""}',
        b'{"manifest":{},"publisher":"' + b"a" * 64 + b'","signature":"' + b"A" * 86 + b'=="}',
        b"[" * 100_000,
        b'{"manifest":' + b"[" * 100_000,
        signed(b"null"),
        signed(b"[" * 20_000 + b"]" * 20_000),
    ],
)
def test_what_is_no_manifest_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_manifest(data)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused_quietly(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_manifest(data)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_manifest_damaged_anywhere_is_refused_quietly(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(WRITTEN) - 2))
    damaged = bytearray(WRITTEN)
    damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        read = read_manifest(bytes(damaged))
    except BadInput:
        return
    # Only what is not signed may change without harm: the file's own layout.
    assert read == read_manifest(WRITTEN)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=10,
)


@settings(deadline=None, max_examples=200)
@given(field=st.sampled_from(sorted(body_of(WRITTEN))), value=JSON)
def test_any_value_in_any_field_is_taken_or_refused_quietly(field: str, value: Any) -> None:
    try:
        read = read_manifest(changed(**{field: value}))
    except BadInput:
        return
    assert isinstance(read.manifest, Manifest)


# ── the header it carries ────────────────────────────────────────────────────


def published(path: Path) -> Manifest:
    return read_manifest(publish(path, [], key=KEY)).manifest


def test_an_honest_manifest_agrees_with_its_header(tmp_path: Path) -> None:
    for write in (write_llama, write_qwen2):
        path = write(tmp_path / f"{write.__name__}.gguf")
        data = path.read_bytes()
        assert check_consistency(published(path)) == plan(parse_header(data, len(data)))


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"architecture": "qwen2"}, "architecture"),
        ({"width": 32}, "width"),
        ({"vocabulary_size": 32_000}, "vocabulary"),
        ({"context_length": 128_000}, "context length"),
        ({"alignment": 64}, "alignment"),
        ({"block_count": 5}, "number of blocks"),
        ({"file_bytes": 1 << 16}, "ends .* after the file"),
        ({"shared": {}}, "shared tensors"),
        ({"shared": {"rope_freqs.weight": b"short"}}, "shared tensors"),
    ],
)
def test_a_manifest_that_lies_about_its_header_is_found_out(
    tmp_path: Path, lie: dict[str, Any], words: str
) -> None:
    honest = published(write_llama(tmp_path / "llama.gguf"))
    with pytest.raises(BadInput, match=words):
        check_consistency(msgspec.structs.replace(honest, **lie))


def test_units_that_lie_elsewhere_are_found_out(tmp_path: Path) -> None:
    honest = published(write_llama(tmp_path / "llama.gguf"))
    units = list(honest.units)
    first = units[2].ranges[0]
    moved = ByteRange(first.offset + 32, first.length)
    units[2] = UnitEntry(units[2].sha256, units[2].size, [moved, *units[2].ranges[1:]])
    with pytest.raises(BadInput, match="unit 2 lies elsewhere"):
        check_consistency(msgspec.structs.replace(honest, units=units))


def test_a_header_that_is_cut_off_or_drawn_out_is_found_out(tmp_path: Path) -> None:
    honest = published(write_llama(tmp_path / "llama.gguf"))
    for header in (honest.header[:-40], honest.header[:100], honest.header + bytes(32)):
        with pytest.raises(BadInput, match=r"cut off|header length"):
            check_consistency(msgspec.structs.replace(honest, header=header))


def test_a_header_that_cannot_be_cut_is_refused_with_the_reason(tmp_path: Path) -> None:
    data = write_gemma2(tmp_path / "gemma2.gguf").read_bytes()
    header = parse_header(data, len(data))
    manifest = msgspec.structs.replace(MADE_UP, header=header.blob, file_bytes=len(data))
    with pytest.raises(UnsupportedModel, match="gemma2"):
        check_consistency(manifest)


# ── addresses ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/model.gguf",
        "http://127.0.0.1:8080/model.gguf",
        "https://[2001:db8::1]/model.gguf?download=true",
        "resource:models/guide-1.gguf",
        "resource:guide.gguf",
    ],
)
def test_web_addresses_and_resources_are_accepted(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "model.gguf",
        "ftp://example.org/model.gguf",
        "file:///etc/passwd",
        "https://",
        "https:///model.gguf",
        "https://user:word@example.org/",
        "https://example.org/#part",
        "https://example.org:99999/",
        "https://[::1/",
        "https://example.org/a b",
        "https://example.org/\r\nHost: other",
        "https://exämple.org/",
        "https://example.org/" + "x" * 2048,
        "resource:",
        "resource:/etc/passwd",
        "resource:../secret",
        "resource:models/../../secret",
        "resource:models//guide.gguf",
        "resource:.hidden",
        "resource:C:\\secret",
        "resource:models\\guide.gguf",
        "resource:models/%2e%2e/secret",
        "RESOURCE:guide.gguf",
    ],
)
def test_everything_else_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_url(url)
    assert str(refused.value).isprintable()


def test_padding_fills_up_to_the_alignment() -> None:
    assert [padding(length, 32) for length in (0, 1, 31, 32, 33)] == [0, 31, 1, 0, 31]


def test_the_header_is_small_in_the_file() -> None:
    manifest = msgspec.structs.replace(
        MADE_UP, header=MADE_UP.header + bytes(1 << 20), units=[], block_count=1
    )
    units = [
        UnitEntry(bytes(32), 32, [ByteRange(len(manifest.header) + 32 * index, 32)])
        for index in range(3)
    ]
    manifest = msgspec.structs.replace(manifest, units=units, file_bytes=2 << 20)
    data = write_manifest(manifest, KEY)
    assert len(data) < 10_000
    assert len(b64decode(body_of(data)["header_zlib"])) < 5_000
