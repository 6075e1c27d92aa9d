"""publish, models, status and doctor, and what they say when something is missing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.command_line.cli import run
from app.engine.hardware import GraphicsCard, Hardware, Memory, Processor
from app.engine.publish import publish
from app.errors import EngineFault
from app.folder.tally import SERVED_FILE
from app.ids import ModelId, PeerId, Span, peer_text
from app.net.identity import new_identity
from app.net.records import Announcement
from tests.helpers.processes import environment
from tests.helpers.tiny_models import write_gemma2, write_llama

KEY = bytes(range(32))
URL = "https://example.org/tiny.gguf"
NOBODY = f"{peer_text(new_identity().peer_id)}@127.0.0.1:9"
Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Told:
    """Runs a command with a data folder; exit code, output and errors."""
    for name, text in environment(tmp_path).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 0.05)

    def type_in(*words: str) -> tuple[int, str, str]:
        code = run([*words, "--data-dir", str(tmp_path / "data")])
        return (code, *capsys.readouterr())

    return type_in


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
    assert lines[0] == f"{target}: my-own, units 0:8"
    _, output, _ = told("models", "--json")
    (row,) = [row for row in json.loads(output) if row["name"] == "my-own"]
    assert lines[1] == f"id {row['id']}"
    assert row["trusted"].endswith(lines[2].removeprefix("publisher "))
    assert (row["units"], row["units_held"]) == ("0:8", [])
    _, output, _ = told("models")
    (line,) = [line for line in output.splitlines() if line.startswith("my-own ")]
    assert row["id"][:12] in line


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


# ── status ───────────────────────────────────────────────────────────────────


def announced(span: Span | None, *, model: bytes = bytes(32), name: str = "m") -> Announcement:
    """What some computer says of itself."""
    return Announcement(
        peer=PeerId(new_identity().peer_id),
        sequence=1,
        issued_at=1.0,
        expires_at=2.0,
        model=ModelId(model),
        model_name=name,
        span=span,
        layers_per_second=10.0,
        kv_tokens_free=100,
    )


@pytest.fixture
def swarm(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets bootstraps know this much."""

    def knows(*found: Announcement) -> None:
        async def lookup_all(bootstraps: Any, known: Any) -> list[Announcement]:
            return [*found]

        monkeypatch.setattr("app.command_line.commands.lookup_all", lookup_all)

    return knows


def test_nothing_running_and_nobody_known_is_told_plainly(told: Told, tmp_path: Path) -> None:
    code, output, errors = told("status")
    assert (code, errors) == (0, "")
    assert output.splitlines() == [
        f"no node runs in {tmp_path / 'data'}",
        "layers on disk: 0 MB of 20.0 GB",
    ]


def test_who_serves_what_and_what_nobody_serves(told: Told, swarm: Callable[..., None]) -> None:
    swarm(announced(Span(0, 2)), announced(Span(0, 2)), announced(Span(3, 5)), announced(None))
    code, output, _ = told("status", "--json", "--bootstrap", NOBODY)
    assert code == 0
    report = json.loads(output)
    assert report["bootstraps"] == [NOBODY]
    (model,) = report["models"]
    assert model["replicas"] == [2, 2, 0, 1, 1]
    assert model["missing"] == [2]
    assert [host["units"] for host in model["hosts"]] == ["0:2", "0:2", "3:5"]
    _, output, _ = told("status", "--bootstrap", NOBODY)
    assert "m: 3 helpers, nobody serves units 2:3\n" in output
    assert "  computers per unit: 0:2 2, 2:3 0, 3:5 1\n" in output


def test_what_this_computer_is_to_a_model_is_said(
    told: Told, swarm: Callable[..., None], tmp_path: Path
) -> None:
    told("status")  # makes the folder
    mine, other = announced(Span(0, 3)), announced(Span(0, 2))
    coming = msgspec.structs.replace(announced(Span(2, 5)), ready=False)
    status = {
        "listen": "1.2.3.4:5",
        "units": "0:3",
        "model": "m",
        "peer_id": peer_text(PeerId(mine.peer)),
        "written_at": time.time(),
    }
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    for others, words, place in (
        ([], "some of which nobody else serves", "only"),
        ([other, announced(Span(2, 5))], "some of which only one other computer serves", "second"),
        ([announced(Span(0, 5)), other, announced(Span(2, 5))], "at least two others", "spare"),
    ):
        swarm(mine, coming, *others)
        _, output, _ = told("status", "--bootstrap", NOBODY)
        marked = [line for line in output.splitlines() if line.endswith("(this computer)")]
        assert marked == [f"  {peer_text(PeerId(mine.peer))[:8]}  units 0:3  (this computer)"]
        assert f"m: {1 + len(others)} helper{'s' * bool(others)} and 1 on their way, " in output
        assert "  this computer: units 0:3, " in output
        assert words in output
        assert "  units 2:5  (on its way)\n" in output
        _, output, _ = told("status", "--json", "--bootstrap", NOBODY)
        (model,) = json.loads(output)["models"]
        assert (model["my_units"], model["my_place"]) == ("0:3", place)
        assert (model["computers"], model["coming"]) == (1 + len(others), 1)


def test_parts_that_do_not_meet_are_no_chain(told: Told, swarm: Callable[..., None]) -> None:
    swarm(announced(Span(0, 4)), announced(Span(3, 6)))
    _, output, _ = told("status", "--bootstrap", NOBODY)
    assert "m: 2 helpers, every unit is served, but the parts do not meet\n" in output


