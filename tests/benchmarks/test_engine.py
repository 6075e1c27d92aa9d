"""The parts of the engine benchmark that need no model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.engine import BUSY_PROGRAMS_PER_CORE, busy_cores, run_part


def test_busy_programs_end_with_the_measurement() -> None:
    with busy_cores() as programs:
        assert len(programs) == BUSY_PROGRAMS_PER_CORE * (os.cpu_count() or 1)
        assert all(program.poll() is None for program in programs)
    assert all(program.returncode is not None for program in programs)


def test_a_part_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"overhead .*missing\.gguf"):
        run_part("overhead", tmp_path / "missing.gguf", passive=True)
