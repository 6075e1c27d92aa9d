"""The tray: its icon, its first line, and what its menu offers."""

from __future__ import annotations

import time

import msgspec
import pytest

from app.api.shapes import Pause, PauseRequest, ResumeRequest
from app.ui.pausing import Pausing
from app.ui.tray import Tray
from tests.helpers.fake_node_data import snapshot_at_rest
from tests.ui.conftest import unexpected


@pytest.fixture
def tray(theme, backend):
    made = Tray(theme, Pausing(backend, unexpected))
    yield made
    made.hide()


def texts(tray: Tray) -> list[str]:
    return [a.text() for a in tray.menu.actions() if a.isVisible() and not a.isSeparator()]


def test_the_first_line_says_what_is_happening(tray) -> None:
    tray.show_snapshot(snapshot_at_rest())
    assert texts(tray)[0] == "Sharing 14 layers of Qwen3 8B"
    assert "Sharing 14 layers" in tray.icon.toolTip()
    assert not tray.headline.isEnabled()


def test_while_sharing_the_menu_offers_to_pause(tray) -> None:
    tray.show_snapshot(snapshot_at_rest())
    assert texts(tray)[1:] == [
        *("Pause", "Slow network mode", "Open Potluck", "Chat", "Settings", "Quit Potluck")
    ]


def test_a_manual_pause_shows_its_time_and_offers_to_resume(tray) -> None:
    pause = Pause(reason="manual", words="Paused by you", until=time.time() + 900)
    tray.show_snapshot(
        msgspec.structs.replace(
            snapshot_at_rest(), state="paused", headline="Paused by you", pause=pause
        )
    )
    assert texts(tray)[:2] == ["Paused by you (15 minutes left)", "Resume sharing"]


def test_a_pause_by_hand_can_be_made_longer(tray) -> None:
    pause = Pause(reason="manual", words="Paused by you", until=time.time() + 900)
    line = "Paused by you (until 14:25)"
    tray.show_snapshot(
        msgspec.structs.replace(snapshot_at_rest(), state="paused", headline=line, pause=pause)
    )
    assert texts(tray)[:3] == [
        *("Paused by you (until 14:25, 15 minutes left)", "Resume sharing", "Pause")
    ]


def test_during_the_first_run_only_the_window_can_be_opened(tray) -> None:
    tray.show_snapshot(snapshot_at_rest(consented=None))
    assert texts(tray)[1:] == ["Open Potluck", "Chat", "Settings", "Quit Potluck"]
    assert [place.isEnabled() for place in tray.places] == [False, False]
    tray.show_snapshot(snapshot_at_rest())
    assert [place.isEnabled() for place in tray.places] == [True, True]


def test_an_automatic_pause_offers_to_share_anyway(tray) -> None:
    pause = Pause(reason="battery", words="Paused: on battery", can_override=True)
    tray.show_snapshot(
        msgspec.structs.replace(
            snapshot_at_rest(), state="paused", headline="Paused: on battery", pause=pause
        )
    )
    assert texts(tray)[:2] == ["Paused: on battery", "Share anyway for 1 hour"]


def test_before_consent_it_offers_to_start(tray) -> None:
    tray.show_snapshot(snapshot_at_rest(consented=False))
    assert "Start sharing" in texts(tray)
    assert "Pause" not in texts(tray)


def test_the_icon_follows_the_state(tray) -> None:
    seen = {tray.icon.icon().cacheKey()}
    for state in ("sharing", "idle", "paused", "problem"):
        tray.show_snapshot(msgspec.structs.replace(snapshot_at_rest(), state=state))
        seen.add(tray.icon.icon().cacheKey())
    assert len(seen) == 5


def test_a_node_that_is_away_is_a_problem_with_nothing_to_pause(tray) -> None:
    tray.show_trouble("No connection")
    assert texts(tray)[:2] == ["No connection", "Open Potluck"]


def test_gpu_and_cpu_can_be_paused_apart_and_resumed(tray, fake, wait) -> None:
    tray.show_snapshot(snapshot_at_rest())
    tray.ways.gpu.trigger()
    wait(lambda: fake.node.asked)
    assert fake.node.asked == [("pause", PauseRequest(kind="resume", what="gpu"))]
    tray.ways.gpu.trigger()
    wait(lambda: fake.node.asked[-1] == ("resume", ResumeRequest(what="gpu")))


def test_the_menu_leads_to_the_places_of_the_window(tray, qtbot) -> None:
    actions = {action.text(): action for action in tray.menu.actions()}
    for text, place in (("Open Potluck", "overview"), ("Chat", "chat"), ("Settings", "settings")):
        with qtbot.waitSignal(tray.wanted) as heard:
            actions[text].trigger()
        assert heard.args == [place]
    with qtbot.waitSignal(tray.quit_wanted):
        actions["Quit Potluck"].trigger()
