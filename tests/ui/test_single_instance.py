"""One window for each data folder."""

from __future__ import annotations

from pathlib import Path

from app.ui.single_instance import SingleInstance


def test_the_second_launch_raises_the_first(qtbot, tmp_path: Path) -> None:
    first, second = SingleInstance(tmp_path), SingleInstance(tmp_path)
    assert first.claim()
    with qtbot.waitSignal(first.raised):
        assert not second.claim()
    first.release()


def test_another_folder_is_another_window(qtbot, tmp_path: Path) -> None:
    first, second = SingleInstance(tmp_path / "a"), SingleInstance(tmp_path / "b")
    assert first.claim()
    assert second.claim()
    first.release()
    second.release()


def test_what_a_crashed_window_left_behind_does_not_matter(qtbot, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    assert first.claim()
    left_behind = Path(first._server.fullServerName())
    first.release()
    left_behind.write_text("")
    second = SingleInstance(tmp_path)
    assert second.claim()
    third = SingleInstance(tmp_path)
    with qtbot.waitSignal(second.raised):
        assert not third.claim()
    second.release()
