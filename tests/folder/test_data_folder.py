"""The data folder: what lies where, and what is said when it cannot be used."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from app.engine.catalogue import load_catalogue
from app.engine.progress import Progress
from app.engine.slice_files import HEADER_ROOM_BYTES
from app.errors import Refusal, UsageError
from app.folder.data_folder import (
    QUIET_SECONDS,
    DataFolder,
    ProgressLine,
    fetch_units,
    resources_folder,
)
from app.ids import Span
from tests.helpers.catalogues import PROJECT_KEY, write_resources
from tests.helpers.origin import manifest_of, source_file
from tests.helpers.virtual_clock import VirtualClock

PEER = "a" * 51 + "q"
DRAFT = "guide-draft-q8_0"


def use_resources(monkeypatch: pytest.MonkeyPatch, resources: Path) -> None:
    """Let a program's own files be these, signed with the tests' key."""
    monkeypatch.setattr(
        "app.folder.data_folder.load_catalogue",
        lambda _: load_catalogue(resources, project_key=PROJECT_KEY),
    )


def test_a_new_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    data = DataFolder.open(tmp_path / "new" / "folder")
    assert data.folder.is_dir()
    assert stat.S_IMODE(data.folder.stat().st_mode) == 0o700
    assert data.settings.bootstrap == ()


def test_without_a_name_the_usual_place_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.folder.data_folder.default_data_folder", lambda: tmp_path / "usual")
    assert DataFolder.open(None).folder == tmp_path / "usual"


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_in_its_place_is_one_line(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used as a data folder") as refused:
        DataFolder.open(tmp_path / "file" / below)
    assert "\n" not in str(refused.value)


def test_a_damaged_program_asks_to_be_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = write_resources(tmp_path / "resources")
    (resources / "catalogue" / "catalogue.json").write_text("junk")
    use_resources(monkeypatch, resources)
    with pytest.raises(UsageError, match=r"damaged \(this is not a catalogue.*install it again"):
        DataFolder.open(tmp_path / "data")


def test_the_embedded_model_is_the_guide_and_not_its_draft(tmp_path: Path) -> None:
    model = DataFolder.open(tmp_path).model(None)
    assert model.manifest.name.startswith("guide-")
    assert "draft" not in model.manifest.name
    assert model.plan.block_count >= 8
    assert model.known.source == "catalogue"


def test_a_program_without_a_model_of_its_own_asks_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_resources(monkeypatch, write_resources(tmp_path / "resources"))
    with pytest.raises(UsageError, match="name one with --model"):
        DataFolder.open(tmp_path / "data").model(None)


def test_an_unknown_model_is_declined_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=f"No model is called 'nosuch'; known here: .*{DRAFT}"):
        DataFolder.open(tmp_path).model("nosuch")


def test_a_manifest_that_contradicts_itself_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = write_resources(tmp_path / "resources", manifest_of(source_file(), []))
    use_resources(monkeypatch, resources)
    with pytest.raises(UsageError, match="The manifest of Made up is damaged: "):
        DataFolder.open(tmp_path / "data").model("made-up")


def test_bootstraps_given_count_more_than_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'bootstrap = ["{PEER}@example.org:1"]\n')
    data = DataFolder.open(tmp_path)
    assert [address for _, address in data.bootstraps([])] == ["example.org:1"]
    given = data.bootstraps([f"{PEER}@127.0.0.1:2", f"{PEER}@[::1]:3"])
    assert [address for _, address in given] == ["127.0.0.1:2", "[::1]:3"]


@pytest.mark.parametrize("text", ["nonsense", f"{PEER}@", f"{PEER}@host:0", "abc@host:1", "@:1"])
def test_a_bootstrap_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        DataFolder.open(tmp_path).bootstraps([text])
    assert "\n" not in str(refused.value)


async def test_layers_come_once_and_are_mounted_from_the_store(tmp_path: Path) -> None:
    told: list[int] = []

    class Told(ProgressLine):
        def update(self, progress: Progress) -> None:
            told.append(progress.done_bytes)

    data = DataFolder.open(tmp_path)
    model = data.model(DRAFT)
    await fetch_units(data, model, Span(1, 3), Told("it"))
    assert told[-1] == data.store.used_bytes() - 2 * HEADER_ROOM_BYTES
    told.clear()
    await fetch_units(data, model, Span(1, 3), Told("it"))
    assert told == []
    request = data.mount_request(model, Span(1, 3), kv_tokens=512, sequences=2, name="here")
    assert list(request.unit_files) == [1, 2]
    assert all(file.is_file() for file in request.unit_files.values())
    assert request.folder == tmp_path / "mounts" / "here"
    assert (request.kv_tokens, request.sequences, request.threads) == (512, 2, 0)


async def test_a_quota_that_is_too_small_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("disk_quota_bytes = 1000\n")
    data = DataFolder.open(tmp_path)
    with pytest.raises(Refusal):
        await fetch_units(data, data.model(DRAFT), Span(0, 4))
    assert data.store.used_bytes() == 0


def test_a_download_that_takes_long_is_told_in_steps(capsys: pytest.CaptureFixture[str]) -> None:
    clock = VirtualClock()
    line = ProgressLine("it", clock=clock)
    clock.advance(QUIET_SECONDS)
    for done in range(0, 1001, 2):
        line.update(Progress(0, 0, 0, done, 1000, 1.0, ""))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("downloading it: 0 % of 0.0 MB")
    assert lines[-1].startswith("downloading it: 100 %")


def test_a_download_that_is_over_at_once_is_not_worth_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = ProgressLine("it", clock=VirtualClock())
    for done in range(0, 1001, 2):
        line.update(Progress(0, 0, 0, done, 1000, 1.0, ""))
    assert capsys.readouterr().err == ""


async def test_a_download_of_which_nothing_comes_is_said_to_have_begun(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.folder.data_folder.QUIET_SECONDS", 0.0)
    line = ProgressLine("it", clock=VirtualClock())
    with line.begun():
        await next_turn()
    assert capsys.readouterr().err == "downloading it ...\n"
    line.update(Progress(0, 0, 0, 500, 1000, 1.0, ""))
    assert capsys.readouterr().err.startswith("downloading it: 50 %")
    with line.begun():
        await next_turn()
    assert capsys.readouterr().err == "", "it is shown already"
    with ProgressLine("it", clock=VirtualClock()).begun():
        pass
    await next_turn()
    assert capsys.readouterr().err == "", "it was over at once"


async def next_turn() -> None:
    """Until the loop has been where timers without any time left are due."""
    due = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, due.set)
    await due.wait()


def test_what_ships_with_the_program_is_there() -> None:
    assert (resources_folder() / "catalogue" / "catalogue.json").is_file()
