"""publish, models and doctor, and what they say when something is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.engine.hardware import GraphicsCard, Hardware, Memory, Processor
from app.engine.publish import publish
from app.errors import EngineFault
from app.ids import peer_text
from app.net.identity import new_identity
from tests.helpers.tiny_models import write_gemma2, write_llama

KEY = bytes(range(32))
URL = "https://example.org/tiny.gguf"
NOBODY = f"{peer_text(new_identity().peer_id)}@127.0.0.1:9"
Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe every model; tests/engine/test_proof.py is about the proof."""
    monkeypatch.setattr("app.engine.proof.prove", lambda file, cut: None)


# ── publish and models ───────────────────────────────────────────────────────


@pytest.mark.usefixtures("unproven")
def test_what_is_published_can_be_named_at_once(told: Told, tmp_path: Path) -> None:
    file = write_llama(tmp_path / "tiny.gguf")
    code, output, errors = told("publish", str(file), "--url", URL, "--name", "my-own")
    assert code == 0
    assert errors == "proving that tiny.gguf can be shared by layers ...\n"
    target = tmp_path / "tiny.manifest.json"
    lines = output.splitlines()
    assert lines[0] == f"{target}: my-own, 6 layers"
    _, output, _ = told("models", "--json")
    (row,) = [row for row in json.loads(output) if row["name"] == "my-own"]
    assert lines[1] == f"id {row['id']}"
    assert row["trusted"].endswith(lines[2].removeprefix("publisher "))
    assert (row["units"], row["units_held"]) == ("0:8", [])
    _, output, _ = told("models")
    (line,) = [line for line in output.splitlines() if line.startswith("my-own ")]
    assert line.split()[:4] == ["my-own", row["id"][:8], "6", "layers"]


@pytest.mark.usefixtures("unproven")
@pytest.mark.parametrize("left_bytes", [0, 3, 24, 2000, -1000])
def test_a_file_that_is_cut_off_is_one_line(told: Told, tmp_path: Path, left_bytes: int) -> None:
    file = write_llama(tmp_path / "tiny.gguf")
    file.write_bytes(file.read_bytes()[:left_bytes])
    code, output, errors = told("publish", str(file), "--url", URL)
    assert (code, output) == (1, "")
    assert errors.startswith("potluck: tiny.gguf cannot be published: ")
    assert errors.count("\n") == 1
    assert not (tmp_path / "tiny.manifest.json").exists()


@pytest.mark.usefixtures("unproven")
def test_a_model_of_the_catalogue_keeps_its_name(told: Told, tmp_path: Path) -> None:
    file = write_llama(tmp_path / "tiny.gguf")
    code, output, errors = told("publish", str(file), "--url", URL, "--name", "guide-7m-q8_0")
    assert (code, output) == (1, "")
    assert "Give yours another name with --name." in errors
    assert not (tmp_path / "tiny.manifest.json").exists()


def test_a_model_that_cannot_be_cut_is_refused_before_any_proof(told: Told, tmp_path: Path) -> None:
    file = write_gemma2(tmp_path / "gemma2.gguf")
    code, _, errors = told("publish", str(file), "--url", URL)
    assert code == 1
    assert errors.startswith("potluck: gemma2.gguf cannot be published: ")
    assert errors.count("\n") == 1


def test_a_manifest_signed_by_another_key_than_it_names_is_not_taken(
    told: Told, tmp_path: Path
) -> None:
    data = json.loads(publish(write_llama(tmp_path / "tiny.gguf"), [URL], key=KEY))
    other = json.loads(publish(tmp_path / "tiny.gguf", [URL], key=bytes(32)))
    manifest = tmp_path / "forged.json"
    manifest.write_text(json.dumps({**data, "signature": other["signature"]}))
    code, _, errors = told("chat", "hi", "--alone", "--model", str(manifest))
    assert code == 1
    assert errors.startswith("potluck: forged.json was not taken: ")
    assert errors.count("\n") == 1
    _, output, _ = told("models")
    assert "tiny" not in output


