"""The measured speed outlives a restart; see app/measured_speed.py."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.measured_speed import FASTEST, SLOWEST, SPEED_FILE, MeasuredSpeed


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


def test_a_little_faster_or_slower_is_not_written_down(tmp_path: Path) -> None:
    speed = MeasuredSpeed(tmp_path)
    speed.note(4.0e9)
    speed.save()
    speed.note(4.1e9)
    assert (speed.bytes_per_second, speed.is_news) == (4.1e9, False)
    speed.note(3.0e9)
    assert speed.is_news


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
)
def test_whatever_stands_in_the_file_is_a_speed_or_nothing(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / SPEED_FILE).write_bytes(data)
        speed = MeasuredSpeed(Path(folder)).bytes_per_second
    assert speed is None or SLOWEST <= speed <= FASTEST
