"""Setting up: quick when done, and one line for everything that can stand in the way.

No test installs anything: pip, the compiler and the disk are played by the test.
"""

import itertools
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from tools import setup_environment
from tools.setup_environment import GIGABYTE, Trouble


class Disk(NamedTuple):
    """What shutil.disk_usage answers."""

    total: int
    used: int
    free: int


class Steps:
    """Plays the long steps: remembers each, and makes the wheel that pip would make."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []

    def watched(self, title: str, command: Sequence[str], environment: dict[str, str]) -> None:
        """Stands in for `watched`."""
        self.commands.append(list(command))
        self.environments.append(environment)
        if "--wheel-dir" in command:
            folder = Path(command[list(command).index("--wheel-dir") + 1])
            with zipfile.ZipFile(folder / "llama_cpp_python-9.9-py3-none-any.whl", "w") as wheel:
                wheel.writestr("llama_cpp/__init__.py", "")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh clone on a computer with a compiler, an empty cache and a large disk."""
    root = tmp_path / "clone"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "constraints.txt").write_text("numpy==1.0\nllama-cpp-python==9.9\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("c++", "xcode-select"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    for name in ("CMAKE_ARGS", "CXX", "CC", "CXXFLAGS", "CFLAGS", "CMAKE_BUILD_PARALLEL_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(setup_environment, "ROOT", root)
    monkeypatch.setattr(setup_environment, "cache_folder", lambda: tmp_path / "cache")
    large = Disk(100 * GIGABYTE, 0, 100 * GIGABYTE)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: large)
    return root


