"""Writing the catalogue; see tools/sign_catalogue.py."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from app import signing
from app.engine.catalogue import load_catalogue
from app.ids import peer_text
from tests.helpers.tiny_models import write_llama, write_qwen2
from tools.sign_catalogue import main

URL = "https://example.org/tiny.gguf"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "project"
    assert main(["--new-key", "--key", str(path)]) == 0
    return path


def run(key: Path, resources: Path, *arguments: str) -> int:
    return main([*arguments, "--key", str(key), "--resources", str(resources)])


def names_in(key: Path, resources: Path) -> list[str]:
    public = peer_text(signing.public_key_of(bytes.fromhex(key.read_text())))
    catalogue = load_catalogue(resources, project_key=public)
    return [known.manifest.name for known in catalogue.all()]


def test_models_are_added_one_by_one_smallest_first(tmp_path: Path, key: Path) -> None:
    resources = tmp_path / "resources"
    (resources / "models").mkdir(parents=True)
    large = write_llama(tmp_path / "large.gguf", blocks=12)
    small = write_qwen2(resources / "models" / "small.gguf", blocks=2)
    assert run(key, resources, str(large), URL) == 0
    assert run(key, resources, str(small)) == 0
    assert names_in(key, resources) == ["small", "large"]
    assert (resources / "catalogue" / "small.json").exists()


def test_a_model_in_the_resources_is_read_from_there(tmp_path: Path, key: Path) -> None:
    resources = tmp_path / "resources"
    (resources / "models").mkdir(parents=True)
    assert run(key, resources, str(write_llama(resources / "models" / "tiny.gguf"))) == 0
    public = peer_text(signing.public_key_of(bytes.fromhex(key.read_text())))
    known = load_catalogue(resources, project_key=public).find("tiny")
    assert known.manifest.urls == ["resource:models/tiny.gguf"]


def test_a_removed_manifest_leaves_the_catalogue(tmp_path: Path, key: Path) -> None:
    resources = tmp_path / "resources"
    assert run(key, resources, str(write_llama(tmp_path / "tiny.gguf")), URL) == 0
    (resources / "catalogue" / "tiny.json").unlink()
    assert run(key, resources) == 0
    assert names_in(key, resources) == []


def test_a_key_that_is_not_pinned_is_pointed_out(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(key, tmp_path / "resources", str(write_llama(tmp_path / "tiny.gguf")), URL) == 0
    assert "pin it there" in capsys.readouterr().out


def test_a_key_is_readable_by_its_owner_only_and_never_replaced(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = key.read_text()
    if sys.platform != "win32":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert main(["--new-key", "--key", str(key)]) == 1
    assert "was kept" in capsys.readouterr().err
    assert key.read_text() == before


def test_the_environment_names_the_key_too(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POTLUCK_PROJECT_KEY", str(key))
    resources = tmp_path / "resources"
    tiny = write_llama(tmp_path / "tiny.gguf")
    assert main([str(tiny), URL, "--resources", str(resources)]) == 0
    assert names_in(key, resources) == ["tiny"]


def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = str(write_llama(tmp_path / "tiny.gguf"))
    assert run(tmp_path / "absent", tmp_path / "resources", tiny, URL) == 1
    assert "holds no private key" in capsys.readouterr().err
    assert run(key, tmp_path / "resources", tiny) == 1
    assert "say its URL" in capsys.readouterr().err
    assert run(key, tmp_path / "resources", str(tmp_path / "absent.gguf"), URL) == 1
    assert "cannot be read" in capsys.readouterr().err
