#!/usr/bin/env python3
"""One door for everyone who works on Potluck: set up, check, test, try.

    python3 dev.py demo         watch a small model, cut over three nodes, answer
    python3 dev.py test [...]   run the tests; what follows goes to pytest
    python3 dev.py check        formatting, lint, types and the rules of the house
    python3 dev.py run CMD ...  run any command inside the environment
    python3 dev.py setup        only set up (--desktop: the window, --adapt: training)

Each command first sets up what it needs in `.venv`, and takes no time when that is done.
Standard library only, because it runs before anything is installed; its counterpart,
`tools/setup_environment.py`, does the setting up. Whatever goes wrong ends in one line
that says what to do.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.kept_types import keep, take_over
from tools.setup_environment import (
    EXTRAS,
    ROOT,
    WINDOWS,
    Trouble,
    cache_folder,
    check_python,
    environment_python,
    inside,
    say,
    setup,
)


def become(command: Sequence[str], folder: Path | None = None) -> int:
    """Run the last command of all in our place, with its own signals and exit status."""
    environment = inside()
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        say(f"There is no command {command[0]!r} in the environment or on this computer.")
        return 127
    if folder is not None:
        os.chdir(folder)
    sys.stdout.flush()
    if not WINDOWS:
        os.execve(program, [program, *command[1:]], environment)
    return subprocess.run([program, *command[1:]], env=environment).returncode


def check() -> int:
    """Run every check, so that one run tells everything; 0 when all pass.

    They run side by side, for mypy takes longest and one processor. That the tests can be read
    is found out meanwhile, and what is compiled for it waits for those who run them.
    """
    places = ["app", "tools", "benchmarks", "tests"]
    typed = [place for place in places if any((ROOT / place).rglob("*.py"))]
    python = [environment_python(), "-m"]
    alone = ["pytest", "-n", "0", "-q"]
    steps = (
        ("Types", [*python, "mypy", *typed, "dev.py"], ""),
        ("Tests can be read", [*python, *alone, "--collect-only"], ""),
        ("Rules of the house", [*python, *alone, "tests/test_architecture.py"], ""),
        ("Formatting", [*python, "ruff", "format", "--check", "."], "run ruff format ."),
        ("Lint", [*python, "ruff", "check", "."], "run ruff check --fix ."),
    )

    def run(step: tuple[str, list[str], str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            step[1],
            cwd=ROOT,
            env=inside(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )

    failed = []
    kept_types = cache_folder() / "types.zip"
    knew_nothing = take_over(ROOT, kept_types)
    with ThreadPoolExecutor(os.cpu_count()) as side_by_side:
        for (title, _, advice), ended in zip(steps, side_by_side.map(run, steps), strict=True):
            lines = ended.stdout.strip().splitlines()
            shown = lines if ended.returncode else lines[-1:]
            say("\n".join([f"{title}:", *shown]))
            if ended.returncode:
                failed.append(f"{title} (python3 dev.py {advice})" if advice else title)
            elif title == "Types" and knew_nothing:
                keep(ROOT, kept_types)
    say(f"Not right yet: {', '.join(failed)}." if failed else "All checks pass.")
    return 1 if failed else 0


def command_line(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit status."""
    check_python()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print("\n".join((__doc__ or "").splitlines()[2:8]))
        return 0 if arguments else 2
    name, rest = arguments[0], list(arguments[1:])
    if rest[:1] == ["--"]:
        rest = rest[1:]
    if name == "setup":
        return set_up_only(rest)
    if name == "check":
        if rest:
            raise Trouble(f"check takes no arguments, and got {shlex.join(rest)}.")
        setup(["dev", "desktop"])
        return check()
    if name == "test":
        setup(["dev", "desktop"])
        return become([environment_python(), "-m", "pytest", *(rest or ["-q"])], ROOT)
    if name == "demo":
        setup([])
        return become([environment_python(), "-m", "app", "demo", *rest])
    if name == "run":
        if not rest:
            raise Trouble("run needs a command, such as: python3 dev.py run potluck doctor")
        setup(["dev"])
        return become(rest)
    raise Trouble(f"dev.py knows demo, test, check, run and setup, but not {name!r}.")


def set_up_only(options: Sequence[str]) -> int:
    """The `setup` command."""
    known = {f"--{extra}": extra for extra in EXTRAS}
    strange = [option for option in options if option not in known]
    if strange:
        raise Trouble(f"setup knows {', '.join(sorted(known))}, but not {shlex.join(strange)}.")
    setup(sorted({"dev", *(known[option] for option in options)}))
    say("Ready. Try: python3 dev.py demo")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run one command; whatever happens, the person gets a line and a status."""
    try:
        return command_line(arguments)
    except Trouble as trouble:
        say(str(trouble))
        return 1
    except KeyboardInterrupt:
        say("\nStopped. What was done so far is kept; run it again to go on.")
        return 130
    except OSError as error:
        say(f"{error.filename or 'dev.py'}: {error.strerror or error}. Mend that and run it again.")
        return 1
    except Exception as error:  # noqa: BLE001 - the outermost edge; the details are written down
        log = Path(tempfile.gettempdir()) / "potluck-dev.log"
        log.write_text(traceback.format_exc(), encoding="utf-8")
        say(f"dev.py itself failed ({type(error).__name__}); please report it with {log}.")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
