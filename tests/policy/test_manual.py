"""What the owner decides by hand: kept, run out, and safe when it cannot be read."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import UsageError
from app.policy.manual import (
    LONGEST_PAUSE_SECONDS,
    MAX_FILE_BYTES,
    SHARING_FILE,
    HandPause,
    ManualState,
    load_manual,
    save_manual,
)

NOW = 1_800_000_000.0
HOUR = 3600.0


def sharing(**changes: object) -> ManualState:
    return ManualState(consented=True, noted_at=NOW, **changes)  # type: ignore[arg-type]


def test_a_new_computer_has_decided_nothing(tmp_path: Path) -> None:
    assert load_manual(tmp_path) == ManualState()
    assert load_manual(tmp_path).consented is None


def test_a_pause_survives_a_restart(tmp_path: Path) -> None:
    paused = sharing().paused("all", NOW + HOUR)
    save_manual(tmp_path, paused)
    pause = load_manual(tmp_path).at(NOW + 60, watched=False).pause
    assert pause is not None
    assert pause.until == NOW + HOUR
    save_manual(tmp_path, sharing().paused("all", None))
    assert load_manual(tmp_path).at(NOW + 90 * 86_400).pause == HandPause()


def test_a_pause_runs_out_by_itself_and_one_without_an_end_does_not() -> None:
    assert sharing().paused("all", NOW + HOUR).at(NOW + HOUR).pause is None
    assert sharing().paused("gpu", NOW + HOUR).at(NOW + HOUR - 1).gpu_pause is not None
    assert sharing().paused("cpu", None).at(NOW + 10 * HOUR).cpu_pause == HandPause()


def test_parts_are_paused_and_resumed_apart_and_resuming_all_ends_everything() -> None:
    state = sharing().paused("gpu", None).paused("cpu", NOW + HOUR)
    assert state.resumed("gpu").gpu_pause is None
    assert state.resumed("gpu").cpu_pause is not None
    assert state.resumed("cpu").cpu_pause is None
    everything = state.paused("all", None).resumed("all")
    assert (everything.pause, everything.gpu_pause, everything.cpu_pause) == (None, None, None)


def test_a_pause_ends_share_anyway_and_share_anyway_runs_out() -> None:
    anyway = sharing().overruling(NOW + HOUR)
    paused = anyway.paused("all", None)
    assert paused.resumed("all").share_anyway_until == NOW + HOUR
    assert anyway.at(NOW + HOUR - 1).share_anyway_until == NOW + HOUR
    assert anyway.at(NOW + HOUR).share_anyway_until is None


def test_rules_made_stricter_later_are_kept_until_share_anyway_is_said_again(
    tmp_path: Path,
) -> None:
    anyway = sharing().overruling(NOW + HOUR, rules="as they were")
    assert anyway.under("as they were", frozenset()) == anyway
    later = anyway.under("later", frozenset({"schedule"})).under("now", frozenset({"battery"}))
    assert later.stricter_since == {"schedule", "battery"}
    assert later.share_anyway_until == NOW + HOUR, "for all else it goes on"
    save_manual(tmp_path, later)
    assert load_manual(tmp_path) == later
    assert later.overruling(NOW + HOUR, rules="now").stricter_since == frozenset()
    assert sharing().under("now", frozenset({"schedule"})) == sharing()


def test_rules_changed_while_nobody_looked_end_share_anyway() -> None:
    anyway = sharing().overruling(NOW + HOUR, rules="as they were")
    assert anyway.begun_under("as they were") == anyway
    assert anyway.begun_under("others").share_anyway_until is None
    earlier_version = sharing().overruling(NOW + HOUR)
    assert earlier_version.begun_under("others") == earlier_version


def test_consenting_ends_every_earlier_pause() -> None:
    state = sharing().paused("all", None).overruling(NOW + 1)
    agreed = state.consenting(share=True)
    assert (agreed.consented, agreed.pause, agreed.share_anyway_until) == (True, None, None)
    assert state.consenting(share=False).consented is False


def test_a_clock_set_back_does_not_make_a_pause_longer() -> None:
    paused = sharing().paused("all", NOW + HOUR).overruling(NOW + HOUR)
    back = paused.at(NOW - 30 * 86_400)
    assert back.pause is not None
    assert back.pause.until == NOW - 30 * 86_400 + HOUR
    assert back.share_anyway_until == NOW - 30 * 86_400 + HOUR
    assert back.noted_at == NOW - 30 * 86_400


def looked_at(state: ManualState, begin: float, seconds: float) -> ManualState:
    """As after looking every two seconds for so long."""
    for step in range(0, int(seconds) + 2, 2):
        state = state.at(begin + min(step, seconds))
    return state


def test_a_pause_under_a_clock_that_was_ahead_lasts_as_long_as_it_was_asked_for() -> None:
    state = sharing().at(NOW).paused("all", NOW + 600).at(NOW)
    back = NOW - 400 * 86_400
    assert looked_at(state, back, 598).pause is not None
    assert looked_at(state, back, 602).pause is None


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_clock_that_is_set_right_ends_no_pause_before_its_time(
    tmp_path: Path, is_restarted: bool
) -> None:
    state = sharing().at(NOW).paused("all", NOW + 86_400).at(NOW)
    state = looked_at(state, NOW - 365 * 86_400, 20)
    assert state.clock_doubtful
    if is_restarted:
        save_manual(tmp_path, state)
        state = load_manual(tmp_path)
    right = state.at(NOW + 60, watched=not is_restarted)
    assert right.pause is not None
    assert right.pause.until == NOW + 86_400
    assert right.at(NOW + 86_399).pause is not None
    assert right.at(NOW + 86_400).pause is None


def test_one_wild_reading_of_the_clock_ends_no_pause() -> None:
    state = sharing().at(NOW).paused("all", NOW + HOUR).at(NOW)
    wild = state.at(1e12)
    assert wild.pause is not None
    assert looked_at(wild, NOW + 2, HOUR - 10).pause is not None


def test_a_computer_that_slept_past_a_pauses_end_is_not_paused_any_more() -> None:
    state = sharing().at(NOW).paused("all", NOW + HOUR).at(NOW)
    assert not state.clock_doubtful
    assert state.at(NOW + 2 * HOUR).pause is None


def test_a_clock_that_was_years_ahead_leaves_no_endless_pause() -> None:
    wrong = ManualState(consented=True, pause=HandPause(until=NOW + 400 * 86_400))
    pause = wrong.at(NOW).pause
    assert pause is not None
    assert pause.until == NOW + LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"consented": 7}', b"\xff", b'{"pause": 1}', b" " * (MAX_FILE_BYTES + 1)],
)
def test_a_damaged_file_means_not_agreed_and_says_so(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / SHARING_FILE).write_bytes(data)
    with caplog.at_level(logging.WARNING):
        state = load_manual(tmp_path)
    assert state.consented is None
    assert "could not be read" in state.remark
    assert "damaged" in caplog.text
    assert state.consenting(share=True).remark == ""


def test_a_file_from_a_newer_version_keeps_what_is_known(tmp_path: Path) -> None:
    (tmp_path / SHARING_FILE).write_bytes(b'{"consented": true, "pause": {}, "mood": "good"}')
    assert load_manual(tmp_path) == ManualState(consented=True, pause=HandPause())


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="will be forgotten when Potluck ends") as refusal:
        save_manual(tmp_path / "missing", sharing())
    assert "\n" not in str(refusal.value)


def test_the_file_is_the_old_one_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_manual(tmp_path, sharing())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UsageError, match="No space left"):
        save_manual(tmp_path, sharing().paused("all", None))
    assert load_manual(tmp_path) == sharing()


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_file_gives_a_state_that_shares_only_with_consent(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / SHARING_FILE).write_bytes(data)
    state = load_manual(folder).at(NOW)
    assert state.consented in (None, False) or b"true" in data
