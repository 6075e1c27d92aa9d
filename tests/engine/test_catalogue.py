"""Which models the project vouches for, and whom to trust; see app/engine/catalogue.py."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import signing
from app.engine.catalogue import (
    MAX_CATALOGUE_BYTES,
    PROJECT_KEY,
    SIGNED_CONTEXT,
    Catalogue,
    load_catalogue,
    read_entries,
    trust,
    write_catalogue,
)
from app.engine.manifest import check_consistency, read_manifest, write_manifest
from app.errors import BadInput, BadSignature, Refusal
from app.ids import parse_peer
from tests.helpers import catalogues
from tests.helpers.catalogues import PROJECT, STRANGER, entry_of, write_resources
from tests.helpers.origin import manifest_of, source_file

RESOURCES = Path(__file__).resolve().parents[2] / "resources"
FIRST = manifest_of(source_file(seed=1), [])
SECOND = msgspec.structs.replace(manifest_of(source_file(seed=2), []), name="second")
ENTRIES = [entry_of(write_manifest(manifest, PROJECT)) for manifest in (FIRST, SECOND)]
WRITTEN = write_catalogue(ENTRIES, PROJECT)


def load(resources: Path) -> Catalogue:
    return load_catalogue(resources, project_key=catalogues.PROJECT_KEY)


def signed(body: Any, *, key: bytes = PROJECT) -> bytes:
    raw = json.dumps(body).encode()
    signature = b64encode(signing.sign(key, SIGNED_CONTEXT + raw)).decode()
    return b'{"catalogue":' + raw + f',"signature":"{signature}"}}'.encode()


def line(**values: Any) -> dict[str, Any]:
    entry = {"name": "made-up", "title": "Made up", "model": "ab" * 32, "file": "made-up.json"}
    return {**entry, **values}


# ── reading ──────────────────────────────────────────────────────────────────


def test_a_catalogue_loads_with_all_its_manifests(tmp_path: Path) -> None:
    catalogue = load(write_resources(tmp_path, FIRST, SECOND))
    assert [known.manifest for known in catalogue.all()] == [FIRST, SECOND]
    assert {known.source for known in catalogue.all()} == {"catalogue"}


def test_what_the_project_did_not_sign_is_refused(tmp_path: Path) -> None:
    write_resources(tmp_path, FIRST)
    (tmp_path / "catalogue" / "catalogue.json").write_bytes(write_catalogue(ENTRIES[:1], STRANGER))
    with pytest.raises(BadSignature, match="not signed by Potluck's maintainers"):
        load(tmp_path)


def test_a_manifest_exchanged_for_another_is_refused(tmp_path: Path) -> None:
    write_resources(tmp_path, FIRST, SECOND)
    other = (tmp_path / "catalogue" / "second.json").read_bytes()
    (tmp_path / "catalogue" / "made-up.json").write_bytes(other)
    with pytest.raises(BadInput, match=r"made-up\.json is not the manifest"):
        load(tmp_path)


def test_the_same_model_signed_by_another_publisher_is_refused_only_if_it_differs(
    tmp_path: Path,
) -> None:
    """The catalogue's own signature covers the body, so whose name is beside it matters not."""
    write_resources(tmp_path, FIRST)
    path = tmp_path / "catalogue" / "made-up.json"
    path.write_bytes(write_manifest(FIRST, STRANGER))
    assert load(tmp_path).find("made-up").model.hex() == ENTRIES[0].model


def test_missing_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"catalogue\.json cannot be read"):
        load(tmp_path)
    write_resources(tmp_path, FIRST)
    (tmp_path / "catalogue" / "made-up.json").unlink()
    with pytest.raises(BadInput, match=r"made-up\.json cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"format": 2, "entries": []},
        {"format": 1, "entries": [{}]},
        {"format": 1, "entries": [line(file="../made-up.json")]},
        {"format": 1, "entries": [line(file="/etc/passwd.json")]},
        {"format": 1, "entries": [line(file="catalogue.json")]},
        {"format": 1, "entries": [line(file="a\\b.json")]},
        {"format": 1, "entries": [line(model="AB" * 32)]},
        {"format": 1, "entries": [line(model="ab" * 31)]},
        {"format": 1, "entries": [line(model="ab" * 32 + "\n")]},
        {"format": 1, "entries": [line(), line(model="cd" * 32)]},
        {"format": 1, "entries": [line()] * 1025},
        {"format": 1, "entries": [line(title="x" * 201)]},
    ],
)
def test_a_signed_catalogue_that_breaks_a_rule_is_refused(body: Any) -> None:
    with pytest.raises(BadInput) as refused:
        read_entries(signed(body), catalogues.PROJECT_KEY)
    assert not isinstance(refused.value, BadSignature)