def test_replaced_helpers_are_counted(told: Told, tmp_path: Path) -> None:
    told("status")
    kept = tmp_path / "data" / SERVED_FILE
    kept.write_text('{"day": "2030-01-01", "repairs_today": 2, "repairs_ever": 7}')
    assert "helpers replaced in your chats: 0 today, 7 ever\n" in told("status")[1]
    assert json.loads(told("status", "--json")[1])["repairs"] == {"today": 0, "ever": 7}
    kept.write_text("[")
    assert json.loads(told("status", "--json")[1])["repairs"] is None
    assert kept.read_text() == "["


def test_models_of_several_computers_are_told_apart(told: Told, swarm: Callable[..., None]) -> None:
    swarm(announced(Span(0, 2)), announced(Span(0, 2), model=bytes(31) + b"\1", name="n"))
    _, output, _ = told("status", "--json", "--bootstrap", NOBODY)
    assert [model["name"] for model in json.loads(output)["models"]] == ["m", "n"]


def test_a_strangers_name_for_a_model_cannot_steer_the_terminal(
    told: Told, swarm: Callable[..., None]
) -> None:
    swarm(announced(Span(0, 2), name="\x1b[2Jm"))
    _, output, _ = told("status", "--bootstrap", NOBODY)
    assert "\x1b" not in output
    assert "[2Jm: 1 helper," in output


def test_bootstraps_that_are_away_are_part_of_the_status(told: Told) -> None:
    code, output, errors = told("status", "--bootstrap", NOBODY)
    assert (code, errors) == (0, "")
    assert "no bootstrap answers" in output
    _, output, _ = told("status", "--json", "--bootstrap", NOBODY)
    assert "no bootstrap answers" in json.loads(output)["bootstrap_error"]


@pytest.mark.parametrize(
    ("age_seconds", "written", "words"),
    [
        (0, {"units": None}, "a node runs at 1.2.3.4:5 and serves no layers"),
        (1, {"units": "0:2"}, "sharing units 0:2 of m at 1.2.3.4:5: 1 conversations now, 9 ever"),
        (3600, {"units": "0:2"}, "no node runs in "),
        (-3600, {"units": "0:2"}, "no node runs in "),
    ],
)
def test_what_a_node_wrote_counts_while_it_is_fresh(
    told: Told, tmp_path: Path, age_seconds: float, written: dict[str, Any], words: str
) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    status = {"listen": "1.2.3.4:5", "model": "m", "sessions": 1, "sessions_ever": 9, **written}
    status["written_at"] = time.time() - age_seconds
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    assert told("status")[1].startswith(words)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"written_at": "x"}', '{"written_at": NOW}', "\0"),
        '{"written_at": NOW, "listen": "x", "units": [1]}',
        '{"written_at": NOW, "listen": "x", "units": "0:2", "model": 5}',
        '{"written_at": NOW, "listen": "x", "units": "0:2", "sessions": null}',
        '{"written_at": 1e999, "listen": "x", "units": null}',
        "[" * 100_000,
        " " * (2 << 20),
    ],
)
def test_a_status_that_is_damaged_counts_as_none(told: Told, tmp_path: Path, text: str) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "node.json").write_text(text.replace("NOW", str(time.time())))
    code, output, _ = told("status")
    assert (code, output.startswith("no node runs")) == (0, True)


def test_what_is_left_out_of_a_status_is_no_mistake(told: Told, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    status = {"listen": "x", "units": "0:1", "written_at": time.time()}
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    code, output, _ = told("status")
    assert (code, output.splitlines()[0]) == (
        0,
        "sharing units 0:1 of  at x: 0 conversations now, 0 ever",
    )


def test_what_a_node_stands_by_for_is_part_of_the_status(told: Told, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    status = {"listen": "x", "units": "0:1", "written_at": time.time(), "beside": "Also\x1b[2J m"}
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    code, output, _ = told("status")
    assert code == 0
    line = output.splitlines()[1]
    assert line.startswith("Also")
    assert "\x1b" not in line


def test_why_a_node_serves_nothing_is_part_of_the_status(told: Told, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    line = "Paused by you (until 15:40)"
    for state, units, seen in (("paused", None, True), ("sharing", "0:1", False)):
        status = {"listen": "x", "units": units, "written_at": time.time()}
        status |= {"state": state, "headline": line}
        (tmp_path / "data" / "node.json").write_text(json.dumps(status))
        assert (line in told("status")[1].splitlines()) == seen


def test_a_status_cannot_steer_the_terminal(told: Told, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    evil = "\x1b[31mEVIL\x1b]0;t\x07\nno node"
    status = {"listen": evil, "units": evil, "model": evil, "written_at": time.time()}
    status |= {"state": "paused", "headline": evil, "peer_id": evil}
    (tmp_path / "data" / "node.json").write_text(json.dumps(status))
    code, output, _ = told("status")
    assert code == 0
    assert "\x1b" not in output
    assert "\x07" not in output
    assert output.splitlines()[2].startswith("layers on disk")


# ── doctor ───────────────────────────────────────────────────────────────────


@pytest.fixture
def computer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets this computer be another one, with an engine that runs or does not."""

    def is_like(memory: Memory, *cards: GraphicsCard, engine: str = "") -> None:
        processor = Processor("Abacus", 2, 4, ())
        hardware = Hardware("Linux", "abacus", processor, memory, cards)
        monkeypatch.setattr("app.command_line.commands.read_hardware", lambda: hardware)

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
