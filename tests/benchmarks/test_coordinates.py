"""The shape of the last line of benchmarks/coordinates.py, and that its scenes repeat."""

from __future__ import annotations

from benchmarks.coordinates import Scene, at_share, figures

SMALL = Scene(computers=20, samples=20)


def test_a_scene_gives_the_same_figures_each_time_and_names_its_baseline() -> None:
    found = figures(SMALL)
    assert found == figures(SMALL)
    for name in ("median_error_percent", "p90_error_percent"):
        assert isinstance(found[name], float)
        assert isinstance(found[f"baseline_{name}"], float)
    assert (found["computers"], found["samples"], found["liars_percent"]) == (20, 20, 5.0)


def test_a_share_of_a_sorted_list() -> None:
    assert at_share([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert at_share([1.0, 2.0], 1.0) == 2.0
