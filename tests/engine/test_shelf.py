"""The models this computer knows; see app/engine/shelf.py."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

from app.engine.catalogue import Catalogue, load_catalogue
from app.engine.manifest import Manifest, read_manifest, write_manifest
from app.engine.publish import publish
from app.engine.shelf import ModelShelf
from app.errors import Refusal, UsageError
from tests.helpers.catalogues import PROJECT_KEY, STRANGER, write_resources
from tests.helpers.origin import manifest_of, source_file
from tests.helpers.tiny_models import write_llama, write_qwen2

NOTHING = Catalogue({})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A manifest as somebody would hand it over."""
    path = tmp_path / "handed" / "tiny.json"
    path.parent.mkdir()
    path.write_bytes(publish(write_llama(tmp_path / "tiny.gguf"), [], key=STRANGER))
    return path


def manifest_in(path: Path) -> Manifest:
    return read_manifest(path.read_bytes()).manifest


def shelf_at(folder: Path, catalogue: Catalogue = NOTHING) -> ModelShelf:
    shelf = ModelShelf(catalogue, folder)
    shelf.load()
    return shelf


def test_an_adopted_model_is_known_by_name_from_then_on(tmp_path: Path, file: Path) -> None:
    adopted = shelf_at(tmp_path / "data").adopt(file)
    file.unlink()
    later = shelf_at(tmp_path / "data")
    assert later.find("tiny") == adopted
    assert later.get(adopted.model) == adopted
    assert adopted.source == "file"


def test_adopting_twice_keeps_one(tmp_path: Path, file: Path) -> None:
    shelf = shelf_at(tmp_path / "data")
    assert shelf.adopt(file) == shelf.adopt(file)
    assert len(shelf.all()) == 1
    assert len(list((tmp_path / "data").iterdir())) == 1


def test_a_manifest_of_the_catalogue_s_own_is_not_kept_again(tmp_path: Path, file: Path) -> None:
    resources = write_resources(tmp_path / "resources", manifest_in(file))
    shelf = shelf_at(tmp_path / "data", load_catalogue(resources, project_key=PROJECT_KEY))
    assert shelf.adopt(file).source == "catalogue"
    assert not (tmp_path / "data").exists()
    assert len(shelf.all()) == 1


def test_a_handed_over_model_cannot_take_a_catalogue_model_s_name(
    tmp_path: Path, file: Path
) -> None:
    ours = msgspec.structs.replace(manifest_in(file), title="The catalogue's")
    resources = write_resources(tmp_path / "resources", ours)
    shelf = shelf_at(tmp_path / "data", load_catalogue(resources, project_key=PROJECT_KEY))
    adopted = shelf.adopt(file)
    assert shelf.find("tiny").manifest.title == "The catalogue's"
    assert shelf.find(adopted.model.hex()[:8]) == adopted


def test_two_adopted_models_with_one_name_are_told_apart_by_id(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(publish(write_qwen2(tmp_path / "qwen.gguf"), [], key=STRANGER, name="tiny"))
    shelf = shelf_at(tmp_path / "data")
    first, second = shelf.adopt(file), shelf.adopt(other)
    with pytest.raises(Refusal, match="say which by its id") as refused:
        shelf.find("tiny")
    assert refused.value.code == "ambiguous_model"
    assert first.model.hex()[:12] in refused.value.reason
    assert shelf.find(second.model.hex()) == second


def test_a_file_and_a_name_are_both_understood(tmp_path: Path, file: Path) -> None:
    shelf = shelf_at(tmp_path / "data")
    assert shelf.find_or_adopt(str(file)) == shelf.find_or_adopt("tiny")


def test_a_model_nobody_handed_over_is_unknown(tmp_path: Path) -> None:
    shelf = shelf_at(tmp_path / "data")
    with pytest.raises(Refusal, match="none is known here"):
        shelf.find("tiny")
    assert shelf.get(read_manifest(write_manifest(made_up(), STRANGER)).model) is None


def made_up() -> Manifest:
    return manifest_of(source_file(), [])


def test_a_file_that_cannot_be_used_is_one_line_and_nothing_is_kept(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="app.engine.shelf")
    lying = tmp_path / "lying.json"
    lying.write_bytes(write_manifest(made_up(), STRANGER))
    damaged = tmp_path / "damaged.json"
    damaged.write_bytes(file.read_bytes().replace(b"tiny", b"tuny", 1))
    picture = tmp_path / "picture.json"
    picture.write_bytes(b"\xff\xd8\xff\xe0")
    shelf = shelf_at(tmp_path / "data")
    for path in (lying, damaged, picture):
        with pytest.raises(UsageError, match=f"{path.name} was not taken: ") as refused:
            shelf.adopt(path)
        assert "\n" not in str(refused.value)
        assert "JSON" not in str(refused.value)
        assert f"{path} was not taken: " in caplog.text, "what exactly is wrong is in the log"
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            shelf.adopt(path)
    assert shelf.all() == []
    assert not (tmp_path / "data").exists()


def test_a_damaged_file_on_the_shelf_harms_no_other(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    adopted = shelf_at(folder).adopt(file)
    (folder / ("0" * 64 + ".json")).write_bytes(b"half a mani")
    (folder / "notes.json").write_bytes(b"the owner's own")
    with caplog.at_level(logging.WARNING):
        later = shelf_at(folder)
    assert later.all() == [adopted]
    assert "is left out" in caplog.text
    assert "notes" not in caplog.text


def test_a_shelf_that_cannot_be_written_is_one_line(tmp_path: Path, file: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be kept"):
        shelf_at(tmp_path / "data").adopt(file)
