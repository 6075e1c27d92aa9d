"""The entry: `potluck` on the command line, and `python -m app`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run a command; a worker of a packaged program comes through here too."""
    if sys.argv[1:2] == ["worker"]:
        from app.engine.worker import main as worker

        worker()
        return 0
    if sys.argv[1:2] == ["proof"]:
        from app.engine.proof import main as proof

        return proof(sys.argv[2:])
    from app.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
