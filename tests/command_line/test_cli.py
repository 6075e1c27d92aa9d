"""The command line: every mistake is one line and an exit code, and never a traceback."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import __version__
from app.command_line.cli import run
from app.errors import UsageError
from app.ids import peer_text
from app.net.identity import new_identity
from tests.helpers.processes import command, environment

pytestmark = pytest.mark.real

COMMANDS = ["node", "chat", "demo", "publish", "models", "status", "doctor"]
NOBODY = f"{peer_text(new_identity().peer_id)}@127.0.0.1:9"
DRAFT = "guide-draft-q8_0"
HEAVY = {
    "aioquic",
    "llama_cpp",
    "numpy",
    "aiohttp",
    "keyring",
    "gguf",
    "app.node.node",
    "app.chat.client",
}

Command = Callable[[argparse.Namespace], object]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of whoever runs the tests."""
    for name, text in environment(tmp_path).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 0.05)
    return tmp_path


def typed(*words: str) -> int:
    """What a person types; the exit code."""
    try:
        return run(words)
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code


def replace_command(monkeypatch: pytest.MonkeyPatch, name: str, work: Command) -> None:
    """Let a command do this instead."""
    module = "status" if name == "status" else "commands"
    monkeypatch.setattr(f"app.command_line.{module}.{name}", work)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["node", "--units", "5:3"], "5:3 is not a span of units"),
        (["node", "--units", "x"], "'x' is not a span of units; write it like 0:5"),
        (["node", "--units", "0:999999"], "is not a span of units"),
        (["node", "--units", "-1:3"], "expected a span of units; write it like 0:5, which is"),
        (["node", "--units"], "expected a span of units; write it like 0:5, which is units 0 to"),
        (["node", "--port", "5"], "unrecognized arguments: --port"),
        (["chat", "--temperature", "warm"], "'warm' is no number from 0 to 10"),
        (["chat", "--temperature", "nan"], "'nan' is no number from 0 to 10"),
        (["chat", "--temperature", "-1"], "no number from 0 to 10"),
        (["chat", "--top-k", "2000"], "'2000' is no whole number from 0 to 1,024"),
        (["chat", "--top-p", "0"], "no number from 0.001 to 1"),
        (["chat", "--max-tokens", "0"], "no whole number from 1 to"),
        (["chat", "--seed", "-1"], "no whole number from 0 to"),
        (["chat", "--deadline", "inf"], "no number from 0.1 to 86400"),
        (["demo", "--nodes", "0"], "no whole number from 1 to 8"),
        (["publish", "x.gguf"], "the following arguments are required: --url"),
        (["publish", "--url", "http://x/y"], "the following arguments are required: FILE.gguf"),
    ],
)
def test_words_that_are_off_are_one_line_and_two(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(*words) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert complaint in errors
    assert "--help)" in errors


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["node", "--bootstrap", "nonsense"], "'nonsense' is not PEERID@HOST:PORT."),
        (["node", "--listen", "nonsense"], "'nonsense' is not an address"),
        (["node", "--listen", "192.0.2.1:5"], "cannot listen on 192.0.2.1:5"),
        (["node", "--model", DRAFT, "--units", "0:9"], "has the units 0:4; 0:9 is not among"),
        (
            ["node", "--model", "{folder}/m.GGUF"],
            "Make the list of its pieces with potluck publish",
        ),
        (["node", "--model", "nosuch"], "No model is called 'nosuch'"),
        (["node", "--model", "{folder}/nosuch.json"], "nosuch.json cannot be read: No such file"),
        (["node", "--model", "{folder}/dir.json"], "dir.json cannot be read: Is a directory."),
        (["node", "--model", "{folder}/bad.json"], "bad.json was not taken: it is no list"),
        (["node", "--data-dir", "{folder}/file"], "file cannot be used as a data folder"),
        (["node", "--data-dir", "{folder}/file/x"], "x cannot be used as a data folder"),
        (["chat", "hi"], "No computer to ask is known: name one with --bootstrap"),
        (["chat", ""], "The prompt is empty; nothing was sent."),
        (["chat", " \n "], "The prompt is empty; nothing was sent."),
        (["chat", "", "--raw"], "The prompt is empty; nothing was sent."),
        (["chat", "h\udcff"], "The prompt is not UTF-8 text; nothing was sent."),
        (["chat", "--json"], "--json and --raw need a prompt."),
        (["chat", "--raw"], "--json and --raw need a prompt."),
        (["chat", "hi", "--bootstrap", NOBODY], "no bootstrap answers: "),
        (["chat", "word " * 2000, "--alone", "--model", DRAFT], "nothing was sent. Shorten it."),
        (["publish", "{folder}/nosuch.gguf", "--url", "http://x/y"], "nosuch.gguf cannot be read"),
        (["publish", "{folder}", "--url", "http://x/y"], "cannot be read: Is a directory."),
        (["publish", "{folder}/file", "--url", "http://x/y"], "file cannot be published: "),
        (["publish", "{folder}/file", "--url", "x"], "'x' is not an address that starts with"),
        (
            ["publish", "{folder}/file", "--url", "http://x/y", "--out", "{folder}/no/m.json"],
            "m.json is no place for a file; choose another one with --out.",
        ),
        (
            ["publish", "{folder}/file", "--url", "http://x/y", "--out", "{folder}/dir.json"],
            "dir.json is no place for a file",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_and_one(
    words: list[str], complaint: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "file").write_text("")
    (home / "bad.json").write_text("[]")
    (home / "dir.json").mkdir()
    words = [word.replace("{folder}", str(home)) for word in words]
    if "--data-dir" not in words:
        words += ["--data-dir", str(home / "data")]
    assert typed(*words) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1, errors
    assert errors.startswith("potluck: ")
    assert complaint in errors


def test_a_port_that_is_taken_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert typed("node", "--listen", address, "--data-dir", str(home / "data")) == 1
    assert f"cannot listen on {address}" in capsys.readouterr().err


def test_files_that_are_damaged_are_named_by_every_command(home: Path) -> None:
    data = home / "data"
    (data / "manifests").mkdir(parents=True)
    (data / "manifests" / f"{'a' * 64}.json").write_text("junk")
    (data / "settings.toml").write_text('kv_tokens = "many"\n')
    done = subprocess.run(
        command("models", "--data-dir", str(data)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert DRAFT in done.stdout
    about = sorted(done.stderr.splitlines())
    assert len(about) == 2
    assert "kv_tokens" in done.stderr
    assert "is left out" in done.stderr


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("--help") == 0
    listed = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n    {name} " in listed
        assert typed(name, "--help") == 0
        assert capsys.readouterr().out.startswith(f"usage: potluck {name} ")


def test_the_help_of_a_node_says_who_chooses_its_layers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert typed("node", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "--model alone serves all units of that model" in told
    assert "Potluck chooses the layers by itself" in told


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("--version") == 0
    assert capsys.readouterr().out == f"potluck {__version__}\n"


def test_help_is_quick_because_it_loads_little() -> None:
    program = (
        "import sys\nfrom app.__main__ import main\nsys.argv = ['potluck', 'chat', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = done.stdout.decode().splitlines()[-1]
    assert "'app.command_line.cli'" in loaded
    assert not [name for name in HEAVY if f"'{name}'" in loaded]


def test_no_command_brings_llama_cpp_into_its_own_process() -> None:
    program = (
        "import sys, app.command_line.commands, app.command_line.terminal, app.command_line.demo\n"
        "print('llama_cpp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"


def test_a_mistake_of_ours_is_one_line_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(options: argparse.Namespace) -> int:
        raise RuntimeError("a bug")

    replace_command(monkeypatch, "models", broken)
    assert typed("models") == 70
    errors = capsys.readouterr().err
    assert "mistake in Potluck itself (RuntimeError: a bug)" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UsageError("Not so."), "potluck: Not so.\n"),
        (
            OSError(28, "No space left on device", "/disk/x"),
            "/disk/x cannot be used: No space left on device.\n",
        ),
        (
            OSError(30, "Read-only", "{folder}/mounts"),
            "mounts cannot be used: Read-only. Choose another folder with --data-dir.\n",
        ),
        (OSError("odd"), "potluck: odd\n"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    home: Path,
    error: Exception,
    line: str,
) -> None:
    if isinstance(error, OSError) and error.filename:
        error.filename = error.filename.replace("{folder}", str(home))

    async def refused(options: argparse.Namespace) -> int:
        raise error

    replace_command(monkeypatch, "status", refused)
    assert typed("status", "--data-dir", str(home)) == 1
    assert capsys.readouterr().err.endswith(line)


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [
        ("node", signal.SIGTERM, 0),
        ("status", signal.SIGTERM, 143),
        ("node", signal.SIGINT, 130),
        ("status", signal.SIGINT, 130),
    ],
)
def test_a_command_that_is_stopped_puts_everything_away(
    monkeypatch: pytest.MonkeyPatch, name: str, number: signal.Signals, code: int
) -> None:
    put_away = []

    async def waits(options: argparse.Namespace) -> int:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            put_away.append(name)
        return 5

    replace_command(monkeypatch, name, waits)
    assert typed(name) == code
    assert put_away == [name]


def test_a_terminal_that_lacks_a_letter_shows_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def speaks(options: argparse.Namespace) -> int:
        print("caf\u00e9 \udcff", flush=True)
        return 0

    replace_command(monkeypatch, "models", speaks)
    page = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(page, encoding="ascii"))
    assert typed("models") == 0
    assert page.getvalue() == b"caf? ?\n"


def test_a_reader_that_has_gone_is_no_mistake(home: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as gone:
        words = command("models", "--json", "--data-dir", str(home / "data"))
        done = subprocess.run(words, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
