"""Which way of loading works on this computer, found out by trying.

No table of hardware decides: a worker mounts the slice one way and computes a
few rows; if it dies, the next way is tried and the machine is remembered. The
counterpart that does the trying is `app/engine/ways.py`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.engine.hardware import read_processor
from app.small_files import read_small

logger = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 64 << 10


@dataclass(frozen=True)
class Rung:
    """One way of loading: `gpu_layers` on a GPU (-1: all), weights repacked or not."""

    name: str
    gpu_layers: int
    repack: bool


GPU = Rung("gpu", -1, repack=False)
REPACKED = Rung("cpu-repacked", 0, repack=True)
PLAIN = Rung("cpu", 0, repack=False)


class Ladder:
    """The ways to try, best first, less those that killed a worker here before.

    The last rung is never struck out: it is what every computer can do.
    """

    def __init__(self, file: Path) -> None:
        """Remember in `file`; a damaged one is as good as none."""
        self._file = file
        self._key = f"{importlib.metadata.version('llama-cpp-python')} on {read_processor().name}"
        self._struck = self._load()

    def rungs(self, *, gpu: bool) -> list[Rung]:
        """What to try, in order."""
        wanted = [GPU, REPACKED, PLAIN] if gpu else [REPACKED, PLAIN]
        return [rung for rung in wanted if rung is PLAIN or rung.name not in self._struck]

    def strike(self, rung: Rung, reason: str) -> None:
        """Never use `rung` on this computer again, with this build of llama.cpp."""
        logger.warning("%s does not work on this computer: %s", rung.name, reason)
        self._struck[rung.name] = reason
        content = json.dumps({self._key: self._struck}, indent=1)
        draft = self._file.with_suffix(".draft")
        with contextlib.suppress(OSError):  # what cannot be remembered is tried again
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(content)
            os.replace(draft, self._file)

    def _load(self) -> dict[str, str]:
        try:
            struck = json.loads(read_small(self._file, MAX_FILE_BYTES)).get(self._key, {})
            return {str(name): str(reason) for name, reason in struck.items()}
        except (OSError, ValueError, AttributeError, RecursionError):
            return {}
