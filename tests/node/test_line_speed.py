"""What a download is expected to bring; see app/node/line_speed.py."""

from __future__ import annotations

from pathlib import Path

from app.folder.measured_speed import MeasuredSpeed
from app.node.line_speed import LineSpeed
from app.swarm.placement import LINE_BYTES_PER_SECOND


class Owner:
    """Sets the cap."""

    cap: float | None = None


def line(folder: Path, owner: Owner) -> LineSpeed:
    return LineSpeed(MeasuredSpeed(folder), lambda: owner.cap)


def test_until_something_was_fetched_it_is_a_guess(tmp_path: Path) -> None:
    owner = Owner()
    assert line(tmp_path, owner).bytes_per_second == LINE_BYTES_PER_SECOND
    owner.cap = 1e5
    assert line(tmp_path, owner).bytes_per_second == 1e5


def test_what_was_measured_counts_as_far_as_the_owner_allows(tmp_path: Path) -> None:
    owner = Owner()
    found = line(tmp_path, owner)
    found.note(9e6)
    assert found.bytes_per_second == 9e6
    owner.cap = 1e6
    assert found.bytes_per_second == 1e6


def test_a_download_at_the_cap_does_not_measure_the_line(tmp_path: Path) -> None:
    owner = Owner()
    found = line(tmp_path, owner)
    found.note(9e6)
    owner.cap = 1e6
    for _ in range(5):
        found.note(0.98e6)
    found.note(0.2e6)  # but a line slower than the cap shows
    owner.cap = None
    assert found.bytes_per_second == (9e6 + 0.2e6) / 2
