"""Nine real nodes, four people who write all the time, and a while in which everything goes wrong.

`python -m tests.chaos` has more of both, for as long as one likes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.storm import storm

SEED = 7
SECONDS = 15.0
SPANS = ("0:4", "4:7", "7:10") * 2 + ("0:7", "4:10", "7:10")
"""Every unit is served three times over, and cut in more ways than one."""
WRITERS = 4
LEAST_FAULTS = 4


@pytest.mark.measured
async def test_every_answer_is_finished_and_right_whatever_happens_to_computers(
    tmp_path: Path,
) -> None:
    story = await storm(
        tmp_path,
        seconds=SECONDS,
        seed=SEED,
        least_faults=LEAST_FAULTS,
        spans=SPANS,
        writers=WRITERS,
    )
    assert not story.problems, "\n".join(story.problems)
    assert len(story.struck) >= LEAST_FAULTS, "this was no storm"
    assert story.tokens > 100, "hardly anybody wrote"
