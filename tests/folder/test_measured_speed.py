"""The measured speed outlives a restart; see app/folder/measured_speed.py."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.folder.measured_speed import (
    FASTEST,
    MOST_MODELS,
    SLOWEST,
    SPEED_FILE,
    MeasuredSpeed,
    rounded,
)
from app.ids import ModelId

MODEL, OTHER = ModelId(b"m" * 32), ModelId(b"o" * 32)


def test_nothing_is_known_before_it_was_measured(tmp_path: Path) -> None:
    speed = MeasuredSpeed(tmp_path)
    assert speed.bytes_per_second is None
    speed.save()
    assert not (tmp_path / SPEED_FILE).exists()


def test_what_was_measured_is_known_after_a_restart(tmp_path: Path) -> None:
    speed = MeasuredSpeed(tmp_path)
    speed.note(4e9)
    assert speed.is_news
    speed.save()
    assert not speed.is_news
    assert MeasuredSpeed(tmp_path).bytes_per_second == 4e9


def test_how_fast_layers_come_is_known_after_a_restart(tmp_path: Path) -> None:
    speed = MeasuredSpeed(tmp_path)
    assert speed.line_bytes_per_second is None
    for measured in (5e6, 0.0, 6e6, 1.0, 7e6):
        speed.note_line(measured)
    assert speed.is_news
    speed.save()
    assert not speed.is_news
    assert MeasuredSpeed(tmp_path).line_bytes_per_second == 6e6


def test_a_little_faster_or_slower_is_not_written_down(tmp_path: Path) -> None:
    speed = MeasuredSpeed(tmp_path)
    speed.note(4.0e9)
    speed.save()
    speed.note(4.1e9)
    assert not speed.is_news
    for measured in (3.0e9, 3.1e9, 3.2e9):
        speed.note(measured)
    assert speed.is_news


def test_one_measurement_that_is_off_changes_nothing(tmp_path: Path) -> None:
    speed = MeasuredSpeed(tmp_path)
    for measured in (4.0e9, 4.2e9, 1.0e9, 4.1e9, 4.15e9):
        speed.note(measured)
    assert speed.bytes_per_second == 4.1e9
    for tokens in (310.0, 290.0, 40.0):
        speed.note_wrote(MODEL, 7_000_000, tokens)
    assert speed.expected(MODEL, 7_000_000, whole=True) == 300.0


def test_a_model_that_wrote_here_is_expected_to_do_so_again(tmp_path: Path) -> None:
    speed = MeasuredSpeed(tmp_path)
    assert speed.expected(MODEL, 7_000_000, whole=True) is None
    speed.note_wrote(MODEL, 7_000_000, 287.0)
    speed.save()
    again = MeasuredSpeed(tmp_path)
    assert again.expected(MODEL, 7_000_000, whole=True) == 300.0
    # How much of that is weights, and how much is beside them, nobody measured yet.
    assert again.expected(OTHER, 5_000_000_000, whole=True) is None


def test_what_a_token_costs_beside_the_weights_is_counted_for_other_models(
    tmp_path: Path,
) -> None:
    speed = MeasuredSpeed(tmp_path)
    speed.note(10e9)
    # By its weights alone the small model would write 1,000 tokens a second.
    assert speed.expected(MODEL, 10_000_000, whole=True) == 1000.0
    speed.note_wrote(MODEL, 10_000_000, 200.0)
    assert speed.expected(OTHER, 10_000_000, whole=True) == 200.0
    assert speed.expected(OTHER, 5_000_000_000, whole=True) == 2.0
    assert speed.expected(OTHER, 0, whole=False) is None


def test_only_so_many_models_are_kept(tmp_path: Path) -> None:
    speed = MeasuredSpeed(tmp_path)
    models = [ModelId(bytes([number]) * 32) for number in range(MOST_MODELS + 1)]
    for model in models:
        speed.note_wrote(model, 7_000_000, 100.0)
    speed.save()
    again = MeasuredSpeed(tmp_path)
    known = [again.expected(model, 7_000_000, whole=True) for model in (models[0], models[-1])]
    assert known == [None, 100.0]


@pytest.mark.parametrize(
    ("measured", "shown"),
    [(14.2, 14.0), (287.0, 300.0), (0.034, 0.03), (1456.0, 1500.0), (96, 100)],
)
def test_a_guess_has_one_digit_that_counts(measured: float, shown: float) -> None:
    assert rounded(measured) == pytest.approx(shown)


@pytest.mark.parametrize("measured", [0.0, -1.0, float("nan"), float("inf"), SLOWEST / 2])
def test_what_cannot_be_is_ignored(tmp_path: Path, measured: float) -> None:
    speed = MeasuredSpeed(tmp_path)
    speed.note(measured)
    assert speed.bytes_per_second is None


def test_a_folder_that_cannot_be_written_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    speed = MeasuredSpeed(tmp_path / "gone")
    speed.note(4e9)
    speed.save()
    assert "not kept" in caplog.text
    assert speed.is_news


@settings(deadline=None, max_examples=100)
@given(
    st.binary(max_size=200)
    | st.floats().map(lambda speed: b'{"bytes_per_second": %r}' % speed)
    | st.integers().map(lambda speed: b'{"bytes_per_second": %d}' % speed)
    | st.floats().map(lambda speed: b'{"wrote": {"%s": [5e6, %r]}}' % (b"6d" * 32, speed))
)
def test_whatever_stands_in_the_file_is_a_speed_or_nothing(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / SPEED_FILE).write_bytes(data)
        found = MeasuredSpeed(Path(folder))
    speed, wrote = found.bytes_per_second, found.expected(MODEL, 7_000_000, whole=True)
    assert speed is None or SLOWEST <= speed <= FASTEST
    assert wrote is None or wrote > 0