@pytest.fixture
def steps(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """The long steps, played; the environment appears when it is made."""
    played = Steps()

    def make_environment() -> None:
        python = Path(setup_environment.environment_python())
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    monkeypatch.setattr(setup_environment, "watched", played.watched)
    monkeypatch.setattr(setup_environment, "make_environment", make_environment)
    return played


def trouble_of(extras: Sequence[str] = ("dev",)) -> str:
    """The one line that setting up ends with."""
    with pytest.raises(Trouble) as caught:
        setup_environment.setup(extras)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what is done, and done once --------------------------------------------------------


def test_a_fresh_clone_compiles_the_engine_then_installs_everything(steps: Steps) -> None:
    setup_environment.setup(["dev"])
    build, engine, packages = steps.commands
    assert "wheel" in build
    assert "llama-cpp-python==9.9" in build
    assert engine[-1].endswith(".whl")
    assert packages[-2:] == ["--editable", f"{setup_environment.ROOT}[dev]"]


def test_a_second_run_does_nothing(steps: Steps) -> None:
    setup_environment.setup(["dev"])
    steps.commands.clear()
    setup_environment.setup(["dev"])
    setup_environment.setup([])
    assert steps.commands == []


def test_a_second_clone_takes_the_engine_from_the_cache(steps: Steps, repository: Path) -> None:
    setup_environment.setup(["dev"])
    setup_environment.stamp_path().unlink()
    steps.commands.clear()
    setup_environment.setup(["dev"])
    assert not any("wheel" in command for command in steps.commands)
    assert len(steps.commands) == 2


def test_a_torn_wheel_in_the_cache_is_built_again(steps: Steps) -> None:
    wheel = setup_environment.engine_wheel()
    wheel.write_bytes(wheel.read_bytes()[:10])
    steps.commands.clear()
    assert zipfile.is_zipfile(setup_environment.engine_wheel())
    assert len(steps.commands) == 1


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_requirement_sets_up_again(steps: Steps, repository: Path, name: str) -> None:
    setup_environment.setup(["dev"])
    steps.commands.clear()
    with (repository / name).open("a") as stream:
        stream.write("\n# changed\n")
    setup_environment.setup(["dev"])
    assert len(steps.commands) == 1


def test_an_extra_stays_when_something_else_is_set_up(steps: Steps, repository: Path) -> None:
    setup_environment.setup(["adapt"])
    setup_environment.setup(["dev"])
    assert steps.commands[-1][-1] == f"{repository}[adapt,dev]"
    assert setup_environment.ready(["adapt"])


@pytest.mark.parametrize("note", ["", "{", "[]", '{"extras": 3}', '{"fingerprint": null}'])
def test_a_damaged_note_means_setting_up_again(steps: Steps, note: str) -> None:
    setup_environment.setup(["dev"])
    steps.commands.clear()
    setup_environment.stamp_path().write_text(note)
    setup_environment.setup(["dev"])
    assert steps.commands
    assert setup_environment.ready(["dev"])


def test_an_environment_without_its_python_is_not_ready(steps: Steps) -> None:
    setup_environment.setup(["dev"])
    Path(setup_environment.environment_python()).unlink()
    assert not setup_environment.ready(["dev"])


# --- how the engine is compiled ---------------------------------------------------------


def test_a_persons_compile_flags_come_after_ours_and_so_win(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON -DGGML_NATIVE=ON")
    monkeypatch.setenv("CMAKE_BUILD_PARALLEL_LEVEL", "1")
    setup_environment.engine_wheel()
    (environment,) = steps.environments
    assert environment["CMAKE_ARGS"] == (
        "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DGGML_CUDA=ON -DGGML_NATIVE=ON"
    )
    assert environment["CMAKE_BUILD_PARALLEL_LEVEL"] == "1"


def test_other_flags_are_another_engine(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    setup_environment.setup(["dev"])
    steps.commands.clear()
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON")
    setup_environment.setup(["dev"])
    assert any("wheel" in command for command in steps.commands)
    assert any("--force-reinstall" in command for command in steps.commands)


def test_pips_own_cache_with_its_unknown_flags_is_not_asked_for_the_engine(steps: Steps) -> None:
    setup_environment.engine_wheel()
    (build,) = steps.commands
    assert "--no-cache-dir" in build
    assert build[build.index("--no-binary") + 1] == "llama-cpp-python"


def test_everything_is_pinned_also_what_builds_the_packages(steps: Steps) -> None:
    setup_environment.setup(["dev"])
    for environment in steps.environments:
        assert environment["PIP_CONSTRAINT"].endswith("/constraints.txt")
        assert environment["PIP_BUILD_CONSTRAINT"] == environment["PIP_CONSTRAINT"]


# --- what can stand in the way ----------------------------------------------------------


def test_an_old_python_is_told_what_is_needed(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    assert "needs Python 3.11 or newer" in trouble_of()
    assert steps.commands == []


def test_a_full_disk_is_noticed_before_anything_is_made(
    steps: Steps, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly_full = Disk(10 * GIGABYTE, 9 * GIGABYTE, GIGABYTE)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: nearly_full)
    line = trouble_of()
    assert "needs about 2.3 GB" in line
    assert "1.0 GB is free" in line
    assert not (repository / ".venv").exists()


def test_training_asks_for_more_room_than_chatting(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Disk(10 * GIGABYTE, 6 * GIGABYTE, 4 * GIGABYTE)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: some)
    assert "needs about 8.3 GB" in trouble_of(["adapt", "dev"])
    setup_environment.setup(["dev"])


def test_a_missing_compiler_is_named_with_the_command_that_installs_it(
    steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "apt-get").write_text("#!/bin/sh\n")
    (empty / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setattr(sys, "platform", "linux")
    assert trouble_of() == "No C++ compiler. Install one with: sudo apt-get install g++"
    assert steps.commands == []


def test_a_python_without_its_venv_module_is_told_which_package_brings_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "The virtual environment was not created successfully because ensurepip is not available"
    answer = subprocess.CompletedProcess([], 1, stdout=said, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert re.search(r"sudo apt-get install python3\.\d+-venv", trouble_of())


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("NewConnectionError: [Errno -3] Temporary failure in name resolution", "no network"),
        ("ReadTimeoutError: Read timed out.\nERROR: No matching distribution", "no network"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("CMake Error: No CMAKE_CXX_COMPILER could be found.", "no C++ compiler"),
        ("c++: fatal error: Killed signal terminated program cc1plus", "memory ran out"),
    ],
)
def test_a_failing_step_ends_in_one_line_that_says_what_to_do(
    repository: Path, output: str, line: str
) -> None:
    command = [sys.executable, "-c", f"print({output!r}); raise SystemExit(1)"]
    with pytest.raises(Trouble) as caught:
        setup_environment.watched("Installing the packages", command, {})
    assert str(caught.value).startswith(f"Installing the packages: {line}")
    assert "\n" not in str(caught.value)


def test_a_failure_of_no_known_kind_shows_the_end_of_its_output_and_keeps_the_rest(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "for n in range(50): print('line', n)\nraise SystemExit(3)"
    with pytest.raises(Trouble, match=r"all of them are in .*setup\.log"):
        setup_environment.watched("Sorting", [sys.executable, "-c", program], {})
    shown = capsys.readouterr().err
    assert "line 49" in shown
    assert "line 29" not in shown
    assert "line 0" in (repository / ".setup" / "setup.log").read_text()


def test_a_step_that_works_says_how_long_it_took(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.chain([100.0], itertools.repeat(103.5))
    clock = SimpleNamespace(monotonic=lambda: next(looks))
    monkeypatch.setattr(setup_environment, "time", clock)
    setup_environment.watched("Counting", [sys.executable, "-c", "print(1)"], {})
    assert capsys.readouterr().err == "Counting ...\n  done in 0:03\n"


def test_progress_is_read_from_what_the_compiler_writes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert setup_environment.compiled_text(log) == ""
    log.write_text("*** Building\n[1/260] Building CXX\n[17/260] Building CXX object ggml.o\n")
    assert setup_environment.compiled_text(log) == ", 17 of 260 files"


def test_the_note_names_what_was_set_up(steps: Steps) -> None:
    setup_environment.setup(["dev"])
    note = json.loads(setup_environment.stamp_path().read_text())
    assert note["extras"] == ["dev"]


# --- the window's system libraries ------------------------------------------------------


def desktop_dialogue(
    monkeypatch: pytest.MonkeyPatch, *, administrator: bool, installed: str
) -> None:
    """A Debian computer asks for the window's libraries."""
    answer = subprocess.CompletedProcess([], 0, stdout=installed, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("os.geteuid", lambda: 0 if administrator else 1000, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    setup_environment.desktop_libraries()


def test_the_administrator_gets_the_windows_libraries_installed(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop_dialogue(monkeypatch, administrator=True, installed="libegl1\tinstalled\n")
    update, install = steps.commands
    assert update == ["apt-get", "update"]
    assert "libxcb-cursor0" in install
    assert "libegl1" not in install


def test_anybody_else_gets_the_line_to_run(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desktop_dialogue(monkeypatch, administrator=False, installed="")
    assert steps.commands == []
    assert "sudo apt-get install -y --no-install-recommends lib" in capsys.readouterr().err


def test_nothing_is_asked_where_all_libraries_are_there(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{name}\tinstalled" for name in setup_environment.QT_PACKAGES]
    listing = "\n".join(names).replace("libglib2.0-0\t", "libglib2.0-0t64\t")
    desktop_dialogue(monkeypatch, administrator=True, installed=listing)
    assert steps.commands == []
    assert capsys.readouterr().err == ""
