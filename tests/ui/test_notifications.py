"""Notifications: few, and each can be switched off."""

from __future__ import annotations

import msgspec
import pytest

from app.api.shapes import Download, Pause, SettingsView, SettingView
from app.ui.notifications import Notifier
from tests.helpers.fake_node_data import snapshot_at_rest

SHARING = snapshot_at_rest()
BATTERY = msgspec.structs.replace(
    SHARING,
    state="paused",
    headline="Paused: on battery",
    pause=Pause(reason="battery", words="on battery"),
)
PROBLEM = msgspec.structs.replace(SHARING, state="problem", headline="The disk is full")


def values(**given: bool) -> SettingsView:
    return SettingsView(
        settings=[
            SettingView(
                name=name,
                label="",
                words="",
                section="",
                kind="switch",
                unit="",
                value=value,
                default=True,
                least=None,
                most=None,
                choices=[],
            )
            for name, value in given.items()
        ],
        remarks=[],
    )


@pytest.fixture
def shown() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def notifier(shown) -> Notifier:
    return Notifier(lambda title, text: shown.append((title, text)))


def test_a_pause_that_came_by_itself_is_told_once_to_who_wants_it(notifier, shown) -> None:
    notifier.settings(values(notify_pauses=True))
    for snapshot in (SHARING, BATTERY, BATTERY):
        notifier.snapshot(snapshot)
    assert shown == [("Sharing is paused", "Paused: on battery")]


def test_what_the_person_did_is_not_told(notifier, shown) -> None:
    pause = Pause(reason="manual", words="Paused by you")
    for snapshot in (SHARING, msgspec.structs.replace(BATTERY, pause=pause)):
        notifier.snapshot(snapshot)
    assert shown == []


def test_a_problem_is_told(notifier, shown) -> None:
    notifier.snapshot(SHARING)
    notifier.snapshot(PROBLEM)
    assert shown == [("Potluck has a problem", "The disk is full")]


def test_nothing_is_told_at_the_start_or_before_consent(notifier, shown) -> None:
    notifier.snapshot(PROBLEM)
    asked = snapshot_at_rest(consented=None)
    notifier.snapshot(asked)
    notifier.snapshot(msgspec.structs.replace(asked, state="problem"))
    assert shown == []


def test_each_kind_can_be_switched_off(notifier, shown) -> None:
    notifier.settings(values(notify_pauses=False, notify_problems=False))
    for snapshot in (SHARING, BATTERY, SHARING, PROBLEM):
        notifier.snapshot(snapshot)
    notifier.node_trouble("The node ended.")
    assert shown == []


def test_a_finished_download_is_told_to_who_wants_it(notifier, shown) -> None:
    download = Download(
        model="Qwen3 8B", done_bytes=1, total_bytes=2, bytes_per_second=1.0, origin=""
    )
    loading = msgspec.structs.replace(SHARING, download=download)
    for snapshot in (loading, SHARING):
        notifier.snapshot(snapshot)
    assert shown == []
    notifier.settings(values(notify_downloads=True))
    for snapshot in (loading, SHARING):
        notifier.snapshot(snapshot)
    assert shown == [("The download is over", "Layers of Qwen3 8B")]


def test_a_warning_of_the_node_is_passed_on(notifier, shown) -> None:
    notifier.warning("The disk is nearly full.")
    assert shown == [("Potluck", "The disk is nearly full.")]


def test_the_end_of_the_node_is_told(notifier, shown) -> None:
    notifier.node_trouble("The node ended.")
    assert shown == [("Potluck has a problem", "The node ended.")]