# ── doctor ───────────────────────────────────────────────────────────────────


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets this computer be another one, with an engine that runs or does not."""

    def is_like(memory: Memory, *cards: GraphicsCard, engine: str = "") -> None:
        processor = Processor("Abacus", 2, 4, ())
        hardware = Hardware("Linux", "abacus", processor, memory, cards)
        monkeypatch.setattr("app.command_line.commands.read_hardware", lambda: hardware)
        monkeypatch.setattr("app.command_line.commands.free_disk_bytes", lambda folder: 50 << 30)

        async def measured(data: Any, model: Any) -> str:
            if engine:
                raise EngineFault(engine)
            return "engine: runs"

        monkeypatch.setattr("app.command_line.commands._measured", measured)

    return is_like


def test_a_computer_that_can_do_it_is_all_right(told: Told, computer: Callable[..., None]) -> None:
    computer(Memory(16 << 30, 8 << 30))
    code, output, errors = told("doctor")
    lines = output.splitlines()
    assert (code, errors) == (0, "")
    assert all(line.startswith("ok   ") for line in lines)
    assert "ok   processor: Abacus, 2 cores (unknown instruction sets)" in lines
    assert "ok   memory: 8.6 GB free of 17.2 GB" in lines
    assert "ok   disk: 53.7 GB free; Potluck may use 20.0 GB" in lines
    assert any("none that NVIDIA's driver answers for" in line for line in lines)
    assert any("bootstraps: none known" in line for line in lines)
    assert lines[-1] == "ok   engine: runs"


def test_the_doctor_tells_whom_it_knows_and_that_none_of_them_answers(
    told: Told, computer: Callable[..., None], tmp_path: Path
) -> None:
    computer(Memory(16 << 30, 8 << 30))
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "contacts.json").write_text(json.dumps([NOBODY]))
    code, output, _ = told("doctor")
    (missing,) = [line for line in output.splitlines() if line.startswith("MISS ")]
    assert code == 1
    assert missing.startswith("MISS bootstraps: none known, and 1 computer from earlier runs; no ")


def test_settings_that_keep_this_computer_from_sharing_are_one_of_the_lines(
    told: Told, computer: Callable[..., None], tmp_path: Path
) -> None:
    computer(Memory(16 << 30, 8 << 30))
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "settings.toml").write_text("junk[[\n")
    code, output, _ = told("doctor")
    (missing,) = [line for line in output.splitlines() if line.startswith("MISS ")]
    assert code == 1
    assert missing.startswith("MISS settings: nothing is shared until you mend ")
    assert missing.endswith("settings.toml")


def test_the_doctor_tells_that_somebody_answers(
    told: Told, computer: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def counted(*known: object) -> int:
        return 2

    monkeypatch.setattr("app.command_line.commands.count_answers", counted)
    computer(Memory(16 << 30, 8 << 30))
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "settings.toml").write_text(f'bootstrap = ["{NOBODY}"]\n')
    code, output, _ = told("doctor")
    assert code == 0
    told_line = "ok   bootstraps: 1 known, and no computers from earlier runs; 2 computers answer"
    assert told_line in output.splitlines()


def test_what_is_missing_is_marked_and_the_rest_is_told_too(
    told: Told, computer: Callable[..., None]
) -> None:
    computer(Memory(16 << 30, 1 << 20), engine="the layers cannot be run here")
    code, output, _ = told("doctor")
    missing = [line for line in output.splitlines() if line.startswith("MISS ")]
    assert code == 1
    assert missing == ["MISS memory: 1 MB free of 17.2 GB", "MISS the layers cannot be run here"]


def test_a_damaged_identity_is_one_of_the_lines(
    told: Told, computer: Callable[..., None], tmp_path: Path
) -> None:
    computer(Memory(16 << 30, 8 << 30))
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "identity.key").write_text("junk")
    (tmp_path / "data" / "identity.key").chmod(0o600)
    code, output, _ = told("doctor")
    assert code == 1
    assert "is damaged and was left as it is" in output.splitlines()[-1]
