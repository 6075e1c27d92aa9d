"""A manifest out of a GGUF file; see app/engine/publish.py."""

from __future__ import annotations

import hashlib
from pathlib import Path

import gguf
import numpy as np
import pytest

from app import signing
from app.engine.manifest import check_consistency, padding, read_manifest
from app.engine.publish import publish
from app.engine.slicing import Plan
from app.errors import BadInput, UnsupportedModel, UsageError
from app.ids import peer_text
from tests.helpers.tiny_models import write_gemma2, write_llama, write_qwen2

KEY = bytes(range(32))
URL = "https://example.org/tiny.gguf"


def write_guide(path: Path, *, parts: int = 1, name: str = "tiny guide") -> Path:
    """A llama of one block with a tokenizer's texts in its metadata."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_block_count(1)
    writer.add_embedding_length(32)
    writer.add_context_length(64)
    if parts > 1:
        writer.add_uint16("split.count", parts)
    for tensor in ("token_embd.weight", "blk.0.attn_norm.weight", "output_norm.weight"):
        shape = (32, 32) if tensor == "token_embd.weight" else (32,)
        writer.add_tensor(tensor, np.ones(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_manifest_tells_what_the_file_says(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "Tiny Llama-Q8_0.gguf")
    read = read_manifest(publish(path, [URL], key=KEY))
    manifest = read.manifest
    assert read.publisher == peer_text(signing.public_key_of(KEY))
    assert (manifest.name, manifest.title) == ("tiny-llama-q8_0", "tiny llama")
    assert (manifest.architecture, manifest.family) == ("llama", "llama")
    assert (manifest.licence, manifest.urls) == ("apache-2.0", [URL])
    assert (manifest.block_count, len(manifest.units)) == (6, 8)
    assert manifest.file_bytes == path.stat().st_size
    assert manifest.header == path.read_bytes()[: len(manifest.header)]
    check_consistency(manifest)


@pytest.mark.parametrize("write", [write_llama, write_qwen2])
def test_every_hash_is_that_of_the_bytes_named(tmp_path: Path, write: type) -> None:
    path = write(tmp_path / "tiny.gguf")
    data = path.read_bytes()
    manifest = read_manifest(publish(path, [], key=KEY)).manifest
    for unit in manifest.units:
        payload = b"".join(
            data[part.offset : part.offset + part.length]
            + bytes(padding(part.length, manifest.alignment))
            for part in unit.ranges
        )
        assert (len(payload), hashlib.sha256(payload).digest()) == (unit.size, unit.sha256)


def test_small_tensors_that_every_slice_needs_travel_in_the_manifest(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    manifest = read_manifest(publish(path, [], key=KEY)).manifest
    factors = next(
        tensor for tensor in gguf.GGUFReader(path).tensors if tensor.name == "rope_freqs.weight"
    )
    assert manifest.shared == {"rope_freqs.weight": factors.data.tobytes()}


def test_name_and_licence_can_be_chosen(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    data = publish(path, [], key=KEY, name="my-llama", licence="mit")
    manifest = read_manifest(data).manifest
    assert (manifest.name, manifest.licence) == ("my-llama", "mit")
    with pytest.raises(BadInput, match="name may hold only"):
        publish(path, [], key=KEY, name="My Llama")


def test_a_licence_nobody_stated_is_unknown(tmp_path: Path) -> None:
    manifest = read_manifest(publish(write_guide(tmp_path / "g.gguf"), [], key=KEY)).manifest
    assert manifest.licence == "unknown"


def test_a_title_that_cannot_be_shown_is_made_so(tmp_path: Path) -> None:
    path = write_guide(tmp_path / "g.gguf", name="\x1b[31mred\n" + "x" * 500)
    title = read_manifest(publish(path, [], key=KEY)).manifest.title
    assert title.startswith(" [31mred x")
    assert len(title) == 200


def test_progress_goes_from_the_first_unit_to_the_last(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = write_llama(tmp_path / "tiny.gguf")
    data = publish(path, [], key=KEY, progress=lambda done, total: told.append((done, total)))
    total = read_manifest(data).manifest.payload_bytes
    assert len(told) == 8
    assert told == sorted(told)
    assert told[-1] == (total, total)


def test_proof_is_asked_for_and_believed(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    asked: list[tuple[Path, int]] = []
    publish(path, [], key=KEY, prove=lambda file, cut: asked.append((file, cut.block_count)))
    assert asked == [(path, 6)]

    def disprove(file: Path, cut: Plan) -> None:
        raise UnsupportedModel("the chain's answer differs from the whole model's")

    with pytest.raises(UnsupportedModel, match=r"tiny\.gguf cannot be published: the chain's"):
        publish(path, [], key=KEY, prove=disprove)


def test_a_header_longer_than_the_first_look_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    whole = publish(path, [], key=KEY)
    monkeypatch.setattr("app.engine.publish.READ_BYTES", 64)
    assert publish(path, [], key=KEY) == whole


@pytest.mark.parametrize("length", [0, 3, 24, 500, 2000, -1000])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, length: int) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    data = path.read_bytes()
    path.write_bytes(data[:length])
    with pytest.raises(BadInput, match=r"tiny\.gguf cannot be published: ") as refused:
        publish(path, [], key=KEY)
    assert "\n" not in str(refused.value)


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.gguf"
    path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(1000))
    with pytest.raises(BadInput, match="not a GGUF file"):
        publish(path, [], key=KEY)


def test_one_file_of_several_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = write_guide(tmp_path / "tiny-00001-of-00003.gguf", parts=3)
    with pytest.raises(UnsupportedModel, match="join the parts first"):
        publish(path, [], key=KEY)


def test_a_model_that_cannot_be_cut_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="scale twice"):
        publish(write_gemma2(tmp_path / "gemma2.gguf"), [], key=KEY)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.gguf", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            publish(path, [], key=KEY)


def test_an_address_that_is_none_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not an address"):
        publish(tmp_path / "absent.gguf", ["ftp://example.org/x"], key=KEY)


def test_a_file_name_that_makes_no_name_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one yourself"):
        publish(write_guide(tmp_path / "模型.gguf"), [], key=KEY)