def test_a_catalogue_too_large_is_refused_unread() -> None:
    with pytest.raises(BadInput, match="larger than any honest one"):
        read_entries(b" " * (MAX_CATALOGUE_BYTES + 1))


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_quietly(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_entries(data, catalogues.PROJECT_KEY)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(WRITTEN) - 2), st.integers(1, 255))
def test_a_catalogue_damaged_anywhere_is_refused_quietly(at: int, flip: int) -> None:
    damaged = bytearray(WRITTEN)
    damaged[at] ^= flip
    try:
        entries = read_entries(bytes(damaged), catalogues.PROJECT_KEY)
    except BadInput:
        return
    assert entries == ENTRIES


# ── finding ──────────────────────────────────────────────────────────────────


def test_a_model_is_found_by_name_and_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    catalogue = load(write_resources(tmp_path, FIRST, SECOND))
    identity = ENTRIES[1].model
    for text in ("second", " Second ", identity, identity[:8], identity[:12].upper()):
        assert catalogue.find(text).manifest.name == "second"


@pytest.mark.parametrize("text", ["", "third", "sec", "abcdef", "\x1b[31m", "../made-up"])
def test_an_unknown_model_is_said_to_be_so_with_those_that_are_known(
    tmp_path: Path, text: str
) -> None:
    catalogue = load(write_resources(tmp_path, FIRST, SECOND))
    with pytest.raises(Refusal, match="known here: made-up, second") as refused:
        catalogue.find(text)
    assert refused.value.code == "unknown_model"
    assert "\x1b" not in refused.value.reason


def test_fewer_than_eight_digits_of_an_id_name_nothing(tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        load(write_resources(tmp_path, FIRST)).find(ENTRIES[0].model[:7])


# ── trust ────────────────────────────────────────────────────────────────────


def test_a_model_in_the_catalogue_is_trusted_wherever_it_was_met(tmp_path: Path) -> None:
    catalogue = load(write_resources(tmp_path, FIRST))
    met = read_manifest(write_manifest(FIRST, STRANGER))
    known = trust(met, catalogue, handed_over=False)
    assert known.source == "catalogue"
    assert known.trust.words == "from Potluck's catalogue"


def test_a_model_handed_over_is_trusted_and_its_publisher_shown(tmp_path: Path) -> None:
    catalogue = load(write_resources(tmp_path, FIRST))
    handed = read_manifest(write_manifest(SECOND, STRANGER))
    known = trust(handed, catalogue, handed_over=True)
    assert known.source == "file"
    assert handed.publisher in known.trust.words


def test_a_model_met_anywhere_else_is_refused(tmp_path: Path) -> None:
    catalogue = load(write_resources(tmp_path, FIRST))
    met = read_manifest(write_manifest(SECOND, PROJECT))
    with pytest.raises(Refusal, match="not in Potluck's catalogue") as refused:
        trust(met, catalogue, handed_over=False)
    assert refused.value.code == "untrusted_model"


# ── the one that ships ───────────────────────────────────────────────────────


def test_the_pinned_key_is_a_key() -> None:
    assert len(parse_peer(PROJECT_KEY)) == 32


def test_the_catalogue_that_ships_is_signed_and_tells_no_lies() -> None:
    for known in load_catalogue(RESOURCES).all():
        check_consistency(known.manifest)
        for url in known.manifest.urls:
            if url.startswith("resource:"):
                file = RESOURCES / url.removeprefix("resource:")
                assert file.stat().st_size == known.manifest.file_bytes
