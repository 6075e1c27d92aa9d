"""The entry: `potluck` on the command line, and `python -m app`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

DESKTOP_OPTIONS: Final = ("--hidden", "--data-dir", "--right-to-left")
"""What may stand where a command would: without a command the window opens."""


def main() -> int:
    """Run a command, or the window without one; a packaged worker comes through here too."""
    if sys.argv[1:2] == ["worker"]:
        from app.engine.worker import main as worker

        worker()
        return 0
    if sys.argv[1:2] == ["proof"]:
        from app.engine.proof import main as proof

        return proof(sys.argv[2:])
    arguments = sys.argv[1:]
    if not arguments or arguments[0].split("=")[0] in DESKTOP_OPTIONS:
        return desktop(arguments)
    from app.command_line.cli import run

    return run(arguments)


def desktop(arguments: Sequence[str]) -> int:
    """Open the window; where it is not installed, say so and what works without it."""
    try:
        from app.ui.main import main as window
    except ImportError as error:
        print(
            f"potluck: The window cannot be opened ({error}). Install it with"
            " `pip install potluck[desktop]`, or see what works without it: potluck --help",
            file=sys.stderr,
        )
        return 1
    return window(arguments)


if __name__ == "__main__":
    sys.exit(main())
