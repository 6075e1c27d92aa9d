"""Twelve real nodes, six people who write all the time, and a while in which everything
goes wrong: `python -m tests.chaos` is the same for as long as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.storm import storm

SEED = 7
SECONDS = 15.0
LEAST_FAULTS = 4


@pytest.mark.measured
async def test_every_answer_is_finished_and_right_whatever_happens_to_computers(
    tmp_path: Path,
) -> None:
    story = await storm(tmp_path, seconds=SECONDS, seed=SEED, least_faults=LEAST_FAULTS)
    assert not story.problems, "\n".join(story.problems)
    assert len(story.struck) >= LEAST_FAULTS, "this was no storm"
    assert story.tokens > 100, "hardly anybody wrote"
