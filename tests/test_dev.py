"""The door: what dev.py does with a command line, and that it never shows a traceback."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def dev() -> ModuleType:
    """dev.py, loaded anew."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Door:
    """dev.py with its setup and its last step played."""

    def __init__(self, dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dev = dev
        self.set_up: list[list[str]] = []
        self.became: list[list[str]] = []
        monkeypatch.setattr(dev, "setup", lambda extras: self.set_up.append(list(extras)))
        monkeypatch.setattr(dev, "become", self.become)
        monkeypatch.setattr(dev, "environment_python", lambda: "python")

    def become(self, command: Sequence[str], folder: Path | None = None) -> int:
        """Stands in for `become`, and ends with status 7."""
        self.became.append(list(command))
        return 7

    def __call__(self, *arguments: str) -> int:
        status = self.dev.main(arguments)
        assert isinstance(status, int)
        return status


@pytest.fixture
def door(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Door:
    """dev.py with its setup and its last step played."""
    return Door(dev, monkeypatch)


TESTED = ["dev", "desktop"]


@pytest.mark.parametrize(
    ("arguments", "command", "extras"),
    [
        (["test"], ["python", "-m", "pytest", "-q"], TESTED),
        (["test", "-x", "tests/net"], ["python", "-m", "pytest", "-x", "tests/net"], TESTED),
        (["test", "--", "-k", "a"], ["python", "-m", "pytest", "-k", "a"], TESTED),
        (["demo", "--nodes", "4"], ["python", "-m", "app", "demo", "--nodes", "4"], []),
        (["run", "potluck", "chat", "--", "hi"], ["potluck", "chat", "--", "hi"], ["dev"]),
        (["run", "--", "ruff", "--version"], ["ruff", "--version"], ["dev"]),
    ],
)
def test_a_command_is_set_up_for_and_handed_on_with_its_status(
    door: Door, arguments: list[str], command: list[str], extras: list[str]
) -> None:
    assert door(*arguments) == 7
    assert door.became == [command]
    assert door.set_up == [extras]


def test_setup_brings_what_it_is_asked_for(door: Door) -> None:
    assert door("setup") == 0
    assert door("setup", "--desktop", "--adapt") == 0
    assert door.set_up == [["dev"], ["adapt", "desktop", "dev"]]
    assert door.became == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["dance"], "dev.py knows demo, test, check, run and setup, but not 'dance'."),
        (["setup", "--moon"], "setup knows --adapt, --desktop, --dev, but not --moon."),
        (["check", "now"], "check takes no arguments, and got now."),
        (["run"], "run needs a command, such as: python3 dev.py run potluck doctor"),
    ],
)
def test_a_mistyped_command_gets_one_line(
    door: Door, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert door(*arguments) == 1
    assert capsys.readouterr().err == f"{line}\n"
    assert door.set_up == []


def test_asking_for_help_lists_the_commands(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    assert door("--help") == 0
    shown = capsys.readouterr().out
    for name in ("demo", "test", "check", "run", "setup"):
        assert f"python3 dev.py {name}" in shown
    assert door() == 2


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "Stopped. What was done so far is kept"),
        (PermissionError(13, "Permission denied", ".venv"), 1, ".venv: Permission denied"),
        (ZeroDivisionError("oh"), 1, "dev.py itself failed (ZeroDivisionError)"),
    ],
)
def test_whatever_happens_ends_in_a_line_and_never_in_a_traceback(
    dev: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    words: str,
) -> None:
    def fail(extras: Sequence[str]) -> None:
        raise error

    monkeypatch.setattr(dev, "setup", fail)
    assert dev.main(["test"]) == status
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown
    assert len(shown.strip().splitlines()) == 1


def test_check_runs_everything_and_names_what_is_not_right(
    dev: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(dev, "cache_folder", lambda: tmp_path)

    def run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command[2])
        wrong = command[2] == "mypy"
        return subprocess.CompletedProcess(command, 1 if wrong else 0, "app/x.py:1: a str\nend\n")

    monkeypatch.setattr(dev, "setup", lambda extras: None)
    monkeypatch.setattr(subprocess, "run", run)
    assert dev.main(["check"]) == 1
    assert sorted(ran) == ["mypy", "pytest", "pytest", "ruff", "ruff"]
    told = capsys.readouterr().err.splitlines()
    assert told[:5] == ["Types:", "app/x.py:1: a str", "end", "Tests can be read:", "end"]
    assert told[-1] == "Not right yet: Types."


def test_a_command_nobody_has_gets_one_line(
    dev: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.become(["no-such-program-here"]) == 127
    assert "There is no command 'no-such-program-here'" in capsys.readouterr().err


def test_run_keeps_the_exit_status_and_the_output_of_the_command() -> None:
    program = "import sys; print('clean'); sys.exit(5)"
    script = (
        "import sys, dev; dev.setup = lambda extras: None; "
        f"sys.exit(dev.main(['run', sys.executable, '-c', {program!r}]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (5, "clean\n", "")
